"""Where everything is kept that can be fetched or computed again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$GANS_CACHE`, or `~/.cache/gans`. It need not exist, and may be deleted at any time."""
    return Path(os.environ.get("GANS_CACHE") or "~/.cache/gans").expanduser()
