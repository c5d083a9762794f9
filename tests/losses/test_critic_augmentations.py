"""Critic augmentations give the published pipelines' images and gradients, and differentiate twice."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from experiments.core import registry
from losses.core.critic_augmentation import CriticAugmentation
from losses.critic_augmentations.ada import Ada, AdaOptions
from losses.critic_augmentations.core import resampling
from losses.critic_augmentations.core.ada_geometry import GEOMETRY, inverse_transforms
from losses.critic_augmentations.core.affine import rotation, translation
from losses.critic_augmentations.core.bands import band_filters
from losses.critic_augmentations.core.resampling import resample, spread_in_order
from losses.critic_augmentations.diffaugment import DiffAugment, DiffAugmentOptions
from tests.losses.augment_numbers import FILES, case_of

NAMES = registry.names("critic-augmentation")
ALL = Ada(AdaOptions(transforms=("bgc", "imgfilter", "noise", "cutout")))


@pytest.mark.parametrize("dense", [True, False], ids=["dense", "convolved"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", FILES)
def test_the_published_images_and_gradients(
    name: str, dtype: torch.dtype, dense: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resampling, "LARGEST_DENSE", 256 if dense else 0)
    case = case_of(name, dtype)
    images = case.images.requires_grad_()
    made = case.pipe.apply(images, case.draws, case.probability)
    count = len(case.weights)
    (gradient,) = torch.autograd.grad((made[:count] * case.weights).sum(), images)
    of_images, of_gradients = (1e-6, 1e-6) if dtype == torch.float64 else (1e-4, 3e-4)
    assert (made.detach() - case.expected).abs().max() < of_images
    assert (gradient[:count] - case.gradient).abs().max() < of_gradients
    assert not gradient[count:].any()


@pytest.mark.parametrize("name", [name for name in FILES if "bgc" in name or "cap" in name])
def test_the_published_matrices(name: str) -> None:
    case = case_of(name, torch.float64)
    assert isinstance(case.pipe, Ada) and case.inverse is not None
    size = case.images.shape[2:]
    found = inverse_transforms(case.pipe.transforms, case.draws, case.probability, *size)
    torch.testing.assert_close(found, case.inverse, rtol=0, atol=1e-12)


@pytest.mark.parametrize("pipe", [ALL, DiffAugment()], ids=["ada", "diffaugment"])
def test_second_derivatives(pipe: CriticAugmentation) -> None:
    """In three pixels of an image, in the corner that everything reaches."""
    torch.manual_seed(3)
    images = torch.rand(1, 3, 22, 23, dtype=torch.float64)
    draws = pipe.draw(images)

    def change(part: Tensor) -> Tensor:
        row = torch.cat([part, images[:, :, :1, 3:]], dim=3)
        return pipe.apply(torch.cat([row, images[:, :, 1:]], dim=2), draws, 0.9).square().sum(dim=(1, 2, 3))

    part = images[:, :, :1, :3].clone().requires_grad_()
    assert torch.autograd.gradcheck(change, part) and torch.autograd.gradgradcheck(change, part)


def test_sampling_in_order_is_the_adjoint_that_pytorch_has() -> None:
    """On a GPU the one is deterministic, and PyTorch's is not."""
    torch.manual_seed(0)
    images = torch.rand(2, 3, 5, 7, dtype=torch.float64, requires_grad=True)
    grid = torch.rand(2, 6, 4, 2, dtype=torch.float64) * 2.6 - 1.3
    weights = torch.rand(2, 3, 6, 4, dtype=torch.float64)
    made = (grid_sample(images, grid, align_corners=False) * weights).sum()
    (expected,) = torch.autograd.grad(made, images)
    torch.testing.assert_close(spread_in_order(weights, grid, images.shape), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("name", NAMES)
def test_any_channels_and_layout(name: str, channels: int) -> None:
    pipe = ALL if name == "ada" else registry.load("critic-augmentation", name)()
    images = torch.rand(3, channels, 24, 22)
    torch.manual_seed(1)
    draws = pipe.draw(images)
    made = pipe.apply(images, draws, 1.0)
    other = pipe.apply(images.to(memory_format=torch.channels_last), draws, 1.0)
    torch.testing.assert_close(other, made, rtol=0, atol=1e-5)
    assert other.is_contiguous(memory_format=torch.channels_last)
    assert made.shape == images.shape and not torch.equal(made, images)


def test_opacity_is_no_colour() -> None:
    pipe = Ada(AdaOptions(transforms=("brightness", "contrast", "lumaflip", "hue", "saturation")))
    images = torch.rand(4, 4, 6, 6)
    draws = pipe.draw(images)
    made = pipe.apply(images, draws, 1.0)
    torch.testing.assert_close(made[:, :3], pipe.apply(images[:, :3], draws, 1.0))
    assert torch.equal(made[:, 3], images[:, 3])


def test_each_transform_is_made_with_the_probability() -> None:
    """Shares of images with an odd value, of 4000, at p = 0.3; both rotations together count once."""
    torch.manual_seed(0)
    images, p = torch.zeros(4000, 1, 4, 4), 0.3
    for name in GEOMETRY:
        pipe = Ada(AdaOptions(transforms=(name,)))
        inverse = inverse_transforms(pipe.transforms, pipe.draw(images), p, 4, 4)
        moved = (inverse - torch.eye(3, dtype=torch.float64)).abs().amax(dim=(1, 2)) > 1e-9
        # A half of the flips, a quarter of the turns and the shifts below half a pixel change nothing.
        changing = {"xflip": 0.5, "rotate90": 0.75, "xint": 0.0}.get(name, 1.0)
        assert moved.double().mean().item() == pytest.approx(p * changing, abs=0.025), name


def test_gates_stay_shut_at_zero() -> None:
    images = torch.rand(2, 3, 24, 24, dtype=torch.float64)
    made = ALL.apply(images, ALL.draw(images), 0.0)
    torch.testing.assert_close(made, images, rtol=0, atol=1e-8)


def test_colours_have_a_share_of_the_probability() -> None:
    images = torch.rand(64, 3, 4, 4)
    pipe = Ada(AdaOptions(transforms=("brightness", "cutout"), colour_share=0.0))
    made = pipe.apply(images, pipe.draw(images), 1.0)
    assert ((made == images) | (made == 0)).all() and (made == 0).any()


def test_there_are_no_black_corners() -> None:
    """An image of one colour stays one under any rotation and shift of less than its size."""
    images = torch.full((8, 1, 16, 16), 0.5, dtype=torch.float64)
    turns = rotation(torch.arange(8, dtype=torch.float64)) @ translation(5.0, -4.0)
    torch.testing.assert_close(resample(images, turns), images, rtol=0, atol=1e-6)


def test_band_filters_sum_to_a_unit_impulse() -> None:
    impulse = torch.zeros(43, dtype=torch.float64)
    impulse[21] = 1.0
    torch.testing.assert_close(band_filters().sum(dim=0), impulse, rtol=0, atol=1e-11)


def test_diffaugment_draws_what_its_code_draws() -> None:
    """Shifts from −n to n, holes centred from 0 to the size or one less, both ends included."""
    torch.manual_seed(0)
    draws = DiffAugment(DiffAugmentOptions(("translation", "cutout"))).draw(torch.zeros(4000, 1, 15, 24))
    found = {name: (int(value.min()), int(value.max())) for name, value in draws.items()}
    assert found == {
        "translation_rows": (-2, 2),
        "translation_columns": (-3, 3),
        "cutout_row": (0, 15),
        "cutout_column": (0, 24),
    }
    narrow = DiffAugment(DiffAugmentOptions(("cutout",))).draw(torch.zeros(4000, 1, 13, 17))
    assert int(narrow["cutout_row"].max()) == 12 and int(narrow["cutout_column"].max()) == 16


def test_small_images_have_no_bands() -> None:
    with pytest.raises(ValueError, match="imgfilter reflects 21 pixels, and the critic sees images of 16"):
        ALL.check(3, 16)
    with pytest.raises(ValueError, match="hue changes nothing in images of 1 channels"):
        Ada(AdaOptions(transforms=("hue",))).check(1, 32)
    ALL.check(1, 22)


def test_opacity_is_no_colour_of_diffaugment() -> None:
    images = torch.rand(3, 4, 8, 8) * 2 - 1
    pipe = DiffAugment(DiffAugmentOptions(policy=("color",)))
    draws = pipe.draw(images)
    changed = pipe.apply(images, draws, 1.0)
    assert torch.equal(changed[:, 3], images[:, 3])
    assert torch.equal(changed[:, :3], pipe.apply(images[:, :3], draws, 1.0))


@pytest.mark.parametrize(
    ("transforms", "channels", "is_idle"),
    [
        (("hue",), 3, False),
        (("hue",), 4, False),
        (("hue",), 1, True),
        (("hue", "saturation"), 1, True),
        (("hue",), 5, True),
        (("saturation",), 5, False),
        (("hue", "xflip"), 1, False),
    ],
)
def test_transforms_that_change_nothing_are_refused(
    transforms: tuple[str, ...], channels: int, is_idle: bool
) -> None:
    pipe = Ada(AdaOptions(transforms=transforms))
    if not is_idle:
        pipe.check(channels, 32)
        return
    with pytest.raises(ValueError, match=r"changes nothing .* take --set ada\.transforms=bgc"):
        pipe.check(channels, 32)
