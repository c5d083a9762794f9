"""Login and mode of W&B, read from where wandb keeps them.

This neither imports wandb (0.7 s) nor asks a server.
"""

import os
from configparser import ConfigParser
from configparser import Error as ConfigError
from netrc import NetrcParseError, netrc
from pathlib import Path
from urllib.parse import urlsplit

CREDENTIALS = ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")
HOSTS = ("api.wandb.ai", "api.forge.coreweave.com")  # W&B's own service, by its old and its new name


def wandb_mode() -> str:
    """The mode of W&B, `online`, `offline` or `disabled`, from WANDB_MODE or the settings files."""
    asked = os.environ.get("WANDB_MODE") or _settings().get("mode", "")
    if asked in ("offline", "dryrun"):
        return "offline"
    return "disabled" if asked == "disabled" else "online"


def is_logged_in() -> bool:
    """Whether there is a key for the configured server; only the server knows if it is valid."""
    settings = _settings()
    if any(os.environ.get(name) for name in CREDENTIALS) or settings.get("api_key"):
        return True
    try:
        known = netrc(_netrc_file())
    except (OSError, NetrcParseError, UnicodeDecodeError):
        return False
    entries = [known.authenticators(host) for host in _hosts(settings)]
    return any(password for _, _, password in filter(None, entries))


def wandb_server() -> str:
    """The address of the W&B server, from WANDB_BASE_URL or the settings files; W&B's own by default."""
    return os.environ.get("WANDB_BASE_URL") or _settings().get("base_url") or f"https://{HOSTS[0]}"


def _hosts(settings: dict[str, str]) -> tuple[str, ...]:
    host = urlsplit(wandb_server()).netloc
    return HOSTS if host in HOSTS else (host,)


def _netrc_file() -> str:
    named = os.environ.get("NETRC")
    files = [Path(named)] if named else [Path("~/.netrc"), Path("~/_netrc")]
    return str(next((file for file in (f.expanduser() for f in files) if file.exists()), files[0]))


def _settings() -> dict[str, str]:
    """Reads the settings that `wandb login --host` and the like wrote; those of the folder win."""
    home = Path(os.environ.get("WANDB_CONFIG_DIR") or "~/.config/wandb").expanduser()
    here = Path(".wandb") if Path(".wandb").exists() else Path("wandb")
    parser = ConfigParser(interpolation=None)
    try:
        parser.read([home / "settings", here / "settings"], encoding="utf-8")
    except (OSError, ConfigError, UnicodeDecodeError):
        return {}
    return dict(parser["default"]) if "default" in parser else {}
