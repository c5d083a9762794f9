"""What a critic is told of the batch, as a setting."""

from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.config.factory import build_networks
from experiments.config.resolve import resolve

TINY = {"image_size": (16, 16), "width": 2, "z_dim": 3, "steps": 2, "device": "cpu"}
KINDS = {
    "deviation": "MinibatchDeviation",
    "discrimination": "MinibatchDiscrimination",
    "none": "NoStatistic",
}
STATED = ["progan", "stylegan", "stylegan2"]


def critic_of(arch: str, statistic: str | None) -> torch.nn.Module:
    flags = {"minibatch_statistic": statistic} if statistic else {}
    return build_networks(resolve({**TINY, "arch": arch, **flags}).settings)[1].eval()


@pytest.mark.parametrize("arch", STATED)
@pytest.mark.parametrize("statistic", [None, *KINDS])
def test_a_critic_has_the_one_that_is_asked_for(arch: str, statistic: str | None) -> None:
    """And looks at the others of a batch with it, or does not."""
    critic = critic_of(arch, statistic)
    kinds = {type(module).__name__ for module in critic.modules()}
    assert kinds & set(KINDS.values()) == {KINDS[statistic or "deviation"]}
    x = torch.randn(4, 3, 16, 16)
    alone, together = critic(x[:1]), critic(x)[:1]
    assert torch.allclose(alone, together, rtol=1e-4, atol=1e-6) == (statistic == "none")


@pytest.mark.parametrize("arch", STATED)
def test_the_architectures_own_has_options_without_being_asked_for(arch: str) -> None:
    asked = {**TINY, "arch": arch, "minibatch_statistic.group_size": 2}
    (layer,) = [
        module
        for module in build_networks(resolve(asked).settings)[1].modules()
        if type(module).__name__ == KINDS["deviation"]
    ]
    assert layer.group == 2


@pytest.mark.parametrize("arch", STATED)
def test_a_run_with_a_penalty_for_each_sample(arch: str, gans: Any) -> None:
    """As ProGAN's authors have it: the penalty's points are a batch of their own."""
    words = f"--arch {arch} --loss wgan-gp --image-size 16 --width 2 --z-dim 3 --batch-size 4 --steps 2"
    outcome = gans(f"run {words} --minibatch-statistic discrimination --out run")
    assert outcome.status == 0, outcome.err
    assert gans("run --resume run --minibatch-statistic none").status == 2, "another run"


@pytest.mark.parametrize("arch", ["dcgan", "resnet", "r3gan", "mlp"])
def test_others_have_no_place_for_it(arch: str, refused: Any) -> None:
    line = f"run --arch {arch} --data shapes --image-size 16 --width 4 --steps 1 --out run"
    for statistic in KINDS:
        refused(2, (arch, "--minibatch-statistic"), f"{line} --minibatch-statistic {statistic}")
    assert not Path("run").exists()
