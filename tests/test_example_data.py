"""The scripts that lay out image data, without a network: small packages in the real layout."""

import base64
import csv
import gzip
import hashlib
import importlib
import io
import json
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
RED, CLEAR = (200, 0, 0, 255), (0, 90, 0, 0)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    """Imports a script as `python examples/NAME.py` does, from its own folder."""
    monkeypatch.syspath_prepend(EXAMPLES)
    yield importlib.import_module
    for name in ("_fetch", "emoji", "openmoji", "avatars"):
        sys.modules.pop(name, None)


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`publish(package, version, files)` into a registry that is a folder; there is no npm."""
    shop = tmp_path / "registry"
    monkeypatch.setenv("npm_config_registry", f"{shop.as_uri()}/")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))

    def call(package: str, version: str, files: dict[str, bytes], integrity: str = "") -> bytes:
        content = packed(files)
        digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
        (shop / package).mkdir(parents=True)
        (shop / package / f"{package}.tgz").write_bytes(content)
        dist = {"tarball": f"{package}/{package}.tgz", "integrity": integrity or f"sha512-{digest}"}
        (shop / package / version).write_text(json.dumps({"dist": dist}))
        return content

    return call


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def png(*pixels: tuple[int, ...], mode: str = "RGBA") -> bytes:
    image = Image.new("RGBA", (len(pixels), 1))
    image.putdata(pixels)
    buffer = io.BytesIO()
    (image.quantize(4) if mode == "P" else image.convert(mode)).save(buffer, "png")
    return buffer.getvalue()


def start(module: ModuleType, monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    """The script's main function, as from the command line."""
    monkeypatch.setattr(sys, "argv", [f"{module.__name__}.py", *map(str, words)])
    sys.modules["_fetch"].run(module.main)


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA"])
def test_what_is_transparent_is_white(mode: str, script) -> None:
    """Whatever colour the transparent pixels have, which is green here."""
    image = script("_fetch").opened(png((100, 100, 100, 255), CLEAR, mode=mode), "x.png")
    assert image.mode == "RGB"
    assert [image.getpixel((x, 0)) for x in (0, 1)] == [(100, 100, 100), (255, 255, 255)]


def test_half_transparent_is_half_white(script) -> None:
    assert script("_fetch").opened(png((0, 0, 0, 51)), "x.png").getpixel((0, 0)) == (204, 204, 204)


def publish_emoji(publish, tones: int = 6) -> None:
    for who in ("twitter", "google"):
        drawings = {f"1f60{n}": png(RED, CLEAR) for n in range(tones)}
        drawings |= {f"261d-1f3f{tone}": png(RED, CLEAR, mode="P") for tone in "bcdef"}
        files = {f"package/img/{who}/64/{name}.png": content for name, content in drawings.items()}
        others = ("sheets/32.png", "64/../../x.png", "64/..\\x.png", "64/.hidden.png")
        files |= {f"package/img/{who}/{other}": png(RED) for other in others}
        publish(f"emoji-datasource-{who}", "16.0.0", files)


def test_emoji(script, publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    publish_emoji(publish)
    start(script("emoji"), monkeypatch, tmp_path / "out", "--held-out", 2)
    out = tmp_path / "out"
    assert names(out) == ["A", "B", "LICENCE.txt", "testA", "testB"]
    assert names(out / "A") == names(out / "B")
    assert len(names(out / "A")) == 9
    assert names(out / "testA") == names(out / "testB")
    assert not set(names(out / "testA")) & set(names(out / "A"))
    assert Image.open(out / "A" / names(out / "A")[0]).mode == "RGB"
    assert "9 images in A, 9 images in B, 2 images in testA" in capsys.readouterr().out


def test_skin_tones_are_held_out_together(script, tmp_path: Path) -> None:
    """However many are held out, at most one drawing has tones on both sides."""
    drawings = ["261d", "270a", "1f44b", "1f590-fe0f"]
    tones = [f"{name.removesuffix('-fe0f')}-1f3f{tone}" for name in drawings for tone in "bcdef"]
    for count in range(24):
        folder = tmp_path / str(count)
        for side in "AB":
            (folder / side).mkdir(parents=True)
            for name in (*drawings, *tones):
                (folder / side / f"{name}.png").touch()
        script("_fetch").hold_out(folder, count)
        held = names(folder / "testB") if count else []
        sides = [
            {f"{name}.png" in held for name in (*drawings, *tones) if name.startswith(drawing[:4])}
            for drawing in drawings
        ]
        assert len(held) == count
        assert sum(len(side) == 2 for side in sides) <= 1


def test_openmoji(script, publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    pytest.importorskip("resvg_py", reason="pip install resvg-py")
    lines = {name: svg("<path d='M4 4H8' stroke='#000'/>") for name in ("same", "flag1", "flag2", "alone")}
    colours = lines | {f"flag{n}": svg(f"<rect width='{n}' height='4' fill='#00f'/>") for n in (1, 2)}
    lines["blank"], colours["blank"] = svg(""), svg("<rect width='9' height='9'/>")
    files = {f"package/black/svg/{name}.svg": text for name, text in lines.items()}
    files |= {f"package/color/svg/{name}.svg": text for name, text in colours.items() if name != "alone"}
    publish("openmoji", "17.0.0", files)
    start(script("openmoji"), monkeypatch, tmp_path / "all", "--size", 16)
    assert names(tmp_path / "all" / "A") == names(tmp_path / "all" / "B") == ["flag1.png", "flag2.png"]
    said = capsys.readouterr().out
    assert "1 without a partner, 1 equal in both, 1 without a line" in said
    assert "lines of an earlier one: 1 (kept" in said
    assert np.asarray(Image.open(tmp_path / "all" / "B" / "flag2.png")).shape == (16, 16, 3)
    start(script("openmoji"), monkeypatch, tmp_path / "distinct", "--distinct")
    assert names(tmp_path / "distinct" / "A") == ["flag1.png"]


def svg(inside: str) -> bytes:
    return f'<svg viewBox="0 0 16 16" xmlns="http://www.w3.org/2000/svg">{inside}</svg>'.encode()


def test_npm_itself_is_asked_where_it_is(
    script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, publish
) -> None:
    content = publish("thing", "1.0.0", {"package/folder/a.txt": b"a", "package/folder/more/b.txt": b"b"})
    (tmp_path / "thing.tgz").write_bytes(content)
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(f"""#!/bin/sh
[ "$2" = thing@1.0.0 ] || {{ echo '{{"error": {{"summary": "Not Found"}}}}'; exit 1; }}
[ "$1" = view ] && echo '{{"integrity": "sha512-{digest}"}}' && exit
[ "$1 $3" = "pack --pack-destination" ] && /bin/cp {tmp_path}/thing.tgz "$4"/ && echo '[]'
""")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(npm.parent))
    fetch = script("_fetch")
    assert fetch.npm_files("thing", "1.0.0", "folder") == [{"a.txt": b"a"}]
    with pytest.raises(fetch.ScriptError, match=r"npm view thing@2.0.0 failed: Not Found"):
        fetch.npm_files("thing", "2.0.0", "folder")


def test_without_npm_the_registry_is_that_of_its_environment(script, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch = script("_fetch")
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(fetch.ScriptError, match="install it, or name a registry in npm_config_registry"):
        fetch.registry()
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "https://npm.example/here/")
    assert fetch.registry() == "https://npm.example/here"


def test_a_damaged_package_leaves_nothing(
    script, publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("emoji-datasource-twitter", "16.0.0", {}, integrity="sha1-x sha512-otherwise")
    with pytest.raises(SystemExit, match=r"emoji.py: emoji-datasource-twitter 16.0.0 arrived damaged"):
        start(script("emoji"), monkeypatch, tmp_path / "out")
    assert names(tmp_path) == ["registry"]


@pytest.mark.parametrize(
    "content",
    [b"<html>", gzip.compress(b"no tar"), packed({"package/a": b"a"})[:40]],
    ids=["html", "no tar", "torn"],  # gzip writes the time: other names in every process
)
def test_what_is_no_package_is_one_line(content: bytes, script, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch = script("_fetch")
    monkeypatch.setattr(fetch, "tarball", lambda package, version: content)
    with pytest.raises(fetch.ScriptError, match=r"thing 1.0.0 is no readable package"):
        fetch.npm_files("thing", "1.0.0", "folder")


def test_one_line_says_what_stops_a_script(
    script, publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emoji, out = script("emoji"), tmp_path / "out"
    with pytest.raises(SystemExit, match="cannot fetch file:"):  # nothing is published yet
        start(emoji, monkeypatch, out)
    publish_emoji(publish, tones=1)
    with pytest.raises(SystemExit, match="--held-out 6 leaves nothing to train on: there are 6"):
        start(emoji, monkeypatch, out, "--held-out", 6)
    start(emoji, monkeypatch, out)
    with pytest.raises(SystemExit, match="out is not empty: name a new folder"):
        start(emoji, monkeypatch, out)
    monkeypatch.setitem(sys.modules, "python_avatars", None)
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    for name, package in (("avatars", "python-avatars"), ("openmoji", "resvg-py")):
        with pytest.raises(SystemExit, match=f"{package} is not installed: pip install {package}"):
            start(script(name), monkeypatch, tmp_path / name)
    assert names(tmp_path) == ["out", "registry"]


@pytest.mark.parametrize("number", ["-1", "few"])
def test_a_wrong_number_is_refused(
    number: str, script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    with pytest.raises(SystemExit, match="2"):
        start(script("emoji"), monkeypatch, tmp_path / "out", "--held-out", number)
    assert f"'{number}' is no whole number of at least 0" in capsys.readouterr().err


@pytest.fixture
def avatars(script) -> ModuleType:
    """The laboratory does not depend on these; run once with `pip install python-avatars resvg-py`."""
    pytest.importorskip("python_avatars", reason="pip install python-avatars")
    pytest.importorskip("resvg_py", reason="pip install resvg-py")
    return script("avatars")


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_avatars_of_one_seed_are_the_same(
    avatars: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, *flags in (("a", "-n", 8), ("b", "-n", 8), ("more", "-n", 12), ("other", "-n", 8, "--seed", 1)):
        start(avatars, monkeypatch, tmp_path / name, *flags)
    first, more = files(tmp_path / "a"), files(tmp_path / "more")
    assert first == files(tmp_path / "b")
    assert first != files(tmp_path / "other")
    del first["attributes.csv"]
    assert first.items() <= more.items()
    rows = list(csv.DictReader((tmp_path / "more" / "attributes.csv").open()))
    assert [row["file"] for row in rows] == sorted(name for name in more if name.endswith(".png"))
    assert {row["glasses"] for row in rows} == {row["facial_hair"] for row in rows} == {"0", "1"}
    assert all(row["hair_colour"].isidentifier() for row in rows)


def test_attributes_show(avatars: ModuleType) -> None:
    """Whatever the hair, another colour of it, glasses and whiskers change a dozen pixels or more."""

    def pixels(**parts: object) -> np.ndarray:
        return np.asarray(avatars.drawn(face | parts, 64)).astype(int)

    black, platinum = (part for part in avatars.choices("HairColor") if part.name in ("BLACK", "PLATINUM"))
    glasses = next(part for part in avatars.choices("AccessoryType") if part.name == "PRESCRIPTION_1")
    beard = next(part for part in avatars.choices("FacialHairType") if part.name == "MOUSTACHE_FANCY")
    face = avatars.face(avatars.Random("0")) | {"accessory": None, "facial_hair": None, "clothing": None}
    for hair in avatars.styles().values():
        usual = pixels(top=hair, hair_color=black)
        for change in ({"hair_color": platinum}, {"accessory": glasses}, {"facial_hair": beard}):
            other = pixels(**{"top": hair, "hair_color": black, **change})
            assert (abs(usual - other).max(axis=2) > 24).sum() >= 12, (hair, change)


def test_a_swap_has_other_faces_to_train_on_and_the_same_to_test_on(
    avatars: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(avatars, monkeypatch, tmp_path / "out", "--swap", "bob,mohawk", "-n", 3, "--held-out", 2)
    assert {side: len(names(tmp_path / "out" / side)) for side in ("A", "B", "testA", "testB")} == {
        **{"A": 3, "B": 3},
        **{"testA": 2, "testB": 2},
    }
    # Clothes are below the hair: those of a test face are the same, those of the others are not.
    shirts = {
        side: [np.asarray(Image.open(file))[62:] for file in sorted((tmp_path / "out" / side).iterdir())]
        for side in ("A", "B", "testA", "testB")
    }
    assert all(map(np.array_equal, shirts["testA"], shirts["testB"]))
    assert not all(map(np.array_equal, shirts["A"], shirts["B"]))


@pytest.mark.parametrize(
    ("style", "reason"),
    [
        ("bob,mohowk", "unknown hair style 'mohowk'; did you mean mohawk"),
        ("bob,bob", "two different hair styles"),
        ("bob", "write --swap bob,mohawk"),
    ],
)
def test_a_wrong_style_is_named(
    style: str, reason: str, avatars: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match=reason):
        start(avatars, monkeypatch, tmp_path / "out", "--swap", style)
