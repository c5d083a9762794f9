"""Everything combines with everything: every architecture with every loss, and every two other choices
somewhere together. Each combination plays, is stopped, and goes on bit by bit as if it had not been [23]."""

import io
from collections.abc import Iterator
from itertools import combinations, product
from typing import Any

import pytest
import torch
from torch import Tensor

from experiments.config.resolve import resolve
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.stop_signal import StopSignal
from experiments.training.callbacks import Progress
from experiments.training.experiment import Experiment, build
from experiments.training.steps import train_steps
from gans.core.player import Scores
from losses.core.adversarial import Labelled
from losses.core.regularizer import Relabel
from tests.conftest import ARCHITECTURES, DATA, FROM_NOISE, long_but

Row = dict[str, Any]


def usual_strength(name: str) -> float:
    """A strength that the regularizer accepts."""
    for strength in (0.1, 0.9, 1.0, 0.01):
        try:
            registry.load("regularizer", name)(strength)
        except ValueError:
            continue
        return strength
    raise AssertionError(f"none of the usual strengths suits {name}")


PLAYERS = [
    (name, "ring8" if kind == "points" else DATA[architecture.task])
    for name, architecture in ARCHITECTURES.items()
    for kind in architecture.data
]
LOSSES = registry.loss_names()
# The first value of each is what the loss or the architecture would have by itself.
CHOICES: dict[str, list[Any]] = {
    "critic_norm": [None, "none", "batch", "layer", "instance", "spectral"],
    "regularizers": [None, *((name, usual_strength(name)) for name in registry.names("regularizer"))],
    "penalty": [None, *((place,) for place in registry.names("penalty"))],
    "penalty_norm": [None, "one", "zero", "one-sided"],
    "critic_dropout": [None, 0.3],
    "lr_schedule": [None, "linear", "cosine"],
    "optimizer": [None, "adam", "rmsprop", "sgd"],
    "augment": [None, (("crop", 0.3), ("flip", 0.5)), (("jitter", 0.2),)],
    "critic_augment": [None, "ada:0.5", "diffaugment"],
    "critic_ema_kimg": [None, 0.1],
    "conditional": [None, True],
}


def flags_of(row: Row) -> Row:
    arch, data = row["player"]
    flags = {"arch": arch, "data": data, "loss": row["loss"], "device": "cpu"}
    flags |= {name: row[name] for name in CHOICES if row.get(name) is not None and name != "regularizers"}
    # Tiny, and with every second penalty left out, so that the number of the batch matters.
    tiny = {"width": 4, "batch_size": 4, "n_critic": 2, "steps": 3, "ema_kimg": 0.1}
    tiny |= {"z_dim": 3} if arch in FROM_NOISE else {}
    images = {} if data == "ring8" else {"image_size": (8, 8)}
    every = {"penalty_every": 2} if "penalty" in flags else {}
    pools = {"arch.pool_size": 3} if arch == "cyclegan" else {}  # few rounds fill no pool of 50
    return {**tiny, **images, **every, **pools, **flags}


def strengths_of(row: Row) -> dict[str, float]:
    return dict([row["regularizers"]]) if row.get("regularizers") else {}


RECIPES = {loss: registry.load_recipe(loss) for loss in LOSSES}
BRING_PENALTY = {loss for loss in LOSSES if any(d.values.get("penalty") for d in RECIPES[loss].settings)}
LABELLED = {loss for loss in LOSSES if issubclass(registry.load("form", RECIPES[loss].form), Labelled)}
RELABEL = {n for n in registry.names("regularizer") if issubclass(registry.load("regularizer", n), Relabel)}

FOR_ONE_CRITIC = {
    n for n in registry.names("regularizer") if registry.load("regularizer", n).is_for_one_critic
}


def reason_against(row: Row) -> str | None:
    """What must refuse this combination, or None where it must work."""
    has_penalty = row.get("penalty") is not None or row["loss"] in BRING_PENALTY
    regularizer = row.get("regularizers")
    if row.get("penalty_norm") and not has_penalty:
        return "has no meaning without a gradient penalty"
    if row["player"][1] == "ring8" and (row.get("augment") or row.get("critic_augment")):
        return "has no meaning for points"
    if row.get("critic_norm") == "batch" and has_penalty:
        return "one by one"
    if row.get("critic_norm") == "instance" and row["player"][0] == "mlp":
        return "needs feature maps"
    if row.get("conditional") and row["player"][0] not in FROM_NOISE:
        return "which starts from images"
    if row.get("conditional") and not ARCHITECTURES[row["player"][0]].takes_labels:
        return "takes no labels"
    if "jitter" in dict(row.get("augment") or ()) and ARCHITECTURES[row["player"][0]].task == "pairs":
        return "partners must change alike"
    if regularizer and regularizer[0] in RELABEL and row["loss"] not in LABELLED:
        return "has no labels|no labels to change|do not say what is real"
    if regularizer and regularizer[0] in FOR_ONE_CRITIC and ARCHITECTURES[row["player"][0]].task == "domains":
        return "two are updated together"
    return None


def pairs_of(row: Row) -> set[tuple[tuple[str, str], ...]]:
    """All pairs of choices in a row, without the choice of nothing special."""
    made = [(name, str(value)) for name, value in row.items() if value is not None]
    return set(combinations(made, 2))


def cover() -> Iterator[Row]:
    """Every player with every loss; into these rows, and as many more as it takes, greedily every pair of
    choices that may stand together."""
    factors = {"player": PLAYERS, "loss": LOSSES, **CHOICES}
    missing = {
        pair
        for (a, some), (b, others) in combinations(factors.items(), 2)
        for x, y in product(some, others)
        if x is not None and y is not None
        for pair in [((a, str(x)), (b, str(y)))]
        if _can_stand({a: x, b: y})
    }
    for player, loss in product(PLAYERS, LOSSES):
        row = _filled({"player": player, "loss": loss}, missing)
        missing -= pairs_of(row)
        yield row
    while missing:
        (a, x), (b, y) = sorted(missing)[0]
        values = {name: {str(v): v for v in known} for name, known in factors.items()}
        row = _filled(_completed({a: values[a][x], b: values[b][y]}), missing)
        assert pairs_of(row) & missing
        missing -= pairs_of(row)
        yield row


def _completed(choice: Row) -> Row:
    """The choice with the first player and loss that it can stand with."""
    rows = ({"player": p, "loss": a} | choice for p, a in product(PLAYERS, LOSSES))
    return next(row for row in rows if reason_against(row) is None)


def _can_stand(choice: Row) -> bool:
    rows = ({"player": p, "loss": a} | choice for p, a in product(PLAYERS, LOSSES))
    return any(reason_against(row) is None for row in rows)


def _filled(row: Row, missing: set[tuple[tuple[str, str], ...]]) -> Row:
    """Each open choice becomes the one that covers most of what is missing."""
    ordered = {"player": row["player"], "loss": row["loss"]}
    for name, values in CHOICES.items():
        if name in row:
            ordered[name] = row[name]
            continue
        allowed = [v for v in values if reason_against({**row, **ordered, name: v}) is None]
        ordered[name] = max(allowed, key=lambda v: len(pairs_of({**ordered, name: v}) & missing))
    return ordered


ROWS = list(cover())


def name_of(row: Row) -> str:
    arch, data = row["player"]
    parts = [f"{name}={row[name]}" for name in CHOICES if row.get(name) is not None]
    return "-".join([arch, data, row["loss"], *parts]).replace(" ", "")


def test_the_cover_is_one() -> None:
    made = {(row["player"], row["loss"]) for row in ROWS}
    assert made == set(product(PLAYERS, LOSSES))
    for name, values in CHOICES.items():
        assert {str(row[name]) for row in ROWS} == {str(value) for value in values}, name


# A third of them is among the usual tests.
@pytest.mark.parametrize("row", long_but(ROWS[::3], ROWS), ids=name_of)
def test_plays_stops_and_goes_on(row: Row) -> None:
    config = resolve(flags_of(row), strengths=strengths_of(row))
    whole, file = build(config), io.BytesIO()

    def save(progress: Progress, scores: Scores) -> None:
        if progress.step == 2:
            torch.save(whole.state_dict(), file)

    train_steps(whole, 0, [save], StopSignal())
    second = build(config)
    scramble(second)
    second.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    train_steps(second, 2, [], StopSignal())
    played, resumed = tensors(whole.state_dict()), tensors(second.state_dict())
    assert played.keys() == resumed.keys()
    assert [name for name in played if not torch.equal(played[name], resumed[name])] == []
    assert all(value.isfinite().all() for value in played.values())


def scramble(experiment: Experiment) -> None:
    """What is not restored must show."""
    with torch.no_grad():
        for value in tensors(experiment.state_dict()).values():
            value.add_(1)


def tensors(state: Any, name: str = "") -> dict[str, Tensor]:
    if isinstance(state, Tensor):
        return {name: state}
    if isinstance(state, dict):
        return {k: v for key, value in state.items() for k, v in tensors(value, f"{name}.{key}").items()}
    return {}


@pytest.mark.parametrize("loss", LOSSES)
def test_what_cannot_stand_together_is_refused_with_the_reason(loss: str) -> None:
    for player, (name, values) in product(PLAYERS, CHOICES.items()):
        for value in values:
            row = {"player": player, "loss": loss, name: value}
            reason = reason_against(row)
            if reason is not None:
                with pytest.raises(UsageError, match=reason):
                    build(resolve(flags_of(row), strengths=strengths_of(row)))
