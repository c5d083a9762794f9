"""Plug-in files that a config names: run only after the user has named them, as they were then."""

import json
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
