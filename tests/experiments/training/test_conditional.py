"""Labels on their way: from the data to both players, and from `--label` to samples."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from experiments.augmentations.flip import Flip
from experiments.config.resolve import resolve
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.seeds import generator_for
from experiments.data.core.batch_sizes import constant_batches
from experiments.data.core.dataset import DataSet
from experiments.data.core.loader import Loader
from experiments.data.core.sources import open_source
from experiments.evaluation.sample_sets import GeneratedSamples
from experiments.runs.generator import draw_labels, generate, load_generator, restrict_to_class
from experiments.training.experiment import build
from gans.core.networks import LatentNetwork
from tests.conftest import long_but
from tests.experiments.inference.test_export_command import STYLED

Gans = Callable[..., Any]
CPU = torch.device("cpu")
TINY = "--image-size 8 --width 4 --z-dim 4 --batch-size 4 --steps 3 --n-critic 1 --ema-kimg 0 --conditional"
# A rate so large that the maps of stylegan, of which it divides the deviation, are more than rounding.
RUN = f"run --data shapes --loss bce --lr-generator 0.05 {TINY} --out run --arch"
LABELLED = [
    name for name in registry.names("architecture") if registry.load("architecture", name).takes_labels
]


@pytest.fixture(autouse=True)
def _few_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing all of them takes longer than the runs."""
    monkeypatch.setattr("experiments.data.shapes.LENGTH", 600)


LABELS = torch.arange(23) % 3


class _Streamed(DataSet):
    """Sample i is full of the number i, and has the label i mod 3."""

    def __init__(self, on_demand: bool) -> None:
        self.sample_shape, self.on_demand = (1, 2, 2), on_demand
        self.labels, self.classes = LABELS, ("a", "b", "c")

    def __len__(self) -> int:
        return 23

    def fetch(self, indices: torch.Tensor) -> torch.Tensor:
        return indices.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 2, 2).contiguous()


@pytest.mark.parametrize("on_demand", [False, True])
def test_every_sample_is_loaded_with_its_own_label(on_demand: bool) -> None:
    """Through held and prefetched data, over the ends of epochs, and after a jump."""
    loader = Loader(_Streamed(on_demand), constant_batches(5), 0, CPU, condition=LABELS)
    for number in range(20):
        if number == 12:
            loader.seen = 1000
        samples, (labels,) = loader.next_batch()
        numbers = samples[:, 0, 0, 0].add(1).mul(127.5).round().long()
        assert torch.equal(labels, numbers % 3)
    assert Loader(_Streamed(on_demand), constant_batches(5), 0, CPU).next_batch().condition == ()


def test_labels_change_nothing_of_the_order_and_of_augmentations() -> None:
    flip = [(Flip().apply, 0.5)]
    plain = Loader(_Streamed(False), constant_batches(5), 0, CPU, augment=flip)
    labelled = Loader(_Streamed(False), constant_batches(5), 0, CPU, augment=flip, condition=LABELS)
    for _ in range(9):
        draws = []
        for loader in (plain, labelled):
            torch.manual_seed(loader.seen)
            samples = loader.next_batch().samples
            draws.append(torch.cat([samples.flatten(), torch.rand(1)]))
        assert torch.equal(*draws)


EMBEDDED = [name for name in registry.names("data") if registry.load("data", name).is_embedded]


@pytest.mark.parametrize("name", EMBEDDED)
def test_classes_are_named_before_the_data_is_opened(name: str) -> None:
    source = open_source(name)
    data = (
        source.open((8, 8), source.native().channels, "auto")
        if source.kind == "images"
        else source.open(None, None, "auto")
    )
    assert tuple(source.class_names()) == data.classes
    assert (data.labels is None) == (not data.classes)


def test_labels_that_nobody_names_are_as_frequent_as_in_the_data(workplace: Path) -> None:
    for name, count in {"a": 14, "b": 4, "c": 2}.items():
        Path("classes", name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (8, 8)).save(f"classes/{name}/{number}.png")
    flags = {"arch": "mlp", "data": "folder:classes", "conditional": True, "image_size": (8, 8), "width": 2}
    network = build(resolve({**flags, "device": "cpu", "batch_size": 4, "steps": 1})).ema.average
    (drawn,) = draw_labels(network, 4000, generator_for(0))
    assert (drawn.bincount(minlength=3) / 4000).tolist() == pytest.approx([0.7, 0.2, 0.1], abs=0.03)


class _Echo(LatentNetwork):
    """Samples that say what they were told."""

    def __init__(self) -> None:
        super().__init__(2, 4)

    @property
    def first_layers(self) -> tuple[torch.Tensor, ...]:
        return ()

    def forward(self, z: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return torch.stack([z[:, 0], label.float()], dim=1)


def test_samples_have_drawn_labels_or_the_one_that_is_named() -> None:
    mixed = generate(_Echo(), 200, seed=3, device="cpu")
    assert set(mixed[:, 1].tolist()) == {0.0, 1.0, 2.0, 3.0}
    assert torch.equal(mixed[:70], generate(_Echo(), 70, seed=3, device="cpu")), "the first n of more"
    assert not torch.equal(mixed[:, 1], generate(_Echo(), 200, seed=4, device="cpu")[:, 1])
    single = generate(restrict_to_class(_Echo(), 2, "echo"), 200, seed=3, device="cpu")
    assert single[:, 1].eq(2).all()
    assert torch.equal(single[:, 0], mixed[:, 0]), "the label changes nothing of the latents"


def test_neighbours_on_a_path_have_one_label() -> None:
    settings = resolve({"arch": "mlp", "data": "ring8", "device": "cpu"}).settings
    samples = GeneratedSamples("echo", _Echo(), settings, 150, 0, "cpu")
    pairs = torch.cat([make() for make in samples.path_makers()])
    assert torch.equal(pairs[:, 0, 1], pairs[:, 1, 1]) and len(pairs[:, 0, 1].unique()) == 4


@pytest.mark.parametrize("arch", long_but({"dcgan", "stylegan2"}, LABELLED))
def test_a_conditional_run_from_its_start_to_its_exports(gans: Gans, workplace: Path, arch: str) -> None:
    outcome = gans(f"{RUN} {arch}")
    assert outcome.status == 0, outcome.err
    config = json.loads(Path("run/config.json").read_text())["settings"]
    assert config["classes"] == {"value": 6, "from": "data shapes"}
    assert gans("sample run -n 9 --label 3 --out three.npy").status == 0
    assert gans("export run --out one.safetensors").status == 0
    assert gans("sample one.safetensors -n 9 --label 3 --out again.npy").status == 0
    assert np.array_equal(np.load("three.npy"), np.load("again.npy"))
    if arch in STYLED:
        return  # exported with labels there
    outcome = gans("export run --out all.onnx")
    assert outcome.status == 0, outcome.err
    generator, _ = load_generator(Path("run"))
    z, labels = torch.randn(7, 4), torch.tensor([0, 1, 2, 3, 4, 5, 0])
    session = importlib.import_module("onnxruntime").InferenceSession("all.onnx")
    (found,) = session.run(["samples"], {"z": z.numpy(), "label": labels.numpy()})
    np.testing.assert_allclose(found, generator(z, labels).numpy(), atol=1e-4)


def test_a_grid_has_a_column_for_each_class(gans: Gans, workplace: Path) -> None:
    """Six classes: six columns, and as many whole rows as there are latents for."""
    assert gans(f"{RUN} mlp").status == 0
    file = max(Path("run/samples").glob("kimg-*.png"))
    cell = 64 + 2
    assert Image.open(file).size == (6 * cell - 2, 10 * cell - 2)


def test_what_moves_latents_works_within_one_class(gans: Gans, workplace: Path) -> None:
    assert gans(f"{RUN} stylegan2").status == 0
    assert gans("traverse run --label 1 --dims 0 --steps 3 --out t.png").status == 0
    assert gans("interpolate run --label 1 --from 0 --to 1 --frames 3 --out i.png").status == 0
    assert gans("mix run --label 1 --rows 1 --cols 2 --out m.png").status == 0
    assert gans("directions run --label 1 -k 1 --method pca --steps 3 --out d.png").status == 0
    assert gans("sample run --label 1 --truncation 0.5 --out s.png").status == 0
    assert gans("sample run --truncation 0.5 --out s.png").status == 0


def test_a_class_is_exported_by_itself(gans: Gans, workplace: Path) -> None:
    assert gans(f"{RUN} mlp").status == 0
    assert gans("export run --label 1 --out one.onnx").status == 0
    session = importlib.import_module("onnxruntime").InferenceSession("one.onnx")
    generator, _ = load_generator(Path("run"))
    z = torch.randn(5, 4)
    np.testing.assert_allclose(
        session.run(["samples"], {"z": z.numpy()})[0], generator(z, torch.ones(5).long()), atol=1e-4
    )


def test_what_cannot_be_told_is_refused(refused: Any, gans: Gans, workplace: Path) -> None:
    assert gans(f"{RUN} mlp").status == 0
    refused(2, ("--label 6", "run", "classes 0 to 5"), "sample run --label 6")
    refused(2, ("run", "6 classes", "--label", "0 to 5"), "traverse run --out t.png")
    refused(2, ("--label", "safetensors"), "export run --label 1 --out a.safetensors")
    plain = RUN.replace(" --conditional", "").replace("--out run", "--out plain")
    assert gans(f"{plain} mlp").status == 0
    refused(2, ("--label 0", "plain", "--conditional"), "sample plain --label 0")
    refused(2, ("--label 0", "plain", "--conditional"), "traverse plain --label 0 --out t.png")
    refused(2, ("run", "conditional: True → False"), f"{plain.replace('plain', 'run')} mlp")


def test_data_without_labels_is_refused_with_the_reason(refused: Any, pictures: Path) -> None:
    for words in ("--dry-run", ""):
        refused(2, ("--conditional", "folder:", "no labels"), f"{RUN} dcgan --data folder:pictures {words}")


def test_an_architecture_that_takes_no_labels_says_so(refused: Any, workplace: Path) -> None:
    text = Path(registry.ROOT, "examples/resize_conv.py").read_text()
    Path("plain_conv.py").write_text(text)
    refused(2, ("plain-conv", "takes no labels"), f"{RUN} plain-conv --plugin plain_conv.py")


def test_the_number_of_classes_follows_the_data_and_not_a_config(workplace: Path) -> None:
    flags = {"arch": "mlp", "data": "ring8", "conditional": True, "device": "cpu"}
    assert resolve(flags).settings.classes == 8
    assert resolve(flags, {"classes": 5}, "old.json").settings.classes == 8
    assert resolve({**flags, "conditional": False}, {"classes": 5}).settings.classes is None
    assert resolve({**flags, "data": "grid25"}).settings.classes == 25


def test_an_exported_file_of_before_has_no_classes(gans: Gans, workplace: Path) -> None:
    """Its description does not speak of them."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    assert gans(f"{RUN.replace(' --conditional', '')} mlp").status == 0
    with safe_open("run/generator.safetensors", "pt") as file:
        description = json.loads(file.metadata()["gans"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert description.pop("classes") is None
    save_file(tensors, "old.safetensors", {"gans": json.dumps(description)})
    network, settings = load_generator(Path("old.safetensors"))
    assert settings.classes is None and isinstance(network, nn.Module)
    with pytest.raises(UsageError, match="no label"):
        restrict_to_class(network, 1, "old")
