"""Rollback of a run to before its collapse (`--on-collapse rollback`), with lower learning rates."""

import logging
from typing import TYPE_CHECKING

from experiments.core.errors import RunError
from experiments.core.named_values import StateDict
from experiments.core.processes import from_first
from experiments.runs.checkpoint import checkpoint_name
from gans.core.clock import RateFactor, ScaledSchedule

if TYPE_CHECKING:  # an experiment needs this file for its rates
    from experiments.runs.folder import RunFolder
    from experiments.training.experiment import Experiment
    from experiments.training.metric_logging import NotFiniteError

log = logging.getLogger("gans")

RATE_FACTOR = 0.5  # of both learning rates, for each rollback
MOST_ROLLBACKS = 3


class RollbackRequest(Exception):  # noqa: N818  (an event, not an error)
    """Signal that a run has collapsed and is to be rolled back."""


def scale_schedule(schedule: RateFactor, rollbacks: int) -> RateFactor:
    """Multiplies a learning rate schedule by RATE_FACTOR for each of so many further rollbacks."""
    return ScaledSchedule(schedule, RATE_FACTOR**rollbacks)


def roll_back(
    experiment: "Experiment", folder: "RunFolder", reason: "RollbackRequest | NotFiniteError"
) -> StateDict:
    """Restores experiment and folder to the last state before the collapse; returns its checkpoint.

    Raises RunError after MOST_ROLLBACKS, or where that state cannot be read.
    """
    rollbacks = experiment.rollbacks + 1
    if rollbacks > MOST_ROLLBACKS:
        raise RunError(
            f"{reason}; {MOST_ROLLBACKS} rollbacks did not help: take another --loss, or lower learning rates"
        ) from reason
    state = from_first(folder.healthy.newest)
    if state is None:
        raise RunError(f"{reason}; nothing from before it is left in {folder.healthy.folder}") from reason
    step = state["step"]
    experiment.load_state_dict(state)
    experiment.set_rollbacks(rollbacks)
    from_first(lambda: _rewind(experiment, folder, state))
    log.info(
        f"{reason}; rollback {rollbacks} of {MOST_ROLLBACKS} to {checkpoint_name(step)}, with "
        f"{RATE_FACTOR**rollbacks:g} of the learning rates and other random draws"
    )
    return state


def _rewind(experiment: "Experiment", folder: "RunFolder", state: StateDict) -> None:
    """Rewinds the checkpoints and scores in a folder to a state, with which the experiment goes on."""
    step = state["step"]
    checkpoints = folder.checkpoints(experiment.spec.settings.keep)
    checkpoints.forget_after(step)
    checkpoints.save(step, {**experiment.state_dict(), "scores": state["scores"]})
    folder.rewind_scores(step)
