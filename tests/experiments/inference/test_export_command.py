"""An exported file runs without PyTorch, to the same samples, or is not written."""

import importlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import cli
from experiments.inference import onnx as exporting
from experiments.inference.latent_space import latent_from_seed
from experiments.runs.generator import load_generator
from gans.core.networks import StyledNetwork
from gans.core.styles import class_means, set_noise_mode, truncate_styles
from tests.conftest import ARCHITECTURES, FROM_NOISE, ROOT, long_but

Gans = Callable[..., Any]
GENERATORS = {name: ARCHITECTURES[name].generator for name in FROM_NOISE}
STYLED = [
    name for name, kind in GENERATORS.items() if isinstance(kind, type) and issubclass(kind, StyledNetwork)
]
SMALL = "--data shapes --image-size 8 --width 4 --z-dim 3 --batch-size 4 --n-critic 1 --steps 2 --ema-kimg 0"


def samples(file: str, z: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """As a program without PyTorch computes them."""
    session = importlib.import_module("onnxruntime").InferenceSession(file)
    return session.run(["samples"], {"z": z})[0]


@pytest.fixture(scope="module")
def _exported(_trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("export") / "deep/generator.onnx"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(file.parent.parent)
        cli.main(["export", str(_trained), "--out", str(file)])
    return file


@pytest.fixture
def exported(_exported: Path, workplace: Path) -> Path:
    """The generator of `run` as `generator.onnx`."""
    return Path(shutil.copyfile(_exported, "generator.onnx"))


def test_it_is_the_generator(exported: Path, trained: Path) -> None:
    generator, _ = load_generator(trained)
    for count in (1, 3, 65):
        z = torch.randn(count, 5)
        found = samples("generator.onnx", z.numpy())
        np.testing.assert_allclose(found, generator(z).numpy(), atol=1e-5)
    assert found.std() > 0.1


def test_it_says_what_it_is_and_nothing_of_this_machine(exported: Path, trained: Path) -> None:
    model = onnx.load(exported)
    onnx.checker.check_model(model)
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {"z": ["batch", 5], "samples": ["batch", 3, 8, 8]}
    (entry,) = model.metadata_props
    assert json.loads(entry.value)["arch"] == "dcgan"
    content = exported.read_bytes()
    assert str(ROOT).encode() not in content and b"site-packages" not in content


@pytest.mark.parametrize("arch", long_but({"mlp"}, sorted({*FROM_NOISE} - {"dcgan"})))
def test_every_architecture_is_exported(arch: str, gans: Gans) -> None:
    gans(f"run --arch {arch} {SMALL} --track local --out run")
    outcome = gans("export run --format onnx --out deep/one.onnx")
    assert (outcome.status, outcome.out) == (0, "deep/one.onnx\n"), outcome.err
    printed = re.fullmatch(r"largest difference between .*: (\S+) of the samples' range\n", outcome.err)
    assert printed, "one line, and nothing of the exporter's"
    assert float(printed[1]) <= 1e-4
    kinds = [node.op_type for node in onnx.load("deep/one.onnx").graph.node]
    assert arch != "mlp" or "BatchNormalization" not in kinds, "all of its norms follow a linear layer"
    z = latent_from_seed(3, 3)[None].numpy()
    gans("sample run -n 1 --seed 3 --out one.npy")
    found = np.clip(np.round((samples("deep/one.onnx", z) + 1) * 127.5), 0, 255)
    assert np.abs(found - np.load("one.npy")).max() <= 1, "the sample of that seed, but for rounding"


@pytest.mark.long
@pytest.mark.parametrize("arch", long_but({"stylegan"}, STYLED))
def test_truncation_and_noise_are_inputs(arch: str, gans: Gans) -> None:
    """Left out, they are 1 and the fixed noise; at a truncation of 0 a class has one sample."""
    gans(f"run --arch {arch} {SMALL} --conditional --track local --out run")
    assert gans("export run --out one.onnx").status == 0
    session = importlib.import_module("onnxruntime").InferenceSession("one.onnx")
    assert [each.name for each in session.get_inputs()] == ["z", "label"]
    (psi, *noise) = session.get_overridable_initializers()
    assert psi.name == "truncation" and [each.name for each in noise] == [
        f"noise_{n}" for n in range(len(noise))
    ]
    generator, _ = load_generator(Path("run"))
    z, label = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    fed = {"z": z.numpy(), "label": label.numpy()}
    (flat,) = session.run(["samples"], fed | {"truncation": np.zeros(1, np.float32)})
    np.testing.assert_allclose(flat[:3], flat[3:], atol=1e-6)
    assert np.abs(flat[0] - flat[1]).max() > 1e-6, "classes differ"
    with torch.no_grad():
        means = class_means(generator, label)
        expected = generator.synthesize(truncate_styles(generator, generator.map(z, label), 0.5, mean=means))
        (found,) = session.run(["samples"], fed | {"truncation": np.full(1, 0.5, np.float32)})
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)
        set_noise_mode(generator, "none")
        (found,) = session.run(
            ["samples"], fed | {each.name: np.zeros(each.shape, np.float32) for each in noise}
        )
        np.testing.assert_allclose(found, generator(z, label).numpy(), atol=1e-4)


@pytest.mark.long
def test_points_are_exported_and_equal_networks_give_equal_files(gans: Gans, finished: Path) -> None:
    for name in ("one.onnx", "two.onnx"):
        assert gans(f"export run --out {name}").status == 0
    assert Path("one.onnx").read_bytes() == Path("two.onnx").read_bytes()
    assert samples("one.onnx", np.zeros((4, 2), np.float32)).shape == (4, 2)


def test_safetensors_are_those_of_the_run(gans: Gans, trained: Path) -> None:
    for source in ("run", "run/checkpoints/step-00000020.pt"):
        outcome = gans(f"export {source} --out new/folder/one.safetensors")
        assert (outcome.status, outcome.out) == (0, "new/folder/one.safetensors\n"), outcome.err
        own = (trained / "generator.safetensors").read_bytes()
        assert Path("new/folder/one.safetensors").read_bytes() == own


@pytest.fixture
def distorted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is exported is not quite the generator."""
    usual = exporting.fold_batch_norm

    def wrong(network: nn.Module) -> nn.Module:
        found = usual(network)
        with torch.no_grad():
            next(found.parameters()).add_(0.1)
        return found

    monkeypatch.setattr(exporting, "fold_batch_norm", wrong)
    yield


def test_a_file_that_differs_is_not_written(distorted: None, refused: Any, finished: Path) -> None:
    refused(1, ("differ", "more than 0.0001", "nothing was written"), "export run --out one.onnx")
    assert not Path("one.onnx").exists()


def test_what_the_exporter_does_not_know_is_one_line(
    refused: Any, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: object, **named: object) -> None:
        raise ValueError("\nno such operator\nand a long report")

    monkeypatch.setattr(torch.onnx, "export", fail)
    line = refused(1, ("mlp", "ONNX", "no such operator"), "export run --out one.onnx")
    assert "long report" not in line and not Path("one.onnx").exists()


@pytest.mark.parametrize(
    ("status", "line", "mentions"),
    [
        (2, "export run --out x.pt", ("x.pt", "FILE.safetensors or FILE.onnx")),
        (2, "export run --format onnx --out x.safetensors", ("x.safetensors", "FILE.onnx")),
        (2, "export run --format tflite --out x.onnx", ("--format", "tflite", "onnx")),
        (2, "export run", ("--out",)),
        (2, "export nowhere --out x.onnx", ("nowhere",)),
        (1, "export run --out run/config.json/x.safetensors", ("run/config.json/x.safetensors",)),
    ],
    ids=str,
)
def test_what_has_no_meaning(
    status: int, line: str, mentions: tuple[str, ...], refused: Any, finished: Path
) -> None:
    refused(status, mentions, line)
    assert not list(Path().glob("x.*"))
