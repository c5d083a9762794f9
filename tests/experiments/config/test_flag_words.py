"""Settings as flags: what is typed resolves to the settings that it was made from."""

import json

import pytest

from experiments.commands.options import collect_settings
from experiments.commands.run import run as run_command
from experiments.config.flag_words import OWN, flag_words, flags_of_run
from experiments.config.resolve import resolve

RUNS = [
    {"arch": "dcgan"},
    {
        "arch": "dcgan",
        "loss": "wgan-gp",
        "kimg": 5.0,
        "width": 8,
        "image_size": (16, 16),
        "penalty_weight": 1.0,
    },
    {"arch": "mlp", "data": "ring8", "loss": "lsgan", "steps": 100, "batch_size": 16, "optimizer": "rmsprop"},
    {"arch": "stylegan2", "image_size": (32, 32), "arch.mapping_layers": 2, "critic_augment": "ada"},
    {"arch": "dcgan", "conditional": True, "deterministic": False, "augment": (("flip", 0.5),)},
    {"arch": "dcgan", "optimizer.betas": (0.0, 0.9), "lr_schedule": "cosine", "preset": "paper"},
    {"arch": "dcgan", "schedule": (("penalty_weight", "cosine", 10.0, 1.0),), "loss": "wgan-gp"},
    {"arch": "dcgan", "evaluate_kimg": 1.0, "evaluate_metrics": ("fid", "kid"), "kid.subset_size": 50},
]


def typed(words):
    """The settings that `gans run` makes of these words."""
    context = run_command.make_context("run", list(words))
    asked, strengths = collect_settings(context.params)
    return resolve({**asked, "device": "cpu"}, strengths=strengths).settings.to_dict()


@pytest.mark.parametrize("run", RUNS, ids=lambda run: ",".join(map(str, run.values())))
def test_flags_are_those_of_the_run(run):
    settings = resolve({**run, "device": "cpu", "seed": 3})
    recorded = {name: entry["value"] for name, entry in json.loads(json.dumps(settings.to_json())).items()}
    words = flags_of_run(recorded)
    assert words is not None
    wanted, found = settings.settings.to_dict(), typed(words)
    assert {name: value for name, value in found.items() if name not in OWN} == {
        name: value for name, value in wanted.items() if name not in OWN
    }
    assert len(words) <= 2 * (4 + len(run))  # and no more than need be


def test_regularizers_are_given_and_taken_away():
    lecam = resolve({"arch": "dcgan", "device": "cpu"}, strengths={"lecam": 0.3})
    words = flags_of_run(lecam.settings.to_dict())
    assert words is not None and words[-2:] == ["--lecam", "0.3"]
    assert typed(words)["regularizers"] == lecam.settings.regularizers


def test_what_is_unknown_here_has_no_flags():
    known = resolve({"arch": "dcgan", "device": "cpu"}).settings.to_dict()
    assert flags_of_run({**known, "loss": "of-a-plugin"}) is None
    assert flags_of_run({**known, "lr_critic": "</script>"}) is None
    assert flags_of_run({}) is None


def test_no_plugin_file_of_a_run_is_executed(tmp_path):
    (tmp_path / "mine.py").write_text("raise SystemExit('executed')")
    known = resolve({"arch": "dcgan", "device": "cpu"}).settings.to_dict()
    assert flags_of_run({**known, "plugin": [str(tmp_path / "mine.py")]}) is None


def test_switches():
    assert flag_words({"conditional": True, "deterministic": False}) == [
        "--conditional",
        "--no-deterministic",
    ]
