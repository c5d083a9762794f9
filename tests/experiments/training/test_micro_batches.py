"""`--micro-batch-size auto` finds what fits, and leaves no trace; where memory runs out, one line helps."""

from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.processes import largest_difference, tiny, train
from experiments.config.resolve import resolve
from experiments.core.errors import RunError
from experiments.runs.folder import RunFolder
from experiments.training import micro_batches
from experiments.training.experiment import Experiment, build
from experiments.training.micro_batches import choose_micro_batch_size
from experiments.training.run import run
from gans.core.player import Player


def experiment_of(arch: str, **settings: Any) -> Experiment:
    return build(resolve({**tiny(arch), "device": "cpu", "micro_batch_size": "auto", **settings}))


def fail_above(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """Lets memory run out where more rows are computed at once; returns the rows that were tried."""
    whole, tried = Player._descend, list[int]()

    def descend(self: Player, objective: Any, passes: int, clock: Any, *batch: Any) -> Any:
        rows = len(batch[0].samples)
        tried.append(rows)
        if rows > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return whole(self, objective, passes, clock, *batch)

    monkeypatch.setattr(Player, "_descend", descend)
    return tried


@pytest.mark.parametrize("arch", ["r3gan", "progan", "stylegan2"])
def test_auto_takes_the_largest_that_fits_and_changes_nothing(
    arch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(micro_batches, "_can_be_tried", lambda experiment: True)
    tried = fail_above(monkeypatch, 5)
    experiment, untouched = experiment_of(arch), experiment_of(arch)
    choose_micro_batch_size(experiment)
    assert {player.micro_batch_size for player in experiment.players} == {4}
    assert tried[0] == 8 and tried[-1] == 4
    before, after = untouched.state_dict(), experiment.state_dict()
    torch.testing.assert_close(after["game"], before["game"], rtol=0, atol=0)
    assert (after["seen"], experiment.loader.seen) == (0, 0)


def test_all_sizes_of_growing_images_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that shrinks as the images grow is tried at every size."""
    monkeypatch.setattr(micro_batches, "_can_be_tried", lambda experiment: True)
    tried = fail_above(monkeypatch, 8)
    experiment = experiment_of("progan", steps=40, **{"arch.stage_batch_sizes": ((4, 16), (8, 8))})
    choose_micro_batch_size(experiment)
    assert {player.micro_batch_size for player in experiment.players} == {8}
    assert 16 in tried and len(tried) > 4


def test_on_a_cpu_the_estimate_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a process that takes too much would be killed, nothing is tried."""
    experiment = experiment_of("r3gan")
    monkeypatch.setattr(experiment.game, "round", lambda loader: pytest.fail("it was tried"))
    need = micro_batches._estimate(experiment, 4)
    monkeypatch.setattr(micro_batches, "free_memory", lambda: int(need * micro_batches.ESTIMATE_SLACK) + 1)
    choose_micro_batch_size(experiment)
    assert {player.micro_batch_size for player in experiment.players} == {4}


def test_what_does_not_fit_at_all_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(micro_batches, "_can_be_tried", lambda experiment: True)
    fail_above(monkeypatch, 0)
    with pytest.raises(RunError, match="not enough memory for 1 image at once; take a smaller --width"):
        choose_micro_batch_size(experiment_of("r3gan"))


@pytest.mark.parametrize(
    ("arch", "words"),
    [
        ("r3gan", r"for 8 images at once; the same with --micro-batch-size \d needs less"),
        ("dcgan", "for 8 images at once; take a smaller --batch-size, --width or --image-size"),
    ],
)
def test_lack_of_memory_is_one_line_with_a_remedy(
    arch: str, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fail_above(monkeypatch, 4)
    spec = resolve({**tiny(arch), "device": "cpu", "track": ("local",)})
    with pytest.raises(RunError, match=f"not enough memory {words}"):
        run(spec, RunFolder(tmp_path / "run"))


def test_the_remedy_works(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_above(monkeypatch, 4)
    assert train({**tiny("r3gan"), "micro_batch_size": 4}, {})


def test_auto_trains_to_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    case = tiny("stargan")
    expected = train(case, {})
    assert largest_difference(train({**case, "micro_batch_size": "auto"}, {}), expected) == 0
