"""Paths of files as lists and zip files write them."""

from collections.abc import Container


def plain_path(name: str) -> str:
    """A path with forward slashes, without `./`, and without a slash at its start; Windows writes others."""
    return "/".join(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))


def listed_path(name: str, present: Container[str]) -> str:
    """The path of a file that a list names: as it stands there, if a file has that path, or else plain."""
    return name if name in present else plain_path(name)
