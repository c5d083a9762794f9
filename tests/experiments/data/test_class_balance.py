"""--class-balance: each class comes equally often, in an order that is a function of (seed, position)."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from experiments.config.resolve import resolve
from experiments.data.core.balanced_order import BalancedOrder
from experiments.data.core.batch_sizes import constant_batches
from experiments.data.core.batch_stream import BatchStream
from experiments.data.core.dataset import InMemoryData
from experiments.training.experiment import build
from tests.commands.helpers import Gans, Refused
from tests.experiments.data.helpers import noise

COUNTS = {0: 50, 2: 7, 3: 1}  # class 1 has no samples
CPU = torch.device("cpu")


def labels() -> Tensor:
    found = torch.cat([torch.full((count,), label) for label, count in COUNTS.items()])
    return found[torch.randperm(len(found), generator=torch.Generator().manual_seed(3))]


def stream(batch_size: int = 6, seed: int = 0, is_balanced: bool = True) -> BatchStream:
    """Samples that are their own indices."""
    data = InMemoryData(torch.arange(58).float().repeat(2, 1).T, labels(), ("a", "b", "c", "d"))
    return BatchStream(data, constant_batches(batch_size), seed, "order", CPU, is_balanced)


def test_each_turn_shows_each_class_once_in_all_epochs() -> None:
    found = stream()
    batches = [found.at(position).indices for position in range(0, 600, 6)]
    shown = labels()[torch.cat(batches)].view(-1, 3)
    assert torch.equal(shown.sort(dim=1).values, torch.tensor([0, 2, 3]).expand(200, 3))
    assert len({tuple(turn) for turn in shown.tolist()}) == 6, "in every order"


def test_samples_of_a_class_come_equally_often_in_an_epoch() -> None:
    order = BalancedOrder(labels())
    assert order.length == 60  # 20 turns of three classes
    seen = order.draw(torch.Generator().manual_seed(0)).bincount(minlength=58)
    for label, (least, most) in {0: (0, 1), 2: (2, 3), 3: (20, 20)}.items():
        times = seen[labels() == label]
        assert (int(times.min()), int(times.max())) == (least, most) and int(times.sum()) == 20


def test_samples_of_a_large_class_all_come_in_time() -> None:
    found = stream()
    seen = torch.cat([found.at(position).indices for position in range(0, 1200, 6)]).bincount(minlength=58)
    assert bool((seen > 0).all())


def test_the_order_is_a_function_of_seed_and_position() -> None:
    one, other = stream(), stream()
    expected = {position: one.at(position).indices for position in range(0, 240, 6)}
    for position in (54, 0, 120, 60, 234):  # as a resume reaches them
        assert torch.equal(other.at(position).indices, expected[position])
    assert not torch.equal(stream(seed=1).at(0).indices, expected[0])
    small = torch.cat([stream(2).at(position).indices for position in range(0, 60, 2)])
    assert torch.equal(small, torch.cat([expected[position] for position in range(0, 60, 6)]))


def test_without_it_nothing_changes() -> None:
    plain = stream(58, is_balanced=False).at(0).indices
    assert torch.equal(plain.sort().values, torch.arange(58))


@pytest.fixture
def unbalanced(workplace: Path) -> str:
    for name, count in (("cat", 9), ("dog", 3), ("eel", 1)):
        (workplace / "set" / name).mkdir(parents=True)
        for number in range(count):
            noise(number).save(workplace / f"set/{name}/{number}.png")
    return "--arch dcgan --data folder:set --image-size 8 --batch-size 4 --width 2 --steps 2"


def test_labels_of_samples_are_drawn_as_they_were_shown(unbalanced: str) -> None:
    flags = {"arch": "dcgan", "data": "folder:set", "image_size": (8, 8), "batch_size": 4, "width": 2}
    for is_balanced, expected in ((False, [9 / 13, 3 / 13, 1 / 13]), (True, [1 / 3] * 3)):
        spec = resolve({**flags, "steps": 2, "conditional": True, "class_balance": is_balanced})
        shares = build(spec).game.generator_network.shares
        assert torch.allclose(torch.as_tensor(shares), torch.tensor(expected))


def test_dry_run_shows_shares(unbalanced: str, gans: Gans) -> None:
    told = gans(f"run {unbalanced} --dry-run").out
    line = "3 by their images (share): cat 9 (0.69), dog 3 (0.23), eel 1 (0.077)"
    assert f"{line}; --class-balance shows them equally often" in told
    assert f"{line}; shown equally often" in gans(f"run {unbalanced} --class-balance --dry-run").out


def test_a_resumed_run_is_the_same_run(unbalanced: str, gans: Gans) -> None:
    gans(f"run {unbalanced} --class-balance --out whole")
    gans(f"run {unbalanced.replace('--steps 2', '--steps 1')} --class-balance --out parts")
    gans("run --resume parts --steps 2")
    whole, parts = (Path(run, "generator.safetensors").read_bytes() for run in ("whole", "parts"))
    assert whole == parts


def test_refusals(unbalanced: str, refused: Refused) -> None:
    refused(2, ("--class-balance", "cyclegan"), "run --arch cyclegan --class-balance --dry-run")
    (Path("plain")).mkdir()
    for number in range(4):
        noise(number).save(f"plain/{number}.png")
    plain = unbalanced.replace("folder:set", "folder:plain")
    refused(2, ("--class-balance", "no labels"), f"run {plain} --class-balance --dry-run")
