"""Drawn domains: pairs that are aligned, styles that are not, and scenes that no training sees."""

import colorsys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from experiments.data.core.dataset import Domains
from experiments.data.core.drawn import DrawnDomains, DrawnShapes
from experiments.data.core.shapes import BACKGROUND, CLASSES
from experiments.data.shapes import Shapes
from experiments.data.shapes_paired import ShapesPaired, draw_filled, draw_outline
from experiments.data.shapes_styles import PAPER, ShapesStyles, draw_light, draw_print

pytestmark = pytest.mark.usefixtures("all_shapes")

EACH = pytest.mark.parametrize("source", [ShapesPaired, ShapesStyles])
DRAWINGS = pytest.mark.parametrize("draw", [draw_outline, draw_filled, draw_light, draw_print])
Draw = Callable[[Tensor, tuple[int, int], int], Tensor]
INDICES = torch.arange(300)


def opened(source: type[DrawnDomains], paired: bool = False, held_out: bool = False) -> Domains:
    return source().open_domains((32, 32), 3, "auto", paired, held_out)


def scenes_of(domains: Domains) -> tuple[range, range]:
    assert isinstance(domains.a, DrawnShapes)
    assert isinstance(domains.b, DrawnShapes)
    return domains.a.scenes, domains.b.scenes


def ground(colour: tuple[float, ...]) -> Tensor:
    return torch.tensor(colour).mul(255).round()[:, None, None]


@DRAWINGS
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_is_a_function_of_its_scene_alone(draw: Draw, channels: int) -> None:
    scenes = torch.randperm(150_000, generator=torch.Generator().manual_seed(0))[:200]
    together = draw(scenes, (32, 48), channels)
    assert together.shape == (200, channels, 32, 48)
    assert together.dtype == torch.uint8
    torch.manual_seed(123)
    pieces = [draw(part, (32, 48), channels) for part in scenes.tensor_split([1, 8, 101])]
    assert torch.equal(together, torch.cat(pieces))
    assert torch.equal(together, draw(scenes.flip(0), (32, 48), channels).flip(0))
    assert len({picture.numpy().tobytes() for picture in together}) == 200


@DRAWINGS
def test_a_picture_is_the_same_at_every_size(draw: Draw) -> None:
    small = draw(INDICES[:48], (32, 32), 3).float()
    large = avg_pool2d(draw(INDICES[:48], (256, 256), 3).float(), 8)
    assert (small - large).abs().mean() < 1.5


@DRAWINGS
def test_grey_is_the_luma_of_rgb(draw: Draw) -> None:
    rgb, grey = draw(INDICES, (32, 32), 3).float(), draw(INDICES, (32, 32), 1).float()
    luma = (rgb * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    assert (luma - grey).abs().max() < 1.51
    assert (grey.amax((1, 2, 3)) - grey.amin((1, 2, 3))).min() > 35


@EACH
def test_sources_open_both_domains_with_their_classes(source: type[DrawnDomains]) -> None:
    domains = opened(source)
    assert domains.names == source.domain_names
    for data in (domains.a, domains.b):
        assert data.sample_shape == (3, 32, 32)
        assert data.classes == CLASSES
        assert len(data) == 50_000
        assert data.labels is not None
        assert isinstance(data, DrawnShapes)
        assert torch.equal(data.factors(INDICES).label, data.labels[:300])
    assert source().native_domains(False) == source().native() == Shapes().native()


@EACH
def test_as_a_plain_source_it_gives_the_second_domain(source: type[DrawnDomains]) -> None:
    data = source().open((32, 32), None, "auto")
    domains = opened(source, paired=source.has_pairs)
    assert torch.equal(data.fetch(INDICES), domains.b.fetch(INDICES))
    assert source().class_names() == CLASSES


@EACH
def test_held_out_scenes_are_in_no_training(source: type[DrawnDomains]) -> None:
    """And the same in both domains, so that a translation can be compared with the true one."""
    domains = opened(source, held_out=True)
    held_out, same = scenes_of(domains)
    assert held_out == same
    assert len(domains.a) == len(domains.b) == 5_000
    for paired in {False, source.has_pairs}:
        for trained in scenes_of(opened(source, paired)):
            assert not set(held_out) & set(trained)
    assert opened(source, paired=True, held_out=True).paired
    scenes = torch.tensor(list(held_out[:40]))
    for data, draw in zip((domains.a, domains.b), source().drawings(), strict=True):
        assert torch.equal(data.fetch(torch.arange(40)), draw(scenes, (32, 32), 3))


@EACH
def test_without_pairs_no_scene_is_in_both(source: type[DrawnDomains]) -> None:
    domains = opened(source)
    first, second = scenes_of(domains)
    assert not set(first) & set(second)
    assert not domains.paired
    a, b = domains.a, domains.b
    assert isinstance(a, DrawnShapes)
    assert isinstance(b, DrawnShapes)
    every = torch.arange(50_000)
    hues = torch.stack([a.factors(every).hue, b.factors(every).hue])
    assert hues.corrcoef()[0, 1].abs() < 0.02


def test_pairs_show_one_scene() -> None:
    """The outline covers the edge of the filled shape, inside, in its colour; the rest is ground."""
    domains = opened(ShapesPaired, paired=True)
    assert domains.paired
    line, filled = domains.a.fetch(INDICES).float(), domains.b.fetch(INDICES).float()
    assert torch.equal(domains.b.fetch(INDICES), Shapes().open((32, 32), 3, "crop").fetch(INDICES))
    dark = ground(BACKGROUND)
    drawn, covered = (line - dark).abs().amax(1) > 2, (filled - dark).abs().amax(1) > 2
    assert not (drawn & ~covered).any(), "the line lies inside of the shape"
    share = (line - dark).abs().sum((1, 2, 3)) / (filled - dark).abs().sum((1, 2, 3))
    assert 0.2 < share.min() < share.max() < 0.95
    for one, other in zip(line, filled, strict=True):
        edge = _most_vivid(one)
        assert _hue_distance(edge, _most_vivid(other)) < 0.02, "the hue can be told from the line"


def test_styles_differ_strongly_and_everywhere() -> None:
    """Of one scene hardly a pixel is alike: neither the ground, nor the edge, nor the filling."""
    light, printed = (draw(INDICES, (32, 32), 3).float() for draw in (draw_light, draw_print))
    difference = (light - printed).abs().amax(1)
    assert (difference > 40).float().mean() > 0.85
    covered = (light - ground(BACKGROUND)).abs().amax(1) > 2
    assert (difference[~covered] > 40).float().mean() > 0.95
    assert (difference[covered] > 40).float().mean() > 0.5
    assert ((printed - ground(PAPER)).abs().amax(1) < 2)[:, 0, 0].all()


def test_prints_are_hatched_in_the_hue_of_the_light() -> None:
    light, printed = (draw(INDICES[:60], (64, 64), 3).float() for draw in (draw_light, draw_print))
    for one, other in zip(light, printed, strict=True):
        assert _hue_distance(_most_vivid(one), _most_vivid(other)) < 0.05
    discs = [index for index, label in enumerate(_labels(INDICES)) if label == 0]
    middle = draw_print(torch.tensor(discs), (256, 256), 3).float()[:, :, 96:160, 128]
    levels = middle.amin(1)
    assert ((levels.amax(1) - levels.amin(1)) > 60).all(), "strokes and gaps alternate"


def test_shapes_stay_whole_inside_the_frame() -> None:
    printed = draw_print(torch.arange(3000), (32, 32), 3).float()
    rim = torch.cat([printed[:, :, [0, -1]].flatten(2), printed[:, :, :, [0, -1]].flatten(2)], dim=2)
    touched = (rim - ground(PAPER)[:, :, 0]).abs().amax((1, 2)) > 2
    assert touched.float().mean() < 0.04
    assert (rim - ground(PAPER)[:, :, 0]).abs().max() < 150, "and then only just"


def test_the_class_can_be_told_in_both_styles() -> None:
    """By the nearest mean picture of another half, in either style: far above the chance of one in six."""
    own, other = torch.arange(6000), torch.arange(6000, 7000)
    for draw in (draw_light, draw_print):
        known, asked = (_features(draw(scenes, (32, 32), 1)) for scenes in (own, other))
        means = torch.stack([known[_labels(own) == label].mean(0) for label in range(6)])
        found = torch.cdist(asked, means).argmin(1)
        assert (found == _labels(other)).float().mean() > 0.85


@EACH
def test_errors_name_the_remedy(source: type[DrawnDomains]) -> None:
    with pytest.raises(ValueError, match="--image-size"):
        source().open(None, 3, "crop")
    with pytest.raises(ValueError, match=f"'{source.name}' takes no argument, but got 'big'"):
        source("big").native()
    with pytest.raises(ValueError, match="1 or 3 channels, not 4"):
        source().open((32, 32), 4, "crop")


def test_styles_have_no_pairs() -> None:
    with pytest.raises(ValueError, match="'shapes-styles' has no pairs: take --data shapes-paired"):
        opened(ShapesStyles, paired=True)


def _labels(scenes: Tensor) -> Tensor:
    return DrawnShapes(draw_light, range(10_000), (8, 8), 1).factors(scenes).label


def _features(pictures: Tensor) -> Tensor:
    """Mass at each distance from the middle of the shape, which no place, size or rotation moves much."""
    mass = (pictures.float() - pictures[:, :, :1, :1].float()).abs().squeeze(1)
    mass = mass / mass.sum((1, 2), keepdim=True)
    axis = torch.arange(32.0)
    x, y = (mass.sum(1) * axis).sum(1), (mass.sum(2) * axis).sum(1)
    radius = torch.hypot(axis - x[:, None, None], axis[:, None] - y[:, None, None])
    spread = (mass * radius**2).sum((1, 2)).sqrt()[:, None, None]
    bins = (radius / spread * 6).long().clamp(max=15)
    return torch.zeros(len(mass), 16).scatter_add_(1, bins.flatten(1), mass.flatten(1))


def _most_vivid(picture: Tensor) -> float:
    """The hue of the pixel whose channels differ most."""
    span = picture.amax(0) - picture.amin(0)
    pixel = picture.flatten(1)[:, span.flatten().argmax()] / 255
    return colorsys.rgb_to_hsv(*pixel.tolist())[0]


def _hue_distance(one: float, other: float) -> float:
    return min(abs(one - other), 1 - abs(one - other))
