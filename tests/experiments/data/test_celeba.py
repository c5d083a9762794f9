"""CelebA: the training split of real files in its layout, and downloads from where it lies."""

import hashlib
import io
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.datasets
from PIL import Image
from torch import Tensor

from experiments.core.errors import RunError
from experiments.data.celeba import Celeba
from experiments.data.core import image_files
from experiments.data.core.dataset import DataAccess, DataSet, Fit, InMemoryData

# Not in the order of their splits, as a test that the order is that of the list.
SPLITS = {"000001.jpg": 0, "000002.jpg": 0, "000003.jpg": 1, "000004.jpg": 2, "000005.jpg": 0}
TRAIN = ["000001.jpg", "000002.jpg", "000005.jpg"]


class Drive(types.ModuleType):
    """What answers instead of Google Drive: the files it was given, by id. Stands for the package gdown."""

    def __init__(self) -> None:
        super().__init__("gdown")
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []

    def download(self, *, id: str, output: str, quiet: bool, user_agent: str) -> None:
        del quiet, user_agent
        self.asked.append(id)
        if id not in self.files:
            raise RuntimeError(
                "Cannot retrieve the public link of the file.\n\n  Too many users have seen it"
            )
        Path(output).write_bytes(self.files[id])


@pytest.fixture(autouse=True)
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Drive:
    """An empty machine, and a Google Drive that answers nothing."""
    for name in ("HOME", "GANS_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("GANS_DATA", "")
    monkeypatch.chdir(tmp_path)
    drive = Drive()
    monkeypatch.setitem(sys.modules, "gdown", drive)
    return drive


def face(number: int, size: tuple[int, int] = (218, 178)) -> Image.Image:
    """The number as a level, with a bright band over the topmost twenty rows."""
    pixels = np.full((*size, 3), (20 * number, 0, 0), np.uint8)
    pixels[:20] = 255
    return Image.fromarray(pixels)


def install(root: Path) -> Path:
    """Writes the files in torchvision's layout; the folder of the images."""
    images = root / "celeba/img_align_celeba"
    images.mkdir(parents=True)
    for name in SPLITS:
        face(int(name[:6])).save(images / name, quality=100, subsampling=0)
    rows = [f"{name} {'1' if int(name[:6]) % 2 else '-1'}  1\n" for name in SPLITS]
    (root / "celeba/list_attr_celeba.txt").write_text("".join([f"{len(SPLITS)}\n", "Odd Face\n", *rows]))
    lines = [f"{name} {split}\n" for name, split in SPLITS.items()]
    (root / "celeba/list_eval_partition.txt").write_text("".join(lines))
    return images


def opened(
    root: Path, size: tuple[int, int] | None = None, channels: int | None = None, fit: Fit = "auto"
) -> DataSet:
    return Celeba("", DataAccess(root)).open(size, channels, fit)


def fetched(data: DataSet) -> Tensor:
    return data.fetch(torch.arange(len(data)))


def levels(data: DataSet) -> list[int]:
    return [round(level / 20) for level in fetched(data)[:, 0, -1, 0].tolist()]


def test_training_images_are_read_in_their_order(tmp_path: Path, drive: Drive) -> None:
    images = install(tmp_path)
    native = Celeba("", DataAccess(tmp_path, download=True)).native()
    assert (native.size, native.channels) == (None, 3)
    data = opened(tmp_path)
    expected = np.stack([np.asarray(Image.open(images / name)) for name in TRAIN])
    assert np.array_equal(fetched(data).permute(0, 2, 3, 1).numpy(), expected)
    assert levels(data) == [1, 2, 5]
    assert data.labels is None
    assert not drive.asked


def test_attributes_are_those_of_the_training_images(tmp_path: Path) -> None:
    install(tmp_path)
    attributes = opened(tmp_path).attributes
    assert attributes is not None
    assert attributes.column_names == ("Odd", "Face")
    assert attributes.table.tolist() == [[1, 1], [0, 1], [1, 1]]
    listed = tmp_path / "celeba/list_attr_celeba.txt"
    rows = listed.read_text().splitlines()
    listed.write_text("\n".join(["4", rows[1], *rows[3:]]))
    with pytest.raises(ValueError, match=r"list_attr_celeba\.txt has no row for 000001\.jpg"):
        opened(tmp_path)
    listed.unlink()
    assert opened(tmp_path).attributes is None


def test_fit_auto_crops(tmp_path: Path) -> None:
    install(tmp_path)
    square = fetched(opened(tmp_path, (64, 64)))
    assert square.shape == (3, 3, 64, 64)
    assert (square[:, 1] < 20).all()  # the band above is cut off with what is too high
    assert (fetched(opened(tmp_path, (64, 64), fit="stretch"))[:, 1, 0] > 230).all()
    grey = fetched(opened(tmp_path, (109, 89), 1))
    assert grey.shape == (3, 1, 109, 89)
    with pytest.raises(ValueError, match="celeba is 218×178, not 64×64: choose --fit crop or stretch"):
        opened(tmp_path, (64, 64), fit="error")


def test_a_set_that_is_too_large_is_decoded_when_it_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path)
    assert isinstance(opened(tmp_path), InMemoryData)
    monkeypatch.setattr(image_files, "HELD_BYTES", 0)
    data = opened(tmp_path)
    assert not isinstance(data, InMemoryData)
    assert levels(data) == [1, 2, 5]


def test_what_is_not_whole_is_not_taken(tmp_path: Path) -> None:
    images = install(tmp_path)
    for name, problem in (("000005.jpg", "lacks 000005.jpg"), ("000002.jpg", "lacks 000002.jpg and 1 more")):
        (images / name).unlink()
        with pytest.raises(
            ValueError, match=f"celeba .* is not in .*; {images} {problem}: fetch it"
        ) as error:
            Celeba("", DataAccess(tmp_path)).native()
        assert "\n" not in str(error.value)
    partition = tmp_path / "celeba/list_eval_partition.txt"
    for content in (
        "",
        "<html>not found</html>\n",
        "000001.jpg 0\n000003.jpg",
        "000001.jpg 1\n",
        "000001.jpg 3",
        "é 0\n",
    ):
        partition.write_text(content)
        with pytest.raises(ValueError, match=f"; {partition} (is damaged|cannot be read)"):
            Celeba("", DataAccess(tmp_path)).native()
    partition.unlink()
    with pytest.raises(ValueError, match=r"celeba lacks list_eval_partition.txt"):
        Celeba("", DataAccess(tmp_path)).native()


def test_bad_files_are_named_or_left_out(tmp_path: Path) -> None:
    image = install(tmp_path) / "000002.jpg"
    image.write_bytes(image.read_bytes()[:500])
    with pytest.raises(ValueError, match=f"{image} .*--skip-bad"):
        opened(tmp_path)
    data = Celeba("", DataAccess(tmp_path, skip_bad=True)).open(None, None, "auto")
    assert levels(data) == [1, 5]
    assert "skipped 1 file" in data.remarks[0]


def published(drive: Drive, monkeypatch: pytest.MonkeyPatch, folder: Path) -> dict[str, bytes]:
    """Puts the small set on the drive, with its checksums where torchvision has those of the real one."""
    images = install(folder)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in SPLITS:
            archive.write(images / name, f"img_align_celeba/{name}")
    partition = (folder / "celeba/list_eval_partition.txt").read_bytes()
    attributes = (folder / "celeba/list_attr_celeba.txt").read_bytes()
    contents = {
        "img_align_celeba.zip": stream.getvalue(),
        "list_eval_partition.txt": partition,
        "list_attr_celeba.txt": attributes,
    }
    known = []
    for file_id, _, name in torchvision.datasets.CelebA.file_list:
        content = contents.get(name)
        known.append((file_id, hashlib.md5(content or b"").hexdigest(), name))
        if content is not None:
            drive.files[file_id] = content
    monkeypatch.setattr(torchvision.datasets.CelebA, "file_list", known)
    return contents


def test_download_into_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drive: Drive) -> None:
    published(drive, monkeypatch, tmp_path / "there")
    source = Celeba("", DataAccess(tmp_path / "root", download=True))
    source.native()
    assert not drive.asked, "a plan must not wait for the network"
    assert levels(source.open(None, None, "auto")) == [1, 2, 5]
    assert len(drive.asked) == 3, "what is not needed is not fetched"
    assert levels(opened(tmp_path / "root")) == [1, 2, 5]


def test_files_put_there_by_hand_are_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drive: Drive
) -> None:
    contents = published(drive, monkeypatch, tmp_path / "there")
    (tmp_path / "root/celeba").mkdir(parents=True)
    for name, content in contents.items():
        (tmp_path / "root/celeba" / name).write_bytes(content)
    monkeypatch.setitem(sys.modules, "gdown", None)  # not installed, and not needed
    data = Celeba("", DataAccess(tmp_path / "root", download=True)).open(None, None, "auto")
    assert levels(data) == [1, 2, 5]


def test_a_download_that_fails_is_one_line_and_leaves_no_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drive: Drive
) -> None:
    source = Celeba("", DataAccess(tmp_path / "root", download=True))

    def refused(problem: str) -> None:
        with pytest.raises(RunError, match=f"celeba could not be downloaded into .*: {problem}") as error:
            source.open(None, None, "auto")
        assert "\n" not in str(error.value)
        with pytest.raises(ValueError, match="is not in"):
            Celeba("", DataAccess(tmp_path / "root")).native()

    refused("img_align_celeba.zip: Cannot retrieve .* put img_align_celeba.zip into .*/root/celeba by hand")
    contents = published(drive, monkeypatch, tmp_path / "there")
    whole = dict(drive.files)
    drive.files = {name: content[:-9] for name, content in whole.items()}
    refused("img_align_celeba.zip: .*corrupted")
    drive.files = whole
    monkeypatch.setattr(zipfile.ZipFile, "extractall", half_unpacked)
    refused(".*No space left on device")
    assert contents.keys() <= {path.name for path in (tmp_path / "root/celeba").iterdir()}
    monkeypatch.setitem(sys.modules, "gdown", None)
    (tmp_path / "root/celeba/list_eval_partition.txt").unlink()
    refused(r"list_eval_partition.txt: .*pip install gdown")


def half_unpacked(archive: zipfile.ZipFile, below: Path) -> None:
    archive.extract(archive.namelist()[0], below)
    raise OSError(28, "No space left on device")
