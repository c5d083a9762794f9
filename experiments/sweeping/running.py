"""The rounds of a sweep: which members can be, which train for how long, and which are the best."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.comparison.reading import record_of
from experiments.comparison.scoring import Mark, directed, direction, marks_of, named
from experiments.config import Config, refuse_another_recipe
from experiments.errors import RunError, UsageError
from experiments.run_folder import RunFolder
from experiments.sweeping.engines import Engine
from experiments.sweeping.member import Evaluation, Task
from experiments.sweeping.plan import Member, Sweep
from experiments.sweeping.queue import Show, work_off


@dataclass(frozen=True)
class Laboratory:
    """What a sweep needs to run.

    Attributes:
        out: its folder, of which each member has a subfolder.
        sweep: what varies.
        evaluation: of every member.
        say: where remarks go.
        engine: where members run; None until they are to run.
        show: told each member's state whenever one changes, and now and then.
    """

    out: Path
    sweep: Sweep
    evaluation: Evaluation
    say: Callable[[str], None]
    engine: Engine | None = None
    show: Show = lambda states: None

    def task(self, member: Member, until_kimg: float | None = None) -> Task:
        flags = {"group": self.out.name, **self.sweep.base, **member.settings, "seed": member.seed}
        folder = str(self.out / member.name)
        return Task(
            folder, flags, dict(self.sweep.strengths), dict(self.sweep.file), self.evaluation, until_kimg
        )

    def folder(self, member: Member) -> RunFolder:
        return RunFolder(self.out / member.name)


def run_all(laboratory: Laboratory, members: Sequence[Member], shares: Mapping[str, float] = {}) -> None:
    """Brings every member to its end, or to the kimg that `shares` has for its name."""
    tasks = {member.name: laboratory.task(member, shares.get(member.name)) for member in members}
    assert laboratory.engine is not None
    work_off(tasks, laboratory.engine, laboratory.show)


def ranked(
    laboratory: Laboratory, members: Sequence[Member], metric: str | None, kimg: float | None = None
) -> list[tuple[float, list[Member]]]:
    """The mean score of each setting over its seeds, and its members, from the best to the worst. Members
    that failed, or whose score is no finite number, are left out of it, as is a setting that has no other.

    Args:
        kimg: the scores are those of the first evaluation at so many images or more; None: of the last.

    Raises RunError where none has such a score.
    """
    settings: dict[str, list[Member]] = {}
    for member in members:
        settings.setdefault(str(member.settings), []).append(member)
    found, is_higher_better = [], False
    for own in settings.values():
        scores = [_score(laboratory.folder(member), metric, kimg) for member in own]
        values = [score.value for score in scores if score and math.isfinite(score.value)]
        is_higher_better = is_higher_better or any(score.is_higher_better for score in scores if score)
        if values:
            found.append((float(np.mean(values)), own))
    if not found:
        score = metric or "to choose the best by"
        raise RunError(f"no member has a score {score}; see log.txt in their folders")
    return sorted(found, key=lambda pair: pair[0], reverse=is_higher_better)


class _Score(NamedTuple):
    value: float
    is_higher_better: bool


def _score(folder: RunFolder, metric: str | None, kimg: float | None) -> _Score | None:
    marks = marks_of(record_of(folder))
    possible = directed(marks)
    name = named(metric, marks) if metric else next(iter(possible), "")
    if name not in possible:
        return None
    own = marks[name]
    later = own[-1:] if kimg is None else [mark for mark in own if (mark.kimg or 0.0) >= kimg]
    return _Score(later[0].value, bool(direction(name, later[0].made))) if later else None


def refine(laboratory: Laboratory, members: Sequence[Member], top: int, metric: str | None) -> list[Member]:
    """The finer round around the best settings, run to its end."""
    best = [own[0].settings for _, own in ranked(laboratory, members, metric)[:top]]
    laboratory.say(f"a finer round around the best {len(best)}")
    finer = laboratory.sweep.finer(best)
    run_all(laboratory, finer)
    return finer


def halve(
    laboratory: Laboratory, members: Sequence[Member], metric: str, kimg: Mapping[str, float]
) -> list[Member]:
    """Successive halving (Jamieson & Talwalkar 2016): all train for a while, the better half of the settings
    goes on, for twice as long, and so forth, so that each rung shows as many images in all.

    Args:
        kimg: of every member's whole run.

    Returns:
        The members that trained to their end.
    """
    left = list(members)
    count = len({str(member.settings) for member in members})
    rungs = max(1, math.ceil(math.log2(count)) + 1)
    for rung in range(rungs - 1):
        share = (2 ** (rung + 1) - 1) / (2**rungs - 1)
        until = {member.name: kimg[member.name] * share for member in left}
        laboratory.say(f"rung {rung + 1} of {rungs}: {len(left)} members, to {share:.0%} of their length")
        run_all(laboratory, left, until)
        order = ranked(laboratory, left, metric, min(until.values()) * 0.999)
        kept = order[: math.ceil(len(order) / 2)]
        for mean, own in order[len(kept) :]:
            for member in own:
                if laboratory.folder(member).is_finished:  # by an earlier sweep, with fewer seeds
                    continue
                words = f"stopped early: {metric} {mean:.4g} after {until[member.name]:.4g} kimg\n"
                laboratory.folder(member).ended_file.write_text(words, encoding="utf-8")
        left = [member for _, own in kept for member in own]
    laboratory.say(f"rung {rungs} of {rungs}: {len(left)} members, to their end")
    run_all(laboratory, left)
    return left


def check(
    laboratory: Laboratory, members: Sequence[Member], skips: bool, metrics: Sequence[str]
) -> dict[str, float]:
    """The kimg of every member's run, by name, of those that can be; the others are said, one by one.

    Args:
        metrics: by which members are chosen and compared.

    Raises UsageError for any of these, unless it `skips` them, where none is left, and for scores that cannot
    be taken: all of that would else be found after the training.
    """
    from experiments.plan import estimate

    possible: dict[str, float] = {}
    faults, judged = {}, set()
    for member in members:
        task = laboratory.task(member)
        try:
            refuse_another_recipe(task.file, task.flags)
            config = task.config()
            folder = laboratory.folder(member)
            if folder.exists and (changed := folder.differences(config.settings)):
                raise UsageError(f"made with other settings ({'; '.join(changed[:3])}); take another --out")
            possible[member.name] = estimate(config).kimg
            settings = config.settings
            kind = (settings.arch, settings.data, settings.image_size, settings.channels)
        except UsageError as error:
            faults[member.name] = str(error)
            continue
        if kind not in judged:
            judged.add(kind)
            check_scores(laboratory, config, metrics)
    for name, fault in faults.items():
        laboratory.say(f"{name}: {fault}")
    if faults and not (skips and possible):
        raise UsageError(
            f"{len(faults)} of {len(members)} members cannot be, and none was started; change the settings"
            + ("" if not possible else ", or leave these out with --skip-impossible")
        )
    return possible


def check_scores(laboratory: Laboratory, config: Config, metrics: Sequence[str]) -> None:
    """Raises UsageError for an extractor or metric that does not fit the data, and for scores to choose by
    that are none of those that are taken."""
    if not laboratory.evaluation.count:
        return
    judge = laboratory.evaluation.judge(config.settings.device, laboratory.say)
    judge.open(config.settings, "the sweep")
    marks: dict[str, list[Mark]] = {}
    for trial in judge.trials:
        for name, kind in trial.metrics.items():
            key, made = judge.key_of(name, trial.direction.key), {"distance": judge.extractor.distance}
            several = len(kind.higher_is_better) > 1
            for number in kind.higher_is_better:
                marks[f"{key}/{number}" if several else key] = [Mark(None, math.nan, made)]
    for metric in metrics:
        if named(metric, marks) not in marks:
            raise UsageError(
                f"{metric} is none of the scores that members get ({', '.join(marks)}); name one of them, "
                "or change these with --evaluate-metrics"
            )
