"""What the documentation names and does not make: runs, photos, published weights; each is made once.

`NAMES` says what stands for a name on a page; a page that makes the name itself (`--out NAME`) has its own.
"""

import shutil
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

import cli
from tests.experiments.data.test_fashion_mnist import install
from tests.pages.reading import ROOT, Command

SMALL = ["--width", "2", "--batch-size", "4", "--steps", "4", "--image-size", "16", "--track", "local"]
PHOTOS = 420  # of which a tenth, held out, is enough for an audit
LABELLED = 200  # enough to train a classifier on
ATTRIBUTES = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")
FACES = ROOT / "tests/fixtures/nvlabs_snapshot.pkl"


def make_photos(folder: Path, count: int = PHOTOS) -> None:
    """Writes pictures of random pixels, 20 high and 24 wide."""
    folder.mkdir(parents=True)
    noise = np.random.default_rng(count)
    for number in range(count):
        Image.fromarray(noise.integers(256, size=(20, 24, 3), dtype=np.uint8)).save(
            folder / f"{number:02}.png"
        )


def make_scans(folder: Path) -> None:
    """Writes grey pictures of 16 bits, of which 12 are used."""
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0)
    for number in range(20):
        Image.fromarray(noise.integers(4096, size=(16, 16), dtype=np.uint16)).save(folder / f"{number}.png")


def make_array(file: Path) -> None:
    """Writes an array of pictures of two channels, of numbers that are no bytes."""
    with file.open("wb") as opened:
        np.save(opened, np.random.default_rng(0).normal(270, 20, size=(20, 2, 16, 16)).astype(np.float32))


def make_photo(file: Path) -> None:
    """Writes one picture."""
    Image.new("RGB", (24, 20), (200, 90, 30)).save(file, "JPEG")


def make_domains(folder: Path) -> None:
    """Writes two folders of pictures, A and B."""
    make_photos(folder / "A", 8)
    make_photos(folder / "B", 9)


def make_data(root: Path) -> None:
    """Writes Fashion-MNIST and CelebA as they are distributed, but few and random pictures of them."""
    noise = np.random.default_rng(0)
    images = noise.integers(256, size=(LABELLED, 28, 28), dtype=np.uint8)
    install(root / "FashionMNIST/raw", images, [number % 10 for number in range(LABELLED)])
    make_photos(root / "celeba/img_align_celeba", 2 ** len(ATTRIBUTES))
    names = [f"{number:02}.png" for number in range(2 ** len(ATTRIBUTES))]
    (root / "celeba/list_eval_partition.txt").write_text("".join(f"{name} 0\n" for name in names))
    values = product(("1", "-1"), repeat=len(ATTRIBUTES))
    rows = [" ".join((name, *of_name)) for name, of_name in zip(names, values, strict=True)]
    lines = [str(len(names)), " ".join(ATTRIBUTES), *rows]
    (root / "celeba/list_attr_celeba.txt").write_text("\n".join(lines) + "\n")


def make_network_file(letter: str) -> Callable[[Path], None]:
    """Maker of a file as CycleGAN's authors publish one for each direction."""

    def make(file: Path) -> None:
        whole = file.with_suffix(".safetensors")
        run = Stock(file.parent).item("cyclegan")
        cli.main(["export", str(run), "--format", "cyclegan", "--out", str(whole)])
        prefix = f"G_{letter}."
        own = {k.removeprefix(prefix): v for k, v in load_file(whole).items() if k.startswith(prefix)}
        torch.save(own, file)

    return make


def trained(*words: str) -> Callable[[Path], None]:
    """Maker of a run."""
    return lambda folder: cli.main(["run", *words, *SMALL, "--out", str(folder)])


def make_runs(folder: Path) -> None:
    """Trains and evaluates two runs that differ in their loss."""
    for loss in ("bce", "lsgan"):
        trained("--arch", "dcgan", "--loss", loss, "--data", "fashion-mnist")(folder / loss)
        cli.main(["evaluate", str(folder / loss), "-n", "8", "--metrics", "fid", "--extractor", "random-vgg"])


ITEMS: dict[str, Callable[[Path], None]] = {
    "data": make_data,
    "dcgan": trained("--arch", "dcgan", "--data", "fashion-mnist"),
    "stylegan2": trained("--arch", "stylegan2"),
    "cyclegan": trained("--arch", "cyclegan"),
    "shapes": trained("--arch", "dcgan", "--data", "shapes"),
    "runs": make_runs,
    "photos": make_photos,
    "photo": make_photo,
    "scans": make_scans,
    "array": make_array,
    "domains": make_domains,
    "generator": lambda file: shutil.copyfile(
        Stock(file.parent).item("stylegan2") / "generator.safetensors", file
    ),
    "network_A": make_network_file("A"),
    "network_B": make_network_file("B"),
    "snapshot": lambda file: shutil.copyfile(FACES, file),
}
NAMES = {
    "RUN": "dcgan",
    "RUNS": "runs",
    "A": "shapes",
    "B": "shapes",
    "mine": "photos",
    "photos": "photos",
    "album": "photos",
    "photo.jpg": "photo",
    "me.jpg": "photo",
    "horses-and-zebras": "domains",
    "scans": "scans",
    "maps": "scans",
    "maps.npy": "array",
    "generator.safetensors": "generator",
    "runs/dcgan-wgan-gp-shapes-1": "shapes",  # of `make run`
    "runs/faces": "stylegan2",
    "snapshot.pkl": "snapshot",
    "latest_net_G_A.pth": "network_A",
    "latest_net_G_B.pth": "network_B",
}
# What RUN is for commands that other architectures have no meaning for.
MADE_BY = {"run": "shapes", "sweep": "runs", "import": "stylegan2"}  # by commands that are too long to run
RUN_OF = {"audit": "shapes", "mix": "stylegan2", "translate": "cyclegan"}


class Stock:
    """Makes items when they are first asked for, and copies them.

    Args:
        folder: where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._laid: dict[str, str] = {}

    def item(self, name: str) -> Path:
        """The item of this name."""
        path = self.folder / name
        if not path.exists():
            ITEMS[name](path)
        return path

    def put(self, name: str, to: Path) -> None:
        """Copies an item."""
        item = self.item(name)
        to.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if item.is_dir() else shutil.copyfile)(item, to)

    def lay_out(self, commands: Iterable[Command]) -> list[Command]:
        """Puts what the commands of a page name and do not make into the current folder.

        Returns those that are run; RUN stands for a run of an architecture that they have a meaning for.
        """
        self._laid.clear()
        commands = [each for each in commands if each.words[0] == "gans"]
        run = [_with_run(each) for each in commands if each.is_run]
        made = _made(run)
        unmade = {name: item for name, item in _items_of_long(commands).items() if name not in made}
        for word in (word for command in run for word in command.words[2:]):
            name = word.removeprefix("folder:").removeprefix("npy:").rstrip("/…")
            item = unmade.get(name) if name == word.rstrip("/…") else None
            item = item or NAMES.get(name) or name.removeprefix("RUN-") * name.startswith("RUN-")
            if name.startswith("examples/") and not Path(name).exists():
                Path("examples").mkdir(exist_ok=True)
                shutil.copyfile(ROOT / name, name)
            if item and name not in made and self._laid.setdefault(name, item) == item:
                if not Path(name).exists():
                    self.put(item, Path(name))
            elif item and name not in made:
                raise AssertionError(f"{name} is the name of two things: {self._laid[name]} and {item}")
        return run


def _with_run(command: Command) -> Command:
    other = RUN_OF.get(command.words[1]) if len(command.words) > 1 else None
    if other is None:
        return command
    words = tuple(f"RUN-{other}" if word == "RUN" else word for word in command.words)
    return command._replace(words=words)


def _made(commands: Iterable[Command]) -> set[str]:
    """The names that stand after --out."""
    return {
        after.rstrip("/")
        for command in commands
        for word, after in zip(command.words, command.words[1:], strict=False)
        if word == "--out"
    }


def _items_of_long(commands: Iterable[Command]) -> dict[str, str]:
    """What stands for the runs that commands make which are too long to be run, by name."""
    found = {}
    for command in commands:
        name, words = command.words[1], command.words
        if not command.is_run and name in MADE_BY and "--out" in words:
            arch = words[words.index("--arch") + 1] if "--arch" in words else ""
            item = "cyclegan" if arch == "cyclegan" else MADE_BY[name]
            found[words[words.index("--out") + 1].rstrip("/")] = item
    return found
