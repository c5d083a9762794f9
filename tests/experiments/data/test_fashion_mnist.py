"""Fashion-MNIST: idx files are found, read exactly, checked, resized; the real ones where installed."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from experiments.data.core.dataset import DataAccess, DataSet
from experiments.data.core.idx import IMAGES, LABELS
from experiments.data.fashion_mnist import DEBIAN, FashionMnist

installed = pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides what this machine has, but for the tests of the real files."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GANS_CACHE", raising=False)
    monkeypatch.delenv("GANS_DATA", raising=False)
    monkeypatch.setattr(FashionMnist, "installed", (tmp_path / "no-debian",))


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def pictures(count: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 28, 28), dtype=np.uint8)


def install(folder: Path, images: np.ndarray, labels: list[int] | None = None, zipped: bool = True) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    labels = list(range(len(images))) if labels is None else labels
    for name, array in ((IMAGES, images), (LABELS, np.array(labels, np.uint8))):
        content = idx(array)
        (folder / f"{name}.gz").write_bytes(gzip.compress(content)) if zipped else (
            folder / name
        ).write_bytes(content)


def fetched(data: DataSet) -> Tensor:
    return data.fetch(torch.arange(len(data)))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("below", ["", "FashionMNIST/raw"])
def test_pixels_and_labels_are_read_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str, zipped: bool
) -> None:
    install(tmp_path / "here" / below, pictures(), [9, 0, 3, 3, 1], zipped)
    monkeypatch.setenv("GANS_DATA", f"{tmp_path / 'empty'}:{tmp_path / 'here'}")
    native = FashionMnist().native()
    assert (native.size, native.channels) == ((28, 28), 1)
    data = FashionMnist().open(native.size, native.channels, "crop")
    assert np.array_equal(fetched(data)[:, 0].numpy(), pictures())
    assert data.labels is not None
    assert data.labels.tolist() == [9, 0, 3, 3, 1]
    assert data.labels.dtype == torch.int64
    assert data.classes[9] == "ankle boot"


@pytest.mark.parametrize(
    "place",
    ["home/.cache/gans", "home/.cache/gans/FashionMNIST/raw", "work/data/FashionMNIST/raw", "no-debian"],
)
def test_usual_places_are_searched(tmp_path: Path, place: str) -> None:
    install(tmp_path / place, pictures())
    assert len(FashionMnist().open(None, None, "crop")) == 5


def test_the_root_comes_first_and_named_folders_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "no-debian", pictures(3))
    install(tmp_path / "named", pictures(4))
    install(tmp_path / "root" / "FashionMNIST" / "raw", pictures(5))
    monkeypatch.setenv("GANS_DATA", str(tmp_path / "named"))
    assert len(FashionMnist().open(None, None, "crop")) == 4
    assert len(FashionMnist("", DataAccess(tmp_path / "root")).open(None, None, "crop")) == 5


def test_original_mnist_in_data_is_not_mistaken_for_it(tmp_path: Path) -> None:
    install(tmp_path / "work" / "data", pictures())
    with pytest.raises(ValueError, match=r"fashion-mnist .* is not in"):
        FashionMnist().native()


def test_channels_repeat_grey_and_alpha_is_full(tmp_path: Path) -> None:
    install(tmp_path / "no-debian", pictures())
    grey, rgb, rgba = (fetched(FashionMnist().open(None, channels, "crop")) for channels in (1, 3, 4))
    assert torch.equal(rgb, grey.repeat(1, 3, 1, 1))
    assert torch.equal(rgba[:, :3], rgb)
    assert (rgba[:, 3] == 255).all()


def test_resizing_keeps_geometry_and_level(tmp_path: Path) -> None:
    """Left half 40, right half 200; a bright rim above. Crop to 32×64 cuts the rim off, stretch keeps it."""
    image = np.full((1, 28, 28), 40, np.uint8)
    image[:, :, 14:] = 200
    image[:, :5] = 255
    install(tmp_path / "no-debian", image)
    square = fetched(FashionMnist().open((32, 32), 1, "crop"))[0, 0]
    crop = fetched(FashionMnist().open((32, 64), 1, "crop"))[0, 0]
    stretch = fetched(FashionMnist().open((32, 64), 1, "stretch"))[0, 0]
    small = fetched(FashionMnist().open((14, 14), 1, "crop"))[0, 0]
    for whole in (square, stretch):
        assert (whole[:4] == 255).all()
        assert whole[20, 2] == 40
        assert whole[20, -2] == 200
    assert (crop[:, :30] == 40).all()
    assert (crop[:, 34:] == 200).all()
    assert small[8, 6] not in (40, 200)  # antialiased: the filter is two source pixels wide and reaches over
    assert small[8, 3] == 40


def test_rounding_is_to_the_nearest_level(tmp_path: Path) -> None:
    """The mean of noise stays where it was; cutting off instead would lower it by half a level."""
    noise = pictures(300)
    install(tmp_path / "no-debian", noise, [0] * 300)
    resized = fetched(FashionMnist().open((28, 56), 1, "stretch")).double().mean().item()
    assert resized == pytest.approx(noise.mean(), abs=0.1)


def test_damage_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "no-debian"
    install(folder, pictures())
    images = folder / f"{IMAGES}.gz"
    whole = images.read_bytes()
    for content in (
        whole[: len(whole) // 2],  # a download that broke off
        b"<html>not found</html>",
        gzip.compress(idx(pictures())[:-1]),
        gzip.compress(idx(pictures()) + b"x"),
        gzip.compress(b"\0\0\x0d\3" + idx(pictures())[4:]),  # floats
        gzip.compress(idx(np.zeros(5, np.uint8))),  # labels under the name of the images
        gzip.compress(b""),
        gzip.compress(idx(pictures()[:, :27])),
        gzip.compress(idx(pictures()[:0])),
    ):
        images.write_bytes(content)
        with pytest.raises(ValueError, match=str(images)) as error:
            FashionMnist().open(None, None, "crop")
        assert "\n" not in str(error.value)


def test_labels_must_fit(tmp_path: Path) -> None:
    for labels in ([0, 1, 2, 3], [0, 1, 2, 3, 10]):
        install(tmp_path / "no-debian", pictures(), labels)
        with pytest.raises(ValueError, match=f"{LABELS}.gz holds (4 labels for 5|label 10)"):
            FashionMnist().open(None, None, "crop")


def test_absence_names_places_and_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANS_DATA", str(tmp_path / "named"))
    for ask in (FashionMnist().native, lambda: FashionMnist().open(None, None, "crop")):
        with pytest.raises(ValueError, match="apt-get install dataset-fashion-mnist") as error:
            ask()
        for part in ("--download", "--data-root DIR", str(tmp_path / "named"), "no-debian", ".cache/gans"):
            assert part in str(error.value)
        assert "\n" not in str(error.value)


def test_wrong_use_is_refused(tmp_path: Path) -> None:
    install(tmp_path / "no-debian", pictures())
    with pytest.raises(ValueError, match="takes no argument"):
        FashionMnist("test").native()
    with pytest.raises(ValueError, match="28×28, not 32×32: choose --fit"):
        FashionMnist().open((32, 32), 1, "error")
    assert len(FashionMnist().open((28, 28), 1, "error")) == 5
    with pytest.raises(ValueError, match="1, 3 or 4"):
        FashionMnist().open((28, 28), 2, "crop")


@installed
def test_real_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FashionMnist, "installed", (DEBIAN,))
    data = FashionMnist().open((32, 32), 1, "crop")
    native = FashionMnist().open(None, None, "crop")
    assert data.labels is not None
    assert data.labels.bincount().tolist() == [6000] * 10
    assert data.sample_shape == (1, 32, 32)
    # The mean that everyone normalizes with is 0.2860.
    assert native.samples.double().mean().item() == pytest.approx(72.94, abs=0.01)
    trousers, boots = (native.samples[data.labels == label].double().mean((0, 1)) for label in (1, 9))
    assert trousers[:, 10:18].mean() > 100 > 30 > trousers[:, :6].mean()  # upright in the middle
    assert boots[18:22].mean() > 3 * boots[:5].mean()
