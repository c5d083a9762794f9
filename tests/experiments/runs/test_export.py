"""What a run exports is the average in its last checkpoint, and is built again from the file alone."""

from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.config.resolve import resolve
from experiments.core.errors import UsageError
from experiments.runs.checkpoint import load_checkpoint
from experiments.runs.export import import_network
from experiments.runs.folder import RunFolder
from experiments.training.run import run
from tests.conftest import ARCHITECTURES, DATA, FROM_NOISE, long_but


def trained(folder: Path, **flags: Any) -> RunFolder:
    task = ARCHITECTURES[flags.get("arch", "dcgan")].task
    small = {"data": DATA[task], "image_size": (8, 8), "width": 4, "batch_size": 4, "steps": 3}
    small |= {"z_dim": 3} if task == "noise" else {}
    run(resolve({**small, "track": ("local",), **flags}), RunFolder(folder))
    return RunFolder(folder)


# Spectral norm keeps vectors of its own beside the weights.
CRITICS = [*((arch, "spectral") for arch in ARCHITECTURES), ("dcgan", "none"), ("dcgan", "layer")]


@pytest.mark.parametrize(
    ("arch", "norm"), long_but({("dcgan", "spectral"), ("stylegan2", "spectral")}, CRITICS)
)
def test_both_players_come_back(arch: str, norm: str, tmp_path: Path) -> None:
    folder = trained(tmp_path / "run", arch=arch, critic_norm=norm, critic_dropout=0.2, critic_ema_kimg=0.01)
    state = load_checkpoint(tmp_path / "run" / "checkpoints" / "step-00000003.pt")
    generator, _ = import_network(folder.generator_file)
    critic, settings = import_network(folder.critic_file, "critic")
    for network, part in ((generator, "ema"), (critic, "critic_ema")):
        found = network.state_dict()
        assert found.keys() == state[part].keys()
        assert all(torch.equal(found[name], value) for name, value in state[part].items())
        assert not network.training
    assert (settings.arch, settings.critic_norm, settings.critic_dropout) == (arch, norm, 0.2)
    if arch in FROM_NOISE:
        assert critic(generator(torch.randn(5, 3))).shape[:1] == (5,)
    with pytest.raises(UsageError, match="not a critic exported by gans"):
        import_network(folder.generator_file, "critic")


def test_a_critic_is_no_generator(tmp_path: Path) -> None:
    folder = trained(tmp_path / "run", critic_ema_kimg=0.01)
    with pytest.raises(UsageError, match="not a generator exported by gans"):
        import_network(folder.critic_file)


def test_the_critics_average_is_exported_on_request_only(tmp_path: Path) -> None:
    assert not trained(tmp_path / "run").critic_file.exists()
