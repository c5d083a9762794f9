"""Sizes, colour modes, orientation and bit depth of image files: what a set may mix, and what is refused."""

import math
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

from experiments.data.core import image_files
from experiments.data.core.dataset import Fit
from experiments.data.core.decoding import IMAGE_ENDINGS, read_header
from experiments.data.folder import Folder, FolderStore
from tests.experiments.data.helpers import BOTH, fetched, make, noise, opened

pytestmark = pytest.mark.usefixtures("image_cache")


@BOTH
def test_mixed_sizes_are_refused_unless_a_fit_is_given(
    tmp_path: Path, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    for name, height, width in (("a", 32, 48), ("b", 32, 48), ("c", 20, 20), ("d", 9, 9)):
        noise(0, height, width).save(tmp_path / f"{name}.png")
    with pytest.raises(
        ValueError, match=r"a\.png is 32×48, .*c\.png is 20×20: .*--fit crop or stretch .*8×8"
    ):
        opened(tmp_path)
    assert fetched(opened(tmp_path, "crop")).shape == (4, 3, 8, 8)
    assert fetched(opened(tmp_path, "stretch")).shape == (4, 3, 8, 8)
    for name in "cd":
        (tmp_path / f"{name}.png").unlink()
    assert torch.equal(fetched(opened(tmp_path)), fetched(opened(tmp_path, "crop")))


@BOTH
def test_images_of_any_two_kinds_are_taken_together(
    tmp_path: Path, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    own = {"L": 1, "RGB": 3, "RGBA": 4}
    for first in own:
        for second in own:
            noise(0).convert(first).save(tmp_path / "a.png")
            noise(1).convert(second).save(tmp_path / "b.png")
            fits: tuple[Fit, ...] = ("auto", "crop", "stretch", "error")
            for fit in fits:
                data = opened(tmp_path, fit)
                assert fetched(data).shape == (2, own[first] if first == second else 3, 8, 8)
                assert any("mixes" in remark for remark in data.remarks) == (first != second)
                assert opened(tmp_path, fit, channels=4).sample_shape == (4, 8, 8)


def test_grey_of_any_depth_is_grey_and_a_palette_is_colour(tmp_path: Path) -> None:
    noise(0).convert("L").save(tmp_path / "a.png")
    Image.fromarray(np.full((8, 8), 0x8123, np.uint16)).save(tmp_path / "b.tiff")
    noise(0).convert("1").save(tmp_path / "c.bmp")
    assert opened(tmp_path).sample_shape == (1, 8, 8)
    noise(0).convert("P").save(tmp_path / "d.png")
    assert opened(tmp_path).sample_shape == (3, 8, 8)


def test_32_bit_integers_beside_8_bits_are_refused_because_their_range_is_unknown(tmp_path: Path) -> None:
    noise(0).convert("L").save(tmp_path / "a.png")
    Image.fromarray(np.full((8, 8), 70000, dtype=np.int32)).save(tmp_path / "b.tiff")
    with pytest.raises(ValueError, match="32-bit integers, of unknown range"):
        opened(tmp_path)


def test_a_transparent_16_bit_grey_stays_transparent(tmp_path: Path) -> None:
    values = np.array([[0, 30 << 8, 255 << 8, (30 << 8) + 1]], dtype=np.uint16).repeat(4, axis=0)
    Image.fromarray(values).save(tmp_path / "a.png", transparency=30 << 8)
    samples = opened(tmp_path, size=(4, 4), channels=4).fetch(torch.tensor([0]))[0]
    assert samples[3, 0].tolist() == [255, 0, 255, 255]
    assert samples[0, 0].tolist() == [0, 30, 255, 30]


def late_exif(file: Path) -> None:
    """Moves the EXIF words of a PNG behind its pixels, where the standard allows them, too."""
    content = file.read_bytes()
    start = content.index(b"eXIf") - 4
    end = start + 12 + struct.unpack(">I", content[start : start + 4])[0]
    last = content.index(b"IEND") - 4
    file.write_bytes(content[:start] + content[end:last] + content[start:end] + content[last:])


@BOTH
@pytest.mark.parametrize("kind", ["png", "late png", "jpg", "tiff", "webp"])
def test_sizes_are_those_of_the_upright_image(
    tmp_path: Path, kind: str, held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    exif = Image.Exif()
    exif[0x0112] = 6
    ending = kind.split()[-1]
    noise(0, 16, 8).save(tmp_path / f"a.{ending}")
    noise(1, 8, 16).save(tmp_path / f"b.{ending}", exif=exif)
    if kind == "late png":
        late_exif(tmp_path / "b.png")
    for fit in ("auto", "error"):
        assert fetched(opened(tmp_path, fit, size=(16, 8))).shape == (2, 3, 16, 8)
    noise(2, 8, 16).save(tmp_path / f"c.{ending}")
    with pytest.raises(ValueError, match=rf"c\.{ending} is 8×16"):
        opened(tmp_path, size=(16, 8))


def test_too_many_pixels_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below twice the limit Pillow would print a warning and go on, above it raises an error."""
    make(tmp_path / "set", 2)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for side in (11, 15):
        noise(0, side, side).save(tmp_path / "set/001.png")
        with pytest.raises(ValueError, match=r"001\.png has more than 100 pixels, .*--skip-bad") as error:
            opened(tmp_path / "set", "crop")
        assert "\n" not in str(error.value)
        assert len(opened(tmp_path / "set", "crop", skip_bad=True)) == 1


def test_an_image_takes_at_most_448_megabytes(tmp_path: Path) -> None:
    """At 10 bytes a pixel, with all copies."""
    store, side = FolderStore(tmp_path), math.isqrt(448 * 2**20 // 10)
    for pixels in (side, side + 1):
        Image.new("1", (pixels, pixels)).save(tmp_path / f"{pixels}.png")
    assert read_header(store, f"{side}.png")[:2] == (side, side)
    with pytest.raises(ValueError, match="has more than 46,976,204 pixels, too many"):
        read_header(store, f"{side + 1}.png")


def test_the_size_has_to_be_given(tmp_path: Path) -> None:
    make(tmp_path, 1)
    with pytest.raises(ValueError, match="--image-size"):
        Folder(str(tmp_path)).open(None, 3, "auto")


def test_headers_are_read_without_decoding(
    tmp_path: Path, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of photos that lie on their side, too; and not at all where they are in the cache."""
    exif = Image.Exif()
    exif[0x0112] = 8
    for number in range(5):
        noise(number, 8, 16).save(tmp_path / f"{number}.jpg", exif=exif)
        noise(number, 16, 8).save(tmp_path / f"{number}.png")
    with monkeypatch.context() as patch:
        patch.setattr(ImageFile.ImageFile, "load", None)
        opened(tmp_path, size=(16, 8))
        opened(tmp_path, "error", size=(16, 8))
    fetched(opened(tmp_path, size=(16, 8)))
    headers: list[str] = []
    read = image_files.read_header

    def note(store: image_files.Store, name: str) -> image_files.Header:
        headers.append(name)
        return read(store, name)

    monkeypatch.setattr(image_files, "read_header", note)
    fetched(Folder(str(tmp_path)).open((16, 8), 3, "auto"))
    assert not headers


@pytest.mark.parametrize("ending", ["gif", "png", "webp", "tiff"])
def test_animations_show_their_first_frame(tmp_path: Path, ending: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if ending == "webp" else {}
    frames[0].save(tmp_path / f"moving.{ending}", save_all=True, append_images=frames[1:], **options)
    with Image.open(tmp_path / f"moving.{ending}") as image:
        assert getattr(image, "n_frames", 1) == 3
    assert fetched(opened(tmp_path, channels=3))[0, :, 4, 4].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    "ending", ["jfif", "ppm", "pgm", "pnm", "tga", "pcx", "dib", "jp2", "avif", "apng", "sgi", "qoi", "jpe"]
)
def test_every_format_that_pillow_reads_by_itself_is_read(tmp_path: Path, ending: str) -> None:
    if f".{ending}" not in IMAGE_ENDINGS:
        pytest.skip("this Pillow was built without it")
    image = Image.new("RGB", (16, 16), (200, 40, 90))
    kinds = {"jfif": "JPEG", "apng": "PNG", "pnm": "PPM", "pgm": "PPM", "jpe": "JPEG"}
    image.save(tmp_path / f"a.{ending.upper()}", format=kinds.get(ending, {"jp2": "JPEG2000"}.get(ending)))
    pixels = fetched(opened(tmp_path, size=(16, 16)))[0, :, 8, 8].int()
    assert (pixels - torch.tensor([200, 40, 90])).abs().max() <= 4


@pytest.mark.parametrize("kind", ["EPS", "PDF"])
def test_what_is_drawn_by_a_program_is_no_image_under_any_name(tmp_path: Path, kind: str) -> None:
    """Pillow would start Ghostscript with the content of the file."""
    make(tmp_path, 1)
    noise(0).save(tmp_path / "drawn.png", format=kind)
    with pytest.raises(ValueError, match=r"drawn\.png is not an image, or is damaged"):
        opened(tmp_path)
    assert len(opened(tmp_path, skip_bad=True)) == 1


def test_grey_maps_of_16_bits_are_scaled(tmp_path: Path) -> None:
    values = np.array([[0, 0x4000, 0x8123, 0xFFFF]] * 4, np.uint16)
    header = b"P5 4 4 65535\n"
    (tmp_path / "deep.pgm").write_bytes(header + values.astype(">u2").tobytes())
    assert fetched(opened(tmp_path, size=(4, 4)))[0, 0, 0].tolist() == [0, 0x40, 0x81, 0xFF]
