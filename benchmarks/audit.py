"""Audits of generators that were trained on few and on many pictures: the former copy, the latter do not.

    python benchmarks/audit.py [--seeds 5] [--few 50] [--many 20000] [--kimg 100] [--pictures DIR]

Pictures are drawn shapes, written as files beside held-out ones. Each run is audited, and a line printed;
with `--pictures`, its closest pairs are drawn. It fails where a generator of few pictures is not flagged, or
one of many is. Both are trained by one recipe, under which a generator learns few pictures by heart.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

HELD_OUT = 600
# A short z, and a relativistic loss with both gradient penalties, which check a critic of few pictures.
RECIPE = {
    **{"arch": "mlp", "loss": "r3gan", "penalty_weight": 0.05, "z_dim": 4, "width": 256, "batch_size": 50},
    **{"lr_generator": 5e-4, "lr_critic": 5e-4, "lr_schedule": "cosine", "track": ("local",)},
}


def write_pictures(folder: Path, count: int, begin: int, size: int) -> None:
    """Writes drawn shapes as files, those from scene `begin` on."""
    from experiments.data.shapes import Shapes

    data = Shapes().open((size, size), 3, "auto")
    folder.mkdir(parents=True)
    for part in torch.arange(begin, begin + count).split(500):
        for number, image in zip(part.tolist(), data.fetch(part), strict=True):
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{number:06}.png")


def is_flagged(root: Path, count: int, seed: int, asked: argparse.Namespace) -> tuple[bool, str]:
    """Trains a generator on so many pictures, and audits it; returns whether it is flagged, and the words."""
    from experiments.config.resolve import resolve
    from experiments.core.console import progress_bars
    from experiments.core.images import save_png
    from experiments.evaluation.audit.audit import audit
    from experiments.evaluation.candidates import open_candidate
    from experiments.evaluation.features import ExtractorOptions
    from experiments.runs.folder import RunFolder
    from experiments.training.run import run

    folder = root / f"run-{count}-{seed}"
    flags = {"image_size": (asked.size, asked.size), "kimg": asked.kimg, "seed": seed}
    run(resolve({**RECIPE, **flags, "data": f"folder:{root / str(count)}"}), RunFolder(folder))
    with progress_bars() as meter:
        options = ExtractorOptions(asked.extractor)
        report, picture = audit(open_candidate(str(folder)), options, asked.most, 0, meter)
    if asked.pictures:
        asked.pictures.mkdir(parents=True, exist_ok=True)
        save_png(picture, asked.pictures / f"closest-pairs-{count}-{seed}.png")
    return report.is_flagged, report.verdict()[0]


def main() -> None:
    """Trains, audits and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--few", type=int, default=50)
    parser.add_argument("--many", type=int, default=20_000)
    parser.add_argument("--most", type=int, default=5000, help="training images of an audit at most")
    parser.add_argument("--kimg", type=float, default=100.0)
    parser.add_argument("--size", type=int, default=16)
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the closest pairs")
    parser.add_argument("--held-out", type=int, default=HELD_OUT)
    parser.add_argument("--extractor", default="random-vgg")
    asked = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for count in (asked.few, asked.many):
            write_pictures(root / str(count) / "train", count, 0, asked.size)
            write_pictures(root / str(count) / "test", asked.held_out, asked.many, asked.size)
            for seed in range(asked.seeds):
                began = time.monotonic()
                flagged, words = is_flagged(root, count, seed, asked)
                is_right = flagged == (count == asked.few)
                wrong += not is_right
                line = f"{count:>7,} pictures, seed {seed}: {'flagged' if flagged else 'not flagged'}"
                seconds = f"{time.monotonic() - began:.0f} s"
                print(
                    f"{line}, {'as it should be' if is_right else 'WRONG'} ({seconds}): {words}", flush=True
                )
    if wrong:
        raise SystemExit(f"{wrong} of {2 * asked.seeds} audits are wrong")


if __name__ == "__main__":
    main()
