"""The cache of decoded images: it gives back what was put in, or nothing."""

import resource
import shutil
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from experiments.data.core.decoded_cache import DecodedCache, Pixels, cache_key

COUNT, BYTES = 5, 48


class Usage(NamedTuple):
    free: int


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANS_CACHE", str(tmp_path / "not yet" / "there"))
    return tmp_path / "not yet" / "there" / "decoded"


def opened(count: int = COUNT) -> DecodedCache:
    return DecodedCache("key", count, BYTES)


def sample(number: int) -> Pixels:
    return np.random.default_rng(number).integers(256, size=(3, 4, 4), dtype=np.uint8)


def loaded(cache: DecodedCache, index: int) -> Pixels | None:
    out = np.full((3, 4, 4), 99, dtype=np.uint8)
    return out if cache.load(index, out) else None


def test_samples_come_back_as_they_were_put_in(folder: Path) -> None:
    cache = opened()
    assert not cache.present.any()
    for number in (3, 1):
        cache.save(number, sample(number))
    for each in (cache, opened()):  # in this process, and in the next
        for number in range(COUNT):
            found = loaded(each, number)
            assert np.array_equal(found, sample(number)) if number in (1, 3) else found is None
    assert opened().present.tolist() == [False, True, False, True, False]
    assert sorted(file.name for file in folder.iterdir()) == ["key.checksums", "key.pixels"]
    assert "can be deleted at any time" in opened().remarks[0]


def test_what_another_process_saves_is_seen() -> None:
    one, other = opened(), opened()
    one.save(2, sample(2))
    assert np.array_equal(loaded(other, 2), sample(2))


def test_black_is_a_picture_like_any_other(folder: Path) -> None:
    cache, black = opened(), np.zeros((3, 4, 4), dtype=np.uint8)
    cache.save(1, sample(1))
    assert loaded(cache, 0) is None, "a hole in the file is black, but no picture"
    cache.save(0, black)
    assert np.array_equal(loaded(cache, 0), black)


def test_a_checksum_of_zero_is_not_taken_for_none() -> None:
    pixels = np.frombuffer(b"\x9d\x0a\xd9\x6d", dtype=np.uint8)
    assert zlib.crc32(pixels) == 0
    cache = DecodedCache("other", 1, 4)
    cache.save(0, pixels)
    assert cache.load(0, np.empty(4, dtype=np.uint8))


@pytest.mark.parametrize("part", ["pixels", "checksums"])
@pytest.mark.parametrize("damage", ["flip", "zero", "cut", "empty", "delete"])
def test_what_is_torn_is_absent(folder: Path, part: str, damage: str) -> None:
    cache = opened()
    for number in range(COUNT):
        cache.save(number, sample(number))
    file = folder / f"key.{part}"
    content = bytearray(file.read_bytes())
    each = len(content) // COUNT
    match damage:
        case "flip":
            content[3 * each] ^= 1
        case "zero":
            content[3 * each : 4 * each] = bytes(each)
        case "cut":
            content = content[: 4 * each - 1]
        case "empty":
            content.clear()
    file.unlink() if damage == "delete" else file.write_bytes(content)
    expected = {"flip": [0, 1, 2, 4], "zero": [0, 1, 2, 4], "cut": [0, 1, 2]}.get(damage, [])
    cache = opened()
    for number in range(COUNT):
        found = loaded(cache, number)
        assert np.array_equal(found, sample(number)) if number in expected else found is None
    for number in range(COUNT):
        cache.save(number, sample(number))
        assert np.array_equal(loaded(cache, number), sample(number))


def test_a_deleted_folder_is_made_anew(folder: Path) -> None:
    cache = opened()
    cache.save(0, sample(0))
    shutil.rmtree(folder)
    cache.save(1, sample(1))  # nobody finds it, but nothing fails
    assert np.array_equal(loaded(cache, 0), sample(0))
    assert not opened().present.any()


def test_a_file_that_cannot_grow(folder: Path) -> None:
    """Really: the system refuses to write beyond the third sample, and writes half of it first."""
    cache = opened()
    cache.save(0, sample(0))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * BYTES + BYTES // 2, before[1]))
    try:
        for number in range(1, COUNT):
            cache.save(number, sample(number))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [loaded(cache, number) is not None for number in range(COUNT)] == [True, True, False, False, False]
    (remark,) = cache.remarks
    assert "no longer kept" in remark
    assert opened().present.tolist() == [True, True, False, False, False]


def test_the_last_of_the_disk_is_left_to_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = opened()
    cache.save(0, sample(0))
    for free, kept in ((2**30 + 4 * BYTES - 1, False), (2**30 + 4 * BYTES, True)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: Usage(free))
        cache = opened()
        cache.save(4, sample(4))
        assert cache.load(0, sample(1)), "what is there is used"
        assert (loaded(cache, 4) is not None) == kept
        assert ("are not kept" in cache.remarks[0]) != kept
        assert ("1.0 GiB are free" in cache.remarks[0]) != kept


@pytest.mark.parametrize(
    "obstacle", ["not yet", "not yet/there/decoded", "not yet/there/decoded/key.pixels/x"]
)
def test_a_folder_that_cannot_be_had(tmp_path: Path, obstacle: str) -> None:
    """A file stands where a folder has to be, or a folder where a file."""
    (tmp_path / obstacle).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / obstacle).touch()
    cache = opened()
    cache.save(0, sample(0))
    assert loaded(cache, 0) is None
    assert not cache.present.any()
    (remark,) = cache.remarks
    assert "cannot be kept" in remark
    assert "decoded whenever they are needed" in remark


def test_the_usual_place_is_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", None):
        monkeypatch.delenv("GANS_CACHE") if value is None else monkeypatch.setenv("GANS_CACHE", value)
        assert opened().folder == tmp_path / ".cache/gans/decoded"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="lists open files as Linux does")
def test_files_are_closed_with_the_cache() -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    for _ in range(20):
        opened().save(0, sample(0))
    assert count() <= before


def test_a_digest_tells_words_apart() -> None:
    lists = [[], [""], ["a"], ["ab"], ["a", "b"], ["b", "a"], ["a", "b", ""], ["ä"], ["\udcff"]]
    assert len({cache_key(words) for words in lists}) == len(lists)
    assert cache_key(["a", "b"]) == cache_key(iter(["a", "b"]))
