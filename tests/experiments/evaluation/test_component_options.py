"""`--set` of the evaluation commands: options of metrics, of extractors and of data, and their record."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.runs.folder import RunFolder
from experiments.runs.scores import read_evaluation_scores

Gans = Callable[..., Any]
POINTS = "run --arch mlp --loss bce --data ring8 --batch-size 16 --width 8 --steps 6 --out run"
SMALL = "--extractor random-vgg -n 12 --json"

# Metrics and an extractor from outside, of both kinds: with options, and of the time before there were any.
COUNT = '''"""Number of samples, times a factor."""
import dataclasses
from metrics import Metric as _Metric

@dataclasses.dataclass(frozen=True)
class CountOptions:
    factor: float = dataclasses.field(default=1.0, metadata={"help": "Factor.", "above": 0.0})

class Count(_Metric):
    takes, reference, options_type = "vectors", "vectors", CountOptions
    higher_is_better, ranges = {"count": True}, {"count": (0.0, float("inf"))}
    remarks = ()

    def __init__(self, reference, options=CountOptions()):
        self.factor, self.n = options.factor, 0

    def update(self, samples):
        self.n += len(samples)

    def compute(self):
        return {"count": self.n * self.factor}

    def reset(self):
        self.n = 0
'''
OLD = (
    COUNT.replace(", options_type", "")
    .replace(", CountOptions\n", "\n")
    .replace("class Count(", "class Old(")
)
OLD = OLD.replace(", options=CountOptions()", "").replace("options.factor", "1.0")
DIM = '''"""random-vgg on darker images."""
import dataclasses
from metrics.extractors.random_vgg import RandomVGG as _Vgg

@dataclasses.dataclass(frozen=True)
class DimOptions:
    factor: float = dataclasses.field(default=1.0, metadata={"help": "Factor.", "at_most": 1.0})

class Dim(_Vgg):
    name, distance, options_type = "dim", "fd-dim", DimOptions

    def __init__(self, *words, options=DimOptions(), **more):
        super().__init__(*words, **more)
        self.factor = options.factor

    def __call__(self, images):
        return super().__call__(images.float() * self.factor)
'''


@pytest.fixture
def plugins(workplace: Path) -> str:
    """The flag that brings the metrics `count` and `old`, and the extractor `dim`."""
    for name, text in {"count": COUNT, "old": OLD, "dim": DIM}.items():
        (workplace / f"{name}.py").write_text(text)
    return "--plugin count.py,old.py,dim.py"


def found(outcome: Any) -> dict[str, dict[str, Any]]:
    assert outcome.status == 0, outcome.err
    return dict(json.loads(outcome.out))


def test_the_remedy_of_kid_works_when_typed(gans: Gans, clear_line: Any, trained: Path) -> None:
    """A metric that fails does not take the others down, and the status says that one is missing."""
    outcome = gans(f"evaluate {trained} {SMALL} --metrics fid,kid")
    line = clear_line(outcome.err, "kid: 12 reference samples")
    remedy = line.partition(": --set ")[2].strip()
    assert remedy == "kid.subset_size=12"
    for metrics, status in (("--metrics fid,kid", 1), ("--metrics kid,fid", 1), ("", 0)):
        outcome = gans(f"evaluate {trained} {SMALL} {metrics} --json")
        assert f"--set {remedy}" in outcome.err and outcome.status == status
        assert {"kid", "fd-random-vgg"} & json.loads(outcome.out).keys() == {"fd-random-vgg"}
    scores = found(gans(f"evaluate {trained} {SMALL} --metrics fid,kid --set {remedy}"))
    assert scores["kid"]["options"] == {"subset_size": 12}
    assert "standard_error" not in scores["kid"] and "options" not in scores["fd-random-vgg"]


@pytest.mark.parametrize("name", ["precision-recall", "density-coverage"])
def test_the_remedy_of_neighbours_works_when_typed(
    name: str, gans: Gans, refused: Any, trained: Path
) -> None:
    line = refused(2, (name, "needs at least"), f"evaluate {trained} {SMALL} -n 3 --metrics {name}")
    both = gans(f"evaluate {trained} {SMALL} -n 3 --metrics {name},fid --json")
    assert (
        both.status == 1
        and list(json.loads(both.out)) == ["fd-random-vgg"]
        and line.removeprefix("gans: ") in both.err
    )
    remedy = line.partition(": --set ")[2].strip()
    assert gans(f"evaluate {trained} {SMALL} -n 3 --metrics {name} --set {remedy}").status == 0


def test_small_sets_have_a_kid_that_is_given_options(gans: Gans, trained: Path) -> None:
    scores = found(gans(f"evaluate {trained} {SMALL} --set kid.subset-size=6 --set kid.subsets=10"))
    assert list(scores) == ["fd-random-vgg", "kid", "precision-recall"]
    assert scores["kid"]["options"] == {"subsets": 10, "subset_size": 6}


def test_defaults_that_are_typed_leave_the_record_as_it_is(gans: Gans, trained: Path) -> None:
    command = f"evaluate {trained} {SMALL} --metrics precision-recall"
    plain = gans(command)
    assert gans(f"{command} --set precision-recall.k=3").out == plain.out
    assert "options" not in plain.out
    changed = found(gans(f"{command} --set precision-recall.k=1"))["precision-recall"]
    assert changed["options"] == {"k": 1}
    assert changed["recall"] <= found(plain)["precision-recall"]["recall"]


def test_steps_on_paths_are_as_long_as_the_metric_says(gans: Gans, trained: Path) -> None:
    """Lengths are over ε²: another ε of the latents alone, or of the metric alone, would be a factor of 4."""
    command = f"evaluate {trained} {SMALL} -n 20 --metrics path-length"
    values = [
        found(gans(f"{command} --set path-length.epsilon={epsilon}"))["path-length"]["value"]
        for epsilon in ("0.01", "0.02")
    ]
    assert values[0] != values[1] and values[0] == pytest.approx(values[1], rel=0.2)


def test_plugins_with_and_without_options(gans: Gans, refused: Any, trained: Path, plugins: str) -> None:
    command = f"evaluate {trained} {SMALL} {plugins} --metrics count,old"
    scores = found(gans(f"{command} --set count.factor=0.5"))
    assert (scores["count"]["value"], scores["old"]["value"]) == (6.0, 12.0)
    assert scores["count"]["options"] == {"factor": 0.5} and "options" not in scores["old"]
    refused(2, ("old.factor", "no option"), f"{command} --set old.factor=2")


def test_options_of_an_extractor_are_part_of_its_features(
    gans: Gans, refused: Any, trained: Path, plugins: str
) -> None:
    command = f"evaluate {trained} {plugins} --extractor dim -n 12 --json --metrics fid"
    plain, changed = (found(gans(f"{command}{more}")) for more in ("", " --set extractor.factor=0.5"))
    assert plain["fd-dim"]["value"] != changed["fd-dim"]["value"]
    assert plain["fd-dim"]["reference"] != changed["fd-dim"]["reference"], "features are kept apart"
    assert changed["fd-dim"]["extractor_options"] == {"factor": 0.5}
    assert "extractor_options" not in plain["fd-dim"]
    sides = f"{plugins} --extractor dim -n 12"
    for name, more in (("a", ""), ("b", "--set extractor.factor=0.5")):
        assert gans(f"stats folder:pictures --out {name}.npz {sides} --image-size 8 {more}").status == 0
    refused(2, ("not made alike", "extractor_options", "--force"), "fid a.npz b.npz")
    value = found(gans(f"fid a.npz {trained} {sides} --json"))
    assert value["fd-dim"]["value"] == pytest.approx(plain["fd-dim"]["value"], rel=1e-9)
    half = found(gans(f"fid b.npz {trained} {sides} --json --set extractor.factor=0.5"))
    assert half["fd-dim"]["extractor_options"] == {"factor": 0.5}
    assert half["fd-dim"]["value"] == pytest.approx(changed["fd-dim"]["value"], rel=1e-9)


def test_options_of_data_are_those_of_a_side(gans: Gans, workplace: Path) -> None:
    narrow, wide = (
        found(gans(f"fid ring8 grid25 -n 300 --json --set data.sigma={sigma}"))["fd-points"]
        for sigma in (0.01, 2.0)
    )
    assert narrow["references"] != wide["references"] and narrow["value"] != wide["value"]
    assert gans("stats ring8 --out wide.npz -n 300 --set data.sigma=2").status == 0
    assert found(gans("fid wide.npz ring8 -n 300 --json"))["fd-points"]["value"] > 1


@pytest.mark.parametrize(
    ("command", "mentions"),
    [
        ("evaluate run --set kid.subset_size=1", ["kid.subset_size", "2 or more"]),
        ("evaluate run --metrics kid --set kid.subset_sise=20", ["kid.subset_sise", "kid.subset_size"]),
        ("evaluate run --metrics fid --set kid.subset_size=20", ["kid is not evaluated", "fid"]),
        ("evaluate run --metrics path-length --set path-length.trim=9,1", ["path-length", "low < high"]),
        ("evaluate run --metrics path-length --set path-length.decay=0.1", ["metric path-length", "decay"]),
        ("evaluate run --set extractor.factor=1 --extractor random-vgg", ["random-vgg", "factor"]),
        ("evaluate run --set arch.width=3", ["arch is no metric or extractor"]),
        ("evaluate run --set wandb.init_seconds=3", ["wandb is no metric or extractor"]),
        ("evaluate run --set data.sigma=3", ["data is no metric or extractor"]),
        ("evaluate run --set kid", ["kid", "KEY=VALUE"]),
        ("fid ring8 ring8 --set kid.subsets=3", ["kid is no extractor or data"]),
        ("fid ring8 ring8 --set extractor.size=3", ["extractor.size", "points"]),
        ("fid ring8 ring8 --set data.sigm=3", ["data.sigm", "data.sigma"]),
        ("fid ring8 ring8 --set data.sigma=0", ["data.sigma", "above 0"]),
        ("fid run run --set data.sigma=3", ["data.sigma", "data source"]),
        ("stats shapes --out a.npz --set data.sigma=3", ["data shapes", "sigma"]),
        ("train-classifier --data shapes --set data.sigma=3", ["data shapes", "sigma"]),
        ("train-classifier --data shapes --set kid.subsets=3", ["kid is no data"]),
        (
            "import run/generator.safetensors --out there --set kid.subsets=3",
            ["kid is no architecture or data"],
        ),
    ],
)
def test_what_cannot_be_set(command: str, mentions: list[str], refused: Any, trained: Path) -> None:
    more = (
        " --extractor random-vgg -n 12" if command.startswith("evaluate") and "--ext" not in command else ""
    )
    refused(2, tuple(mentions), command + more)
    assert not (trained / "evaluation.jsonl").exists()


def test_a_run_evaluates_with_its_options(gans: Gans, workplace: Path) -> None:
    evaluate = "--evaluate-kimg 0.032 --evaluate-samples 60 --evaluate-metrics precision-recall"
    assert gans(f"{POINTS} {evaluate} --set precision-recall.k=1").status == 0
    during = dict(read_evaluation_scores(RunFolder(Path("run"))))
    assert [scores["precision-recall"]["options"] for scores in during.values()] == [{"k": 1}] * 3
    after = found(gans("evaluate run -n 60 --json --metrics pr --set precision-recall.k=1"))
    assert after == during[6]


def test_scores_with_other_options_do_not_compare(gans: Gans, workplace: Path) -> None:
    """The best by other options does not keep a resumed run from having a best of its own."""
    evaluate = "--evaluate-samples 60 --evaluate-metrics precision-recall"
    first = "--evaluate-kimg 0.064 --set precision-recall.k=59"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("metrics.precision_recall.PrecisionRecall.compute", lambda self: best())
        assert gans(f"{POINTS} {evaluate} {first}").status == 0
    assert [path.name for path in Path("run/best").glob("*.pt")] == ["step-00000004.pt"]
    again = POINTS.replace("--steps 6", "--steps 8")
    assert gans(f"{again} {evaluate} --force --evaluate-kimg 0.128").status == 0
    assert [path.name for path in Path("run/best").glob("*.pt")] == ["step-00000008.pt"]


def best() -> dict[str, float]:
    return {"precision": 1.0, "recall": 1.0}
