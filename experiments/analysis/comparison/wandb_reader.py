"""Reads records of experiments from a W&B project, through W&B's API."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from experiments.analysis.comparison.record import Record
from experiments.config.files import modernize
from experiments.core.errors import RunError, UsageError
from experiments.core.named_values import JsonObject
from experiments.core.settings import FIELDS, read_setting
from experiments.runs.score_lines import LARGEST_STEP, is_number
from experiments.runs.scores import EvaluationScores, parse_scores
from experiments.trackers.core.tracker import PROVENANCE
from experiments.trackers.core.wandb_login import is_logged_in, wandb_server

TIMEOUT_SECONDS = 20  # for each answer of the server
RETRIES = 2
RUNNING = ("pending", "preempting", "running")
COUNTED = ("seed", "batch_size", "n_critic", "steps", "kimg")  # settings that comparisons calculate with
log = logging.getLogger("gans")


def read_project(path: str) -> list[Record]:
    """Reads the runs of a project `ENTITY/PROJECT` (or `PROJECT`, your own), oldest first.

    Runs that gans has not written are left out: their config names no architecture. Raises UsageError
    without a login, for a project that does not exist or has no such run, and RunError where the server
    fails.
    """
    project = f"wandb:{path}"
    if not all(part.strip() for part in path.split("/")) or path.count("/") > 1:
        raise UsageError(f"{project} is not a project of W&B; give wandb:ENTITY/PROJECT")
    if not is_logged_in():
        raise UsageError(f"{project}: not logged in to {wandb_server()}; log in with: wandb login")
    import wandb

    # W&B's API prints to the terminal, and by itself retries without end.
    wandb.setup(wandb.Settings(silent=True, x_graphql_retry_max=RETRIES))
    try:
        found = records_of(wandb.Api(timeout=TIMEOUT_SECONDS).runs(path, lazy=False))
    except Exception as error:
        reason = " ".join(str(error).split())
        if isinstance(error, ValueError) and "find project" in reason:
            raise UsageError(
                f"{project}: there is no such project that you can see at {wandb_server()}"
            ) from error
        raise RunError(f"{project}: {reason or type(error).__name__}") from error
    if not found:
        raise UsageError(f"{project} holds no run that gans has written")
    return found


def records_of(runs: Iterable[Any]) -> list[Record]:
    """Records of W&B runs, each a `wandb.apis.public.Run`.

    Runs of other programs are left out, and those whose config cannot be one of gans, with a line.
    """
    found = []
    for run in (run for run in runs if "arch" in run.config):
        try:
            found.append(_record(run))
        except ValueError as error:
            log.info(f"left out: {run.name} ({run.id}): {error}")
    return found


def _record(run: Any) -> Record:
    """Makes the record of a run. Raises ValueError for a number in its config that cannot be."""
    lines = _in_order(run.scan_history())
    return Record(
        name=f"{run.name} ({run.id})",  # names need not be unique
        settings=dict(_settings(run.config)),
        environment=_environment(run.rawconfig),
        lines=[_without_record(line) for line in lines],
        evaluations=list(_evaluations(lines)),
        folder=None,
        state=_state(run.state),
    )


def _in_order(history: Iterable[JsonObject]) -> list[dict[str, Any]]:
    """Lines of scores in the order of steps, without W&B's own columns and without pictures.

    A resumed run repeats what its killed process had written: the later line counts.
    """
    newest: dict[tuple[int, frozenset[str]], dict[str, Any]] = {}
    for row in history:
        line = {name: value for name, value in row.items() if name[0] != "_" and value is not None}
        if is_number(line.get("step")) and 0 <= line["step"] <= LARGEST_STEP:
            key = int(line["step"]), frozenset(line)
            newest.pop(key, None)
            newest[key] = {**line, "step": key[0]}
    return sorted(newest.values(), key=lambda line: line["step"])


def _settings(config: JsonObject) -> Iterator[tuple[str, Any]]:
    """Settings in a W&B config, converted to the types of a run folder: JSON has lists for tuples.

    Raises ValueError for a number of `COUNTED` that cannot be.
    """
    for name, value in modernize(config).items():
        if name in FIELDS:
            try:
                value = read_setting(name, value)
            except (ValueError, TypeError) as error:  # an older or newer gans allowed it
                if name in COUNTED and (value is not None or name not in ("steps", "kimg")):
                    raise ValueError(f"{name}: {error}") from error
        yield name, value


def _environment(config: JsonObject) -> JsonObject:
    """Versions that W&B itself has recorded in a run's config."""
    known = config.get("_wandb", {})
    names = {"python": "python_version", "wandb": "cli_version"}
    return {name: known[theirs] for name, theirs in names.items() if theirs in known}


def _without_record(line: JsonObject) -> JsonObject:
    """A line of scores without the provenance of its scores."""
    return {name: value for name, value in line.items() if not name.startswith(PROVENANCE)}


def _evaluations(lines: Iterable[JsonObject]) -> Iterator[tuple[float | None, EvaluationScores]]:
    """Pairs of kimg and scores of all lines that an evaluation has written."""
    for line in lines:
        if scores := parse_scores(line):
            yield line.get("kimg"), scores


def _state(state: str) -> str:
    """State of a W&B run in the words of a run folder."""
    if state == "finished":
        return state
    return "running" if state in RUNNING else f"failed: {state}"
