"""TIFF files as arrays and in 8 bits: upright, from black to white, and with a plane for each colour."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from experiments.data.core.array_files import read_header, read_values
from experiments.data.core.dataset import DataAccess, DataSet
from experiments.data.core.decoding import UnreadableError
from experiments.data.core.sources import open_source
from experiments.data.folder import Folder
from tests.experiments.data.helpers import fetched, png_of_16_bits

pytestmark = pytest.mark.usefixtures("image_cache")

GREY = (np.arange(4 * 6).reshape(4, 6) * 2500 + 3).astype(np.uint16)
COLOURS = np.random.default_rng(0).integers(2**16, size=(3, 4, 6)).astype(np.uint16)  # (C, H, W)
ORIENTATIONS = range(1, 9)


def opened(root: Path, size: tuple[int, int] = (4, 6), **options: str) -> DataSet:
    access = DataAccess(options={f"data.{name}": value for name, value in options.items()})
    return open_source(f"folder:{root}", access).open(size, None, "auto")


def upright(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """An array `(H, W, …)`, turned by Pillow, by the numbers of its pixels."""
    height, width = values.shape[:2]
    numbers = Image.fromarray(np.arange(height * width, dtype=np.int32).reshape(height, width))
    exif = Image.Exif()
    exif[0x0112] = orientation
    numbers.info["exif"] = exif.tobytes()
    turned = np.asarray(ImageOps.exif_transpose(numbers))
    found: NDArray[Any] = values.reshape(height * width, *values.shape[2:])[turned]
    return found


@pytest.mark.parametrize("kind", ["png", "tif"])
@pytest.mark.parametrize("picture", ["grey 8", "grey 16", "colours 8", "colours 16"])
def test_every_orientation_is_that_of_pillow(tmp_path: Path, kind: str, picture: str) -> None:
    """As numbers, with a range, and in 8 bits: the three agree, and so do the sizes in the headers."""
    values = GREY if picture.startswith("grey") else COLOURS.transpose(1, 2, 0)
    values = values if picture.endswith("16") else (values >> 8).astype(np.uint8)
    bits = (values >> 8).astype(np.uint8) if values.dtype == np.uint16 else values
    for orientation in ORIENTATIONS:
        root = tmp_path / str(orientation)
        root.mkdir()
        exif = Image.Exif()
        exif[0x0112] = orientation
        if kind == "tif":
            tifffile.imwrite(root / "a.tif", values, extratags=[(274, "H", 1, orientation, True)])
        elif picture == "colours 16":
            chunk = (b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
            (root / "a.png").write_bytes(png_of_16_bits(values, chunk))
        else:
            Image.fromarray(values).save(root / "a.png", exif=exif)
        expected = upright(values, orientation)
        expected = expected.reshape(*expected.shape[:2], -1)
        size = expected.shape[:2]
        numbers = opened(root, size, range="0,65535", depth="float32")
        assert np.array_equal(fetched(numbers)[0].permute(1, 2, 0), expected), orientation
        of_bits = upright(bits, orientation).reshape(expected.shape)
        assert np.array_equal(fetched(opened(root, size))[0].permute(1, 2, 0), of_bits), orientation
        assert read_header(Folder(str(root)).store, f"a.{kind}")[:2] == size


@pytest.mark.parametrize("kind", ["float32", "float64", "int16", "int32"])
@pytest.mark.parametrize("channels", [1, 5])
def test_values_that_only_tifffile_reads_are_upright(tmp_path: Path, kind: str, channels: int) -> None:
    """In a zip file as well; the header has the size of the upright picture."""
    picture = np.arange(4 * 6 * channels).reshape(4, 6, channels).astype(kind) - 7
    for orientation in ORIENTATIONS:
        root = tmp_path / str(orientation)
        root.mkdir()
        how: dict[str, Any] = {"planarconfig": "contig"} if channels > 1 else {}
        tifffile.imwrite(
            root / "a.tif",
            picture if channels > 1 else picture[..., 0],
            photometric="minisblack",
            extratags=[(274, "H", 1, orientation, True)],
            **how,
        )
        expected, store = upright(picture, orientation), Folder(str(root)).typed_store
        assert np.array_equal(read_values(store, "a.tif"), expected), orientation
        assert tuple(read_header(store, "a.tif")) == expected.shape
        with zipfile.ZipFile(root / "a.zip", "w") as file:
            file.write(root / "a.tif", "a.tif")
        data = open_source(f"zip:{root}/a.zip").open(expected.shape[:2], None, "auto")
        assert np.array_equal(fetched(data)[0].permute(1, 2, 0), expected)


def test_pages_of_16_bits_are_upright(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", COLOURS[:2], photometric="minisblack", extratags=[(274, "H", 1, 6, True)]
    )
    assert np.array_equal(fetched(opened(tmp_path, (6, 4)))[0], np.rot90(COLOURS[:2], -1, axes=(1, 2)))


def test_what_falls_from_white_to_black_is_turned_round(tmp_path: Path) -> None:
    """Values v of b bits become 2ᵇ − 1 − v, as Pillow has it for 8 bits, in every way of reading."""
    grey8 = (GREY >> 8).astype(np.uint8)
    for name, values in {"16": GREY, "8": grey8}.items():
        (tmp_path / name).mkdir()
        for file in "ab":
            tifffile.imwrite(tmp_path / f"{name}/{file}.tif", values, photometric="miniswhite")
    in_8_bits = ((65535 - GREY.astype(int)) >> 8).astype(np.uint8)
    assert np.array_equal(fetched(opened(tmp_path / "16"))[1, 0], in_8_bits)
    assert np.array_equal(fetched(opened(tmp_path / "8"))[1, 0], 255 - grey8)
    ranged = opened(tmp_path / "16", range="0,65535")
    assert fetched(ranged).dtype == torch.uint16
    assert np.array_equal(fetched(ranged)[1, 0].numpy(), 65535 - GREY)
    found = opened(tmp_path / "16", range="auto")
    assert found.units == (65535 - GREY.max(), 65535 - GREY.min(), "uint16")
    scaled = fetched(opened(tmp_path / "16", range="auto", depth="uint8"))[0, 0].numpy()
    low, high = 65535 - int(GREY.max()), 65535 - int(GREY.min())
    assert np.array_equal(scaled, np.rint((65535.0 - GREY - low) * 255 / (high - low)))
    assert np.array_equal(fetched(opened(tmp_path / "8", depth="float32"))[1, 0], 255 - grey8)


def test_many_channels_that_fall_from_white_to_black_are_turned_round(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", COLOURS[:2], photometric="miniswhite")
    store = Folder(str(tmp_path)).store
    assert np.array_equal(read_values(store, "a.tif").transpose(2, 0, 1), 65535 - COLOURS[:2])
    for kind in ("float32", "int16"):
        tifffile.imwrite(tmp_path / "a.tif", GREY.astype(kind), photometric="miniswhite")
        with pytest.raises(UnreadableError, match=rf"{kind} has no largest one .*photometric='minisblack'"):
            read_values(store, "a.tif")
        tifffile.imwrite(tmp_path / "a.tif", GREY.astype(kind), photometric="minisblack")
        assert np.array_equal(read_values(store, "a.tif")[..., 0], GREY.astype(kind))


@pytest.mark.parametrize("how", [{}, {"byteorder": ">"}, {"compression": "zlib"}, {"tile": (16, 16)}])
@pytest.mark.parametrize("alpha", [False, True])
def test_16_bits_in_planes_are_those_of_colours_side_by_side(
    tmp_path: Path, how: dict[str, Any], alpha: bool
) -> None:
    planes = np.concatenate([COLOURS, 65535 - COLOURS[:1]]) if alpha else COLOURS
    extra = {"extrasamples": ["unassalpha"]} if alpha else {}
    for name, pixels, config in (
        ("planes", planes, "separate"),
        ("beside", planes.transpose(1, 2, 0), "contig"),
    ):
        (tmp_path / name).mkdir()
        for file in "ab":
            place = tmp_path / name / f"{file}.tif"
            tifffile.imwrite(place, pixels, photometric="rgb", planarconfig=config, **how, **extra)
    for options in ({}, {"range": "0,4095"}, {"range": "auto"}, {"depth": "float32"}):
        found, expected = (opened(tmp_path / name, **options) for name in ("planes", "beside"))
        assert found.units == expected.units and found.remarks == expected.remarks
        assert torch.equal(fetched(found).float(), fetched(expected).float())
    assert np.array_equal(fetched(opened(tmp_path / "planes"))[1], planes >> 8)
    numbers = opened(tmp_path / "planes", range="0,4095", depth="float32")
    assert np.array_equal(fetched(numbers)[1], planes)


def test_planes_of_16_bits_that_are_no_colours_are_refused_with_a_remedy(tmp_path: Path) -> None:
    """Of print: what Pillow would give are the bytes of their halves."""
    inks = np.concatenate([COLOURS, COLOURS[:1]])
    tifffile.imwrite(tmp_path / "a.tif", inks, photometric="separated", planarconfig="separate")
    for options in ({}, {"range": "0,4095"}, {"depth": "float32"}):
        with pytest.raises(ValueError, match=r"a plane for each of its channels.*planarconfig='contig'"):
            opened(tmp_path, **options)
    beside = inks.transpose(1, 2, 0)
    tifffile.imwrite(tmp_path / "a.tif", beside, photometric="separated", planarconfig="contig")
    assert fetched(opened(tmp_path)).shape == (1, 3, 4, 6)
