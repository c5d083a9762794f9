"""Names of sample grids: each grid of a run has its own, and readers put them in the order of kimg."""

import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from experiments.analysis.comparison.html_report import sample_grids
from experiments.runs.grid_names import grid_name, kimg_of_grid
from tests.experiments.training.test_resume import stop_after

RUN = "run --arch mlp --loss bce --data ring8 --width 4 --track local"


@pytest.mark.parametrize("interval", [500, 1000])
@pytest.mark.parametrize("batch", [1, 64, 250, 999, 1000, 1500])
def test_no_two_steps_have_a_name_and_the_order_is_that_of_kimg(batch: int, interval: int) -> None:
    seen = [batch * step for step in range(3_000)]
    names = [grid_name(after, before, interval) for before, after in pairwise(seen)]
    assert interval >= 1000 or names == sorted(names)
    found = [kimg_of_grid(name) for name in names]
    assert len(set(names)) == len(names)
    assert found == sorted(found, key=lambda kimg: kimg or 0.0)
    for after, kimg in zip(seen[1:], found, strict=True):
        assert kimg is not None and kimg in (after / 1000, after // 1000)


def test_a_whole_kimg_has_the_plain_name() -> None:
    """It is reached within a step, as batches of 64 do not fill it."""
    assert grid_name(12_000, 11_000, 1000) == grid_name(12_032, 11_968, 1000) == "kimg-000012.png"
    assert grid_name(12_096, 12_032, 1000) == "kimg-000012.096.png"
    assert grid_name(64, 0, 1000) == "kimg-000000.064.png"
    assert grid_name(1_234_567_500, 1_234_567_436, 1000) == "kimg-1234567.500.png"


@pytest.mark.parametrize("name", ["kimg-000012 copy.png", "kimg-12.png", "kimg-000012.5.png", "real.png"])
def test_other_names_tell_no_kimg(name: str) -> None:
    assert kimg_of_grid(name) is None


def test_grids_within_a_kimg_are_all_there_and_in_order(gans: Callable[..., Any]) -> None:
    """Also after a stop, which draws some of them again. Eight are asked for, of 2 kimg."""
    line = f"{RUN} --batch-size 50 --kimg 2 --out"
    assert gans(f"{line} whole").status == 0
    stop_after(27, f"{line} cut".split())
    assert gans(f"{line} cut").status == 0
    named = [sorted(file.name for file in Path(run, "samples").iterdir()) for run in ("whole", "cut")]
    assert named[0] == named[1]
    seen = range(250, 2250, 250)
    assert named[0] == [*(f"kimg-{each // 1000:06d}.{each % 1000:03d}.png" for each in seen), "real.png"]
    assert [picture.kimg for picture in sample_grids(Path("whole"))] == [
        0.25,
        0.5,
        0.75,
        1,
        1.25,
        1.5,
        1.75,
        2,
    ]


def test_grids_of_earlier_versions_stand_among_them(gans: Callable[..., Any]) -> None:
    assert gans(f"{RUN} --batch-size 250 --kimg 1 --sample-kimg 0.5 --out run").status == 0
    for name in ("kimg-000000.png", "kimg-000010.png"):
        shutil.copy("run/samples/kimg-000000.500.png", f"run/samples/{name}")
    assert [picture.kimg for picture in sample_grids(Path("run"))] == [0, 0.5, 1, 10]
