"""The two examples in a small form: an adversary sharpens an autoencoder, and distils a diffusion model."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.data.fashion_mnist import DEBIAN
from tests.conftest import one_thread

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def example() -> Iterator[Any]:
    """Imports an example by name, and computes it with one thread."""

    def load(name: str) -> Any:
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    with one_thread():
        yield load
    for name in ("autoencoder_adversary", "distillation_adversary"):
        sys.modules.pop(name, None)


def test_fine_detail_is_that_of_the_pictures(example: Any) -> None:
    """The measures are 1 for the pictures, nearly 0 for flat ones, and below 1 for blurred ones."""
    import torch
    from torch.nn.functional import avg_pool2d

    module = example("autoencoder_adversary")
    real = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert module.detail_of(real, real) == module.Detail(1.0, 1.0, 0.0)
    blurred = module.detail_of(avg_pool2d(real, 3, 1, 1), real)
    assert blurred.fine_power < 0.2 and blurred.gradient_energy < 0.2


@pytest.mark.long
@pytest.mark.skipif(not DEBIAN.is_dir(), reason="needs the package dataset-fashion-mnist")
def test_an_adversary_sharpens_an_autoencoder(example: Any) -> None:
    module = example("autoencoder_adversary")
    (without, with_one), rows = module.compare(*module.load(2000, 200), steps=100, width=8, batch=16)
    assert with_one.fine_power > 2 * without.fine_power
    assert abs(1 - with_one.gradient_energy) < abs(1 - without.gradient_energy) - 0.1
    assert module.draw(rows).size == (28 * module.SHOWN * module.ENLARGED, 28 * 3 * module.ENLARGED)


@pytest.mark.long
def test_an_adversary_distils_a_diffusion_model(example: Any) -> None:
    """More points lie at modes than by the distance to the teacher's alone, and all modes get their share, as
    they do not from an adversary alone."""
    module = example("distillation_adversary")
    students = [*module.STUDENTS[:2], ("both", 1.0, 1.0)]  # so short a training needs more of it
    found = module.compare(300, 800, width=64, batch=128, sigma=0.1, students=students)
    scores = {name: module.modes_of(points, 0.1) for name, points in found.items()}
    assert scores["teacher"]["covered"] == 25 and scores["teacher"]["high_quality"] > 0.7
    assert scores["both"]["high_quality"] > 1.25 * scores["distance"]["high_quality"]
    assert scores["both"]["covered"] > scores["adversary"]["covered"]
    assert scores["both"]["kl"] < 0.1 < scores["adversary"]["kl"]
    assert module.draw(found).size == (4 * 240, 240)
