"""What all extractors promise; a new file beside them is tested without an edit here."""

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

import metrics.extractors
from metrics.extractors.core import network
from metrics.extractors.core.extractor import Extractor
from metrics.extractors.core.resize import RULES

FILES = sorted(Path(metrics.extractors.__file__).parent.glob("*.py"))
NAMES = [path.stem for path in FILES if not path.stem.startswith("_")]
Pictures = Callable[..., Tensor]


def kind(stem: str) -> type[Extractor]:
    """The one public extractor in a file."""
    module = importlib.import_module(f"metrics.extractors.{stem}")
    found = [
        value
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, Extractor) and value.__module__ == module.__name__
        if not name.startswith("_") and not inspect.isabstract(value)
    ]
    assert len(found) == 1
    return found[0]


@pytest.fixture(scope="session")
def built(weights: Path, classifier_file: Path) -> Callable[[str], Extractor]:
    """An extractor by its file's name, built once."""
    known: dict[str, Extractor] = {}
    files = {"inception": weights, "classifier": classifier_file}

    def find(stem: str) -> Extractor:
        own = files.get(stem)
        if not kind(stem).is_at_hand(own):
            pytest.skip(f"{stem} is not installed")
        if stem not in known:
            before = torch.get_rng_state()
            known[stem] = kind(stem)(own)
            assert torch.equal(before, torch.get_rng_state()), "draws from the global generator"
        return known[stem]

    return find


@pytest.mark.parametrize("stem", NAMES)
def test_names_and_shapes(stem: str, built: Callable[[str], Extractor], pictures: Pictures) -> None:
    extractor = built(stem)
    assert extractor.name.partition(":")[0] == stem.replace("_", "-")
    assert extractor.distance == ("fid" if stem == "inception" else f"fd-{extractor.name}")
    assert extractor.description() == {
        "extractor": extractor.name,
        "distance": extractor.distance,
        "weights": extractor.weights_hash,
        "resize_rule": extractor.resize_rule,
    }
    assert extractor.resize_rule in RULES and len(extractor.weights_hash) == 64
    vectors, logits = extractor(pictures(2, 8))
    assert vectors.shape == (2, extractor.feature_size) and vectors.dtype == torch.float32
    assert (logits is not None) == extractor.has_logits
    assert not vectors.requires_grad and (vectors[0] - vectors[1]).abs().max() > 1e-3
    assert not extractor.classes or (logits is not None and logits.shape[1] == len(extractor.classes))
    vectors.add_(1)  # an ordinary tensor, to be used like any other


@pytest.mark.parametrize("stem", NAMES)
def test_features_do_not_depend_on_the_batch(
    stem: str, built: Callable[[str], Extractor], pictures: Pictures
) -> None:
    extractor, images = built(stem), pictures(network.AT_ONCE + 1, 16)
    whole = extractor(images)
    part = slice(1, network.AT_ONCE + 1)
    alone = extractor(images[part])
    assert (alone.vectors - whole.vectors[part]).norm() <= 1e-6 * alone.vectors.norm()
    if alone.logits is not None and whole.logits is not None:
        assert (alone.logits - whole.logits[part]).norm() <= 1e-6 * alone.logits.norm()


@pytest.mark.parametrize("stem", NAMES)
def test_grey_and_alpha(stem: str, built: Callable[[str], Extractor], pictures: Pictures) -> None:
    """Grey is three equal channels; what is transparent is white."""
    grey = pictures(1, 16, 1)
    colour, glass = pictures(1, 16, 4).split([3, 1], dim=1)
    opaque, half = torch.full_like(glass, 255), torch.full_like(glass, 102)
    white, mixed = torch.full_like(colour, 255), (0.4 * colour + 0.6 * 255 + 0.5).byte()
    see = built(stem)
    seen = see(torch.cat([grey.expand(-1, 3, -1, -1), colour, white, mixed])).vectors
    assert torch.equal(see(grey).vectors, seen[:1])
    layered = [torch.cat([colour, alpha], dim=1) for alpha in (opaque, torch.zeros_like(glass), half)]
    assert torch.equal(see(torch.cat(layered)).vectors, seen[1:])


@pytest.mark.parametrize("stem", NAMES)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_unrounded_images_are_the_same_images(
    stem: str, channels: int, built: Callable[[str], Extractor], pictures: Pictures
) -> None:
    extractor, images = built(stem), pictures(1, 16, channels)
    if channels == 4:
        images[:, 3] = 255
    rounded = extractor(images).vectors
    darker = images.float() * 0.999  # a quarter of a level of grey, at most
    same, moved = extractor(torch.cat([images.float(), darker])).vectors.split(1)
    assert torch.equal(same, rounded)
    assert 0 < (moved - rounded).norm() < 0.1 * rounded.norm()


@pytest.mark.parametrize("stem", NAMES)
@pytest.mark.parametrize(
    ("images", "says"),
    [
        (torch.zeros(1, 3, 8, 8, dtype=torch.float64), "float64"),
        (torch.zeros(1, 2, 8, 8, dtype=torch.uint8), "1×2×8×8"),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), "3×8×8"),
        (torch.zeros(1, 3, 9, 7, dtype=torch.uint8), "9×7"),
    ],
)
def test_other_tensors_are_refused(
    stem: str, images: Tensor, says: str, built: Callable[[str], Extractor]
) -> None:
    with pytest.raises(ValueError, match=says):
        built(stem)(images)


@pytest.mark.parametrize("stem", NAMES)
def test_unknown_resize_rule(stem: str) -> None:
    with pytest.raises(ValueError, match="'nearest'; there are: tf1, pytorch-fid, clean"):
        kind(stem)(resize_rule="nearest")


@pytest.mark.parametrize("stem", NAMES)
def test_a_training_in_half_precision_changes_nothing(
    stem: str, built: Callable[[str], Extractor], pictures: Pictures
) -> None:
    extractor, images = built(stem), pictures(1, 8)
    plain = extractor(images).vectors
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(extractor(images).vectors, plain)
