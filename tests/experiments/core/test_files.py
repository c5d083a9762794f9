"""Files in folders that others may have filled: links, pipes, torn lines and what killed processes left."""

import os
import stat
from pathlib import Path

import pytest

from experiments.core import files
from experiments.core.errors import RunError
from experiments.core.files import (
    LEFTOVER_SECONDS,
    AtomicWriter,
    append_line,
    lock_file,
    parse_json,
    read_regular_file,
    write_atomically,
)
from metrics.core.input_files import read_input_file


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    file = tmp_path / "victim"
    file.write_text("precious")
    return file


@pytest.mark.parametrize("name", ["a.json", ".a.json.partial"])
def test_nothing_is_written_through_a_link(name: str, tmp_path: Path, victim: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(victim)
    write_atomically(tmp_path / "run" / "a.json", b"new")
    assert victim.read_text() == "precious"
    assert (tmp_path / "run" / "a.json").read_bytes() == b"new"


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"")
    (tmp_path / "b").touch()
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"}
    assert len(modes) == 1


def test_nothing_is_left_of_what_could_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()  # no file can take its place
    with pytest.raises(OSError) as raised:
        write_atomically(tmp_path / "a", b"new")
    assert raised.value.filename == str(tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_leftovers_of_the_same_file_are_removed_unless_it_is_being_written(tmp_path: Path) -> None:
    left, written, other = (tmp_path / f".{name}.partial" for name in ("a.0", "a.1", "b.0"))
    for file in (left, written, other):
        file.touch()
    with written.open("wb") as stream:
        assert lock_file(stream.fileno())
        write_atomically(tmp_path / "a", b"")
    assert {path.name for path in tmp_path.iterdir()} == {"a", written.name, other.name}


def test_a_writer_of_many_files_looks_once_into_each_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at every file takes time that grows with the square of their number."""
    names = [f"{folder}/{number}" for folder in "xy" for number in range(30)]
    for folder in "xy":
        (tmp_path / folder).mkdir()
        for left in (".3.0.partial", ".29.0.partial", ".other.0.partial"):
            (tmp_path / folder / left).touch()
    looks, scan = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: looks.append(folder) or scan(folder))
    writer = AtomicWriter()
    for name in names:
        writer.write(tmp_path / name, name.encode())
    assert len(looks) == 2 + 4, "and once more for each file that has leftovers"
    for folder in "xy":
        own = {name.partition("/")[2] for name in names}
        assert {path.name for path in (tmp_path / folder).iterdir()} == {*own, ".other.0.partial"}


def test_without_locks_only_old_leftovers_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "lock_file", lambda *_, **__: False)
    old, young = (tmp_path / f".a.{name}.partial" for name in "01")
    for file in (old, young):
        file.touch()
    past = old.stat().st_mtime - LEFTOVER_SECONDS - 1
    os.utime(old, (past, past))
    write_atomically(tmp_path / "a", b"")
    assert {path.name for path in tmp_path.iterdir()} == {"a", young.name}


def test_a_file_taken_for_a_leftover_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the moment between its making and its lock another process may remove it."""
    taken: list[Path] = []

    def take(descriptor: int, waits: bool = True) -> bool:
        if not taken:
            taken.extend(tmp_path.iterdir())
            taken[0].unlink()
        return True

    monkeypatch.setattr(files, "lock_file", take)
    write_atomically(tmp_path / "a", b"new")
    assert taken and [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.parametrize("content", ["", "1\n", "1"])
def test_a_line_is_appended_on_a_line_of_its_own(content: str, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text(content)
    append_line(file, "2")
    assert file.read_text().split() == [*content.split(), "2"]
    assert file.read_text().endswith("\n") and "\n\n" not in file.read_text()


@pytest.mark.parametrize("call", [read_regular_file, lambda path: append_line(path, "mine")])
def test_links_and_pipes_are_refused(call, tmp_path: Path, victim: Path) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(victim)
    os.mkfifo(pipe)
    for file in (link, pipe):
        with pytest.raises(RunError, match=file.name):
            call(file)
    assert victim.read_text() == "precious"


def test_a_folder_reached_through_a_link_is_right(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to("disk")
    append_line(tmp_path / "run" / "a", "mine")
    assert read_regular_file(tmp_path / "disk" / "a") == b"mine\n"


def test_json_nested_too_deep_is_no_json() -> None:
    with pytest.raises(ValueError, match="deep"):
        parse_json("[" * 100_000)


def test_input_files_may_be_reached_through_links_but_are_regular(tmp_path: Path, victim: Path) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(victim)
    os.mkfifo(pipe)
    (tmp_path / "pipe-link").symlink_to(pipe)
    assert read_input_file(link, 8) == b"precious"
    with pytest.raises(OSError, match="more than 7 bytes"):
        read_input_file(link, 7)
    for file, words in (
        (pipe, "a pipe"),
        (tmp_path / "pipe-link", "a pipe"),
        (Path("/dev/zero"), "a device"),
    ):
        with pytest.raises(OSError, match=words):
            read_input_file(file, 8)
    with pytest.raises(IsADirectoryError):
        read_input_file(tmp_path, 8)


@pytest.mark.parametrize(
    ("content", "after"),
    [
        ("", "new\n"),
        ("new\n", "new\n"),
        ("old\nnew\n", "old\nnew\n"),
        ("new\nold\n", "new\nold\nnew\n"),
        ("renew\n", "renew\nnew\n"),
        ("old\nnew", "old\nnew\nnew\n"),
    ],
)
def test_a_line_that_is_the_last_already_is_not_appended_again(
    content: str, after: str, tmp_path: Path
) -> None:
    file = tmp_path / "lines"
    if content:
        file.write_text(content)
    append_line(file, "new", is_repeated=False)
    assert file.read_text() == after
