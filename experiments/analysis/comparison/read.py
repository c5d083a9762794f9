"""Reads records of experiments from run folders, folders of runs, and W&B projects."""

import json
from collections.abc import Sequence
from pathlib import Path

from experiments.analysis.comparison.record import Record
from experiments.config.files import modernize
from experiments.core.errors import UsageError
from experiments.core.named_values import JsonObject, SettingValues
from experiments.runs.folder import RunFolder, run_folders
from experiments.runs.scores import read_evaluation_scores

WANDB = "wandb:"


def read_records(words: Sequence[str]) -> list[Record]:
    """Reads experiments from run folders, folders of runs (a sweep) or `wandb:ENTITY/PROJECT`, one word each.

    Raises UsageError for any other word, and where no experiment is named.
    """
    records: list[Record] = []
    for word in words:
        if word.startswith(WANDB):
            from experiments.analysis.comparison.wandb_reader import read_project

            records += read_project(word.removeprefix(WANDB))
        else:
            records += [read_record(folder) for folder in run_folders(Path(word))]
    if not records:
        raise UsageError("nothing to compare; give run folders, or folders of runs")
    return list({record.name: record for record in records}.values())


def read_record(folder: RunFolder) -> Record:
    """Reads the record of a run folder: settings, environment, scores and state.

    Raises UsageError where its config cannot be read.
    """
    settings: SettingValues = {}
    environment: JsonObject = {}
    if folder.exists:
        try:
            content = json.loads(folder.config_file.read_text(encoding="utf-8"))
            settings = modernize({name: entry["value"] for name, entry in content["settings"].items()})
            environment = content["environment"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{folder.config_file} cannot be read as the config of a run") from error
    lines = folder.scores()
    kimg = {line["step"]: line["kimg"] for line in lines if line.get("kimg") is not None}
    evaluations = [(kimg.get(step), scores) for step, scores in read_evaluation_scores(folder)]
    return Record(str(folder.path), settings, environment, lines, evaluations, folder.path, folder.state)
