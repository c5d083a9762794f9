"""Training on an accelerator: no step waits for it, no tensor lies elsewhere, and all is deterministic."""

import os
from collections.abc import Iterator
from itertools import product
from math import inf
from typing import Any

import pytest
import torch
from torch.nn.functional import pad

from experiments.config.resolve import resolve
from experiments.core.console import describe_error
from experiments.core.device import resolve_device
from experiments.core.errors import UsageError
from experiments.core.seeds import choose_algorithms
from experiments.core.stop_signal import StopSignal
from experiments.data.core import batch_stream
from experiments.training.experiment import Experiment, build
from experiments.training.metric_logging import GradientNorms, MetricLogger
from experiments.training.trainer import train_steps
from losses.core import few_channels
from losses.core.batch_parts import WHOLE, BatchPart, set_process_part
from losses.core.device_copies import copy_to
from tests.conftest import ARCHITECTURES, long_but
from tests.fake_accelerator import DeviceTensor, FakeAccelerator, fake_accelerator

Settings = dict[str, Any]
LABELLED = [name for name, architecture in ARCHITECTURES.items() if architecture.takes_labels]
VARIANTS: dict[str, Settings] = {
    "augmented": {"augment": (("crop", 0.2), ("flip", 0.5), ("jitter", 0.2))},
    "enlarged and cut": {"augment": (("crop", 0.2),), "crop.border": "enlarge"},
    "in micro-batches": {"arch": "r3gan", "micro_batch_size": 4},
    "minibatch discrimination": {"arch": "progan", "minibatch_statistic": "discrimination"},
    "spectral norm": {"critic_norm": "spectral"},
    "dropout": {"critic_dropout": 0.2},
    "clipped": {"loss": "wgan"},
    "dragan": {"loss": "dragan"},
}


@pytest.fixture
def accelerator(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAccelerator]:
    with fake_accelerator(monkeypatch) as found:
        yield found


def tiny(arch: str, **more: Any) -> Settings:
    """Settings of a tiny run, with more than one update of the critic a step."""
    data = {"data": "ring8"} if arch == "mlp" and "conditional" not in more else {"image_size": (8, 8)}
    # Sizes that the critics of these halve, and blocks that are enough.
    blocks = {"arch.blocks": 1, "image_size": (16, 16)} if arch in ("cyclegan", "stargan") else {}
    sizes = {"width": 4, "batch_size": 8, "steps": 2, "n_critic": 2, "device": "cuda", "preset": "laptop"}
    return {"arch": arch, **data, **blocks, **sizes, **more}


def waits_of_steps(accelerator: FakeAccelerator, settings: Settings) -> tuple[Experiment, list[str]]:
    """Trains, and returns the experiment with what its steps have waited for."""
    experiment = build(resolve(settings))
    assert torch.are_deterministic_algorithms_enabled() == settings.get("deterministic", True)
    accelerator.waits.clear()
    train_steps(experiment, 0, [], StopSignal())
    assert all(isinstance(weight, DeviceTensor) for weight in experiment.game.parameters())
    return experiment, accelerator.waits


@pytest.mark.parametrize(
    ("arch", "has_penalty"),
    long_but([("dcgan", True), ("stylegan2", False), ("swap", False)], product(ARCHITECTURES, [False, True])),
)
def test_no_step_waits_for_the_device(arch: str, has_penalty: bool, accelerator: FakeAccelerator) -> None:
    own = ARCHITECTURES[arch].default_loss
    loss = "wgan-gp" if has_penalty else own if own != "wgan-gp" else "bce"
    assert waits_of_steps(accelerator, tiny(arch, loss=loss))[1] == []


@pytest.mark.parametrize("arch", LABELLED)
def test_no_step_with_labels_waits_for_the_device(arch: str, accelerator: FakeAccelerator) -> None:
    settings = tiny(arch, conditional=True, data="shapes", steps=1)
    assert waits_of_steps(accelerator, settings)[1] == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_step_of_a_variant_waits_for_the_device(variant: str, accelerator: FakeAccelerator) -> None:
    changes = VARIANTS[variant]
    assert waits_of_steps(accelerator, tiny(**{"arch": "dcgan", **changes}))[1] == []


@pytest.mark.parametrize("settings", [{"arch": "dcgan", "conditional": True}, {"arch": "stargan"}])
def test_no_step_waits_for_data_that_is_not_on_the_device(
    settings: Settings, accelerator: FakeAccelerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches are fetched ahead into pinned memory, and so are their conditions."""
    monkeypatch.setattr(batch_stream, "memory_for_data", lambda device: 0)
    experiment, waits = waits_of_steps(accelerator, tiny(**settings))
    assert waits == []
    assert experiment.loader.stream.device.type == "cpu"


def test_scores_stay_on_the_device_until_a_line_is_due(accelerator: FakeAccelerator) -> None:
    lines: list[dict[str, float]] = []

    class Quiet:
        def scores(self, line: dict[str, float]) -> None:
            lines.append(line)

    experiment = build(resolve(tiny("dcgan", steps=4)))
    logger = MetricLogger(Quiet(), lambda line: None)  # type: ignore[arg-type]
    accelerator.waits.clear()
    waits: list[int] = []
    callbacks = [GradientNorms(experiment.players), logger, lambda *_: waits.append(len(accelerator.waits))]
    train_steps(experiment, 0, callbacks, StopSignal())
    assert [line["step"] for line in lines] == [1, 4]
    assert waits[0] == waits[1] == waits[2] < waits[3]


@pytest.mark.parametrize("arch", ["dcgan", "stargan", "swap"])
def test_it_trains_as_the_cpu_does(arch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_accelerator(monkeypatch) as accelerator:
        there = waits_of_steps(accelerator, tiny(arch, deterministic=False))[0].ema.average
        found = [weight.held for weight in there.parameters() if isinstance(weight, DeviceTensor)]
    monkeypatch.undo()
    monkeypatch.setattr(few_channels, "MANY", inf)  # convolutions by phases are the CPU's alone
    experiment = build(resolve({**tiny(arch), "device": "cpu"}))
    train_steps(experiment, 0, [], StopSignal())
    expected = list(experiment.ema.average.parameters())
    assert len(found) == len(expected)
    assert all(torch.equal(x, y) for x, y in zip(found, expected, strict=True))


@pytest.mark.parametrize("arch", ["dcgan", "stylegan2", "swap"])
def test_a_run_keeps_to_the_gpu_that_was_asked_for(arch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_accelerator(monkeypatch, "cuda:1") as accelerator:
        assert resolve_device("cuda:1") == "cuda:1"
        with pytest.raises(UsageError, match=r"--device cuda:2: .* --device cuda:1 or --device cpu"):
            resolve_device("cuda:2")
        experiment, waits = waits_of_steps(accelerator, tiny(arch, device="cuda:1"))
        assert waits == []
        assert {str(weight.device) for weight in experiment.game.parameters()} == {"cuda:1"}


def test_processes_do_not_share_one_gpu(accelerator: FakeAccelerator) -> None:
    set_process_part(BatchPart(0, 2))
    try:
        with pytest.raises(UsageError, match=r"--device cuda:0 is one GPU, .* take --device cuda$"):
            build(resolve(tiny("dcgan", device="cuda:0")))
    finally:
        set_process_part(WHOLE)


def test_the_pretended_accelerator_notes_what_a_real_one_waits_for(accelerator: FakeAccelerator) -> None:
    x = copy_to(torch.arange(3.0), torch.device("cuda"))
    assert accelerator.waits == []
    torch.arange(3.0).to("cuda", non_blocking=True)  # of memory that is not pinned
    x[torch.tensor([0])]
    x[x > 1]
    x.sum().item()
    x.cpu()
    bool(x.isfinite().all())
    assert len(accelerator.waits) == 6
    with pytest.raises(RuntimeError, match="on cuda:0 and on the CPU"):
        x + torch.arange(3.0)
    with pytest.raises(RuntimeError, match="several accelerators"):
        x + torch.zeros(3, device="cuda:1")
    assert torch.equal((x * torch.tensor(2.0)).cpu(), torch.tensor([0.0, 2.0, 4.0]))


def test_an_operation_without_a_deterministic_form_is_told_with_a_remedy(
    accelerator: FakeAccelerator,
) -> None:
    choose_algorithms(torch.device("cuda"), is_deterministic=True)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    x = torch.zeros(1, 1, 4, 4, device="cuda", requires_grad=True)
    with pytest.raises(RuntimeError) as error:
        pad(x, (1, 1, 1, 1), "reflect").sum().backward()
    assert describe_error(error.value).endswith("no deterministic form on a GPU; take --no-deterministic")


def test_giving_determinism_up_is_said(
    accelerator: FakeAccelerator, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "gans"):
        settings = resolve(tiny("mlp", deterministic=False))
        build(settings)
    assert "--no-deterministic" in caplog.text
    assert settings.to_json()["deterministic"]["value"] is False
    assert torch.backends.cudnn.benchmark and not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("precision", ["fp32", "tf32"])
def test_tf32_is_a_matter_of_precision_alone(precision: str, accelerator: FakeAccelerator) -> None:
    build(resolve(tiny("mlp", precision=precision)))
    assert torch.backends.cudnn.allow_tf32 == torch.backends.cuda.matmul.allow_tf32 == (precision == "tf32")


def test_tf32_needs_a_gpu() -> None:
    with pytest.raises(
        UsageError, match="--precision tf32 is a mode of NVIDIA's GPUs; take --precision fp32"
    ):
        resolve({**tiny("mlp", precision="tf32"), "device": "cpu"})
