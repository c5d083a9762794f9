"""A metric that fails takes no other with it: the scores of the others are printed and kept."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.runs.checkpoint import step_of
from experiments.runs.folder import RunFolder
from metrics.fid import FrechetDistance
from metrics.precision_recall import PrecisionRecall
from tests.experiments.evaluation.test_evaluate import SMALL, kept, lines

Gans = Callable[..., Any]
FD = "fd-random-vgg"


def fail(*_: Any) -> Any:
    raise ValueError("something of this metric's own")


def check_kept(gans: Gans, trained: Path, clear_line: Any, metrics: str, lost: str, why: str) -> None:
    for flags in ("", " --json"):
        outcome = gans(f"evaluate {trained} {SMALL} --metrics {metrics}{flags}")
        assert outcome.status == 1
        clear_line(outcome.err, f"no score {lost}: ", why)
        assert FD in outcome.out and lost not in outcome.out
    assert list(json.loads(outcome.out)) == [FD] == list(kept(trained)[-1]["scores"])
    assert f"metric/{FD}" in lines(trained)[-1]


def test_too_few_images_for_one(gans: Gans, trained: Path, clear_line: Any) -> None:
    """The remedy of the line works when typed."""
    check_kept(gans, trained, clear_line, "fid,kid", "kid", "--set kid.subset_size=12")
    assert gans(f"evaluate {trained} {SMALL} --metrics fid,kid --set kid.subset_size=12").status == 0


@pytest.mark.parametrize("method", ["update", "compute"])
def test_a_fault_while_it_is_computed(
    method: str, gans: Gans, trained: Path, clear_line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PrecisionRecall, method, fail)
    why = "something of this metric's own"
    check_kept(gans, trained, clear_line, "precision-recall,fid", "precision-recall", why)


def test_paths_that_cannot_be_followed(
    gans: Gans, trained: Path, clear_line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where they need too much memory, of which the distance was computed before."""
    from experiments.evaluation.sample_sets import GeneratedSamples

    def exhaust(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(GeneratedSamples, "path_makers", exhaust)
    check_kept(gans, trained, clear_line, "path-length,fid", "path-length", "not enough memory")


def test_where_all_fail_there_is_the_first_error(
    gans: Gans, trained: Path, refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in (PrecisionRecall, FrechetDistance):
        monkeypatch.setattr(kind, "compute", fail)
    refused(
        2, ("something of this metric's own",), f"evaluate {trained} {SMALL} --metrics fid,precision-recall"
    )
    assert not (trained / "evaluation.jsonl").exists()


def test_a_checkpoint_that_fails_leaves_the_others(
    gans: Gans, trained: Path, clear_line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute, calls = FrechetDistance.compute, [0]

    def fail_first(metric: FrechetDistance) -> dict[str, float]:
        calls[0] += 1
        return fail() if calls[0] == 1 else compute(metric)

    monkeypatch.setattr(FrechetDistance, "compute", fail_first)
    outcome = gans(f"evaluate {trained} {SMALL} --metrics fid --every-checkpoint --json")
    assert outcome.status == 1
    first, *others = map(step_of, RunFolder(trained).checkpoints().paths())
    clear_line(outcome.err, f"no score of step {first}: something of this metric's own")
    assert list(json.loads(outcome.out)) == list(map(str, others)) and others


def test_the_python_face_gives_the_others(
    trained: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gans

    found = gans.evaluate(trained, "fid,kid", n=12, extractor="random-vgg")
    assert list(found) == [FD] and "no score kid: kid: 12 reference samples" in caplog.text


def test_a_run_goes_on_with_the_scores_of_the_others(
    gans: Gans, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the one that fails, for once, is the one that chooses the best."""
    original, calls = FrechetDistance.compute, [0]

    def fail_once(self: FrechetDistance) -> dict[str, float]:
        calls[0] += 1
        return fail() if calls[0] == 2 else original(self)  # type: ignore[no-any-return]

    monkeypatch.setattr(FrechetDistance, "compute", fail_once)
    run = "run --arch mlp --loss bce --data ring8 --batch-size 16 --width 8 --steps 6 --out run"
    outcome = gans(f"{run} --evaluate-kimg 0.032 --evaluate-samples 50 --evaluate-metrics fid,modes")
    assert outcome.status == 0, outcome.err
    assert "step 4: no score fd-points, and the run goes on: something" in outcome.err
    found = [list(entry["scores"]) for entry in kept(Path("run"))]
    assert found == [["fd-points", "modes"], ["modes"], ["fd-points", "modes"]]


def test_a_run_is_not_begun_with_a_metric_that_would_always_fail(refused: Any, pictures: Path) -> None:
    run = f"run --arch dcgan --loss bce --data folder:{pictures} --image-size 8 --batch-size 4 --out r"
    flags = "--evaluate-kimg 0.004 --evaluate-metrics fid,kid --extractor random-vgg"
    refused(2, ("kid: 12 reference samples",), f"{run} {flags}")
    assert not Path("r").exists()


@pytest.mark.parametrize("name", ["scores.jsonl", "evaluation.jsonl"])
def test_a_linked_file_of_scores_is_refused_before_the_work(
    name: str, trained: Path, refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from metrics.extractors.random_vgg import RandomVGG

    monkeypatch.setattr(RandomVGG, "__call__", lambda *_: pytest.fail("an image was extracted"))
    (trained / name).unlink(missing_ok=True)
    Path("victim").write_text("precious")
    (trained / name).symlink_to(Path("victim").absolute())
    refused(1, (name, "link"), f"evaluate {trained} {SMALL} --metrics fid")
    assert Path("victim").read_text() == "precious"


def test_a_linked_folder_of_plots_is_refused_before_the_work(trained: Path, refused: Any) -> None:
    Path("elsewhere").mkdir()
    (trained / "plots").symlink_to(Path("elsewhere").absolute())
    refused(1, ("plots", "link"), f"evaluate {trained} {SMALL} --metrics fid --plot")
    assert not (trained / "evaluation.jsonl").exists() and not list(Path("elsewhere").iterdir())
