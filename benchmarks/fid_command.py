"""Speed of `gans fid A B` against the commands of pytorch-fid and torch-fidelity, on the same files.

    python benchmarks/fid_command.py [--rounds 3] [--images 256] [--size 32] [--row NAME]

Every program gets the same weights, which are random ones, and runs with its own batches and workers.
Nothing is kept of A. Of B is kept whatever the program can keep: pytorch-fid is given its file of
statistics, torch-fidelity finds B in its cache by name, and we in ours by the pixels, which are read for
that. As in benchmarks/evaluation.py values are compared first, under the resize rule of the other program;
then all take turns, and the status is 1 where a ratio is below its floor.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from evaluation import Row, compare, print_titles
from goals import Goal
from inception_weights import make
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
TOLERANCE = 1e-3
# Its command has no flag for weights.
PYTORCH_FID = """
import sys, torch, pytorch_fid.inception
weights = sys.argv.pop(1)
pytorch_fid.inception.load_state_dict_from_url = lambda *_, **__: torch.load(weights)
from pytorch_fid.fid_score import main
main()
"""


@dataclass(frozen=True)
class Files:
    """Files that the commands are given, and those that they keep, below one folder."""

    folder: Path

    @property
    def a(self) -> Path:
        """Folder of the images A."""
        return self.folder / "a"

    @property
    def b(self) -> Path:
        """Folder of the images B."""
        return self.folder / "b"

    @property
    def weights(self) -> Path:
        """Weights of Inception."""
        return self.folder / "weights.pth"

    @property
    def kept(self) -> Path:
        """Our cache, which holds B."""
        return self.folder / "kept"


def draw(folder: Path, count: int, size: int, seed: int) -> None:
    """Draws smooth colour patches as PNG files, of another contrast for every seed."""
    folder.mkdir()
    random = np.random.default_rng(seed)
    for number in range(count):
        coarse = random.integers(60 * seed, 256, size=(5, 5, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number:05}.png")


def output_of(*words: object, cache: Path | str = "") -> str:
    """Runs Python with these words and returns its output. Ends this program where that fails."""
    environment = {**os.environ, "GANS_CACHE": str(cache)}
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


def against_pytorch_fid(files: Files) -> Row:
    """Compares our command with pytorch-fid's."""
    program = ("-c", PYTORCH_FID, files.weights, "--device", "cpu")
    statistics = files.folder / "b.npz"
    output_of(*program, "--save-stats", files.b, statistics)

    def pytorch_fid() -> float:
        return float(output_of(*program, files.a, statistics).split()[-1])

    goals = {"pytorch-fid": Goal(1.4, 2)}
    return Row(ours(files, "pytorch-fid"), {"pytorch-fid": pytorch_fid}, goals, TOLERANCE)


def against_torch_fidelity(files: Files) -> Row:
    """Compares our command with torch-fidelity's."""
    options = ("--fid", "--cpu", "--json", "--silent", "--feature-extractor-weights-path", files.weights)
    cache = ("--cache-root", files.folder / "cache", "--input2-cache-name", "b")

    def torch_fidelity() -> float:
        program = ("-m", "torch_fidelity.fidelity")
        found = output_of(*program, *options, *cache, "--input1", files.a, "--input2", files.b)
        return float(json.loads(found)["frechet_inception_distance"])

    return Row(ours(files, "tf1"), {"torch-fidelity": torch_fidelity}, tolerance=TOLERANCE)


def ours(files: Files, rule: str) -> Callable[[], float]:
    """Makes our contestant, which runs `gans fid`, each time with a cache that holds B only."""
    a, b = f"folder:{files.a}", f"folder:{files.b}"
    options = ("--weights", files.weights, "--resize-rule", rule, "--device", "cpu", "--json")
    output_of("-m", "cli", "stats", b, "--out", files.folder / "ours.npz", *options, cache=files.kept)

    def distance() -> float:
        with TemporaryDirectory(dir=files.folder) as cache:
            shutil.copytree(files.kept, cache, copy_function=os.link, dirs_exist_ok=True)
            found = output_of("-m", "cli", "fid", a, b, *options, cache=cache)
        return float(json.loads(found)["fid"]["value"])

    return distance


ROWS = {"pytorch-fid": against_pytorch_fid, "torch-fidelity": against_torch_fidelity}


def main() -> None:
    """Prints the comparisons."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=256, help="number of images on each side")
    parser.add_argument("--size", type=int, default=32, help="pixels a side")
    parser.add_argument("--row", choices=ROWS, help="only the comparison with this program")
    options = parser.parse_args()
    print_titles(options.rounds)
    with TemporaryDirectory() as folder:
        files = Files(Path(folder))
        make(files.weights)
        for seed, side in enumerate((files.a, files.b)):
            draw(side, options.images, options.size, seed)
        names = [options.row] if options.row else list(ROWS)
        holds = [compare("fid-command", ROWS[name](files), options.rounds) for name in names]
    sys.exit(0 if all(holds) else 1)


if __name__ == "__main__":
    main()
