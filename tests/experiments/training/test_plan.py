"""What `gans plan` says: closed forms, real run folders, processes that exchange, and limits."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.processes import tiny
from experiments.analysis.comparison.significance import seeds_to_detect, welch_t_test
from experiments.config.resolve import resolve
from experiments.core.errors import UsageError
from experiments.core.settings import Settings
from experiments.data.core.batch_stream import data_bytes
from experiments.data.core.dataset import load_into_memory
from experiments.data.core.open import open_data
from experiments.runs.folder import RunFolder
from experiments.training.experiment import build
from experiments.training.memory_estimate import UnknownMemoryError, build_without_memory
from experiments.training.plan import memory
from experiments.training.plan.limits import kimg_in, largest_sizes
from experiments.training.plan.penalty_weights import suggest_penalty_weights
from experiments.training.plan.plan import PlanRequest, make_plan, read_bytes, read_share
from experiments.training.plan.report import describe
from experiments.training.plan.rounds import OperationCounter, different_rounds
from experiments.training.plan.timing import time_run, training_stages
from experiments.training.run import run

SIZES = PlanRequest(is_timed=False)


def spec_of(settings: dict[str, Any]) -> Any:
    return resolve({"device": "cpu", "track": ("local",), **settings})


def test_operations_of_dense_layers_are_those_of_their_formula() -> None:
    """Two inputs, three layers of 8, and the outputs; a backward pass takes twice a forward one.

    The generator's update passes through both networks; that of the critic through it for real and generated
    samples, which are made without gradients. Neither needs gradients of its first layer's inputs, but for
    the critic's in the generator's update.
    """
    settings = {"arch": "mlp", "data": "ring8", "loss": "bce", "z_dim": 2, "width": 8, "batch_size": 16}
    found = make_plan(spec_of({**settings, "steps": 2}), SIZES).operations
    assert found is not None
    generator, critic = 2 * (2 * 8 + 2 * 8 * 8 + 8 * 2), 2 * (2 * 8 + 2 * 8 * 8 + 8)
    assert found.per_sample == generator
    first = 2 * 2 * 8
    of_critic = generator + 2 * (3 * critic - first)
    of_generator = generator + critic + critic + 2 * generator - first  # the critic's weights rest
    assert found.per_real == pytest.approx(of_critic + of_generator, rel=0.01)


def test_operations_of_convolutions_and_their_double_backward_are_counted() -> None:
    weight = torch.empty(8, 3, 4, 4, device="meta", requires_grad=True)
    images = torch.empty(5, 3, 16, 16, device="meta", requires_grad=True)
    once = 2 * 5 * 8 * 3 * 16 * 8 * 8
    with OperationCounter() as forward:
        features = torch.nn.functional.conv2d(images, weight, stride=2, padding=1)
    assert forward.count == once
    with OperationCounter() as backward:
        (gradient,) = torch.autograd.grad(features.square().sum(), images, create_graph=True)
        gradient.square().sum().backward()
    assert backward.count >= 4 * once


def test_losses_at_times_count_with_their_share() -> None:
    settings = spec_of({**tiny("stylegan2"), "penalty_every": 8}).settings
    shares = dict(different_rounds(settings, 1))
    assert sum(shares.values()) == 1
    assert shares == {0: 1 / 8, 1: 6 / 8, 4: 1 / 8}, "path lengths every 4 steps, R1 every 8"
    assert different_rounds(replace(settings, options={}, penalty_every=3), 3) == [(0, 1.0)]


@pytest.mark.parametrize("arch", ["mlp", "dcgan", "stylegan2", "cyclegan"])
def test_disk_space_is_that_of_a_run(arch: str, tmp_path: Path) -> None:
    spec = spec_of({**tiny(arch), "width": 16, "steps": 4})
    plan = make_plan(spec, SIZES)
    assert plan.disk is not None
    run(spec, RunFolder(tmp_path / "run"))
    files = [file for file in (tmp_path / "run").rglob("*") if file.is_file()]
    taken = sum(-(-file.stat().st_size // 4096) * 4096 for file in files)
    assert plan.disk.total == pytest.approx(taken, rel=0.1)


def test_data_counts_as_it_is_held() -> None:
    plain, wide = ({**tiny("dcgan"), "image_size": (side, side)} for side in (8, 16))
    for settings in (plain, wide):
        spec = spec_of(settings)
        data = open_data(spec.settings)[0]
        memory = make_plan(spec, SIZES).memory
        assert memory is not None and memory.parts["data"] == data_bytes(data)  # type: ignore[arg-type]
        held = load_into_memory(data, torch.device("cpu"))  # type: ignore[arg-type]
        assert held.samples.nbytes == data_bytes(data)  # type: ignore[arg-type]


def test_gradients_and_scores_are_what_processes_exchange() -> None:
    settings = {**tiny("mlp", batch_size=16), "loss": "bce", "n_critic": 1}
    plan = make_plan(spec_of(settings), replace(SIZES, processes=4))
    weights = plan.sizes.generator_parameters + plan.sizes.critic_parameters
    assert plan.exchanged == pytest.approx(2 * 3 / 4 * 4 * weights, abs=200)
    with pytest.raises(UsageError, match="--batch-size 16 is not shared out evenly to 3 processes"):
        make_plan(spec_of(settings), replace(SIZES, processes=3))


def test_the_largest_sizes_fit_and_the_next_do_not() -> None:
    settings = spec_of({**tiny("r3gan", batch_size=12), "image_size": (16, 16)}).settings

    def memory_of(asked: Settings) -> int:
        assert asked.image_size is not None
        rows = asked.micro_batch_size if isinstance(asked.micro_batch_size, int) else asked.batch_size
        return 100 + rows * asked.image_size[0] ** 2

    found = largest_sizes(settings, memory_of, 100 + 5 * 16**2 + 9, 1, 640)
    assert (found.batch_size, found.micro_batch_size, found.image_size) == (5, 4, (8, 8))
    assert largest_sizes(settings, memory_of, 100 + 641 * 32**2, 1, 640).batch_size == 640, "all data"
    assert largest_sizes(settings, memory_of, 99, 1, 640).batch_size is None


def test_what_asks_for_values_leaves_only_its_memory_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> int:
        raise UnknownMemoryError("it asks for values")

    monkeypatch.setattr(memory, "estimate_tensor_memory", refuse)
    request = PlanRequest(difference=0.05, hours=1.0, memory=10**9)
    plan = make_plan(spec_of({**tiny("mlp"), "steps": 30}), request)
    assert (plan.memory, plan.unknown, plan.largest) == (None, "it asks for values", None)
    assert plan.seeds == 21 and plan.time is not None and plan.kimg_in_hours is not None
    lines = [" ".join(line.split()) for line in describe(plan)]
    assert "memory unknown: it asks for values" in lines
    assert any(line.startswith("seeds 21 of each") for line in lines)


def test_lengths_that_fit_can_be_given_to_a_command() -> None:
    plan = make_plan(spec_of({**tiny("mlp"), "steps": 30}), PlanRequest(hours=1000.0))
    (line,) = (line for line in describe(plan) if "--kimg" in line)
    kimg = line.rpartition(" ")[2]
    assert plan.kimg_in_hours is not None and 0 <= plan.kimg_in_hours - float(kimg) <= 1


@pytest.mark.long
def test_sizes_of_a_plan_fit_by_its_own_estimate() -> None:
    spec = spec_of({**tiny("mlp"), "data": "shapes", "image_size": (32, 32), "width": 512})
    plain = make_plan(spec, SIZES).memory
    assert plain is not None
    limit = plain.total + 4 * 2**20
    largest = make_plan(spec, replace(SIZES, memory=limit)).largest
    assert largest is not None and largest.batch_size is not None

    def growth(size: int) -> int:
        sized = replace(spec, settings=replace(spec.settings, batch_size=size))
        own = make_plan(sized, SIZES).memory
        assert own is not None
        return own.growth

    slack = 2**20  # this process itself grows meanwhile
    allowed = limit - plain.parts["python"]
    assert growth(largest.batch_size) <= allowed + slack
    assert largest.batch_size == 640 or growth(largest.batch_size + 1) > allowed - slack


def test_growing_images_are_timed_at_each_size() -> None:
    settings = {**tiny("progan"), "image_size": (16, 16), "batch_size": 4, "steps": 400}
    experiment = build(spec_of(settings))
    stages = training_stages(experiment)
    assert len(stages) == 5, "4, a fade to 8, 8, a fade to 16, 16"
    assert sum(stage.steps for stage in stages) == experiment.total_steps
    time = time_run(spec_of({**tiny("mlp"), "steps": 50}))
    assert [steps for steps, _ in time.stages] == [50]
    assert time.total > time.training > 0


def test_hours_give_a_length_without_the_start() -> None:
    assert kimg_in(1.0, seconds=370.0, fixed=10.0, kimg=10.0) == pytest.approx(3590 / 360 * 10)


def test_weights_to_try_follow_the_published_rules() -> None:
    settings = spec_of({"arch": "stylegan2", "image_size": (256, 256), "batch_size": 16}).settings
    found = suggest_penalty_weights(settings)
    assert found is not None and found.weights[1] == pytest.approx(0.8192)
    settings = spec_of({"arch": "r3gan", "image_size": (64, 64)}).settings
    found = suggest_penalty_weights(settings)
    assert found is not None and found.weights == (0.5, 2.0, 8.0)
    assert suggest_penalty_weights(spec_of({"arch": "dcgan", "loss": "wgan-gp"}).settings) is None


@pytest.mark.parametrize(("deviations", "seeds"), [(0.2, 394), (0.5, 64), (0.8, 26), (1.0, 17), (2.0, 6)])
def test_seeds_are_those_of_tables(deviations: float, seeds: int) -> None:
    """Cohen 1988, table 2.4.1, two-sided 0.05 and power 0.8, with the exact t distribution."""
    assert seeds_to_detect(deviations) == seeds


def test_so_many_seeds_find_it_in_four_of_five_simulations() -> None:
    random, count = torch.Generator().manual_seed(1), seeds_to_detect(1.5)
    assert count is not None
    draws = torch.randn(800, 2, count, generator=random, dtype=torch.float64)
    draws[:, 1] += 1.5
    found = sum(welch_t_test(a.tolist(), b.tolist()) < 0.05 for a, b in draws)
    assert 0.76 < found / 800 < 0.88


def test_amounts_and_shares_are_read_or_refused() -> None:
    assert (read_bytes("12G"), read_bytes("800M"), read_bytes("1.5GiB")) == (
        12 * 2**30,
        800 * 2**20,
        3 * 2**29,
    )
    assert read_share("--spread", "5%") == 0.05
    for words in ("", "G", "-1G", "0", "12X", "infG", "nan"):
        with pytest.raises(UsageError, match="--memory"):
            read_bytes(words)
    for words in ("5", "%", "-5%", "nan%"):
        with pytest.raises(UsageError, match="--spread"):
            read_share("--spread", words)


def test_planning_leaves_no_trace_in_networks_of_the_run() -> None:
    spec = spec_of({**tiny("dcgan"), "micro_batch_size": None})
    make_plan(spec, replace(SIZES, processes=2))
    game, _ = build_without_memory(spec.settings)
    assert not any("OverRanks" in type(module).__name__ for module in game.modules())
