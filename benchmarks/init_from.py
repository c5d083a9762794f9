"""Whether a run that begins from its own weights, on its own data, gets worse.

    OMP_NUM_THREADS=1 python benchmarks/init_from.py --out DIR [--arch stylegan2] [--kimg 20] [--seed 0]

A small run on shapes is trained; another begins from its newest checkpoint, with the usual settings of
fine-tuning and with each of them undone. Printed is the Fréchet distance of features of a random VGG to
as many real images: of the first run by samples of three seeds, of the others after 2 and 10 kimg by samples
of the first of them. The same command again goes on where it was stopped.
"""

import argparse
from pathlib import Path
from typing import Any

import gans

AFTER = (2.0, 10.0)  # kimg
VARIANTS: dict[str, dict[str, Any]] = {
    "as usual": {},
    "no warm-up": {"lr_warmup_kimg": 0.0},
    "EMA ramps up": {"ema": {"ramp_up": 0.05}},
    "neither": {"lr_warmup_kimg": 0.0, "ema": {"ramp_up": 0.05}},
}


def measure(run: Path, count: int, seed: int) -> float:
    """The distance of a run's generator from its data, by samples of a seed."""
    scores = gans.evaluate(run, "fid", n=count, seed=seed, extractor="random-vgg", device="cpu")
    return float(scores["fd-random-vgg"]["value"])


def main() -> None:
    """Trains, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arch", default="stylegan2")
    parser.add_argument("--kimg", type=float, default=20.0)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--image-size", type=int, default=16)
    parser.add_argument("-n", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    common: dict[str, Any] = {"batch_size": 16, "device": "cpu", "track": "local", "seed": asked.seed}
    networks = {"arch": asked.arch, "data": "shapes", "image_size": asked.image_size, "width": asked.width}
    first = asked.out / "first"
    gans.train(first, **networks, z_dim=16, kimg=asked.kimg, **common)
    before = [measure(first, asked.n, seed) for seed in range(3)]
    print(
        f"{asked.arch} after {asked.kimg:g} kimg: {', '.join(f'{each:.3f}' for each in before)}", flush=True
    )
    for number, (name, changes) in enumerate(VARIANTS.items()):
        found = []
        for kimg in AFTER:
            out = asked.out / f"again-{number}-{kimg:g}"
            gans.train(out, init_from=first, kimg=kimg, **common, **changes)
            found.append(f"{measure(out, asked.n, 0):.3f} after {kimg:g} kimg")
        print(f"from these weights, {name}: {', '.join(found)}", flush=True)


if __name__ == "__main__":
    main()
