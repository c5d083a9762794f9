"""Runs a published row in ordinary run folders, and evaluates it as `gans evaluate` does."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from experiments.catalogue import add_plugin
from experiments.checkpoint import step_of
from experiments.config import Config, resolve
from experiments.errors import RunError, UsageError
from experiments.evaluation.extracting import How, Meter
from experiments.evaluation.judging import Judge
from experiments.evaluation.record import Scores, kept_scores
from experiments.evaluation.telling import judge_newest
from experiments.reproduction.rows import Row
from experiments.run_folder import RunFolder
from experiments.running import check_folder, run
from experiments.sweeping.board import Board
from experiments.sweeping.engines import LocalEngine, threads_each
from experiments.sweeping.member import Evaluation, Task
from experiments.sweeping.queue import work_off

Say = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """How a row is to be run, and where what it needs is found: a kimg of None is the row's own length."""

    seeds: int
    kimg: float | None = None
    device: str = "auto"
    download: bool = False
    data_root: str | None = None
    weights: Path | None = None


def prepare(name: str, row: Row, asked: Asked, say: Say, meter: Meter) -> tuple[list[Config], Judge]:
    """The config of every seed, and what judges them.

    Raises RunError with what is missing on this machine, before anything runs.
    """
    for plugin in row.flags.get("plugin", ()):
        add_plugin(plugin)
    flags = dict(row.flags) | {"device": asked.device, "download": asked.download, "group": name}
    flags |= {"data_root": asked.data_root} if asked.data_root else {}
    if asked.kimg is not None:
        flags = {key: value for key, value in flags.items() if key != "steps"} | {"kimg": asked.kimg}
    how = How(row.extractor, asked.weights, device=asked.device, download=asked.download)
    judge = Judge(how, [row.metric], row.samples, 0, say, meter)
    try:
        configs = [resolve({**flags, "seed": seed}) for seed in range(asked.seeds)]
        if row.needs_gpu and asked.kimg is None and not torch.cuda.is_available():
            raise UsageError(
                "needs a GPU at the published length; --kimg K is a shorter run without a verdict"
            )
        judge.open(configs[0].settings, name)
    except UsageError as error:
        raise RunError(f"{name} cannot run here: {error}") from error
    return configs, judge


def reproduce(row: Row, configs: list[Config], judge: Judge, out: Path, say: Say, jobs: int) -> list[float]:
    """The row's number of every seed. Whatever was done before, in this folder, is not done again; another
    row's runs are refused before anything runs.

    Args:
        jobs: how many seeds are trained at once, each in a process of its own; a single one in this.
    """
    folders = [RunFolder(out / f"seed-{config.settings.seed}") for config in configs]
    pairs = list(zip(configs, folders, strict=True))
    for config, folder in pairs:
        if changed := check_folder(config, folder, force=True):
            raise UsageError(
                f"{folder.path} holds a run with another config ({'; '.join(changed)}); take another --out"
            )
    if jobs > 1 and sum(not folder.is_finished for folder in folders) > 1:
        _train_at_once(pairs, out, say, jobs)
    values = []
    for config, folder in pairs:
        say(f"seed {config.settings.seed} of {len(configs)} in {folder.path}")
        if not folder.is_finished:
            run(config, folder, say)
        scores = _kept(folder, judge) or judge_newest(folder, judge, say)
        (score,) = scores.values()
        values.append(float(score[row.number]))
    return values


def _train_at_once(pairs: list[tuple[Config, RunFolder]], out: Path, say: Say, jobs: int) -> None:
    """As the members of a sweep are. Raises RunError where one fails."""
    tasks = {
        folder.path.name: Task(str(folder.path.absolute()), given(config), {}, {}, Evaluation(count=0))
        for config, folder in pairs
    }
    jobs = min(jobs, len(tasks))
    engine = LocalEngine(jobs, threads_each(jobs))
    say(f"{len(tasks)} seeds in {out}, {engine.jobs} at once")
    with Board(out, say) as board:
        states = work_off(tasks, engine, board.show)
    for name, state in states.items():
        if state != "done":
            raise RunError(f"{name} {state}; the same command tries again")


def given(config: Config) -> dict[str, Any]:
    """The flags that a config was made of."""
    return {
        name: getattr(config.settings, name) for name, source in config.sources.items() if source == "flag"
    }


def _kept(folder: RunFolder, judge: Judge) -> Scores | None:
    """What the same judge found here before, of the newest generator."""
    newest = max(map(step_of, folder.checkpoints().paths()), default=None)
    (name,) = (judge.key_of(metric) for metric in judge.metrics)
    for step, scores in reversed(kept_scores(folder)):
        score = scores.get(name, {})
        if step == newest and score.get("n", [0])[0] == judge.count and score.get("seed") == judge.seed:
            return {name: score}
    return None
