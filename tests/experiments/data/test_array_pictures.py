"""Pictures of 16 bits, floating-point numbers and any number of channels, in folders and zip files."""

import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from experiments.config.resolve import resolve
from experiments.core.errors import UsageError
from experiments.data.core import image_files
from experiments.data.core.dataset import DataAccess, DataSet, DomainSource
from experiments.data.core.sources import open_source
from tests.experiments.data.helpers import BOTH, fetched, png_of_16_bits

pytestmark = pytest.mark.usefixtures("image_cache")

VALUES = np.random.default_rng(0).normal(20, 5, (6, 5, 8, 8)).astype(np.float32)
WHOLE = np.random.default_rng(1).integers(0, 4096, (6, 5, 8, 8)).astype(np.uint16)


def opened(spec: str | Path, size: tuple[int, int] = (8, 8), fit: Any = "auto", **options: str) -> DataSet:
    spec = f"folder:{spec}" if isinstance(spec, Path) else spec
    access = DataAccess(options={f"data.{name}": value for name, value in options.items()})
    return open_source(spec, access).open(size, None, fit)


def write(root: Path, pictures: np.ndarray[Any, Any], ending: str = "npy", axes: str = "CYX") -> Path:
    """Files of pictures `(N, C, H, W)`: .npy, or TIFF with channels side by side, in planes or in pages."""
    root.mkdir(exist_ok=True)
    for number, picture in enumerate(pictures):
        file = root / f"{number}.{ending}"
        if ending == "npy":
            np.save(file, picture if axes == "CYX" else picture.transpose(1, 2, 0))
        elif axes == "YXS":
            tifffile.imwrite(
                file, picture.transpose(1, 2, 0), photometric="minisblack", planarconfig="contig"
            )
        elif axes == "SYX":
            tifffile.imwrite(file, picture, photometric="minisblack", planarconfig="separate")
        else:
            tifffile.imwrite(file, picture, photometric="minisblack")
    return root


@BOTH
@pytest.mark.parametrize(
    "ending, axes", [("npy", "CYX"), ("npy", "YXS"), ("tif", "YXS"), ("tif", "SYX"), ("tif", "CYX")]
)
@pytest.mark.parametrize("pictures", [VALUES, WHOLE], ids=["float32", "uint16"])
def test_values_of_every_file_are_held_as_they_are(
    tmp_path: Path,
    ending: str,
    axes: str,
    pictures: np.ndarray[Any, Any],
    held_bytes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(image_files, "HELD_BYTES", held_bytes)
    data = opened(write(tmp_path, pictures, ending, axes))
    assert np.array_equal(fetched(data).numpy(), pictures)
    assert fetched(data).numpy().dtype == pictures.dtype
    assert data.units == (pictures.min(), pictures.max(), pictures.dtype.name)
    again = opened(tmp_path)
    assert np.array_equal(fetched(again).numpy(), pictures), "from the cache"


def test_a_zip_file_is_as_its_folder(tmp_path: Path) -> None:
    write(tmp_path / "a", VALUES)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        for path in sorted((tmp_path / "a").iterdir()):
            file.write(path, path.name)
    assert np.array_equal(fetched(opened(f"zip:{tmp_path / 'a.zip'}")).numpy(), VALUES)


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_16_bits_with_a_range_are_held_in_16_bits(tmp_path: Path, kind: str) -> None:
    for number, picture in enumerate(WHOLE):
        Image.fromarray(picture[0]).save(tmp_path / f"{number}.{kind}")
    data = opened(tmp_path, range="0,4095")
    assert np.array_equal(fetched(data).numpy(), WHOLE[:, :1])
    assert data.units == (0, 4095, "uint16")
    assert fetched(opened(tmp_path)).dtype == torch.uint8
    assert fetched(opened(tmp_path, range="0,4095", depth="uint8")).dtype == torch.uint8
    assert fetched(opened(tmp_path, range="0,4095", depth="float32")).dtype == torch.float32


def test_percentiles_and_extremes_are_found_once_and_kept(tmp_path: Path) -> None:
    write(tmp_path, VALUES)
    flags = {"arch": "mlp", "data": f"folder:{tmp_path}", "image_size": (8, 8), "batch_size": 2}
    spec = resolve({**flags, "data.range": "p1,p99"})
    assert spec.settings.options["data.range"] == pytest.approx(np.percentile(VALUES, [1, 99]))
    assert spec.settings.options["data.depth"] == "float32" and spec.settings.channels == 5
    assert spec.sources["data.range"] == "flag: p1,p99"
    np.save(tmp_path / "9.npy", VALUES[0] * 100)
    again = resolve({}, file=spec.settings.to_dict(), file_name="config.json")
    assert again.settings.options == spec.settings.options
    unasked = resolve(flags)
    assert unasked.settings.options["data.range"] == pytest.approx((VALUES.min(), 100 * VALUES[0].max()))


def test_a_range_for_each_channel_is_stated_or_found(tmp_path: Path) -> None:
    write(tmp_path, VALUES)
    assert VALUES.shape[1] == 5
    planes = VALUES.transpose(1, 0, 2, 3).reshape(5, -1)
    flags = {"arch": "mlp", "data": f"folder:{tmp_path}", "image_size": (8, 8), "batch_size": 2}
    for asked, expected in {
        "auto,each": np.stack([planes.min(axis=1), planes.max(axis=1)], axis=1),
        "p1,p99,each": np.percentile(planes, [1, 99], axis=1).T,
        "0,1,-2,2,0,1,0,1,0,50": np.array([[0, 1], [-2, 2], [0, 1], [0, 1], [0, 50]]),
    }.items():
        settings = resolve({**flags, "data.range": asked}).settings
        assert settings.options["data.range"] == pytest.approx(expected.ravel())
        again = resolve({}, file=settings.to_dict(), file_name="config.json").settings
        assert again.options == settings.options
    data = opened(tmp_path, range="auto,each")
    assert data.units is not None
    seen = data.units.to_networks(fetched(data)).transpose(0, 1).flatten(1)
    assert seen.amin(dim=1).tolist() == pytest.approx([-1] * 5)
    assert seen.amax(dim=1).tolist() == pytest.approx([1] * 5)


def test_ranges_of_channels_that_cannot_be(tmp_path: Path) -> None:
    write(tmp_path, VALUES)
    for asked, words in {
        "0,1,0,1": r"data\.range 0,1,0,1 is of 2 channels, and the images have 5: write LOW,HIGH for each",
        "0,1,3,3,0,1,0,1,0,1": r"data\.range 3,3 is empty",
    }.items():
        with pytest.raises(ValueError, match=words):
            opened(tmp_path, range=asked)
    for asked in ("0,1,2", "each", "0,1,each", "p1,each", "p1,p99,p1,p99", "auto,each,each", "each,auto"):
        with pytest.raises(UsageError, match="LOW,HIGH such as 0,4095, these for each channel"):
            opened(tmp_path, range=asked)
    constant = VALUES.copy()
    constant[:, 3] = 7
    write(tmp_path / "constant", constant)
    with pytest.raises(
        ValueError, match=r"no different values in channel 4 \(only 7\): .*LOW,HIGH with those of each"
    ):
        opened(tmp_path / "constant", range="auto,each")
    Image.fromarray(WHOLE[0, 0].astype(np.uint8)).save(tmp_path / "constant/a.png")
    with pytest.raises(ValueError, match=r"images of 8 bits have one for all; --set data\.depth=float32"):
        opened(tmp_path / "constant", range="auto,each")


def test_a_channel_that_its_range_clips_is_said(tmp_path: Path) -> None:
    write(tmp_path, VALUES)
    low, high = VALUES.min(), VALUES.max()
    clips, _ = opened(tmp_path, range=f"{low},{high},{low},{high},19,20,{low},{high},{low},{high}").remarks
    assert "data.range 19,20 clips" in clips and "of the values of channel 3 (of" in clips
    assert "--set data.range=p0.5,p99.5,each" in clips


def test_the_config_of_an_earlier_version_stays_in_8_bits(tmp_path: Path) -> None:
    Image.fromarray(WHOLE[0, 0]).save(tmp_path / "a.png")
    flags = {"arch": "mlp", "data": f"folder:{tmp_path}", "image_size": (8, 8), "batch_size": 1}
    config = resolve({**flags, "data.range": "0,4095"}).settings.to_dict()
    assert config.pop("data.depth") == "uint16"
    again = resolve({}, file=config, file_name="config.json")
    assert again.settings.options["data.depth"] == "uint8"


def test_a_resized_picture_is_that_of_each_channel(tmp_path: Path) -> None:
    data = opened(write(tmp_path, VALUES), (4, 4), "stretch")
    plane = Image.fromarray(VALUES[2, 3]).resize((4, 4), Image.Resampling.LANCZOS)
    assert np.array_equal(fetched(data)[2, 3].numpy(), np.asarray(plane))
    assert opened(tmp_path, (8, 12), "pad").sample_shape == (5, 8, 12)


def test_a_range_that_clips_and_a_constant_channel_are_said(tmp_path: Path) -> None:
    pictures = VALUES.copy()
    pictures[:, 1] = 7
    data = opened(write(tmp_path, pictures), range="19,21")
    clips, constant, view = data.remarks
    assert "data.range 19,21 clips 8" in clips and "--set data.range=p0.5,p99.5" in clips
    assert "channel 2 of 5 is constant (7)" in constant
    assert "pictures show the first three" in view
    assert len(opened(tmp_path, range="0,60").remarks) == 2, "nothing is clipped"


def test_files_that_cannot_be_taken_are_named_in_a_line(tmp_path: Path) -> None:
    write(tmp_path, VALUES)
    broken = VALUES[0].copy()
    broken[0, 0, :3] = np.nan
    np.save(tmp_path / "3.npy", broken)
    with pytest.raises(ValueError, match=r"3\.npy cannot be read: 3 of its 320 values are not finite"):
        opened(tmp_path)
    access = DataAccess(skip_bad=True)
    assert len(open_source(f"folder:{tmp_path}", access).open((8, 8), None, "auto")) == 5
    np.save(tmp_path / "3.npy", VALUES[0, :4])
    for channels in (None, 4, 5):  # none of which would help
        with pytest.raises(ValueError, match=r"3\.npy has 4 channels, others have 5 .*save all with as many"):
            open_source(f"folder:{tmp_path}").open((8, 8), channels, "auto")
    np.save(tmp_path / "3.npy", VALUES[0, 0, 0])
    with pytest.raises(ValueError, match="a picture is numbers"):
        opened(tmp_path)
    np.save(tmp_path / "3.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="a picture is numbers"):
        opened(tmp_path)
    (tmp_path / "3.npy").write_bytes((tmp_path / "2.npy").read_bytes()[:200])
    with pytest.raises(ValueError, match=r"3\.npy cannot be read"):
        opened(tmp_path)


def test_channels_that_no_file_has_come_with_those_that_all_have(tmp_path: Path) -> None:
    source = open_source(f"folder:{write(tmp_path, VALUES)}")
    with pytest.raises(ValueError, match=r"the images have 5 channels, not 4: take --channels 5"):
        source.open((8, 8), 4, "auto")
    assert len(source.open((8, 8), 5, "auto")) == 6


def test_transparency_of_8_bits_is_laid_on_white_in_numbers_as_well(tmp_path: Path) -> None:
    """Alpha a of a colour c gives c a / 255 + 255 − a: hidden colours stay hidden."""
    colours = np.random.default_rng(0).integers(256, size=(8, 8, 4)).astype(np.uint8)
    colours[0, :, 3] = 0
    pictures = {
        "RGBA": Image.fromarray(colours),
        "LA": Image.fromarray(np.ascontiguousarray(colours[..., [0, 3]])),
        "P": Image.fromarray(colours[..., :3]).quantize(8),
    }
    for mode, picture in pictures.items():
        (tmp_path / mode).mkdir()
        further = {"transparency": 3} if mode == "P" else {}
        for number in range(2):
            picture.save(tmp_path / mode / f"{number}.png", **further)
        data = opened(tmp_path / mode, depth="float32")
        whole = np.asarray(Image.open(tmp_path / mode / "0.png").convert("RGBA")).astype(float)
        alpha = whole[..., 3:]
        expected = whole[..., :3] * alpha / 255 + 255 - alpha
        found = fetched(data)[1].permute(1, 2, 0).numpy()
        assert np.abs(found - expected).max() <= 0.5 and (found[alpha[..., 0] == 0] == 255).all()
        in_8_bits = open_source(f"folder:{tmp_path / mode}").open((8, 8), 3, "auto")
        assert np.array_equal(fetched(in_8_bits), fetched(data))


def test_a_value_of_16_bits_that_stands_for_transparency_is_white_in_numbers(tmp_path: Path) -> None:
    """It is told from its neighbours by all 16 bits, beside files without one."""
    grey = WHOLE[0, 0] * np.uint16(16)
    grey[1, 1:3] = 400, 401
    Image.fromarray(grey).save(tmp_path / "a.png")
    Image.fromarray(grey).save(tmp_path / "b.png", transparency=400)
    first, second = fetched(opened(tmp_path, range="0,65535"))[:, 0].numpy()
    assert np.array_equal(first, grey)
    assert np.array_equal(second, np.where(grey == 400, 65535, grey)) and second[1, 2] == 401
    colours = WHOLE[0, :3].transpose(1, 2, 0).copy()
    colours[1, 1:3] = (5, 6, 7), (5, 6, 8)
    (tmp_path / "rgb").mkdir()
    (tmp_path / "rgb/a.png").write_bytes(png_of_16_bits(colours, (b"tRNS", struct.pack(">HHH", 5, 6, 7))))
    found = fetched(opened(tmp_path / "rgb", depth="float32"))[0].permute(1, 2, 0).numpy()
    assert (found[1, 1] == 65535).all() and found[1, 2].tolist() == [5, 6, 8]
    assert np.array_equal(found[2:], colours[2:])


def test_an_odd_file_that_no_survey_looks_at_is_named_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.data.core.surveys.MOST_FILES", 3)
    np.save(write(tmp_path, VALUES) / "3.npy", VALUES[0, :4])
    with pytest.raises(ValueError, match=r"3\.npy has 4 channels, not 5 as others: save all with as many"):
        opened(tmp_path, range="0,60")


@pytest.mark.parametrize("fit", ["auto", "crop"])
def test_an_array_among_pictures_of_8_bits_cannot_be_read(tmp_path: Path, fit: Any) -> None:
    for number in range(3):
        Image.fromarray(WHOLE[number, :3].astype(np.uint8).T).save(tmp_path / f"{number}.png")
    write(tmp_path / "set", WHOLE[:1].astype(np.uint8), "tif", "YXS")
    (tmp_path / "set/0.tif").rename(tmp_path / "z.tif")
    with pytest.raises(ValueError, match=r"z\.tif .*--skip-bad"):
        fetched(open_source(f"folder:{tmp_path}", DataAccess(stream=True)).open((8, 8), None, fit))
    kept = open_source(f"folder:{tmp_path}", DataAccess(stream=True, skip_bad=True)).open((8, 8), None, fit)
    assert len(kept) == 3 and not any("mixes" in remark for remark in kept.remarks)


def test_two_domains_of_arrays_have_equal_channels(tmp_path: Path) -> None:
    write(tmp_path / "A", VALUES)
    write(tmp_path / "B", VALUES[:, :2])
    source = open_source(f"folder:{tmp_path}")
    assert isinstance(source, DomainSource)
    with pytest.raises(ValueError, match=r"images in A/ of 5 and in B/ of 2 channels: save all with as many"):
        source.native_domains(paired=True)


def test_values_that_are_too_large_are_told_from_those_that_are_none(tmp_path: Path) -> None:
    pictures = VALUES.astype(np.float64)
    pictures[2, 0, 0, :3] = -1e300
    np.save(tmp_path / "a.npy", pictures)
    words = "3 of its 320 values are too large for float32, in which they are held: divide all by a number"
    for spec in (f"npy:{tmp_path}/a.npy", f"folder:{write(tmp_path / 'set', pictures)}"):
        with pytest.raises(ValueError, match=words):
            opened(spec)
        skipping = open_source(spec, DataAccess(skip_bad=True)).open((8, 8), None, "auto")
        assert np.array_equal(fetched(skipping).numpy(), np.delete(VALUES, 2, axis=0))


def test_equal_values_leave_nothing_to_learn(tmp_path: Path) -> None:
    write(tmp_path, np.full_like(VALUES, 3))
    with pytest.raises(ValueError, match=r"nothing to learn; or give --set data\.range=LOW,HIGH"):
        opened(tmp_path)


def test_mixed_depths_are_refused_with_what_takes_both(tmp_path: Path) -> None:
    Image.fromarray(WHOLE[0, 0]).save(tmp_path / "0.png")
    Image.fromarray(WHOLE[0, 0].astype(np.uint8)).save(tmp_path / "1.png")
    with pytest.raises(ValueError, match=r"1\.png has values of type uint8.*data\.depth=uint8 all in 8 bits"):
        opened(tmp_path, range="0,4095")
    assert fetched(opened(tmp_path, range="0,4095", depth="float32")).dtype == torch.float32


@pytest.mark.parametrize("depth", ["uint8", "uint16"])
def test_a_depth_that_cannot_hold_the_values_is_refused(tmp_path: Path, depth: str) -> None:
    write(tmp_path, VALUES)
    with pytest.raises(ValueError, match=rf"type float32, which data\.depth {depth} cannot hold"):
        opened(tmp_path, depth=depth)


@pytest.mark.parametrize("value", ["9,9", "p9,p9", "p-1,p5", "p1,p200", "1", "nan,1", "a,b", "p1,5"])
def test_a_range_that_cannot_be_is_refused(tmp_path: Path, value: str) -> None:
    write(tmp_path, VALUES)
    with pytest.raises((UsageError, ValueError), match=r"data\.range"):
        opened(tmp_path, range=value)


def test_without_tifffile_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, VALUES, "tif")
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(ValueError, match=r"pip install 'gans\[tiff\]'"):
        opened(tmp_path)


def test_arrays_beside_pictures_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, VALUES)
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    data = opened(tmp_path)
    assert len(data) == 1 and data.units is None and "left out 6 files" in data.remarks[0]


def test_channels_of_openexr_files_are_ordered_by_their_colours(tmp_path: Path) -> None:
    import OpenEXR

    names = {"R": 0, "G": 1, "B": 2, "density": 3, "velocity": 4}
    for number, picture in enumerate(VALUES):
        channels = {name: np.ascontiguousarray(picture[index]) for name, index in names.items()}
        header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
        with OpenEXR.File(header, channels) as file:
            file.write(str(tmp_path / f"{number}.exr"))
    assert np.array_equal(fetched(opened(tmp_path)).numpy(), VALUES)
    (tmp_path / "3.exr").write_bytes((tmp_path / "2.exr").read_bytes()[:100])
    with pytest.raises(ValueError, match=r"3\.exr cannot be read"):
        opened(tmp_path)


def test_without_openexr_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.exr").write_bytes(b"v/1\x01")
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(ValueError, match=r"pip install 'gans\[exr\]'"):
        opened(tmp_path)


def test_a_file_with_other_channels_than_the_range_is_named(tmp_path: Path) -> None:
    root = write(tmp_path / "set", VALUES[:, :3])
    np.save(root / "3.npy", VALUES[3, :2])
    for value_range in ("auto,each", "0,40,0,40,0,40"):
        access = DataAccess(stream=True, options={"data.range": value_range})
        with pytest.raises(ValueError, match=r"3\.npy"):
            fetched(open_source(f"folder:{root}", access).open((8, 8), None, "crop"))
