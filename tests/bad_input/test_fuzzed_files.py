"""Any damage of any file that is read ends in the right result or one clear line: the short form of the soak.

`benchmarks/fuzz_readers.py` tries the same for half an hour, in processes of their own.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from benchmarks.file_readers import Reader, readers
from benchmarks.mutations import mutated
from tests.conftest import one_thread

TAKE_SECONDS = ("cache", "MLflow")
READERS = {name: read for name, read in readers().items() if not any(slow in name for slow in TAKE_SECONDS)}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Reader], Path]]:
    """Makes the folder of a reader, once for all readers that have the same."""
    known: dict[Any, Path] = {}

    def make(reader: Reader) -> Path:
        key = getattr(reader.make, "args", reader.make)
        if key not in known:
            known[key] = tmp_path_factory.mktemp("whole")
            os.chdir(known[key])
            reader.make()
        return known[key]

    before = Path.cwd()
    with one_thread():
        yield make
    os.chdir(before)


@pytest.mark.parametrize("name", READERS)
def test_no_damage_is_worse_than_one_clear_line(
    name: str, made: Callable[[Reader], Path], workplace: Path
) -> None:
    reader = READERS[name]
    whole = made(reader)
    content = (whole / reader.file).read_bytes()
    (workplace / "victim").write_text("precious")
    is_quick = not isinstance(reader.reads[0], str)
    how = st.just(0) if is_quick else st.integers(0, len(reader.reads) - 1)

    @settings(
        max_examples=10 if is_quick else 2,
        deadline=5000,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(mutated(content, reader.kind), how)
    def damage(damaged: bytes, how: int) -> None:
        os.chdir(workplace)
        shutil.rmtree("work", ignore_errors=True)
        shutil.copytree(whole, "work")
        os.chdir("work")
        reader.write(damaged)
        reader.read(how)

    damage()
    assert (workplace / "victim").read_text() == "precious"
    assert {path.name for path in workplace.iterdir()} <= {"victim", "work", "cache", "config"}


@pytest.mark.parametrize("name", READERS)
def test_whole_files_are_read(name: str, made: Callable[[Reader], Path], workplace: Path) -> None:
    """Else nothing would be tried above."""
    reader = READERS[name]
    shutil.copytree(made(reader), workplace / "work")
    os.chdir(workplace / "work")
    before = len(reader.reads)
    assert reader.read(0) is not None and before
