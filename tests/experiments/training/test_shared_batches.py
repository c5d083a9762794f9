"""A batch that is shared out to processes or passes trains as it does in one: equal weights and scores."""

from functools import cache, partial
from typing import Any

import pytest
import torch

from benchmarks.processes import MOST, State, largest_difference, tiny, train, train_in_processes
from experiments.config.resolve import resolve
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.training.experiment import build
from losses.core.batch_parts import WHOLE, BatchPart, set_process_part
from tests.shortcuts import take_shortcuts

LABELS = {"conditional": True}
STEERED = {f"apa.{name}": value for name, value in {"interval": 1, "kimg": 0.02, "target": -0.9}.items()}
PIPE = {"ada.transforms": ("bgc", "noise", "cutout")}
ADAPTIVE = {**PIPE, "ada.interval": 1, "ada.kimg": 0.02, "ada.target": -0.9}
CASES: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
    **{arch: (tiny(arch), {}) for arch in registry.names("architecture")},
    **{
        f"dcgan {name}": ({**tiny("dcgan"), "loss": "bce"}, {name: 0.9 if "smooth" in name else 0.1})
        for name in registry.names("regularizer")
    },
    **{
        f"cyclegan {name}": ({**tiny("cyclegan"), "augment": ((name, 0.3),)}, {}) for name in ("crop", "flip")
    },
    **{
        f"resnet {name}": ({**tiny("resnet"), "loss": "r1", "penalty": (name,)}, {})
        for name in registry.names("penalty")
    },
    "dcgan jitter, dropout": ({**tiny("dcgan"), "augment": (("jitter", 0.3),), "critic_dropout": 0.3}, {}),
    "r3gan ada": ({**tiny("r3gan"), **PIPE, "critic_augment": "ada:0.5"}, {}),
    "dcgan adaptive": ({**tiny("dcgan"), **ADAPTIVE, "critic_augment": "ada", "loss": "bce"}, {}),
    "pix2pix diffaugment": ({**tiny("pix2pix"), "critic_augment": "diffaugment"}, {}),
    "dcgan apa": ({**tiny("dcgan"), "loss": "bce", **STEERED}, {"apa": 0.9}),
    "r3gan lecam": ({**tiny("r3gan"), "loss": "bce", "lecam.start": 0, "lecam.decay": 0.5}, {"lecam": 0.3}),
    "progan discrimination": ({**tiny("progan"), "minibatch_statistic": "discrimination", "loss": "r1"}, {}),
    "dcgan spectral": ({**tiny("dcgan"), "critic_norm": "spectral", "loss": "hinge"}, {}),
    "dcgan batch norm": ({**tiny("dcgan"), "critic_norm": "batch", **LABELS}, {}),
    "stylegan2 with labels": ({**tiny("stylegan2"), **LABELS}, {}),
}
WHOLE_BATCHES = ("dcgan batch norm", "r3gan lecam")  # refused, and held to anchors of each pass


@cache
def alone(name: str) -> State:
    """State after training a case in one process and one pass."""
    case, strengths = CASES[name]
    return train(case, strengths)


@pytest.mark.long
def test_two_processes_train_to_the_weights_of_one() -> None:
    states = train_in_processes(list(CASES.values()), 2, partial(take_shortcuts, setattr))
    found = {}
    for name, (first, second) in zip(CASES, states, strict=True):
        if (difference := largest_difference(alone(name), first)) > MOST:
            found[name] = difference
        assert all(torch.equal(first[key], second[key]) for key in first), f"{name}: processes differ"
    assert not found


@pytest.mark.parametrize("name", [name for name in CASES if name not in WHOLE_BATCHES])
def test_micro_batches_train_to_the_weights_of_whole_ones(name: str) -> None:
    case, strengths = CASES[name]
    moves_a_mean = case["arch"] == "stylegan2"  # that of path lengths, in each pass
    if moves_a_mean:
        case = {**case, "arch.path_length_weight": 0.0}
    try:
        passes = train({**case, "micro_batch_size": 4}, strengths)
    except UsageError as error:
        assert "leave out --micro-batch-size" in str(error) or "must be in memory" in str(error)
        assert case["arch"] in ("dcgan", "resnet", "fastgan") or "discrimination" in name
        return
    whole = train(case, strengths) if moves_a_mean else alone(name)
    assert largest_difference(whole, passes) < MOST


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"batch_size": 9}, "--batch-size 9 is not shared out evenly to 2 processes; take 8, or start 1"),
        ({"arch": "stylegan2", "batch_size": 4}, "2 samples at once are not whole groups"),
        ({"arch": "progan", "batch_size": 8, "arch.stage_batch_sizes": ((8, 7),)}, "--batch-size 7 is not"),
        (
            {"arch": "progan", "micro_batch_size": 3},
            "--micro-batch-size 3 does not divide the 4 images .* take 2",
        ),
    ],
)
def test_batches_that_cannot_be_shared_out_are_refused(settings: dict[str, Any], words: str) -> None:
    set_process_part(BatchPart(0, 2))
    try:
        with pytest.raises(UsageError, match=words):
            build(resolve({**tiny("dcgan"), "device": "cpu", **settings}))
    finally:
        set_process_part(WHOLE)
