"""What the documentation names and does not make: runs, photos, published weights; each is made once.

`NAMES` says what stands for a name on a page; a page that makes the name itself (`--out NAME`) has its own.
"""

import shutil
from collections.abc import Callable, Iterable
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
    make_photos(root / "celeba/img_align_celeba", 12)
    names = [f"{number:02}.png" for number in range(12)]
    (root / "celeba/list_eval_partition.txt").write_text("".join(f"{name} 0\n" for name in names))
    rows = [
        f"{name} " + " ".join("1" if number >> place & 1 else "-1" for place in range(5))
        for number, name in enumerate(names)
    ]
    (root / "celeba/list_attr_celeba.txt").write_text("\n".join(["12", " ".join(ATTRIBUTES), *rows]) + "\n")


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
    for loss in ("bce", "hinge"):
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
    "domains": make_domains,
    "network_A": make_network_file("A"),
    "network_B": make_network_file("B"),
    "snapshot": lambda file: shutil.copyfile(FACES, file),
}
NAMES = {
    "RUN": "dcgan",
    "RUNS": "runs",
    "A": "photos",
    "B": "photos",
    "mine": "photos",
    "photos": "photos",
    "album": "photos",
    "photo.jpg": "photo",
    "me.jpg": "photo",
    "horses-and-zebras": "domains",
    "runs/faces": "stylegan2",
    "snapshot.pkl": "snapshot",
    "latest_net_G_A.pth": "network_A",
    "latest_net_G_B.pth": "network_B",
}
# What RUN is for commands that other architectures have no meaning for.
RUN_OF = {"audit": "shapes", "mix": "stylegan2", "translate": "cyclegan"}


class Stock:
    """Makes items when they are first asked for, and copies them.

    Args:
        folder: where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

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
        """Puts what the commands name and do not make into the current folder.

        Returns the commands, whose RUN stands for a run of an architecture that they have a meaning for.
        """
        commands = [_with_run(each) for each in commands]
        for word in (word for command in commands for word in command.words[2:]):
            name = word.removeprefix("folder:").rstrip("/…")
            if name.startswith("examples/") and not Path(name).exists():
                Path("examples").mkdir(exist_ok=True)
                shutil.copyfile(ROOT / name, name)
            item = NAMES.get(name) or name.removeprefix("RUN-") * name.startswith("RUN-")
            if item and name not in _made(commands) and not Path(name).exists():
                self.put(item, Path(name))
        return commands


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
