"""Whether bf16 trains as float32 does: the main job and stylegan2, side by side, three seeds each.

    OMP_NUM_THREADS=1 python benchmarks/precision_training.py --out DIR [--jobs main,stylegan2]
        [--seeds 0,1,2] [--precisions fp32,bf16] [--kimg N] [--samples 5000] [--extractor NAME] [--emulate]

The main job is `make run` (dcgan with wgan-gp on shapes), the other stylegan2 on Fashion-MNIST, both with the
laptop preset. Each run ends with its distance. Runs are made one after the other: those of one seed, job or
precision alone with these flags; the same command again goes on where it was stopped. A processor without
bfloat16 instructions takes --emulate (bfloat16_products.py). Compare by

    gans compare DIR/main        gans compare DIR/stylegan2
"""

import argparse
from pathlib import Path
from typing import Any

from bfloat16_products import multiply_in_float32

import gans

JOBS: dict[str, dict[str, Any]] = {
    "main": {"arch": "dcgan", "loss": "wgan-gp", "data": "shapes"},
    "stylegan2": {"arch": "stylegan2", "data": "fashion-mnist"},
}


def main() -> None:
    """Trains the runs that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", default=",".join(JOBS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--precisions", default="fp32,bf16")
    parser.add_argument("--kimg", type=float, help="length of each run; default: the preset's")
    parser.add_argument("--samples", type=int, default=5000, help="images on both sides of a distance")
    parser.add_argument("--extractor", help="of features; default: that of the images' kind")
    parser.add_argument("--emulate", action="store_true", help="multiply bfloat16 numbers in float32")
    asked = parser.parse_args()
    if asked.emulate:
        multiply_in_float32()
    common: dict[str, Any] = {"device": "cpu", "preset": "laptop", "track": "local"}
    common |= {"evaluate_metrics": "fid,kid", "evaluate_samples": asked.samples}
    common |= {} if asked.extractor is None else {"extractor": asked.extractor}
    for seed in map(int, asked.seeds.split(",")):
        for job in asked.jobs.split(","):
            for precision in asked.precisions.split(","):
                length = {} if asked.kimg is None else {"kimg": asked.kimg, "evaluate_kimg": asked.kimg}
                flags = {"evaluate_kimg": 1e6, **JOBS[job], **length, **common}  # at the end, in any case
                run = asked.out / job / f"{precision}-{seed}"
                gans.train(run, precision=precision, seed=seed, **flags)


if __name__ == "__main__":
    main()
