"""A run that grows: what its settings mean, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments.config.resolve import resolve
from experiments.runs.generator import load_generator
from experiments.training.experiment import build

Gans = Callable[..., Any]
TINY = "--arch progan --image-size 16 --width 2 --z-dim 4 --batch-size 4"


def test_a_run_walks_through_all_sizes_and_is_sampled_on_its_way(gans: Gans, workplace: Path) -> None:
    words = f"{TINY} --steps 20 --checkpoint-kimg 0.004 --keep 30 --sample-kimg 0.04 --out run"
    words += " --evaluate-kimg 0.04 --evaluate-samples 20 --evaluate-metrics fid --extractor random-vgg"
    outcome = gans(f"run {words}")
    assert outcome.status == 0, outcome.err
    stages = []
    for step in range(1, 21):
        generator, _ = load_generator(Path(f"run/checkpoints/step-{step:08}.pt"))
        stages.append(float(generator.stage.reached))
        assert generator(torch.zeros(1, 4)).shape == (1, 3, 16, 16)
    assert stages[0] == 0 and stages == sorted(stages) and stages[-1] == 2
    assert {stage % 1 for stage in stages} != {0.0}, "none was in a fade"
    assert gans("sample run/checkpoints/step-00000005.pt -n 3 --out x.npy").status == 0
    images = np.load("x.npy")
    assert images.shape == (3, 3, 16, 16)
    assert (images[:, :, ::2, ::2] == images[:, :, 1::2, 1::2]).all(), "no detail below the size reached"
    scores = [json.loads(line) for line in Path("run/scores.jsonl").read_text().splitlines()]
    assert "critic/drift" in scores[0] and any("metric/fd-random-vgg" in line for line in scores)


def test_the_papers_pace_and_optimizer() -> None:
    settings = resolve({"arch": "progan", "preset": "paper"}).settings
    options = settings.options
    assert (options["arch.fade_kimg"], options["arch.stable_kimg"], settings.n_critic) == (600.0, 600.0, 1)
    assert (settings.lr_generator, settings.lr_critic) == (1e-3, 1e-3)
    assert options["optimizer.betas"] == (0.0, 0.99)
    assert settings.regularizers == (("drift", 0.001),) and settings.penalty == ("interpolates",)
    laptop = resolve({"arch": "progan", "preset": "laptop"}).settings
    assert laptop.options["arch.fade_kimg"] is None and laptop.options["arch.stable_kimg"] is None
    hinge = resolve({"arch": "progan", "loss": "hinge"}).settings
    assert hinge.regularizers == (), "drift is for critics that are defined up to a constant"


def test_kimg_are_thousands_of_images() -> None:
    flags = {"arch": "progan", "device": "cpu", "image_size": (8, 8), "width": 2, "fade_kimg": 2.0}
    game: Any = build(resolve({**flags, "stable_kimg": 3.0, "steps": 1})).game
    assert (game.pace.fade_images, game.pace.stable_images) == (2000.0, 3000.0)


def test_what_does_not_grow_has_no_pace(refused: Any) -> None:
    line = "run --arch dcgan --image-size 8 --width 2 --steps 1 --fade-kimg 1 --out run"
    refused(2, ("--fade-kimg has no meaning", "dcgan"), line)
    refused(2, ("33x33", "halved"), "run --arch progan --image-size 33 --steps 1 --out run")
    refused(2, ("--fade-kimg", "above 0"), f"run {TINY} --fade-kimg 0 --out run")
    assert not Path("run").exists()
