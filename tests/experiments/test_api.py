"""`import gans`: the laboratory as functions gives what the commands give."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import gans
from experiments.config.python_words import to_python
from experiments.core import registry

Gans = Callable[..., Any]
TINY = {"image_size": 16, "width": 2, "z_dim": 4, "batch_size": 4, "steps": 3, "track": "local"}
FLAGS = "--image-size 16 --width 2 --z-dim 4 --batch-size 4 --steps 3 --track local"


def test_train_is_the_command(gans: Gans, workplace: Path) -> None:
    """Equal settings give equal bytes, however they are given."""
    from gans import train

    assert (
        gans(f"run --arch stylegan2 {FLAGS} --set arch.mapping_layers=2 --style-mixing 0.5 --out one").status
        == 0
    )
    arch = {"name": "stylegan2", "mapping_layers": 2, "style_mixing": 0.5}
    run = train("two", arch=arch, **TINY)
    assert Path("one/generator.safetensors").read_bytes() == (run.path / "generator.safetensors").read_bytes()
    assert run.settings.options["arch.mapping_layers"] == 2
    assert run.scores[-1]["step"] == 3


def test_train_resumes_and_takes_regularizers(workplace: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = gans.train(arch="mlp", loss="bce", data="ring8", label_smoothing=0.9, steps=3, track="local")
    assert dict(first.settings.regularizers) == {"label-smoothing": 0.9}
    with caplog.at_level(logging.INFO, "gans"):
        again = gans.train(arch="mlp", loss="bce", data="ring8", label_smoothing=0.9, steps=3, track="local")
    assert again.path == first.path and "is finished" in caplog.text


@pytest.mark.parametrize("strength", ["much", float("nan"), [0.3]])
def test_train_refuses_strengths_that_are_no_numbers(strength: object, workplace: Path) -> None:
    with pytest.raises(gans.UsageError, match=r"^lecam: .* the strength of a regularizer"):
        gans.train("run", arch="mlp", loss="bce", data="ring8", steps=3, lecam=strength)
    assert not Path("run").exists()


def test_train_makes_a_run_longer_as_the_command_does(gans: Gans, workplace: Path) -> None:
    from gans import UsageError, train

    flags = {"arch": "mlp", "loss": "bce", "data": "ring8", "lr_schedule": "cosine", "track": "local"}
    short = train("one", steps=3, **flags)
    shutil.copytree("one", "two")
    assert train(resume=short, steps=6).settings.schedule_steps == 3
    assert gans("run --resume two --steps 6").status == 0
    assert Path("one/generator.safetensors").read_bytes() == Path("two/generator.safetensors").read_bytes()
    assert train(resume="one", steps=9, restretch=True).settings.schedule_steps is None
    with pytest.raises(UsageError, match="resume"):
        train("new", steps=3, restretch=True, **flags)
    with pytest.raises(UsageError, match="exclude each other"):
        train("one", resume="one", steps=12)


def test_a_loaded_generator_draws_what_the_command_draws(gans: Gans, workplace: Path) -> None:
    from gans import UsageError, load

    assert gans(f"run --arch stylegan2 --conditional {FLAGS} --out run").status == 0
    generator = load("run")
    assert gans("sample run -n 5 --seed 3 --label 2 --truncation 0.7 --out five.npy").status == 0
    samples = generator.sample(5, seed=3, label=2, truncation=0.7)
    assert samples.shape == (5, 3, 16, 16)
    rounded = ((samples + 1) * 127.5).round().clamp(0, 255).byte().numpy()
    assert np.abs(rounded.astype(int) - np.load("five.npy").astype(int)).max() <= 1
    assert generator.step == 3 and generator.settings.arch == "stylegan2"
    same = generator.sample(
        np.int64(5),
        seed=np.int64(3),
        label=np.int64(2),
        truncation=np.float64(0.7),
        device=torch.device("cpu"),
    )
    assert torch.equal(same, samples)
    for arguments, line in (
        ({"n": 0}, "n: '0' is not a whole number of 1 or more"),
        ({"seed": -1}, "seed: '-1' is not a whole number"),
        ({"label": 99}, "^label=99: run has classes 0 to"),
        ({"truncation": 3}, "truncation: '3' is not a number at least 0 and at most 2"),
    ):
        with pytest.raises(UsageError, match=line):
            generator.sample(**arguments)


def test_a_loaded_generator_has_its_critic_and_its_latents(gans: Gans, workplace: Path) -> None:
    from gans import load

    assert gans(f"run --arch dcgan --loss bce {FLAGS} --out run").status == 0
    generator = load("run")
    assert isinstance(generator.critic, nn.Module)
    assert generator.critic(generator.sample(2)).shape == (2,)
    point = generator.latent.of_seeds([3])
    assert torch.allclose(generator.latent.samples(point), generator.sample(1, seed=3), atol=1e-6)
    assert load("run/generator.safetensors").critic is None


def test_evaluate_is_the_command(gans: Gans, workplace: Path) -> None:
    from gans import UsageError, evaluate

    assert gans("run --arch mlp --loss bce --data ring8 --steps 3 --track local --out run").status == 0
    told = json.loads(gans("evaluate run --metrics modes -n 500 --json").out)
    assert evaluate("run", "modes", n=500) == told
    told = json.loads(gans("evaluate run --metrics modes -n 500 --intervals 20 --json").out)
    assert all(score["intervals"] for score in told.values())
    assert evaluate("run", "modes", n=500, intervals=20) == told
    assert (
        evaluate(Path("run"), np.array(["modes"]), n=np.int64(500), device=torch.device("cpu")).keys()
        == told.keys()
    )
    for arguments, line in (
        ({"intervals": 1}, "intervals=1"),
        ({"intervals": 2.5}, "intervals: '2.5' is not a whole number"),
        ({"n": 0}, "n: '0' is not a whole number of 2 or more"),
        ({"n": -5}, "n: '-5' is not"),
        ({"n": 64.0}, "n: '64.0' is not"),
        ({"seed": -1}, "seed: '-1' is not"),
        ({"metrics": 3}, "metrics: '3' is not a list of names"),
        ({"device": "xpu"}, "device: 'xpu' is not one of: auto, cpu"),
        ({"device": "cuda:99"}, "^device='cuda:99': PyTorch finds no such device here; take device='cpu'"),
        ({"protocol": "fid50k-full", "n": 500}, "not 500; leave n out"),
        ({"run_or_file": None}, "run_or_file: give a run folder or a file, .* not None"),
    ):
        with pytest.raises(UsageError, match=line) as caught:
            evaluate(**{"run_or_file": "run", **arguments})
        assert "--" not in str(caught.value)


def test_fid_of_vectors_is_the_closed_form() -> None:
    x = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shift = torch.tensor([1.0, 2.0, -2.0], dtype=torch.float64)
    assert gans.fid(x, x + shift) == pytest.approx(9.0, rel=1e-9)
    assert gans.fid(x.numpy(), 2 * x.numpy()) == pytest.approx(
        x.mean(0).square().sum().item() + torch.cov(x.T).trace().item(), rel=1e-6
    )


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x.astype(">f8"),
        lambda x: x[::-1],
        lambda x: x[:, ::-1],
        lambda x: np.broadcast_to(x, x.shape),
        np.ndarray.tolist,
        list,
        lambda x: torch.tensor(x, requires_grad=True),
    ],
    ids=[
        "big-endian",
        "reversed rows",
        "reversed columns",
        "read-only",
        "lists",
        "list of rows",
        "parameter",
    ],
)
def test_arrays_of_any_kind_are_samples(convert: Callable[[Any], Any]) -> None:
    x = np.random.default_rng(0).normal(size=(50, 3)) * [1.0, 2.0, 3.0]
    other = x + np.array([1.0, 2.0, 1.0])  # whose distance is that of columns in the other order, too
    assert gans.fid(convert(x), convert(other)) == pytest.approx(6.0, rel=1e-6)


def test_numbers_paths_and_devices_of_other_libraries_are_taken(workplace: Path) -> None:
    """NumPy's numbers and arrays, tensors, a Path and a device train what plain values train."""
    flags = {"arch": "mlp", "loss": "bce", "data": "ring8", "track": "local", "steps": 2}
    plain = {
        "batch_size": 4,
        "seed": 1,
        "lr_critic": 0.5,
        "betas": (0.0, 0.5),
        "lecam": 0.25,
        "penalty": ["real"],
    }
    plain |= {"conditional": True, "data_root": "data", "device": "cpu"}
    first = gans.train("one", **flags, **plain)
    others = {
        "batch_size": np.int64(4),
        "seed": np.uint8(1),
        "lr_critic": np.float32(0.5),
        "betas": np.array([0.0, 0.5]),
        "lecam": torch.tensor(0.25),
        "penalty": np.array(["real"]),
        "conditional": np.bool_(True),
        "data_root": Path("data"),
        "device": torch.device("cpu"),
    }
    second = gans.train(Path("two"), **flags | {"arch": Path("mlp")}, **others)
    assert first.settings == second.settings
    assert Path("one/generator.safetensors").read_bytes() == Path("two/generator.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"loss": gans.loss("bce")}, "loss: an object BinaryCrossEntropy is no value"),
        ({"loss": 3}, "loss: '3' is not a name"),
        ({"optimizer": torch.optim.Adam}, "optimizer: the class Adam is no value"),
        ({"out": 3}, "out: give a run folder"),
        ({"lecam": "much"}, "lecam: 'much' is not a number"),
        ({"batch_size": 2.5}, "batch_size: '2.5' is not a whole number"),
        ({"arch": "mlp", "data": "ring8", "image_size": 8}, "image_size has no meaning for points"),
        ({"patience": 2}, "patience has no meaning without evaluations; add evaluate_kimg=…"),
        ({"steps": 1, "kimg": 1}, "steps and kimg exclude each other; give one"),
        ({"loss": "bce", "penalty_weight": 1.0}, "add penalty=…"),
        ({"penalty": "r1"}, "unknown penalty 'r1'; did you mean real with penalty_norm='zero'?"),
    ],
)
def test_train_refuses_in_the_words_of_its_call(
    arguments: dict[str, Any], line: str, workplace: Path
) -> None:
    with pytest.raises(gans.UsageError) as caught:
        gans.train(**arguments)
    assert str(caught.value).startswith(line) or line in str(caught.value)
    assert "--" not in str(caught.value) and "flag:" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("give data, as gans run --data shapes --steps 1; or add --steps", "{}; or add steps=…"),
        ("nothing here; add --download", "nothing here; add download=True"),
        ("flag: batch_size: 'x' is no number", "batch_size: 'x' is no number"),
        ("--data x; take --data folder:x", "data x; take data='folder:x'"),
    ],
)
def test_lines_in_the_words_of_a_call(line: str, expected: str) -> None:
    """Commands that a line names stay commands."""
    assert to_python(line, {}) == expected.format(line.partition(";")[0])


def test_fid_of_arrays_is_that_of_the_files(gans: Gans, pictures: Path, workplace: Path) -> None:
    """Arrays in either order of dimensions, uint8 or float, are the images in a folder."""
    from PIL import Image

    from gans import fid

    other = workplace / "others"
    other.mkdir()
    images = []
    for number, file in enumerate(sorted(pictures.iterdir())):
        with Image.open(file) as picture:
            images.append(np.asarray(picture))
            Image.fromarray(255 - images[-1]).save(other / f"{number}.png")
    told = json.loads(gans(f"fid folder:{pictures} folder:{other} --extractor random-vgg --json").out)
    expected = next(iter(told.values()))["value"]
    array = np.stack(images)
    planes = torch.from_numpy(array).permute(0, 3, 1, 2)
    for a, b in ((array, 255 - array), (planes / 127.5 - 1, 1 - planes / 127.5), (planes, f"folder:{other}")):
        found = fid(a, b, extractor="random-vgg")
        assert found == pytest.approx(expected, rel=1e-5)
        assert found.record["extractor"] == "random-vgg"


def test_data_of_no_size_is_drawn_at_that_of_the_other_side(
    workplace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from experiments.data.shapes import ShapeImages
    from gans import fid

    drawn = ShapeImages((20, 24), 3).fetch(torch.arange(600)).permute(0, 2, 3, 1).numpy()
    np.save("drawn.npy", drawn[:100])
    for a, b in ((drawn, "shapes"), ("shapes", drawn), ("shapes", "npy:drawn.npy")):
        found = fid(a, b, extractor="random-vgg", n=600)
        assert found < 0.1 * fid(255 - drawn, b if a is drawn else a, extractor="random-vgg", n=600)
    caplog.clear()
    with caplog.at_level("INFO", logger="gans"):
        fid(drawn[:50], drawn[:50, :16], extractor="random-vgg")
    assert "different sizes, array a 20×24 and array b 16×24; bring both to one" in caplog.text
    assert "--image-size" not in caplog.text


@pytest.mark.parametrize(
    ("a", "b", "mentions"),
    [
        (torch.zeros(4, 2), torch.zeros(4, 3), "2 and 3 numbers"),
        (torch.zeros(4, 7, 8, 9), torch.zeros(4, 3, 8, 8), "array a has shape"),
        (torch.zeros(4, 3, 8, 8), torch.full((4, 3, 8, 8), 2.0), "array b: give uint8 images"),
        ("nowhere", torch.zeros(4, 3, 8, 8), "nowhere is no statistics file"),
        (Path("nowhere"), torch.zeros(4, 3, 8, 8), "nowhere is no statistics file"),
        (np.ones((4, 2)) * 1j, np.ones((4, 2)), "array a has complex numbers"),
        (torch.ones(4, 2), torch.ones(4, 2) * 1j, "array b has complex numbers"),
        ([[1.0], [1.0, 2.0]], np.ones((4, 2)), "a: an array of unequal lists or other objects"),
        (np.array([[None]]), np.ones((4, 2)), "a: an array of object holds no samples"),
        (np.ones((4, 2)), None, "b: give an array, a tensor, a run, or the name .* not None"),
        (
            torch.zeros(4, 3, 8, 8),
            torch.arange(768.0).view(4, 3, 8, 8) / 4,
            r"from 0 to 191.75: x / 127.5 - 1",
        ),
        (
            torch.zeros(4, 3, 8, 8).short(),
            torch.zeros(4, 3, 8, 8),
            "array a: give uint8 images, .* not int16",
        ),
    ],
)
def test_what_cannot_be_compared_is_named(a: Any, b: Any, mentions: str) -> None:
    with pytest.raises(gans.UsageError, match=mentions):
        gans.fid(a, b, extractor="random-vgg")


def test_errors_are_the_commands_lines(workplace: Path) -> None:
    with pytest.raises(gans.UsageError, match="unknown architecture 'dcgann'; did you mean dcgan"):
        gans.train(arch="dcgann")
    with pytest.raises(gans.UsageError, match="nothing does not exist; give a run folder"):
        gans.load("nothing")
    with pytest.raises(AttributeError, match="no attribute 'trian'; it offers"):
        gans.trian  # noqa: B018


def test_parts_work_in_a_loop_of_ones_own() -> None:
    """WGAN-GP's critic loss by hand, by the parts, and by the objective, in float64."""
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(2, 1), nn.Flatten(0)).double()
    real, fake = torch.randn(5, 2).double(), torch.randn(5, 2).double()
    loss, penalty = gans.loss("wgan-gp"), gans.penalty("interpolates")
    slope = critic[0].weight.norm()  # everywhere, for a linear critic
    by_hand = critic(fake).mean() - critic(real).mean() + 10 * (slope - 1).square()
    by_parts = loss.critic(critic(real), critic(fake)) + penalty(critic, real, fake).value
    objective = gans.AdversarialObjective(loss, [penalty])
    terms = objective.critic_loss(critic, gans.Clock(), gans.Batch(real), fake).terms
    assert by_parts.item() == pytest.approx(by_hand.item(), rel=1e-12)
    assert sum(terms.values()).item() == pytest.approx(by_hand.item(), rel=1e-12)
    optimizer = torch.optim.SGD(critic.parameters(), lr=0.1)
    sum(terms.values()).backward()
    optimizer.step()
    assert all(parameter.grad is not None for parameter in critic.parameters())


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: gans.penalty("r1"), "unknown penalty 'r1'; did you mean real with norm='zero'?"),
        (lambda: gans.penalty("real", None), "norm: 'None' is not a name"),
        (lambda: gans.penalty("real", every=0), "every: '0' is not a whole number"),
        (lambda: gans.loss(None), "name: 'None' is not a name"),
        (lambda: gans.loss("vanilla"), "did you mean bce?"),
        (lambda: gans.metric(3), "name: '3' is not a name"),
        (lambda: gans.metric("mmd"), "unknown metric 'mmd'; did you mean kid?"),
    ],
)
def test_parts_that_are_none_are_refused_in_one_line(call: Callable[[], Any], line: str) -> None:
    with pytest.raises(gans.UsageError) as caught:
        call()
    assert line in str(caught.value) and "--" not in str(caught.value)


def test_metrics_are_classes_by_name() -> None:
    assert gans.metric("pr") is registry.load("metric", "precision-recall")
