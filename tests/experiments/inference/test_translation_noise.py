"""Noise of a translation: dropout that depends on the seed and the file alone."""

import shutil
from pathlib import Path

from tests.experiments.inference.helpers import Gans, paint, read, translated


def test_noise_is_a_function_of_seed_and_file(gans: Gans, runs: Path) -> None:
    """Dropout stays on in pix2pix; whatever else is translated, a file comes out as it does by itself."""
    for number, name in enumerate(("a.png", "b.png", "c.png")):
        paint(f"in/{name}", 16, 16, seed=number)
    shutil.copy("in/b.png", "in/b2.png")
    translated(gans, "pix2pix in --out all")
    translated(gans, "pix2pix in/b.png --out alone")
    translated(gans, "pix2pix in/b.png --seed 1 --out other")
    assert Path("all/b.png").read_bytes() == Path("alone/b.png").read_bytes()
    assert (read("alone/b.png") != read("other/b.png")).any(), "another seed, another noise"
    assert (read("all/b.png") != read("all/b2.png")).any(), "another name, too"
