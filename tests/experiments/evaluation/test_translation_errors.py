"""Errors of commands that need latents or targets, where a run has none."""

from pathlib import Path
from typing import Any

from tests.experiments.evaluation.helpers import EACH, FEW


@EACH
def test_what_has_no_latents_is_refused(arch: str, run: Any, refused: Any) -> None:
    folder = run(arch)
    spec = (
        "shapes-styles"
        if arch in ("cyclegan", "swap")
        else f"shapes-{'paired' if arch == 'pix2pix' else 'attributes'}"
    )
    for line in (
        f"fid {folder} {spec} {FEW}",
        f"sample {folder} -n 4 --out x.png",
        f"interpolate {folder} --from 1 --to 2 --out x.png",
        f"directions {folder} --out x.png",
    ):
        refused(2, (arch, "from images, not from noise", "gans translate"), line)
    refused(2, ("metric path-length", "latents"), f"evaluate {folder} {FEW} --metrics path-length")
    refused(2, ("--plot", "translates"), f"evaluate {folder} {FEW} --plot")
    refused(2, ("which data",), f"evaluate {folder}/generator.safetensors {FEW}")
    assert not (folder / "evaluation.jsonl").exists()


def test_samples_from_noise_have_no_targets(trained: Path, refused: Any) -> None:
    refused(2, ("metric psnr", "nobody knows"), f"evaluate {trained} {FEW} --metrics fid,psnr")
