"""`gans sample` of given latents and seeds, with noise, and without cutting."""

from pathlib import Path

import numpy as np
import pytest

from tests.commands.helpers import Gans, Refused
from tests.gans.published.numbers import FOLDER

LINE = "sample here --raw --out s.npy --force"


@pytest.fixture
def imported(gans: Gans, workplace: Path) -> Path:
    assert gans(f"import {FOLDER / 'nvlabs_snapshot.pkl'} --out here").status == 0
    return workplace / "here"


def test_seeds_are_those_of_nvlabs(imported: Path, gans: Gans) -> None:
    """The latent of seed n is `RandomState(n).randn(1, z_dim)`, whatever other seeds there are."""
    seeds = (5, 0, 1, 2)
    np.save("z.npy", np.concatenate([np.random.RandomState(seed).randn(1, 12) for seed in seeds]))
    found = []
    for flags in ("--seeds 5,0-2", "--latents z.npy"):
        assert gans(f"{LINE} {flags}").status == 0
        found.append(np.load("s.npy"))
    assert np.array_equal(*found) and found[0].shape == (4, 3, 32, 32)
    assert not np.array_equal(found[0][0], found[0][1])


def test_noise_modes(imported: Path, gans: Gans) -> None:
    made = {}
    for mode in ("auto", "const", "none", "random", "random --seed 1"):
        gans(f"{LINE} --seeds 0-1 --noise-mode {mode}")
        made[mode] = np.load("s.npy")
    gans(f"{LINE} --seeds 0-1 --noise-mode random")
    assert np.array_equal(made["random"], np.load("s.npy")), "the seed decides the noise"
    assert np.array_equal(made["auto"], made["const"])
    assert len({array.tobytes() for array in made.values()}) == 4


def test_raw_numbers_are_not_cut(imported: Path, gans: Gans) -> None:
    gans(f"{LINE} --seeds 0-3")
    raw = np.load("s.npy")
    gans("sample here --seeds 0-3 --out c.npy")
    cut = np.load("c.npy")
    assert raw.dtype == np.float32 and np.abs(raw).max() > 1
    assert cut.dtype == np.uint8
    assert np.array_equal(((raw.clip(-1, 1) + 1) * 127.5).round().astype(np.uint8), cut)


@pytest.mark.parametrize(
    ("flags", "mention"),
    [
        ("--seeds 3-1", "'3-1' is not seeds"),
        ("--seeds 0-99999999", "more than 1,000,000 seeds"),
        ("--seeds 1 -n 3", "-n and --seeds exclude each other"),
        ("--seeds 1 --latents z.npy", "--latents and --seeds exclude each other"),
        ("--seeds 1,2 --label 0,1,2", "--label has 3 labels for the 2"),
        ("--seeds 1,2 --label 0,1", "was not trained with --conditional"),
        ("--label 0,1", "needs --latents or --seeds"),
        ("--space w", "give both"),
        ("--latents short.npy", "has the shape (2, 5); the generator takes (N, 12)"),
        ("--latents z.npy --space w", "takes (N, 12) or (N, 8, 12)"),
        ("--latents none.npy", "--latents none.npy does not exist"),
        ("--latents words.npy", "no latents"),
        ("--latents large.npy", "claims (1099511627776, 12)"),
        ("--latents odd.npy", "not finite"),
    ],
)
def test_bad_latents_are_refused(flags: str, mention: str, imported: Path, refused: Refused) -> None:
    np.save("z.npy", np.zeros((2, 3, 12)))
    np.save("short.npy", np.zeros((2, 5)))
    np.save("words.npy", np.array([["a"]]))
    np.save("odd.npy", np.full((1, 12), np.nan))
    np.save("large.npy", np.zeros((2, 12)))
    large = Path("large.npy").read_bytes().replace(b"(2, 12), }            ", b"(1099511627776, 12), }")
    Path("large.npy").write_bytes(large)
    refused(2, (mention,), f"{LINE} {flags}")


def test_other_generators(gans: Gans, refused: Refused, workplace: Path) -> None:
    tiny = "--loss bce --image-size 8 --width 2 --z-dim 4 --batch-size 4 --steps 1 --track local"
    gans(f"run --arch dcgan {tiny} --out here")
    assert gans(f"{LINE} --seeds 0-2").status == 0
    refused(2, ("has no noise in its layers",), f"{LINE} --seeds 0 --noise-mode none")
    np.save("w.npy", np.zeros((1, 4)))
    refused(2, ("--space w needs a generator with styles",), f"{LINE} --latents w.npy --space w")
    refused(2, ("give --out FILE.npy",), "sample here --raw --out s.png")
