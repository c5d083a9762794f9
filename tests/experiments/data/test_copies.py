"""Copies: pictures on both sides of a split are counted and named, and nothing else changes by it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.data.core.copies import COMPARED_BYTES, first_equals
from experiments.data.core.dataset import DataAccess, Domains, DomainSource
from experiments.data.core.holdout import split_indices
from experiments.data.core.sources import open_source
from tests.conftest import Gans
from tests.pages.stock import make_photos

COUNT, SHARE = 20, 0.5
# In the order of their names, those of a split of so many.
TRAINING, HELD_OUT = (indices.tolist() for indices in split_indices(COUNT, SHARE, 0))
SMALL = "--arch dcgan --data folder:photos --image-size 8 --fit crop --width 2 --batch-size 4 --steps 2"


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32])
def test_only_whole_equals_are_equal(dtype: torch.dtype) -> None:
    """Also beside images that differ in a single value, which may be one that is not looked at first."""
    images = torch.randint(255, (50, 3, 20, 20), generator=torch.Generator().manual_seed(0)).to(dtype)
    assert first_equals(images) == [*range(50)]
    numbers = images.view(50, -1).numpy()
    assert numbers.nbytes > 2 * 50 * COMPARED_BYTES
    numbers[[9, 30, 49]], numbers[20] = numbers[4], numbers[11]
    for row, place in ((10, 1), (12, 601), (13, 1199)):
        numbers[row] = numbers[4]
        numbers[row, place] += 1
    expected = [*range(50)]
    expected[9] = expected[30] = expected[49] = 4
    expected[20] = 11
    assert first_equals(images) == expected


def name_of(number: int) -> str:
    return f"{number:02}.png"


def make_copy(folder: Path, number: int, of: int) -> None:
    """Writes the picture of a number once more in the place of another, in other bytes."""
    with Image.open(folder / name_of(of)) as picture:
        picture.save(folder / name_of(number), compress_level=0)
    assert (folder / name_of(number)).read_bytes() != (folder / name_of(of)).read_bytes()


def remarks_in(text: str) -> list[str]:
    return [line for line in text.splitlines() if "reward copying" in line or "prepare again" in line]


def test_pictures_on_both_sides_are_named_until_they_are_deleted(gans: Gans, workplace: Path) -> None:
    """By the dry run, the run and its resumption, each in a line; copies on one side are no matter."""
    make_photos(workplace / "photos", COUNT)
    make_copy(workplace / "photos", TRAINING[5], of=TRAINING[0])
    make_copy(workplace / "photos", HELD_OUT[5], of=HELD_OUT[0])
    command = f"run {SMALL} --holdout {SHARE} --out run"
    assert not remarks_in(gans(f"{command} --dry-run").out)
    make_copy(workplace / "photos", HELD_OUT[3], of=TRAINING[0])
    make_copy(workplace / "photos", HELD_OUT[7], of=TRAINING[2])
    (said,) = remarks_in(gans(f"{command} --dry-run").out)
    assert "2 of 10 held-out images equal some to train on" in said
    pairs = ((HELD_OUT[3], TRAINING[0]), (HELD_OUT[7], TRAINING[2]))
    assert f"({', '.join(f'{name_of(one)} = {name_of(other)}' for one, other in pairs)})" in said
    (logged,) = remarks_in(gans(command).err)
    assert logged in said
    assert not remarks_in(gans(f"{command.replace('--out run', '--out streamed')} --stream").err)
    assert not remarks_in(gans(f"{command.replace(f'--holdout {SHARE}', '')} --dry-run").out)
    for one, _ in pairs:
        (workplace / "photos" / name_of(one)).unlink()
    (workplace / "photos" / name_of(HELD_OUT[5])).unlink()
    (workplace / "photos" / name_of(TRAINING[5])).unlink()
    assert not remarks_in(gans(f"{command} --dry-run").out)


def test_files_that_cannot_be_read_shift_no_name(workplace: Path) -> None:
    make_photos(workplace / "photos", COUNT)
    (workplace / "photos" / "0.png").write_bytes(b"broken")
    make_copy(workplace / "photos", HELD_OUT[-1], of=TRAINING[-1])
    access = DataAccess(holdout=SHARE, skip_bad=True)
    data = open_source("folder:photos", access).open((8, 8), 3, "crop")
    assert list(data.file_names) == [name_of(number) for number in TRAINING]
    (said,) = remarks_in("\n".join(data.remarks))
    assert "1 of 10 held-out images equals one to train on" in said
    assert f"({name_of(HELD_OUT[-1])} = {name_of(TRAINING[-1])})" in said


def test_arrays_of_numbers_are_counted(workplace: Path) -> None:
    (workplace / "scans").mkdir()
    for number in range(COUNT):
        np.save(
            workplace / "scans" / f"{number:02}.npy", np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
        )
    data = open_source("folder:scans", DataAccess(holdout=SHARE)).open((8, 8), 1, "crop")
    (said,) = remarks_in("\n".join(data.remarks))
    assert "10 of 10 held-out images" in said and said.endswith(", …)")


@pytest.mark.parametrize("paired", [True, False])
def test_of_pairs_both_pictures_must_be_equal(paired: bool, workplace: Path) -> None:
    for side in "AB":
        make_photos(workplace / "photos" / side, COUNT)
    splits = {side: split_indices(COUNT, SHARE, 0, "" if paired else side) for side in "AB"}
    training, held_out = (indices.tolist() for indices in splits["A"])

    def remarks() -> list[str]:
        source = open_source("folder:photos", DataAccess(holdout=SHARE))
        assert isinstance(source, DomainSource)
        domains: Domains = source.open_domains((8, 8), 3, "crop", paired)
        return remarks_in("\n".join([*domains.a.remarks, *domains.b.remarks]))

    assert not remarks()
    make_copy(workplace / "photos/A", held_out[0], of=training[0])
    if not paired:
        (said,) = remarks()
        assert said.startswith("A: 1 of 10 held-out images")
        return
    assert not remarks()
    make_copy(workplace / "photos/B", held_out[0], of=training[0])
    (said,) = remarks()
    assert said.startswith("1 of 10 held-out pairs equals one to train on")


def test_prepared_copies_are_named_until_they_are_deleted(gans: Gans, workplace: Path) -> None:
    """One more for every picture that equals an earlier one, by the names of the files that were prepared."""
    make_photos(workplace / "photos", COUNT)
    command = "prepare folder:photos --image-size 8 --fit crop --force --out set.zip"
    assert not remarks_in(gans(command).err)
    whole = (workplace / "set.zip").read_bytes()
    for number in range(4):
        shutil.copy(workplace / "photos/03.png", workplace / f"photos/copy {number}.png")
        outcome = gans(f"{command} --json")
        assert json.loads(outcome.out)["copies"] == [[f"copy {n}.png", "03.png"] for n in range(number + 1)]
        (said,) = remarks_in(outcome.err)
        verb = "equal others" if number else "equals another"
        assert said.startswith(f"{number + 1} of {COUNT + number + 1} images {verb} (copy 0.png = 03.png")
        assert said.endswith("--json --force names all") == (number == 3)
    for copy, _ in json.loads(outcome.out)["copies"]:
        (workplace / "photos" / copy).unlink()
    assert not remarks_in(gans(command).err) and (workplace / "set.zip").read_bytes() == whole
