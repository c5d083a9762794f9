"""A run from its config to its exported generator: new, resumed or already finished."""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from shlex import quote
from typing import Any

from experiments.build import Experiment, build
from experiments.checkpoint import checkpoint_name
from experiments.collapse import Collapsed, Guard, roll_back
from experiments.config import Config
from experiments.errors import RunError, UsageError
from experiments.evaluation.during import Evaluator, open_judge
from experiments.evaluation.judging import Judge
from experiments.export import export_network
from experiments.progress import Progress
from experiments.run_folder import RunFolder
from experiments.trackers import TrackedRun, Tracker
from experiments.trackers._several import open_trackers
from experiments.train import StopSignal, train
from experiments.watchers import Checkpointer, GradientNorms, NotFiniteError, Sampler, Scoreboard, Watcher

Say = Callable[[str], None]


class Interrupted(Exception):  # noqa: N818  (an event, not an error)
    """The run was asked to stop, has saved and said so."""


def run(
    config: Config, folder: RunFolder, say: Say, force: bool = False, until_kimg: float | None = None
) -> None:
    """Trains until the end, continuing from the newest good checkpoint where there is one.

    Args:
        force: goes on although settings differ.
        until_kimg: where it pauses, with a checkpoint; the same call again goes on.

    Raises UsageError for a folder that holds something else, RunError for what fails on the way, and
    Interrupted after Ctrl-C. Until everything is built and restored, the folder stays as it was.
    """
    changed = check_folder(config, folder, force)
    if folder.is_finished and not changed:
        scores = "; gans evaluate scores it" if config.settings.evaluate_kimg else ""
        say(f"{folder.path}: this run is finished; another --seed or --out makes a new one{scores}")
        return
    # A new folder is made only for settings that can be built; an old one is locked first.
    built = None if folder.exists else _built(config, say)
    folder.prepare()
    with folder.locked():
        changed = check_folder(config, folder, force)  # again: another process may have been here since
        experiment, judge = built or _built(config, say)
        _train_in(folder, experiment, judge, changed, say, force, until_kimg)


def _built(config: Config, say: Say) -> tuple[Experiment, Judge | None]:
    """What trains, and what judges it where that is asked for."""
    judge = open_judge(config.settings, say) if config.settings.evaluate_kimg else None
    return build(config), judge


def check_folder(config: Config, folder: RunFolder, force: bool) -> list[str]:
    """What differs from the run in this folder. Refuses a folder with other files in it or, without
    `force`, with another run."""
    if folder.path.exists() and not folder.path.is_dir():
        raise UsageError(f"--out {folder.path} is a file; a run needs a folder")
    if not folder.exists:
        if not folder.is_free:
            raise UsageError(f"{folder.path} is not a run folder and not empty; take another --out")
        return []
    changed = folder.differences(config.settings)
    if changed and not force:
        raise UsageError(
            f"{folder.path} holds a run with another config ({'; '.join(changed)}); "
            "take another --out, or --force to go on with the new settings"
        )
    return changed


def _train_in(
    folder: RunFolder,
    experiment: Experiment,
    judge: Judge | None,
    changed: list[str],
    say: Say,
    force: bool,
    until_kimg: float | None,
) -> None:
    settings = experiment.config.settings
    start, state = 0, folder.checkpoints(settings.keep).newest(say)
    if state is not None:
        start = _restore(experiment, state, changed, force)
        say(f"resuming {folder.path} at step {start:,} of {experiment.total_steps:,}")
    folder.begin(experiment.config, start, bool(changed))
    told = _tell_remarks(experiment, say)
    while True:
        try:
            _train_from(folder, experiment, start, state, judge, say, until_kimg)
            break
        except (Collapsed, NotFiniteError) as reason:
            if settings.on_collapse != "rollback":
                raise
            state = roll_back(experiment, folder, reason, say)
            start = int(state["step"])
    _tell_remarks(experiment, say, told)


def _train_from(
    folder: RunFolder,
    experiment: Experiment,
    start: int,
    state: dict[str, Any] | None,
    judge: Judge | None,
    say: Say,
    until_kimg: float | None,
) -> None:
    """To the end and the export. `state` is the checkpoint of step `start`, if there is one."""
    settings = experiment.config.settings
    # The trackers are closed last, and in any case: an upload that takes long holds up nothing else.
    tracker, status = open_trackers(settings.track, _tracked(folder, experiment, start), say), 1
    try:
        evaluate = partial(Evaluator, judge, experiment, folder, tracker, say) if judge else None
        stopped_at, was_asked = _play(folder, experiment, start, state, tracker, evaluate, say, until_kimg)
        if stopped_at is not None and not was_asked:
            say(f"paused and saved at step {stopped_at:,}")
            status = 0
            return
        if stopped_at is not None:
            again = f"gans run --resume {quote(str(folder.path))}"
            say(f"stopped and saved at step {stopped_at:,}; continue with: {again}")
            status = 130
            raise Interrupted
        if experiment.critic_ema is not None:
            export_network(experiment.critic_ema.average, settings, folder.critic_file, "critic")
        export_network(experiment.ema.average, settings, folder.generator_file)
        status = 0
    finally:
        tracker.close(status)


def _tell_remarks(experiment: Experiment, say: Say, told: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Says what the data has to remark, beyond what was told before."""
    for remark in experiment.deal.remarks:
        if remark not in told:
            say(f"data {experiment.config.settings.data}: {remark}")
    return experiment.deal.remarks


def _tracked(folder: RunFolder, experiment: Experiment, start: int) -> TrackedRun:
    settings = experiment.config.settings
    return TrackedRun(
        folder=folder.path,
        settings=json.loads(json.dumps(asdict(settings))),
        step=start,
        kimg=experiment.deal.seen / 1000,
        project=settings.project,
        group=settings.group,
        tags=settings.tags,
    )


def _play(
    folder: RunFolder,
    experiment: Experiment,
    start: int,
    state: dict[str, Any] | None,
    tracker: Tracker,
    evaluate: Callable[[Scoreboard, Checkpointer], Watcher] | None,
    say: Say,
    until_kimg: float | None,
) -> tuple[int | None, bool]:
    """From step `start` to the last, with all that watches. Returns the step where it stopped short of that,
    and whether by Ctrl-C."""
    settings = experiment.config.settings
    total_images = experiment.total_images
    with Progress(experiment.total_steps, start) as progress, StopSignal() as stop:
        scoreboard = Scoreboard(tracker, progress.show)
        if state is not None:
            scoreboard.load_state_dict(state["scores"])
        sampler = Sampler(
            experiment, folder.samples, _interval(settings.sample_kimg, total_images // 8), tracker
        )
        checkpointer = Checkpointer(
            experiment,
            folder.checkpoints(settings.keep),
            _interval(settings.checkpoint_kimg, total_images // 10),
            scoreboard,
        )
        guard = Guard(experiment, folder, scoreboard, checkpointer, say)
        guard.begin(start)
        sampler.save_reals()
        evaluator = [evaluate(scoreboard, checkpointer)] if evaluate else []
        norms = GradientNorms(experiment.players)
        watchers: list[Watcher] = [progress.advance, sampler, norms, scoreboard, *evaluator, guard]
        watchers += [checkpointer]  # last: it saves what the others have done
        step = train(experiment, start, watchers, stop, until_kimg)
        if step < experiment.total_steps:
            checkpointer.save(step)
            return step, stop.requested
    return None, False


def _restore(experiment: Experiment, state: dict[str, Any], changed: list[str], force: bool) -> int:
    step = state["step"]
    optimizers = [line for line in changed if line.startswith("optimizer: ")]
    if optimizers:
        raise RunError(
            f"checkpoint {checkpoint_name(step)} holds the state of another optimizer ({optimizers[0]}); "
            "take another --out"
        )
    data = experiment.fingerprint
    if state.get("data", data) != data and not force:
        raise UsageError(
            f"data {experiment.config.settings.data} is not what checkpoint {checkpoint_name(step)} was "
            f"trained on ({state['data']['count']:,} samples then, {data['count']:,} now): bring it back, "
            "take another --out, or go on with --force"
        )
    try:
        experiment.load_state_dict(state)
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        reason = "; ".join(changed) or "it is not whole"
        raise RunError(
            f"checkpoint {checkpoint_name(step)} does not fit ({reason}); take another --out"
        ) from error
    if step > experiment.total_steps:
        raise UsageError(
            f"the checkpoint is already at step {step}, past the {experiment.total_steps} that --steps or "
            "--kimg ask for"
        )
    return int(step)


def _interval(kimg: float | None, default_images: int) -> int:
    return max(1, round(kimg * 1000) if kimg else default_images)
