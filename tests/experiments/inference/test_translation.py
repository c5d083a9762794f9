"""`gans translate`: what goes in comes out at its own size, under its own name, and nothing is lost."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import cli
from experiments.core.settings import Settings
from experiments.data.core.decoding import UnreadableError
from experiments.inference.translation import InputFormat, TranslationItem, mirror_indices, padded_side
from experiments.inference.translation_targets import AttributeChange, Target, critic_of
from experiments.runs.checkpoint import load_checkpoint
from experiments.runs.generator import load
from gans.core.attributes import AttributeCritic, AttributeGroup, most_likely_rows
from gans.core.networks import Batch
from gans.core.translation import AttributeTranslator

Gans = Callable[..., Any]
Refused = Callable[..., str]

# Steps so large that one sees what the networks do: at first they make grey paper.
TINY = (
    "--image-size 16 --width 2 --batch-size 2 --steps 3 --lr-generator 0.05 --ema-kimg 0 --device cpu "
    "--track local"
)
ARCHITECTURES = ("pix2pix", "cyclegan", "stargan", "swap")
TO = {"pix2pix": "", "cyclegan": "--to B", "stargan": "--to hue=red", "swap": "--to A"}
HUE = AttributeGroup("hue", ("red", "green", "blue"))
GROUPS = (HUE, AttributeGroup("filled", ("0", "1")), AttributeGroup("size", ("small", "large")))


@pytest.fixture(scope="session")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("translators")
    for name in ARCHITECTURES:
        cli.main(["run", "--arch", name, *TINY.split(), "--out", str(folder / name)])
    cli.main(["run", "--arch", "cyclegan", "--channels", "1", *TINY.split(), "--out", str(folder / "grey")])
    return folder


@pytest.fixture
def runs(workplace: Path, _trained: Path) -> Path:
    """In the current folder a tiny run of each architecture, by its name, and `grey`, a cyclegan."""
    shutil.copytree(_trained, workplace, dirs_exist_ok=True)
    return workplace


def paint(file: str, height: int, width: int, channels: int = 3, seed: int = 0) -> Path:
    """An image file of noise."""
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(256, size=(height, width, channels), dtype=np.uint8)
    Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(path)
    return path


def read(file: str | Path) -> np.ndarray[Any, Any]:
    with Image.open(file) as image:
        return np.asarray(image)


def files_below(folder: str | Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


def translated(gans: Gans, line: str, *words: object) -> Any:
    outcome = gans(f"translate {line} --device cpu", *words)
    assert outcome.status == 0, outcome
    return outcome


# --- sizes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_size_comes_back(name: str, gans: Gans, runs: Path) -> None:
    sizes = [(16, 16), (1, 1), (3, 50), (37, 21), (4, 4), (64, 33)]
    for number, size in enumerate(sizes):
        paint(f"in/{number}.png", *size)
    translated(gans, f"{name} in {TO[name]} --out out")
    assert [read(f"out/{number}.png").shape for number in range(len(sizes))] == [(*s, 3) for s in sizes]


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (5, 7), (8, 8), (16, 16), (17, 40), (33, 3)])
@pytest.mark.parametrize("trained", [(16, 16), (8, 24)])
def test_what_is_padded_is_cropped_in_its_place(size: tuple[int, int], trained: tuple[int, int]) -> None:
    """A network that changes nothing gives back every pixel, and is shown multiples, twice at least."""
    seen: list[Sequence[int]] = []

    def same(whole: Image.Image, x: Tensor) -> Tensor:
        seen.append(x.shape[2:])
        return x

    pixels = np.random.default_rng(0).integers(256, size=(*size, 3), dtype=np.uint8)
    frame = InputFormat(trained, 3, 8, torch.device("cpu"))
    made = frame.through(Target("same", same), Image.fromarray(pixels))
    assert (np.asarray(made) == pixels).all()
    for shown, own, usual in zip(seen[0], size, trained, strict=True):
        assert shown % 8 == 0 and max(own, min(16, usual)) <= shown < max(own + 8, min(16, usual) + 1)


def test_the_size_of_the_training_is_not_padded() -> None:
    """Also where it is the multiple itself, as that of a U-Net which halves it down to one pixel."""
    assert padded_side(256, 256, 256) == 256
    assert padded_side(16, 16, 48) == 32
    assert padded_side(5, 4, 16) == 8


@pytest.mark.parametrize(("side", "wanted"), [(1, 4), (2, 8), (3, 16), (5, 8), (8, 8), (9, 16), (2, 7)])
def test_borders_are_mirrored_as_often_as_it_takes(side: int, wanted: int) -> None:
    before = (wanted - side) // 2
    truth = np.pad(np.arange(side), (before, wanted - side - before), mode="reflect" if side > 1 else "edge")
    assert mirror_indices(side, wanted).tolist() == truth.tolist()


def test_networks_of_one_size_see_it_and_the_result_is_brought_back() -> None:
    seen: list[Sequence[int]] = []

    def same(whole: Image.Image, x: Tensor) -> Tensor:
        seen.append(x.shape)
        return x

    frame = InputFormat((16, 24), 3, None, torch.device("cpu"))
    smooth = np.add.outer(np.arange(40), np.arange(50)).astype(np.uint8)[:, :, None].repeat(3, axis=2)
    made = np.asarray(frame.through(Target("same", same), Image.fromarray(smooth)))
    assert seen == [(1, 3, 16, 24)] and made.shape == smooth.shape
    assert np.abs(made.astype(int) - smooth).max() <= 4, "stretched there and back, nothing is cut off"


# --- kinds of images ---------------------------------------------------------------------------------


def test_the_networks_see_white_and_transparency_is_put_back(gans: Gans, runs: Path) -> None:
    see_through = paint("in/glass.png", 21, 18, 4)
    with Image.open(see_through) as image:
        white = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    white.save("in/white.png")
    translated(gans, "cyclegan in --to B --out out")
    assert read("out/glass.png").shape == (21, 18, 4)
    assert (read("out/glass.png")[:, :, 3] == read(see_through)[:, :, 3]).all()
    assert (read("out/glass.png")[:, :, :3] == read("out/white.png")).all()
    assert read("out/white.png").shape == (21, 18, 3)


def test_grey_runs_give_grey_files(gans: Gans, runs: Path) -> None:
    paint("in/colour.png", 10, 12)
    paint("in/glass.png", 10, 12, 4)
    translated(gans, "grey in --to B --out out")
    with Image.open("out/colour.png") as colour, Image.open("out/glass.png") as glass:
        assert (colour.mode, glass.mode) == ("L", "LA")


def test_grey_images_take_the_colours_of_the_run(gans: Gans, runs: Path) -> None:
    translated(gans, "cyclegan --to B --out out", paint("grey.png", 10, 12, 1))
    assert read("out/grey.png").shape == (10, 12, 3)


def test_networks_that_see_transparency_are_given_it(workplace: Path) -> None:
    paint("glass.png", 4, 4, 4)
    image, apart = TranslationItem(Path(), "glass.png", Path("out.png")).read(4)
    assert apart is None and (np.asarray(image) == read("glass.png")).all()


def test_photos_are_turned_upright(gans: Gans, runs: Path) -> None:
    """As a camera on its side writes them: 30 high and 20 wide for the eye."""
    with Image.open(paint("flat.png", 20, 30)) as flat:
        exif = Image.Exif()
        exif[0x0112] = 6
        flat.save("turned.png", exif=exif)
        flat.rotate(-90, expand=True).save("upright.png")
    translated(gans, "cyclegan turned.png upright.png --to B --out out")
    assert read("out/turned.png").shape == (30, 20, 3)
    assert (read("out/turned.png") == read("out/upright.png")).all()


# --- names -------------------------------------------------------------------------------------------


def test_names_and_subfolders_are_kept(gans: Gans, runs: Path) -> None:
    for name in ("in/a.PNG", "in/deep/er/v1.2.jpg", "in/.hidden/x.png", "alone.bmp"):
        paint(name, 8, 8)
    Path("in/notes.txt").write_text("no image")
    shutil.copy("alone.bmp", "photo")
    shutil.copy("alone.bmp", "photo.2024")
    outcome = translated(gans, "pix2pix in alone.bmp photo photo.2024 --out new/out")
    assert outcome.out == "new/out\n" and "5 images to B in new/out" in outcome.err
    assert files_below("new/out") == {"a.png", "deep/er/v1.2.png", "alone.png", "photo.png", "photo.2024.png"}


def test_json_names_every_file(gans: Gans, runs: Path) -> None:
    paint("in/a.jpg", 8, 8)
    Path("in/b.png").write_text("no image")
    outcome = translated(gans, "swap in --to b --skip-bad --json --out out")
    assert json.loads(outcome.out) == {
        "out": "out",
        "to": "B",
        "files": [{"input": "in/a.jpg", "output": "out/a.png"}],
        "skipped": ["in/b.png"],
    }


def test_nothing_is_written_over_unasked(gans: Gans, refused: Refused, runs: Path) -> None:
    paint("in/a.png", 8, 8)
    paint("in/b.png", 8, 8)
    paint("out/b.png", 3, 3)
    before = read("out/b.png")
    refused(2, ("out/b.png", "exists", "--force"), "translate pix2pix in --out out")
    assert (read("out/b.png") == before).all() and files_below("out") == {"b.png"}
    translated(gans, "pix2pix in --out out --force")
    assert read("out/b.png").shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("words", "mentions"),
    [
        ("in/a.png --out in", ("in/a.png is one of the images",)),
        ("link/a.png --out in", ("in/a.png is one of the images",)),
        ("in --out in", ("--out in is in in", "outside")),
        ("in --out link/new", ("--out link/new is in in", "outside")),
        ("in/a.png other/a.jpg --out out", ("in/a.png and other/a.jpg", "out/a.png", "rename")),
        ("in/a.png in/a.png --out out", ("would both become out/a.png",)),
    ],
)
def test_inputs_are_never_written_over(
    words: str, mentions: tuple[str, ...], refused: Refused, runs: Path
) -> None:
    """Not even with --force, nor through a link, nor one result over another."""
    before = paint("in/a.png", 8, 8).read_bytes()
    paint("other/a.jpg", 8, 8)
    Path("link").symlink_to("in")
    refused(2, mentions, f"translate pix2pix {words} --force")
    assert Path("in/a.png").read_bytes() == before and files_below("in") == {"a.png"}
    assert not Path("out").exists()


# --- where to ----------------------------------------------------------------------------------------


def test_domains_have_names_in_any_case(gans: Gans, runs: Path) -> None:
    paint("x.png", 16, 16)
    for to in ("A", "B", "b"):
        translated(gans, f"cyclegan x.png --to {to} --out {to}-{to.isupper()}")
    a, b, small = (Path(f"{folder}/x.png").read_bytes() for folder in ("A-True", "B-True", "b-False"))
    assert b == small and a != b


def test_attributes_may_be_named_together_or_one_by_one(gans: Gans, runs: Path) -> None:
    paint("x.png", 16, 16)
    together = translated(gans, "stargan x.png --to hue=red,filled=1,size=small --out together --json")
    translated(gans, "stargan x.png --to size=small --to hue=red --to filled=1 --out apart")
    translated(gans, "stargan x.png --to hue=blue,filled=1,size=small --out blue")
    assert json.loads(together.out)["to"] == "hue=red,filled=1,size=small"
    assert (read("together/x.png") == read("apart/x.png")).all()
    assert (read("together/x.png") != read("blue/x.png")).any(), "the network is told"


def test_logits_decide_on_the_likeliest_value_of_each_group() -> None:
    logits = torch.tensor([[-3.0, -1.0, -2.0, -0.5, 4.0, 5.0], [2.0, 1.0, 9.0, 0.5, 1.0, 0.0]])
    rows = most_likely_rows((HUE, *GROUPS[1:]), logits)
    assert rows.tolist() == [[0, 1, 0, 0, 0, 1], [0, 0, 1, 1, 1, 0]]


class Knowing(AttributeCritic):
    """Says of every image that it is green, filled and large; keeps what it has seen."""

    seen: Tensor

    def classify(self, x: Tensor) -> Tensor:
        self.seen = x
        return torch.tensor([[-5.0, -1.0, -5.0, 1.0, -2.0, -1.0]])


class Recording(AttributeTranslator):
    """Changes nothing, and keeps the attributes that it was told."""

    multiple = 1
    rows: Tensor

    def translate(self, images: Tensor, rows: Tensor) -> Tensor:
        self.rows = rows
        return images

    def generate(self, like: Batch) -> Tensor:
        return like.samples

    def columns(self, batch: Batch) -> dict[str, Tensor]:
        return {}


@pytest.mark.parametrize(
    ("asked", "row"),
    [
        ({"hue": "red"}, [1, 0, 0, 1, 0, 1]),
        ({"filled": "0", "size": "small"}, [0, 1, 0, 0, 1, 0]),
        ({"hue": "green"}, [0, 1, 0, 1, 0, 1]),
    ],
)
def test_the_critic_tells_the_attributes_that_nobody_names(asked: dict[str, str], row: list[int]) -> None:
    """Of the whole image at the run's size, whatever the network itself is given."""
    network, critic = Recording(), Knowing()
    settings = Settings(arch="stargan", image_size=(8, 8), channels=3, fit="stretch")
    change = AttributeChange(network, GROUPS, asked, critic, settings)
    change(Image.new("RGB", (40, 20), (255, 0, 0)), torch.zeros(1, 3, 20, 40))
    assert network.rows.tolist() == [row]
    assert critic.seen.shape == (1, 3, 8, 8)
    assert critic.seen[0, :, 4, 4].tolist() == [1, -1, -1]


def test_the_critic_is_that_of_the_newest_checkpoint(gans: Gans, runs: Path) -> None:
    """And what it says is what is done: naming it changes nothing, in the run and in its checkpoint."""
    newest = sorted(Path("stargan/checkpoints").glob("*.pt"))[-1]
    critic = critic_of(Path("stargan"), load(Path("stargan")).settings)
    assert critic is not None and not critic.training
    kept = load_checkpoint(newest)["game"]
    for name, value in critic.state_dict().items():
        assert torch.equal(value, kept[f"critic.network.{name}"]), name
    with Image.open(paint("x.png", 16, 16)) as image:
        x = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 127.5 - 1
    says = most_likely_rows(GROUPS, critic.classify(x))[0].tolist()
    named = f"filled={says[3]:.0f},size={GROUPS[2].values[int(says[5])]}"
    for folder, run, to in (
        ("told", "stargan", f"hue=blue,{named}"),
        ("by-run", "stargan", "hue=blue"),
        ("by-checkpoint", newest, "hue=blue"),
    ):
        translated(gans, f"{run} x.png --to {to} --out {folder}")
        assert (read(f"{folder}/x.png") == read("told/x.png")).all(), folder


def test_an_export_has_no_critic(gans: Gans, refused: Refused, runs: Path) -> None:
    shutil.copy("stargan/generator.safetensors", "g.safetensors")
    shutil.rmtree("stargan/checkpoints")
    paint("x.png", 16, 16)
    for run in ("g.safetensors", "stargan"):
        refused(2, (run, "critic", "name filled, size"), f"translate {run} x.png --to hue=red --out out")
        translated(gans, f"{run} x.png --to hue=red,filled=1,size=small --out {run}-out")
    assert (read("g.safetensors-out/x.png") == read("stargan-out/x.png")).all()


def test_a_checkpoint_without_its_critic_is_named(
    gans: Gans, refused: Refused, seal: Callable[[Path], None], runs: Path
) -> None:
    newest = sorted(Path("stargan/checkpoints").glob("*.pt"))[-1]
    state = load_checkpoint(newest)
    state["game"] = {k: v for k, v in state["game"].items() if not k.startswith("critic.network.")}
    torch.save(state, newest)
    seal(newest)
    paint("x.png", 16, 16)
    refused(1, ("critic", newest.name), "translate stargan x.png --to hue=red --out out")
    translated(gans, "stargan x.png --to hue=red,filled=1,size=small --out out")  # where it is not asked


# --- noise -------------------------------------------------------------------------------------------


def test_noise_is_a_function_of_seed_and_file(gans: Gans, runs: Path) -> None:
    """Dropout stays on in pix2pix; whatever else is translated, a file comes out as it does by itself."""
    for number, name in enumerate(("a.png", "b.png", "c.png")):
        paint(f"in/{name}", 16, 16, seed=number)
    shutil.copy("in/b.png", "in/b2.png")
    translated(gans, "pix2pix in --out all")
    translated(gans, "pix2pix in/b.png --out alone")
    translated(gans, "pix2pix in/b.png --seed 1 --out other")
    assert Path("all/b.png").read_bytes() == Path("alone/b.png").read_bytes()
    assert (read("alone/b.png") != read("other/b.png")).any(), "another seed, another noise"
    assert (read("all/b.png") != read("all/b2.png")).any(), "another name, too"


# --- what cannot be done -----------------------------------------------------------------------------


def test_bad_files_stop_before_anything_is_written(gans: Gans, refused: Refused, runs: Path) -> None:
    paint("in/a.png", 16, 16)
    cut = paint("in/z.png", 40, 40)
    cut.write_bytes(cut.read_bytes()[:900])  # the header is whole
    Path("in/b.png").write_text("no image")
    refused(2, ("in/b.png", "--skip-bad"), "translate swap in --to A --out out")
    Path("in/b.png").unlink()
    refused(2, ("in/z.png", "--skip-bad"), "translate swap in --to A --out out")
    assert not Path("out").exists()
    outcome = translated(gans, "swap in --to A --out out --skip-bad")
    assert files_below("out") == {"a.png"}
    assert "skipped 1 file that cannot be read: in/z.png" in outcome.err
    line = refused(2, ("none of the 1 images", "z.png"), "translate swap in/z.png --to A --out n --skip-bad")
    assert "--skip-bad" not in line
    with pytest.raises(UnreadableError):
        TranslationItem(Path("in"), "z.png", Path()).read(3)


@pytest.mark.parametrize(
    ("line", "mentions"),
    [
        ("cyclegan x.png --out out", ("cyclegan", "A or B", "--to")),
        ("cyclegan x.png --to C --out out", ("--to C", "A or B")),
        ("cyclegan x.png --to A,B --out out", ("A or B", "one of them")),
        ("pix2pix x.png --to A --out out", ("--to A", "pix2pix", "to B")),
        ("pix2pix x.png --to hue=red --out out", ("--to hue=red", "to B")),
        ("stargan x.png --out out", ("stargan", "hue, filled or size", "--to")),
        ("stargan x.png --to B --out out", ("no attribute 'B'", "hue, filled or size")),
        ("stargan x.png --to filled --out out", ("--to filled", "filled=0 or filled=1")),
        ("stargan x.png --to hue=pink --out out", ("'pink'", "red, green or blue")),
        ("stargan x.png --to hue=red,hue=blue --out out", ("hue twice",)),
        ("cyclegan none.png --to A --out out", ("none.png does not exist",)),
        ("cyclegan empty --to A --out out", ("no images below empty",)),
        ("cyclegan x.png --to A --out x.png", ("--out x.png is a file",)),
        ("cyclegan x.png --to A", ("--out",)),
        ("cyclegan --to A --out out", ("INPUT",)),
        ("nowhere x.png --to A --out out", ("nowhere is not a run folder",)),
        ("cyclegan x.png --to A --out out --plugin none.py", ("none.py",)),
    ],
)
def test_one_line_says_what_is_wrong(
    line: str, mentions: tuple[str, ...], refused: Refused, runs: Path
) -> None:
    paint("x.png", 16, 16)
    Path("empty").mkdir()
    refused(2, mentions, f"translate {line}")
    assert not Path("out").exists()


def test_an_empty_out_is_no_folder(refused: Refused, runs: Path) -> None:
    paint("x.png", 16, 16)
    refused(2, ("--out is empty",), "translate pix2pix x.png --out", "")


def test_generators_that_start_from_noise_are_refused(refused: Refused, finished: Path) -> None:
    paint("x.png", 16, 16)
    refused(2, ("run", "from noise", "gans sample"), "translate run x.png --to B --out out")


def test_a_folder_that_cannot_be_made_is_named(refused: Refused, runs: Path) -> None:
    paint("x.png", 16, 16)
    refused(1, ("cannot write", "x.png/deep"), "translate pix2pix x.png --out x.png/deep")
