"""Whether a user is logged in to W&B, from the files in which wandb keeps that."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.trackers.core.wandb_login import is_logged_in, wandb_mode, wandb_server

ROOT = Path(__file__).resolve().parents[3]
NETRC = "machine {}\n  login user\n  password 0123\n"


@pytest.fixture(autouse=True)
def _here(workplace: Path) -> None:
    """In an empty folder."""


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_new_user(home: Path) -> None:
    assert not is_logged_in()
    assert (wandb_mode(), wandb_server()) == ("online", "https://api.wandb.ai")


@pytest.mark.parametrize("name", ["WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"])
def test_credentials_in_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "")
    assert not is_logged_in()
    monkeypatch.setenv(name, "x")
    assert is_logged_in()


@pytest.mark.parametrize(
    ("machine", "address", "found"),
    [
        ("api.wandb.ai", "", True),
        ("api.forge.coreweave.com", "", True),
        ("api.wandb.ai", "https://api.forge.coreweave.com", True),
        ("github.com", "", False),
        ("api.wandb.ai", "http://ours:8080", False),
        ("ours:8080", "http://ours:8080/", True),
        ("ours", "http://ours:8080", False),
    ],
)
def test_a_key_is_for_one_server(
    machine: str, address: str, found: bool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / ".netrc", NETRC.format(machine))
    monkeypatch.setenv("WANDB_BASE_URL", address)
    assert is_logged_in() is found


def test_the_netrc_file_may_be_elsewhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / "elsewhere", NETRC.format("api.wandb.ai"))
    monkeypatch.setenv("NETRC", "~/elsewhere")
    assert is_logged_in()
    write(home / "_netrc", NETRC.format("api.wandb.ai"))
    monkeypatch.setenv("NETRC", str(home / "nowhere"))
    assert not is_logged_in()
    monkeypatch.delenv("NETRC")
    assert is_logged_in()


def test_a_server_of_their_own_is_kept_in_the_settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `wandb login --host` leaves it."""
    write(home / ".config/wandb/settings", "[default]\nbase_url = http://ours:8080\n")
    assert wandb_server() == "http://ours:8080"
    write(home / ".netrc", NETRC.format("ours:8080"))
    assert is_logged_in()
    monkeypatch.setenv("WANDB_BASE_URL", "http://theirs")
    assert (wandb_server(), is_logged_in()) == ("http://theirs", False)
    monkeypatch.setenv("WANDB_CONFIG_DIR", "~/other")
    monkeypatch.delenv("WANDB_BASE_URL")
    assert wandb_server() == "https://api.wandb.ai"


@pytest.mark.parametrize(
    "asked", ["online online", "offline offline", "dryrun offline", "disabled disabled", "run online"]
)
def test_the_mode_in_the_environment(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", asked.split()[0])
    assert wandb_mode() == asked.split()[1]


def test_the_mode_in_the_settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`wandb offline` writes the folder's own settings, which win over the user's."""
    write(home / ".config/wandb/settings", "[default]\nmode = disabled\n")
    assert wandb_mode() == "disabled"
    write(Path("wandb/settings"), "[default]\nmode = offline\n")
    assert wandb_mode() == "offline"
    monkeypatch.setenv("WANDB_MODE", "online")
    assert wandb_mode() == "online"


@pytest.mark.parametrize("text", ["machine", "default login", "\x00\xff", "[default\nmode", "mode = offline"])
def test_files_that_cannot_be_read_say_nothing(text: str, home: Path) -> None:
    for name in (".netrc", ".config/wandb/settings"):
        write(home / name, text)
    assert not is_logged_in()
    assert wandb_mode() == "online"


def test_nothing_is_imported_for_it() -> None:
    heavy = "{'wandb', 'torch', 'requests'}"
    code = "import sys; from experiments.trackers.core import wandb_login; "
    code += f"assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
