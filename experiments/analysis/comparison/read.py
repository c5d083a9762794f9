"""Reads records of experiments from run folders, folders of runs, and W&B projects."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path

from experiments.analysis.comparison.groups import as_hashable
from experiments.analysis.comparison.record import Record
from experiments.config.files import MOST_CONFIG_BYTES, modernize
from experiments.core.console import describe_error
from experiments.core.errors import RunError, UsageError
from experiments.core.files import parse_json, read_regular_file
from experiments.core.named_values import JsonObject, SettingValues
from experiments.runs.folder import RunFolder, run_folders
from experiments.runs.score_lines import RemarkCallback, ignore_remark, is_number
from experiments.runs.scores import read_evaluation_scores

log = logging.getLogger("gans")

WANDB = "wandb:"
NUMBERS = ("seed", "batch_size", "n_critic")  # settings with which comparisons and reports calculate


def read_records(words: Sequence[str], leaves_out: bool = False) -> list[Record]:
    """Reads experiments from run folders, folders of runs (a sweep) or `wandb:ENTITY/PROJECT`, one word each.

    Args:
        leaves_out: leaves out runs whose config cannot be read, with a remark, where there are others.

    Raises UsageError for such a run otherwise, for any other word, and where no experiment is named.
    """
    records: list[Record] = []
    faults: list[UsageError] = []
    for word in words:
        if word.startswith(WANDB):
            from experiments.analysis.comparison.wandb_reader import read_project

            records += read_project(word.removeprefix(WANDB))
        else:
            for folder in run_folders(Path(word)):
                try:
                    records.append(read_record(folder, log.info))
                except UsageError as error:
                    faults.append(error)
    if faults and not (leaves_out and records):
        raise faults[0]
    for fault in faults:
        log.info(f"{fault}; that run is left out")
    if not records:
        raise UsageError("nothing to compare; give run folders, or folders of runs")
    return list({record.name: record for record in records}.values())


def read_record(folder: RunFolder, remark: RemarkCallback = ignore_remark) -> Record:
    """Reads the record of a run folder: settings, environment, scores and state.

    Files of scores that are none are left out, with a remark. Raises UsageError where its config cannot be
    read.
    """
    settings: SettingValues = {}
    environment: JsonObject = {}
    if folder.exists:
        try:
            content = parse_json(read_regular_file(folder.config_file, MOST_CONFIG_BYTES))
            settings = modernize({name: entry["value"] for name, entry in content["settings"].items()})
            environment = dict(content["environment"])
            _check_settings(settings)
        except (RunError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{folder.config_file} cannot be read as the config of a run") from error
    try:
        lines, found = folder.scores(remark), read_evaluation_scores(folder, remark)
    except (RunError, OSError) as error:
        remark(f"{folder.path} is shown without scores: {describe_error(error)}")
        lines, found = [], []
    kimg = {line["step"]: line["kimg"] for line in lines if line.get("kimg") is not None}
    evaluations = [(kimg.get(step), scores) for step, scores in found]
    return Record(str(folder.path), settings, environment, lines, evaluations, folder.path, folder.state)


def _check_settings(settings: SettingValues) -> None:
    """Checks that settings can be compared and calculated with. Raises TypeError otherwise."""
    for name, value in settings.items():
        if name in NUMBERS and not (is_number(value) and math.isfinite(value)):
            raise TypeError(f"{name} is not a number")
        hash(as_hashable(value))
