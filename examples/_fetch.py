"""What the scripts that lay out image data share: npm packages, white grounds, held-out files, folders."""

import argparse
import base64
import contextlib
import hashlib
import importlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

VARIANT = re.compile("-(1f3f[b-f]|fe0f)", re.IGNORECASE)  # skin tones, and "as a picture"


class ScriptError(Exception):
    """What stops a script, in one line that names the remedy."""


def run(script: Callable[[], None]) -> None:
    """Calls a script's main function; what stops it is one line, and exit status 1."""
    try:
        script()
    except (ScriptError, OSError) as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")


def needed(module: str, package: str) -> Any:
    """A module of a package that the laboratory itself does not depend on."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ScriptError(f"{package} is not installed: pip install {package}") from None


# npm


def npm_files(package: str, version: str, *folders: str) -> list[dict[str, bytes]]:
    """For each of these folders of an npm package, its files by name; kept in memory only."""
    print(f"fetching {package} {version}", flush=True)
    found: dict[str, dict[str, bytes]] = {f"package/{folder}": {} for folder in folders}
    try:
        with tarfile.open(fileobj=io.BytesIO(tarball(package, version)), mode="r:gz") as archive:
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                # Letters and digits only: whatever the package says, nothing lands outside our folder.
                if member.isfile() and folder in found and re.fullmatch(r"\w[\w.-]*", name):
                    content = archive.extractfile(member)
                    found[folder][name] = content.read() if content else b""
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ScriptError(f"{package} {version} is no readable package: {error}") from error
    for folder, files in found.items():
        if not files:
            raise ScriptError(f"{package} {version} has no files in {folder}: its layout has changed")
    return list(found.values())


def tarball(package: str, version: str) -> bytes:
    """The package as npm or, where there is none, the registry itself gives it, with the published hash."""
    npm = shutil.which("npm")
    if npm:
        published = _from_npm(npm, "view", f"{package}@{version}", "dist")
        with tempfile.TemporaryDirectory() as folder:
            _from_npm(npm, "pack", f"{package}@{version}", "--pack-destination", folder)
            content = next(Path(folder).glob("*.tgz")).read_bytes()
    else:
        published = json.loads(_download(f"{registry()}/{package}/{version}"))["dist"]
        content = _download(urllib.parse.urljoin(f"{registry()}/", published["tarball"]))
    check(content, published.get("integrity", ""), f"{package} {version}")
    return content


def registry() -> str:
    """The registry of npm's environment. (npm itself knows its other settings, and the usual one.)"""
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        if os.environ.get(name):
            return os.environ[name].rstrip("/")
    raise ScriptError("npm is not installed: install it, or name a registry in npm_config_registry")


def check(content: bytes, integrity: str, what: str) -> None:
    """Compares with the registry's `sha512-…`, where it gives one."""
    expected = [word.removeprefix("sha512-") for word in integrity.split() if word.startswith("sha512-")]
    if expected and base64.b64encode(hashlib.sha512(content).digest()).decode() not in expected:
        raise ScriptError(f"{what} arrived damaged (its sha512 differs from the registry's): try again")


def _from_npm(npm: str, *words: str) -> Any:
    done = subprocess.run([npm, *words, "--json"], capture_output=True, text=True)
    if done.returncode == 0:
        return json.loads(done.stdout)
    try:
        reason = json.loads(done.stdout)["error"]["summary"]
    except (ValueError, KeyError, TypeError):
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[0]
    raise ScriptError(f"npm {words[0]} {words[1]} failed: {reason}")


def _download(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return bytes(answer.read())
    except OSError as error:  # urllib's errors, and a connection that breaks off
        raise ScriptError(f"cannot fetch {url}: {error}") from error


# Pictures


def on_white(image: Image.Image) -> Image.Image:
    """RGB, over white where it is transparent; palettes and grey with alpha included."""
    coloured = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", coloured.size, "white"), coloured).convert("RGB")


def opened(content: bytes, name: str) -> Image.Image:
    """The image in the bytes of a file, on white."""
    try:
        return on_white(Image.open(io.BytesIO(content)))
    except (OSError, ValueError, SyntaxError) as error:
        raise ScriptError(f"{name} is no readable image: {error}") from error


def rasterized(svg: str, size: int, name: str) -> Image.Image:
    """The drawing on a white square of `size` pixels, in its own proportions; the machine's fonts are not
    used, so that every machine draws the same."""
    draw = needed("resvg_py", "resvg-py").svg_to_bytes
    try:
        png = draw(svg_string=svg, width=size, height=size, skip_system_fonts=True)
    except ValueError as error:
        raise ScriptError(f"{name} cannot be drawn: {error}") from error
    drawing = opened(png, name)
    square = Image.new("RGB", (size, size), "white")
    square.paste(drawing, ((size - drawing.width) // 2, (size - drawing.height) // 2))
    return square


# Folders


def hold_out(folder: Path, count: int) -> None:
    """Moves `count` of the names that A and B share to testA and testB: the last ones by their hash, so that
    few of them change when a later version has more.

    The skin tones of one drawing have one hash, so that (but for the one at the border) a test image is no
    training image in another colour.
    """

    def place(name: str) -> tuple[str, str]:
        family = VARIANT.sub("", Path(name).stem)
        return hashlib.sha256(family.encode()).hexdigest(), name

    shared = {file.name for file in (folder / "A").iterdir()} & {
        file.name for file in (folder / "B").iterdir()
    }
    if count >= len(shared):
        raise ScriptError(f"--held-out {count} leaves nothing to train on: there are {len(shared)} images")
    for side in "AB" if count else "":
        (folder / f"test{side}").mkdir()
        for name in sorted(shared, key=place)[-count:]:
            (folder / side / name).rename(folder / f"test{side}" / name)


@contextlib.contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to fill, which takes the name `out` once it is complete: there are no halves of data sets."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ScriptError(f"{out} is not empty: name a new folder, or remove it")
    out = out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as temporary:
        folder = Path(temporary) / "new"
        folder.mkdir()
        yield folder
        if out.exists():
            out.rmdir()
        folder.rename(out)
    print(f"{out}: {contents(out)}, {time.monotonic() - start:.0f} s")


def contents(folder: Path) -> str:
    """How many images lie in which subfolder, and their bytes."""
    images = sorted(folder.rglob("*.png"))
    size = sum(image.stat().st_size for image in images)
    places = [image.parent.relative_to(folder).as_posix() for image in images]
    counts = ", ".join(
        f"{places.count(place):,} images" + ("" if place == "." else f" in {place}")
        for place in dict.fromkeys(places)
    )
    return f"{counts}, {size / 1e6:.1f} MB"


# The command line


def at_least(least: int) -> Callable[[str], int]:
    """The type of an argument that is such a whole number."""

    def number(text: str) -> int:
        with contextlib.suppress(ValueError):
            if int(text) >= least:
                return int(text)
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number of at least {least}")

    return number
