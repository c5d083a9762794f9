"""Fine-tuning on 200 pictures of one drawn style, from a generator of another, against starting from nothing.

    OMP_NUM_THREADS=1 python benchmarks/fine_tuning.py --out DIR [--arch r3gan] [--style outlines] [--kimg 8]

The source, with the laptop preset, is trained on shapes as lights in the dark. The 200 pictures are shapes as
outlines in the dark, or as hatched prints on paper; distances are to 2,000 others of their style, four times
a run. Compare the runs by

    gans compare DIR/runs

The same command again goes on where it was stopped.
"""

import argparse
from pathlib import Path
from typing import Any

import torch

import gans
from experiments.core.images import save_png, to_pillow
from experiments.data.shapes_paired import draw_outline
from experiments.data.shapes_styles import draw_print

STYLES = {"outlines": draw_outline, "prints": draw_print}
STYLES = {"outlines": draw_outline, "prints": draw_print}
FEW, HELD_OUT = 200, 2000
FIRST_SCENE = 100_000  # none of those of the source


def draw_pictures(folder: Path, style: str, side: int) -> None:
    """Draws the pictures to train on and those that distances are to, as parts of one folder."""
    for part, start, count in (("train", 0, FEW), ("test", FEW, HELD_OUT)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        indices = torch.arange(FIRST_SCENE + start, FIRST_SCENE + start + count)
        for number, picture in enumerate(STYLES[style](indices, (side, side), 3)):
            save_png(to_pillow(picture), folder / part / f"{number:04}.png")


def main() -> None:
    """Trains all runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arch", default="r3gan")
    parser.add_argument("--style", choices=STYLES, default="outlines")
    parser.add_argument("--kimg", type=float, default=8.0)
    parser.add_argument("--extractor", default="efflite0")
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    common: dict[str, Any] = {"device": "cpu", "preset": "laptop", "track": "local"}
    pictures = asked.out / asked.style
    if not pictures.exists():
        draw_pictures(pictures, asked.style, 32)
    source = asked.out / "source"
    gans.train(source, data="shapes", arch=asked.arch, **common)
    few: dict[str, Any] = {"data": f"folder:{pictures}", "kimg": asked.kimg, "evaluate_kimg": asked.kimg / 4}
    few |= {"evaluate_metrics": "fid", "extractor": asked.extractor, "evaluate_samples": HELD_OUT}
    few |= {"evaluate_reference": "held-out", "sample_kimg": asked.kimg / 4}
    for seed in range(asked.seeds):
        gans.train(asked.out / "runs" / f"nothing-{seed}", seed=seed, arch=asked.arch, **few, **common)
        gans.train(asked.out / "runs" / f"lights-{seed}", seed=seed, init_from=source, **few, **common)


if __name__ == "__main__":
    main()
