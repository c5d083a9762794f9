"""Plug-in files that a config names: run only after the user has named them, as they were then."""

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CommandResult

Gans = Callable[..., CommandResult]
PLUGIN = '''"""A form from elsewhere."""
from pathlib import Path as _Path
from losses.adversarial.wgan import Wasserstein as _Wasserstein
_Path("executed").touch()
class Elsewhere(_Wasserstein):
    pass
'''
RUN = "run --arch mlp --data ring8 --loss bce --steps 2 --batch-size 4 --width 4 --track local"
OPENS_A_RUN = [
    "sample run --out s.png",
    "evaluate run -n 20",
    "doctor run",
    "fid run ring8",
    "interpolate run --from 1 --to 2 --out i.png",
    "project run picture.png --out p.png",
    "export run --out e.safetensors",
    "run --resume run",
    "run --config run/config.json --dry-run",
]


@pytest.fixture
def strangers_run(workplace: Path, gans: Gans) -> Path:
    """A run whose config names a plug-in that the user has never named."""
    assert gans(f"{RUN} --out run").status == 0
    Path("elsewhere.py").write_text(PLUGIN)
    config = json.loads(Path("run/config.json").read_text())
    config["settings"]["plugin"] = {"value": ["elsewhere.py"], "from": "flag"}
    Path("run/config.json").write_text(json.dumps(config))
    return Path("run")


@pytest.mark.parametrize("line", OPENS_A_RUN)
def test_nothing_of_a_strangers_file_is_executed(line: str, strangers_run: Path, refused: Any) -> None:
    refused(2, ("run/config.json", "elsewhere.py", "--plugin"), line)
    assert not Path("executed").exists()


def test_a_sweep_executes_nothing_either(strangers_run: Path, gans: Gans) -> None:
    """Its error is that no member is possible; the reason stands in the line above."""
    outcome = gans("sweep --config run/config.json --seeds 1 --out sweep")
    assert outcome.status == 2 and not Path("executed").exists()
    assert any("elsewhere.py" in line and "--plugin" in line for line in outcome.err.splitlines())


def test_the_remedy_works_when_typed(strangers_run: Path, gans: Gans) -> None:
    advice = gans("sample run --out s.png").err
    flag = advice[advice.index("--plugin") :].strip()
    outcome = gans(f"sample run --out s.png {flag}")
    assert outcome.status == 0, outcome.err
    assert Path("executed").exists() and "elsewhere.py: trusted from now on" in outcome.err


def test_what_was_named_once_is_trusted_until_it_changes(strangers_run: Path, gans: Gans) -> None:
    assert gans("list losses --plugin elsewhere.py").status == 0
    Path("executed").unlink()
    outcome = gans("sample run --out s.png")
    assert outcome.status == 0 and Path("executed").exists()
    Path("moved.py").write_text(PLUGIN)
    config = Path("run/config.json")
    config.write_text(config.read_text().replace("elsewhere.py", "moved.py"))
    assert gans("sample run --out s.png").status == 0, "the content counts, not the name"
    Path("executed").unlink()
    Path("moved.py").write_text(PLUGIN + "\n# changed\n")
    assert gans("sample run --out s.png").status == 2
    assert not Path("executed").exists()


def test_it_is_remembered_once_with_one_line(workplace: Path, gans: Gans) -> None:
    Path("elsewhere.py").write_text(PLUGIN)
    first, second = (gans("list losses --plugin elsewhere.py") for _ in range(2))
    assert first.err.count("trusted from now on") == 1 and "trusted" not in second.err
    (file,) = Path("config/trusted-plugins").iterdir()
    assert file.read_text().strip() == str(Path("elsewhere.py").resolve())


def test_a_config_folder_that_cannot_be_written_stops_nothing(workplace: Path, gans: Gans) -> None:
    Path("elsewhere.py").write_text(PLUGIN)
    Path("config").write_text("a file")
    outcome = gans("list losses --plugin elsewhere.py")
    assert outcome.status == 0 and "not remembered as trusted" in outcome.err


# --- files that have moved ------------------------------------------------------------------------------

TRAINED = f"{RUN} --loss elsewhere --plugin elsewhere.py --out run".replace(" --loss bce", "")


def move(name: str) -> Path:
    """Moves the plug-in file into another folder."""
    target = Path("elsewhere") / name
    target.parent.mkdir()
    return Path(name).rename(target)


@pytest.fixture
def moved(workplace: Path, gans: Gans) -> Path:
    """A run whose plug-in file is in another folder now, beside an undisturbed run of 4 steps.

    Nothing remembers where the file was, as on another machine.
    """
    Path("elsewhere.py").write_text(PLUGIN)
    assert gans(TRAINED).status == 0
    assert gans(TRAINED.replace("--out run", "--out whole").replace("--steps 2", "--steps 4")).status == 0
    shutil.rmtree("config")
    return move("elsewhere.py")


def test_a_file_that_is_not_there_is_said_with_what_to_add(moved: Path, gans: Gans, refused: Any) -> None:
    error = refused(2, ("run/config.json", "elsewhere.py", "not there"), "sample run --out s.png")
    flag = error[error.index("--plugin") :].partition(",")[0].replace("FOLDER", "elsewhere")
    outcome = gans("sample run --out s.png", *shlex.split(flag))
    assert outcome.status == 0, outcome.err


OF_POINTS = ["info run", *(line for line in OPENS_A_RUN if "picture" not in line and "i.png" not in line)]


@pytest.mark.parametrize("line", OF_POINTS)
def test_a_file_that_is_named_stands_for_one_that_has_moved(line: str, moved: Path, gans: Gans) -> None:
    outcome = gans(line, "--plugin", moved)
    assert outcome.status == 0, outcome.err


def test_where_a_file_is_now_is_named_once(moved: Path, gans: Gans) -> None:
    """The commands that the first one suggests name no file, and work as they are typed."""
    assert gans("info run", "--plugin", moved).status == 0
    Path("executed").unlink()
    assert gans("sample run --out s.png").status == 0 and Path("executed").exists()
    Path("executed").unlink()
    moved.write_text(PLUGIN + "\n# changed\n")
    assert gans("sample run --out s.png").status == 2 and not Path("executed").exists()


def test_a_file_that_was_named_before_and_after_its_move_is_found(workplace: Path, gans: Gans) -> None:
    """By its content, and its name, which is that of the loss."""
    Path("elsewhere.py").write_text(PLUGIN)
    assert gans(TRAINED).status == 0
    place = move("elsewhere.py")
    assert gans("list losses --plugin", place).status == 0
    assert gans("sample run --out s.png").status == 0
    another = place.rename(place.with_name("another.py"))
    assert gans("list losses --plugin", another).status == 0
    assert gans("sample run --out s.png").status == 2


def test_a_run_is_resumed_with_its_file_in_another_folder(moved: Path, gans: Gans) -> None:
    outcome = gans("run --resume run --steps 4", "--plugin", moved)
    assert outcome.status == 0, outcome.err
    whole, own = (Path(run, "generator.safetensors").read_bytes() for run in ("whole", "run"))
    assert whole == own
    assert gans("sample run --out s.png").status == 0, "the run knows where its file is now"


def test_two_runs_with_different_files_of_one_name_are_not_mixed(moved: Path, gans: Gans) -> None:
    """Else the second would be computed by the first one's code, without a word."""
    Path("elsewhere.py").write_text(PLUGIN + "\n# another one\n")
    assert gans(TRAINED.replace("--out run", "--out third")).status == 0
    assert gans("run --resume whole --steps 6", "--plugin", moved).status == 0
    assert str(moved) in Path("whole/config.json").read_text()
    outcome = gans("fid whole third -n 20")
    assert outcome.status == 2
    assert "another content" in outcome.err and "third/config.json" in outcome.err
    flag = outcome.err[outcome.err.index("--plugin") :].strip()
    assert gans("fid whole third -n 20", *shlex.split(flag)).status == 0
