"""Damaged exports and scores are named, or what is whole of them is used."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.commands.helpers import MOODY, POINTS, Gans, Mood, Refused

METADATA = {"arch": "mlp", "data": "ring8", "plugin": [], "image_size": None, "channels": None}
METADATA |= {"z_dim": 2, "width": 8}


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        "",
        "[]",
        "{}",
        json.dumps(METADATA),
        json.dumps(METADATA | {"width": "x"}),
        json.dumps(METADATA | {"arch": "mlq"}),
    ],
    ids=["none", "empty", "a list", "nothing", "other weights", "impossible", "unknown architecture"],
)
def test_weights_of_something_else(metadata: str | None, gans: Gans, clear_line: Refused) -> None:
    save_file(
        {"a": torch.zeros(2)}, "other.safetensors", {"gans": metadata} if metadata is not None else None
    )
    outcome = gans("sample other.safetensors")
    assert outcome.status in (1, 2)
    clear_line(outcome.err, "mlq" if metadata and "mlq" in metadata else "other.safetensors")


@pytest.mark.parametrize("length", [0, 4, 100])
def test_a_truncated_export_is_made_anew(length: int, gans: Gans, finished: Path) -> None:
    file = finished / "generator.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:length])
    outcome = gans("sample run")
    assert outcome.status == 0 and f"{file} is damaged" in outcome.err
    assert file.read_bytes() == whole


def test_a_torn_line_of_scores_is_dropped(gans: Gans, moody: Mood) -> None:
    moody("SIGINT 3")
    command = f"run {POINTS} {MOODY} --out run"
    gans(command)
    scores = Path("run/scores.jsonl")
    scores.write_text(scores.read_text() + '{"step": 3, "ki')
    moody("calm")
    assert gans(command).status == 0
    assert [json.loads(line)["step"] for line in scores.read_text().splitlines()] == [1, 4]
