"""Settings as flags: what is typed resolves to the settings that it was made from."""

import json

import pytest

from experiments.config.flag_words import OWN, flag_words, flags_of_run
from experiments.config.resolve import resolve
from tests.conftest import forget_plugins
from tests.typed_settings import typed_settings

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


@pytest.mark.parametrize("run", RUNS, ids=lambda run: ",".join(map(str, run.values())))
def test_flags_are_those_of_the_run(run):
    settings = resolve({**run, "device": "cpu", "seed": 3})
    recorded = {name: entry["value"] for name, entry in json.loads(json.dumps(settings.to_json())).items()}
    words = flags_of_run(recorded)
    assert words is not None
    wanted, found = settings.settings.to_dict(), typed_settings(words)
    assert {name: value for name, value in found.items() if name not in OWN} == {
        name: value for name, value in wanted.items() if name not in OWN
    }
    assert len(words) <= 2 * (4 + len(run))  # and no more than need be


def test_regularizers_are_given_and_taken_away():
    lecam = resolve({"arch": "dcgan", "device": "cpu"}, strengths={"lecam": 0.3})
    words = flags_of_run(lecam.settings.to_dict())
    assert words is not None and words[-2:] == ["--lecam", "0.3"]
    assert typed_settings(words)["regularizers"] == lecam.settings.regularizers


def test_what_is_unknown_here_has_no_flags():
    known = resolve({"arch": "dcgan", "device": "cpu"}).settings.to_dict()
    assert flags_of_run({**known, "loss": "of-a-plugin"}) is None
    assert flags_of_run({**known, "lr_critic": "</script>"}) is None
    assert flags_of_run({}) is None


FORM = '''"""A form of one's own."""
from dataclasses import dataclass as _dataclass

from losses.adversarial.wgan import Wasserstein as _Wasserstein

@_dataclass(frozen=True)
class _Options:
    margin: float = 1.0

class Mine(_Wasserstein):
    options_type = _Options

    def __init__(self, options):
        self.options = options
'''


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Settings of a run with a plug-in file, of a loss there or elsewhere, in a process that knows none."""
    monkeypatch.setenv("GANS_CONFIG", str(tmp_path / "config"))
    (tmp_path / "mine.py").write_text(FORM)

    def record(loss, **more):
        named = {"arch": "dcgan", "device": "cpu", "plugin": str(tmp_path / "mine.py")}
        settings = resolve({**named, "loss": loss, **more}).settings.to_dict()
        forget_plugins(monkeypatch)
        return json.loads(json.dumps(settings))

    return record


def test_the_file_of_a_component_is_named(recorded, tmp_path):
    values = recorded("mine", **{"loss.margin": 2.0})
    words = flags_of_run(values)
    assert words is not None and words[words.index("--plugin") + 1] == str(tmp_path / "mine.py")
    assert typed_settings(words)["loss.margin"] == 2.0


def test_a_file_that_is_not_needed_is_not_named(recorded):
    words = flags_of_run(recorded("hinge"))
    assert words is not None and "--plugin" not in words and "hinge" in words


@pytest.mark.parametrize("loss", ["mine", "hinge"])
def test_no_file_that_has_changed_is_executed(loss, recorded, tmp_path):
    values = recorded(loss)
    (tmp_path / "mine.py").write_text("raise SystemExit('executed')")
    assert (flags_of_run(values) is None) == (loss == "mine")


def test_the_file_of_another_run_does_not_stand_for_one(recorded, tmp_path):
    """Two runs have files of one name with other contents: flags of the second would give the first's."""
    other = tmp_path / "other" / "mine.py"
    other.parent.mkdir()
    other.write_text(FORM.replace("1.0", "3.0"))
    first, second = recorded("mine", plugin=str(other)), recorded("mine")
    found = flags_of_run(first), flags_of_run(second)
    assert found[0] is not None and str(other) in found[0] and found[1] is None


def test_switches():
    assert flag_words({"conditional": True, "deterministic": False}) == [
        "--conditional",
        "--no-deterministic",
    ]
