"""Folder: real files of every kind come out as what they show, in one order, or with a clear error."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from experiments.data.core import image_files
from experiments.data.core.dataset import DataSet, Fit, InMemoryData
from experiments.data.folder import Folder, FolderStore


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANS_CACHE", str(tmp_path_factory.mktemp("cache")))


RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def flat(mode: str, colour: object, size: tuple[int, int] = (8, 8)) -> Image.Image:
    return Image.new(mode, size, colour)  # type: ignore[arg-type]


def save(image: Image.Image, file: Path, **options: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file, **options)  # type: ignore[arg-type]
    return file


def opened(
    root: Path, channels: int | None = 3, size: tuple[int, int] = (8, 8), fit: Fit = "crop"
) -> DataSet:
    return Folder(str(root)).open(size, channels, fit)


def fetched(data: DataSet) -> Tensor:
    return data.fetch(torch.arange(len(data)))


def middle(root: Path, channels: int) -> list[int]:
    """The middle pixel of the only image."""
    samples = fetched(opened(root, channels))
    assert samples.shape == (1, channels, 8, 8)
    assert samples.dtype == torch.uint8
    return samples[0, :, 4, 4].tolist()


def half_clear() -> Image.Image:
    """Red with alpha 51: a fifth red, the rest what lies below."""
    return flat("RGBA", (*RED, 51))


def clear_palette() -> Image.Image:
    image = flat("P", 7)
    image.putpalette([0] * 21 + [*GREEN])
    image.info["transparency"] = 7
    return image


def deep_grey() -> Image.Image:
    return Image.fromarray(np.full((8, 8), 0x8123, np.uint16))


MODES = {
    "bilevel": (flat("1", 1), "png", [255], [*WHITE], [*WHITE, 255], 1),
    "grey": (flat("L", 90), "png", [90], [90] * 3, [90, 90, 90, 255], 1),
    "grey alpha": (flat("LA", (0, 51)), "png", [204], [204] * 3, [0, 0, 0, 51], 4),
    "16 bits png": (deep_grey(), "png", [0x81], [0x81] * 3, [0x81, 0x81, 0x81, 255], 1),
    "16 bits tiff": (deep_grey(), "tiff", [0x81], [0x81] * 3, [0x81, 0x81, 0x81, 255], 1),
    "rgb": (flat("RGB", GREEN), "bmp", [150], [*GREEN], [*GREEN, 255], 3),
    "palette": (flat("RGB", GREEN).convert("P"), "gif", [150], [*GREEN], [*GREEN, 255], 3),
    "clear palette": (clear_palette(), "png", [255], [*WHITE], [*GREEN, 0], 4),
    "rgba": (half_clear(), "png", [219], [255, 204, 204], [*RED, 51], 4),
    "rgba webp": (half_clear(), "webp", [219], [255, 204, 204], [*RED, 51], 4),
    "cmyk": (flat("CMYK", (255, 0, 255, 0)), "tif", [150], [*GREEN], [*GREEN, 255], 3),
}


@pytest.mark.parametrize("kind", MODES)
def test_every_mode_is_converted(tmp_path: Path, kind: str) -> None:
    image, ending, grey, rgb, rgba, channels = MODES[kind]
    save(image, tmp_path / f"image.{ending}", **({"lossless": True} if ending == "webp" else {}))
    assert middle(tmp_path, 1) == grey
    assert middle(tmp_path, 3) == rgb
    assert middle(tmp_path, 4) == rgba
    native = Folder(str(tmp_path)).native()
    assert (native.size, native.channels) == (None, channels)
    assert opened(tmp_path, None).sample_shape[0] == channels


def test_cmyk_jpeg_keeps_its_colour(tmp_path: Path) -> None:
    save(flat("CMYK", (0, 255, 255, 0)), tmp_path / "red.JPG", quality=100)
    assert np.abs(np.array(middle(tmp_path, 3)) - RED).max() < 4


def test_sixteen_bits_are_scaled_over_the_whole_range(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    save(Image.fromarray(ramp), tmp_path / "ramp.png")
    assert fetched(opened(tmp_path, 1))[0, 0].flatten().tolist() == (ramp >> 8).flatten().tolist()


def test_images_of_several_kinds_make_one_set(tmp_path: Path) -> None:
    for number, (image, ending, *_) in enumerate(MODES.values()):
        save(image, tmp_path / f"{number:02}.{ending}")
    samples = fetched(opened(tmp_path, 3))
    for number, (_, _, _, rgb, _, _) in enumerate(MODES.values()):
        assert (samples[number, :, 4, 4].int() - torch.tensor(rgb)).abs().max() <= 2, number  # lossy webp


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    """Each file is stored turned so that, shown as its EXIF says, red is at the upper left corner."""
    upright = np.zeros((16, 8, 3), np.uint8)
    upright[:8, :4] = RED
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's Transpose that undoes the orientation
    image = Image.fromarray(upright)
    if orientation > 1:
        image = image.transpose(Image.Transpose(turns[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(image, tmp_path / "image.png", exif=exif)
    data = opened(tmp_path, 3, (16, 8), "error")  # the size, too, is that of the upright image
    assert np.array_equal(fetched(data)[0].permute(1, 2, 0).numpy(), upright)


def striped() -> Image.Image:
    """32 high, 64 wide: a blue quarter, a red and a green one, a blue one."""
    pixels = np.zeros((32, 64, 3), np.uint8)
    for left, colour in zip(range(0, 64, 16), (BLUE, RED, GREEN, BLUE), strict=True):
        pixels[:, left : left + 16] = colour
    return Image.fromarray(pixels)


def test_crop_takes_the_middle_and_stretch_takes_all(tmp_path: Path) -> None:
    save(striped(), tmp_path / "wide.png")
    save(striped().transpose(Image.Transpose.ROTATE_270), tmp_path / "tall.png")
    tall, wide = fetched(opened(tmp_path, 3, (16, 16), "crop")).argmax(1)  # 0 red, 1 green, 2 blue
    for row in (wide[8], tall[:, 8]):
        assert row.tolist() == [0] * 8 + [1] * 8
    tall, wide = fetched(opened(tmp_path, 3, (16, 16), "stretch")).argmax(1)
    for row in (wide[8], tall[:, 8]):
        assert row.tolist() == [2] * 4 + [0] * 4 + [1] * 4 + [2] * 4


def test_crop_keeps_circles_round(tmp_path: Path) -> None:
    y, x = np.mgrid[:90, :120] + 0.5
    save(Image.fromarray((255 * (np.hypot(y - 45, x - 60) < 30)).astype(np.uint8)), tmp_path / "disc.png")
    disc = fetched(opened(tmp_path, 1, (40, 64)))[0, 0].double() / 255  # 120 wide become 64 wide
    radius = 30 * 64 / 120
    assert disc.sum().item() == pytest.approx(np.pi * radius**2, rel=0.02)
    for axis in (0, 1):
        assert disc.sum(axis).max().item() == pytest.approx(2 * radius, abs=0.7)


def test_shrinking_averages(tmp_path: Path) -> None:
    """A fine checkerboard becomes even grey; without antialiasing it would be black, white or stripes."""
    board = (np.indices((128, 128)).sum(0) % 2 * 255).astype(np.uint8)
    save(Image.fromarray(board), tmp_path / "board.png")
    small = fetched(opened(tmp_path, 1))[0, 0].int()
    assert (small - 127).abs().max() <= 2


def test_resizing_does_not_bleed_colour_from_clear_pixels(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[..., 2] = 255  # blue, wherever it is clear
    pixels[:, 11:] = (*RED, 255)
    save(Image.fromarray(pixels), tmp_path / "edge.png")
    samples = fetched(opened(tmp_path, 4))[0]
    assert samples[2][samples[3] > 10].max() < 20


def test_order_is_by_bytes_of_the_path_whatever_was_written_first(tmp_path: Path) -> None:
    names = ["b.png", "a/z.png", "a-b.png", "B.PNG", "ä.png", "a/c/1.png", "a10.png", "a9.png"]
    for level, name in enumerate(names):
        save(flat("L", level), tmp_path / name)
    expected = ["B.PNG", "a-b.png", "a/c/1.png", "a/z.png", "a10.png", "a9.png", "b.png", "ä.png"]
    assert fetched(opened(tmp_path, 1))[:, 0, 0, 0].tolist() == [names.index(name) for name in expected]


def test_hidden_and_other_files_are_skipped(tmp_path: Path) -> None:
    save(flat("L", 1), tmp_path / "seen.JPeG")
    save(flat("L", 2), tmp_path / ".hidden.png")
    save(flat("L", 3), tmp_path / ".thumbnails" / "small.png")
    (tmp_path / "notes.txt").write_text("not an image")
    assert len(opened(tmp_path)) == 1


def test_linked_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    save(flat("L", 1), tmp_path / "elsewhere" / "one.png")
    save(flat("L", 2), tmp_path / "set" / "two.png")
    (tmp_path / "set" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "back").symlink_to(tmp_path / "set")
    (tmp_path / "elsewhere" / "around").symlink_to(tmp_path / "set")
    assert len(opened(tmp_path / "set")) == 2


def test_first_level_folders_are_classes(tmp_path: Path) -> None:
    for name in ("dogs/1.png", "cats/2.png", "cats/kittens/3.png", "dogs/4.png"):
        save(flat("L", int(Path(name).stem)), tmp_path / name)
    data = opened(tmp_path, 1)
    assert data.labels is not None
    assert data.classes == ("cats", "dogs")
    named = {
        int(pixel): data.classes[label]
        for pixel, label in zip(fetched(data)[:, 0, 0, 0], data.labels, strict=True)
    }
    assert named == {1: "dogs", 2: "cats", 3: "cats", 4: "dogs"}
    assert opened(tmp_path / "cats", 1).labels is None


def test_one_folder_is_no_class(tmp_path: Path) -> None:
    save(flat("L", 1), tmp_path / "only" / "1.png")
    data = opened(tmp_path, 1)
    assert data.labels is None
    assert data.classes == ()


def test_too_large_to_hold_is_decoded_on_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for level in range(12):
        save(flat("L", level), tmp_path / f"{level % 2}" / f"{level:02}.png")
    held = opened(tmp_path, 3)
    monkeypatch.setattr(image_files, "HELD_BYTES", 12 * 3 * 64 - 1)
    decoded = opened(tmp_path, 3)
    assert isinstance(held, InMemoryData)
    assert not isinstance(decoded, InMemoryData)
    indices = torch.tensor([7, 0, 7, 11])
    assert torch.equal(decoded.fetch(indices), held.fetch(indices))
    assert len(decoded) == 12
    assert decoded.labels is not None
    assert held.labels is not None
    assert torch.equal(decoded.labels, held.labels)


@pytest.mark.parametrize(
    ("ending", "options"), [("png", {}), ("jpg", {}), ("webp", {"lossless": True}), ("tiff", {})]
)
def test_damaged_file_is_named(tmp_path: Path, ending: str, options: dict[str, bool]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    save(flat("RGB", RED), tmp_path / "fine.png")
    broken = save(Image.fromarray(noise), tmp_path / f"nested/broken.{ending}", **options)
    broken.write_bytes(broken.read_bytes()[:2000])
    with pytest.raises(ValueError, match=f"{broken} (cannot be read|is not an image)") as error:
        opened(tmp_path)
    assert "\n" not in str(error.value)


def test_what_is_not_an_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "page.png").write_text("<html>")
    for ask in (Folder(str(tmp_path)).native, lambda: opened(tmp_path)):
        with pytest.raises(ValueError, match=r"page\.png is not an image, or is damaged"):
            ask()


def test_floating_point_pixels_among_others_are_refused(tmp_path: Path) -> None:
    save(flat("L", 7), tmp_path / "a.png")
    save(flat("F", 0.5), tmp_path / "deep.tiff")
    with pytest.raises(ValueError, match=r"deep\.tiff cannot be read: its pixels are floating-point"):
        opened(tmp_path)


def test_fit_error_names_the_first_file_of_another_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(flat("L", 0), tmp_path / "a.png")
    assert len(opened(tmp_path, 1, fit="error")) == 1
    save(flat("L", 0, (9, 8)), tmp_path / "b.png")
    save(flat("L", 0, (7, 8)), tmp_path / "c.png")
    for limit in (
        image_files.HELD_BYTES,
        0,
    ):  # also when files are decoded on fetch: not in the midst of a run
        monkeypatch.setattr(image_files, "HELD_BYTES", limit)
        with pytest.raises(ValueError, match=r"b\.png is 8×9 \(height × width\), not 8×8: choose --fit"):
            opened(tmp_path, 1, fit="error")


def test_wrong_paths_are_explained(tmp_path: Path) -> None:
    file = save(flat("L", 0), tmp_path / "some" / "file.png")
    (tmp_path / "empty").mkdir()
    for argument, words in (
        ("", "needs a path: write --data folder:PATH"),
        (str(tmp_path / "nowhere"), "nowhere does not exist"),
        ("x" * 5000, r"x cannot be read \(File name too long\)"),
        ("~nobody-of-this-name/set", "home folder"),
        (str(file), r"file\.png is a file, not a folder"),
        (str(tmp_path / "empty"), r"no images below .*empty \(looked for \.png .*\.jpg"),
    ):
        with pytest.raises(ValueError, match=words):
            Folder(argument).native()
        with pytest.raises(ValueError, match=words):
            Folder(argument).open((8, 8), 3, "crop")


def test_the_stamp_of_a_file_follows_its_content(tmp_path: Path) -> None:
    save(flat("L", 0), tmp_path / "file.png")
    store = FolderStore(tmp_path)
    stamps = {store.stamp("file.png"), store.stamp("gone.png")}
    save(flat("L", 0, (64, 64)), tmp_path / "file.png")
    assert len({*stamps, store.stamp("file.png")}) == 3


def test_home_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    save(flat("L", 0), tmp_path / "set" / "file.png")
    assert Folder("~/set").native().channels == 1


def test_wrong_size_and_channels_are_refused(tmp_path: Path) -> None:
    save(flat("L", 0), tmp_path / "file.png")
    with pytest.raises(ValueError, match="--image-size"):
        Folder(str(tmp_path)).open(None, 3, "crop")
    with pytest.raises(ValueError, match="1, 3 or 4"):
        Folder(str(tmp_path)).open((8, 8), 2, "crop")
