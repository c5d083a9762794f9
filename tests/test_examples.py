"""A new loss and a new architecture are one file each, and do what they say."""

import json
from pathlib import Path

import pytest
import torch

import cli
from experiments.core import registry
from experiments.core.trusted_plugins import add_named_plugins

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SMALL = ["--image-size", "8", "--width", "2", "--z-dim", "3", "--batch-size", "4", "--steps", "3"]


@pytest.mark.parametrize(
    ("file", "flags"),
    [("pearson", ["--loss", "pearson"]), ("resize_conv", ["--arch", "resize-conv", "--loss", "wgan-gp"])],
)
def test_an_example_trains(file: str, flags: list[str], tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = ["run", "--plugin", str(EXAMPLES / f"{file}.py"), *flags, *SMALL, "--out", str(out)]
    cli.main(words)
    lines = [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 3
    # The run knows its plug-in: samples need no flag.
    registry._from_files.clear()
    cli.main(["sample", str(out), "-n", "2", "--out", str(tmp_path / "two.png")])
    assert (tmp_path / "two.png").is_file()


def test_a_plugin_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["list", "losses", "--plugin", str(EXAMPLES / "pearson.py"), "--json"])
    assert "χ²" in json.loads(capsys.readouterr().out)["losses"]["pearson"]


def test_pearsons_optimum_is_the_divergence() -> None:
    add_named_plugins([str(EXAMPLES / "pearson.py")])
    form = registry.load("form", "pearson")()
    real, fake = torch.tensor([0, 0, 1, 2]), torch.tensor([0, 1, 2, 2])
    p, q = (torch.bincount(x).double() / 4 for x in (real, fake))
    logits = (2 * (p / q - 1)).requires_grad_(True)
    loss = form.critic(logits[real], logits[fake])
    (slope,) = torch.autograd.grad(loss, logits)
    assert slope.abs().max() < 1e-15
    assert -loss.item() == pytest.approx((q * (p / q - 1).square()).sum().item(), rel=1e-14)
