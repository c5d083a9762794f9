"""`--out` of every command: what is there and not the command's own stays, unless `--force` is given."""

import shutil
from pathlib import Path

import click
import pytest
from PIL import Image

import cli
from experiments.core.paths import cache_folder
from tests.commands.helpers import Gans, Refused, everything_below
from tests.test_old_runs import OLD_RUNS

# A line for each command that writes a file or folder: its arguments, and where it writes.
LINES = {
    "sample": ("run -n 2", "x.png"),
    "stats": ("ring8 -n 50", "x.npz"),
    "prepare": ("folder:pairs/expected/inputs --image-size 8", "x.zip"),
    "interpolate": ("run --from 1 --to 2 --frames 2", "x.gif"),
    "arithmetic": ("run --plus 1", "x.png"),
    "traverse": ("run --dims 0 --steps 2", "x.png"),
    "directions": ("run -k 1 --steps 2", "x.png"),
    "project": ("run picture.jpg --steps 1", "x.png"),
    "export": ("run", "x.safetensors"),
    "mix": ("run --rows 1 --cols 1", "x.png"),
    "translate": ("pairs picture.jpg --to B", "x/picture.png"),
    "report": ("run", "x.html"),
    "find-lr": ("--arch mlp --data ring8 --width 4 --batch-size 8 --steps 50", "x.png"),
}
WRITES_RUNS = {"run", "sweep", "reproduce", "import"}  # into folders that they resume, or that are free
LONG = {"audit"}  # minutes, even for few images
BESIDE = {"project": "x.npy", "export": "x.safetensors.sha256"}  # further files


@pytest.fixture
def place(workplace: Path) -> Path:
    """A run with styles, one that translates, and a picture."""
    shutil.copytree(OLD_RUNS / "stylegan", workplace / "run")
    shutil.copytree(OLD_RUNS / "pix2pix", workplace / "pairs")
    Image.new("RGB", (16, 16), "red").save("picture.jpg")
    return workplace


def line_of(command: str) -> tuple[str, Path]:
    words, file = LINES[command]
    return f"{command} {words} --out {'x' if '/' in file else file}", Path(file)


def test_every_command_that_writes_is_tested_here() -> None:
    for name, command in cli.gans.commands.items():
        options = {option for each in command.params for option in each.opts}
        assert ("--out" in options) == (name in {*LINES, *WRITES_RUNS, *LONG}), (
            f"{name}: give it a line in LINES"
        )
        assert name not in LINES or "--force" in options, f"gans {name} --out refuses, and offers no --force"
        outputs = [each for each in command.params if isinstance(each.type, click.File)]
        assert not outputs, f"gans {name} opens files before they are checked"


@pytest.mark.parametrize("command", LONG)
def test_a_long_command_refuses_before_it_computes(command: str, place: Path, refused: Refused) -> None:
    Path("x.png").write_text("precious")
    refused(2, ("x.png", "--force", "take another --out"), f"{command} run --out x.png")
    assert Path("x.png").read_text() == "precious"


@pytest.mark.parametrize("command", LINES)
def test_a_file_of_somebody_else_stays(command: str, place: Path, gans: Gans, refused: Refused) -> None:
    line, file = line_of(command)
    for other in filter(None, (str(file), BESIDE.get(command))):
        Path(other).parent.mkdir(exist_ok=True)
        Path(other).write_text("precious")
        before = everything_below(place)
        refused(2, (other, "--force", "take another --out"), line)
        assert everything_below(place) == before
        Path(other).unlink()
    file.write_text("precious")
    assert gans(f"{line} --force").status == 0
    assert file.read_bytes() != b"precious"


@pytest.mark.parametrize("command", [name for name in LINES if name != "translate"])
def test_its_own_file_may_be_replaced_as_long_as_nobody_changed_it(
    command: str, place: Path, gans: Gans, refused: Refused
) -> None:
    line, file = line_of(command)
    assert gans(line).status == 0
    made = file.read_bytes()
    assert gans(line).status == 0
    file.write_bytes(made + b"a remark of mine")
    refused(2, (str(file), "--force"), line)
    file.write_bytes(made)
    file.rename(f"other{file.suffix}")
    refused(2, ("other", "--force"), line.replace(f"--out {file}", f"--out other{file.suffix}"))


def test_a_file_of_another_command_stays(place: Path, refused: Refused, gans: Gans) -> None:
    assert gans("sample run -n 2 --out x.png").status == 0
    before = Path("x.png").read_bytes()
    refused(2, ("x.png", "gans mix", "--force"), "mix run --rows 1 --cols 1 --out x.png")
    shutil.rmtree(cache_folder())  # nobody knows any more who wrote it
    refused(2, ("x.png", "--force"), "sample run -n 2 --out x.png")
    assert Path("x.png").read_bytes() == before


def test_a_link_is_not_followed(place: Path, refused: Refused, gans: Gans) -> None:
    Path("victim.png").write_text("precious")
    Path("x.png").symlink_to("victim.png")
    Path("nowhere.png").symlink_to("absent.png")
    for name in ("x.png", "nowhere.png"):
        refused(2, (name, "--force"), f"sample run -n 2 --out {name}")
    assert gans("sample run -n 2 --out x.png --force").status == 0
    assert Path("victim.png").read_text() == "precious" and not Path("x.png").is_symlink()


def test_pictures_are_not_mixed_with_others(place: Path, refused: Refused, gans: Gans) -> None:
    """A folder is written into where it is empty, or all in it is what the command would replace."""
    Path("album").mkdir()
    Path("album/.hidden").write_text("")
    assert gans("sample run -n 3 --out album").status == 0
    assert gans("sample run -n 3 --seed 1 --out album/").status == 0
    refused(2, ("album", "not empty", "--force"), "sample run -n 2 --out album")
    assert gans("sample run -n 4 --out album").status == 0
    Path("album/holiday.png").write_text("precious")
    before = everything_below(Path("album"))
    refused(2, ("album", "not empty", "--force"), "sample run -n 4 --out album")
    assert everything_below(Path("album")) == before
    assert gans("sample run -n 1 --seed 2 --out album --force").status == 0
    after = everything_below(Path("album"))
    assert {name for name in before if before[name] != after[name]} == {"000000.png"}


@pytest.mark.parametrize(
    "line", ["run --arch mlp --steps 1", "sweep --arch mlp --steps 1 --seeds 1 --no-evaluate"]
)
def test_a_run_begins_in_a_folder_of_its_own(line: str, workplace: Path, refused: Refused) -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("precious")
    refused(2, ("mine", "not empty", "--out"), f"{line} --out mine")
    assert everything_below(Path("mine")) == {"notes.txt": b"precious"}
