"""`gans sample`: the same generator draws the same samples, whatever they are written to."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.commands.helpers import IMAGES, POINTS, Gans


def test_samples_of_points(gans: Gans, finished: Path) -> None:
    outcome = gans("sample run -n 7 --out seven.npy")
    assert (outcome.status, outcome.out) == (0, "seven.npy\n")
    array = np.load("seven.npy")
    assert (array.shape, array.dtype) == ((7, 2), np.float32)
    assert "1 sample in one.npy" in gans("sample run -n 1 --out one.npy").err
    assert gans(f"sample {finished} --out new/folder/plot.png").status == 0
    assert Image.open("new/folder/plot.png").mode == "RGB"


def test_the_default_is_a_grid_of_64(gans: Gans, pictures: Path) -> None:
    gans(f"run {IMAGES} --out run")
    assert gans("sample run").out == "samples.png\n"
    gans("sample run -n 64 --out all.npy")
    array = np.load("all.npy")
    picture = np.asarray(Image.open("samples.png"))
    # Row by row, enlarged to 64 pixels, two pixels apart.
    assert picture.shape == (8 * 66 - 2, 8 * 66 - 2, 3)
    for index in (0, 1, 8, 63):
        top, left = index // 8 * 66, index % 8 * 66
        assert np.array_equal(
            picture[top : top + 64 : 8, left : left + 64 : 8].transpose(2, 0, 1), array[index]
        )


@pytest.mark.parametrize("kind", ["points", "images"])
def test_the_first_samples_do_not_depend_on_how_many_are_asked_for(
    kind: str,
    gans: Gans,
    pictures: Path,
) -> None:
    gans(f"run {POINTS if kind == 'points' else IMAGES} --out run")
    arrays = {}
    for count in (1, 2, 5, 7, 16, 17, 33, 64, 100, 255, 257, 300):
        gans(f"sample run -n {count} --out {count}.npy")
        arrays[count] = np.load(f"{count}.npy")
        assert len(arrays[count]) == count
    for count, array in arrays.items():
        # Sums in another order may differ in the last bit; other latents would differ in all of them.
        np.testing.assert_allclose(array, arrays[300][:count], rtol=1e-5, atol=1e-6)
    assert len(np.unique(arrays[300], axis=0)) > 200, "the latents differ"


def test_a_seed_chooses_the_samples(gans: Gans, finished: Path) -> None:
    draws = []
    for flags in ("", "--seed 0", "--seed 1", f"--seed {2**64}"):
        gans(f"sample {finished} -n 4 {flags} --out four.npy")
        draws.append(np.load("four.npy"))
    assert np.array_equal(draws[0], draws[1])
    assert not np.isclose(draws[0], draws[2]).any()
    assert not np.isclose(draws[0], draws[3]).any()


def test_a_run_its_checkpoint_and_its_export_give_the_same_samples(gans: Gans, finished: Path) -> None:
    shutil.copyfile(finished / "generator.safetensors", "alone.safetensors")
    sources = [finished, finished / "checkpoints/step-00000004.pt", finished / "generator.safetensors"]
    draws = []
    for source in [*sources, "alone.safetensors"]:
        assert gans("sample", source, "-n", 9, "--out", "nine.npy").status == 0
        draws.append(np.load("nine.npy"))
    assert all(np.array_equal(draws[0], draw) for draw in draws[1:])
    gans("sample run/checkpoints/step-00000002.pt -n 9 --out nine.npy")
    assert not np.array_equal(np.load("nine.npy"), draws[0]), "an earlier checkpoint is an earlier generator"


def test_an_unfinished_run_is_sampled_from_its_newest_checkpoint(gans: Gans, unfinished: Path) -> None:
    gans(f"sample {unfinished} -n 9 --out newest.npy")
    gans("sample run/checkpoints/step-00000004.pt -n 9 --out four.npy")
    assert np.array_equal(np.load("newest.npy"), np.load("four.npy"))


def test_sampling_needs_no_data(gans: Gans, pictures: Path) -> None:
    gans(f"run {IMAGES} --out run")
    shutil.rmtree(pictures)
    assert gans("sample run -n 2 --out two.npy").status == 0
    Path("run/generator.safetensors").unlink()
    assert gans("sample run -n 2 --out again.npy").status == 0
    assert np.array_equal(np.load("two.npy"), np.load("again.npy"))


def test_equal_pictures_are_equal_files(gans: Gans, finished: Path) -> None:
    for name in ("one.png", "two.png"):
        gans(f"sample {finished} -n 5 --out {name}")
    assert Path("one.png").read_bytes() == Path("two.png").read_bytes()
