"""Specification of a run that is resumed from its folder: the one that it had, or that of a longer run."""

from collections.abc import Mapping, Sequence

from experiments.config.files import check_same_recipe
from experiments.config.resolve import RunSpec, resolve
from experiments.core.errors import UsageError
from experiments.core.named_values import SettingValues
from experiments.core.settings import Settings
from experiments.runs.folder import RunFolder

UNITS = ("steps", "kimg")
SCHEDULES = tuple(f"schedule_{unit}" for unit in UNITS)


def resolve_resumed_run(
    folder: RunFolder,
    flags: SettingValues,
    strengths: Mapping[str, float] | None = None,
    restretch: bool = False,
) -> RunSpec:
    """Resolves the settings of a run that goes on from its config.

    With another `steps` or `kimg`, what is a share of the run (schedules, decay, annealing, growth, fading
    noise) keeps the length that it had and stays at its end, so that what was trained is the beginning of
    the same run.

    Args:
        flags: settings by name and options by key that are asked for beside those of the config.
        strengths: regularizers to add, or to take away with a strength of 0.
        restretch: computes what is a share of the run from its new length, by which it jumps where the run
            goes on.

    Raises UsageError for values that cannot be.
    """
    values = folder.config_values()
    check_same_recipe(values, flags)
    values = _restretched(values, flags) if restretch else {**values, **_length_of_schedules(values, flags)}
    return resolve(flags, values, str(folder.config_file), strengths)


def _restretched(values: SettingValues, flags: SettingValues) -> SettingValues:
    """The values of a config without the length that its schedules had before the run was made longer.

    Raises UsageError where that changes nothing, and where batches would no longer begin where they did.
    """
    is_longer = any(flags.get(unit) is not None for unit in UNITS)
    if not is_longer and all(values.get(name) is None for name in SCHEDULES):
        raise UsageError(
            "--restretch changes nothing here, as all that is a share of the run has the run's length; add a "
            "longer --kimg or --steps"
        )
    if not can_restretch(values):
        raise UsageError(
            "--restretch has no meaning for --stage-batch-sizes without --fade-kimg: what was shown in "
            "batches of one size cannot be shown again in others; leave out --restretch"
        )
    return {**values, **dict.fromkeys(SCHEDULES)}


def can_restretch(options: SettingValues) -> bool:
    """Whether a new length leaves the batch sizes of images already shown as they were."""
    pace = (options.get("arch.fade_kimg"), options.get("arch.stable_kimg"))
    return not options.get("arch.stage_batch_sizes") or pace != (None, None)


def _length_of_schedules(values: SettingValues, flags: SettingValues) -> SettingValues:
    """The length of the schedules of a run of which flags ask for another length; nothing for others."""
    if all(flags.get(unit) is None for unit in UNITS):
        return {}
    own = {name: values.get(name) for name in SCHEDULES}
    if any(own.values()):
        return own
    return {name: values.get(unit) for name, unit in zip(SCHEDULES, UNITS, strict=True)}


def changes_only_length(changed: Sequence[str]) -> bool:
    """Whether all differences of a config, lines `name: old → new`, are of the length of the run."""
    return all(line.partition(":")[0] in (*UNITS, *SCHEDULES) for line in changed)


def changes_length(changed: Sequence[str]) -> bool:
    """Whether one of the differences of a config, lines `name: old → new`, is of the length of the run."""
    return any(line.partition(":")[0] in UNITS for line in changed)


def length_flag(settings: Settings, times: int = 1) -> str:
    """The flag with the length of a run, or with a multiple of it: `--kimg 20`."""
    if settings.steps is not None:
        return f"--steps {settings.steps * times}"
    return f"--kimg {(settings.kimg or 0.0) * times:.10g}"
