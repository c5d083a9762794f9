"""What `gans run --dry-run` says of images in files, and that it refuses what the run itself refuses."""

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.commands.helpers import Gans, Refused
from tests.experiments.data.helpers import noise

SMALL = "--arch dcgan --data folder:photos --width 2 --z-dim 4 --batch-size 4 --steps 1 --track local"


@pytest.fixture
def photos(workplace: Path) -> Path:
    """Six images of three sizes in a folder."""
    folder = workplace / "photos"
    folder.mkdir()
    for number, (height, width) in enumerate([(24, 16), (24, 16), (40, 40), (20, 30), (24, 16), (20, 30)]):
        noise(number, height, width).save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize(
    ("words", "mention"),
    [
        ("", "choose --fit crop"),
        ("--fit error", "choose --fit crop"),
        ("--fit crop --batch-size 7", "fewer than a batch of 7"),
        ("--fit crop --holdout 0.01", "leave it out"),
        ("--fit crop broken", "(--skip-bad leaves such files out)"),
    ],
)
def test_it_refuses_what_the_run_refuses(words: str, mention: str, photos: Path, refused: Refused) -> None:
    if "broken" in words:
        (photos / "5.png").write_bytes((photos / "5.png").read_bytes()[:20])
    line = f"run {SMALL} --image-size 8 {words.removesuffix('broken')}"
    dry = refused(2, (mention,), f"{line} --dry-run")
    assert dry == refused(2, (mention,), f"{line} --out run")


def test_it_tells_number_sizes_and_bad_files(photos: Path, gans: Gans) -> None:
    (photos / "bad.png").write_bytes(b"no image")
    for number in range(6, 24):
        noise(number, 24, 16).save(photos / f"{number}.png")
    told = gans(f"run {SMALL} --image-size 128 --fit crop --skip-bad --dry-run").out
    sizes = "of 3 sizes, from 24×16 to 40×40 (height × width)"
    assert re.search(rf"^images +24 {re.escape(sizes)}$", told, re.MULTILINE)
    assert re.search(
        r"^remark +data folder:\S+: skipped 1 file that cannot be read: bad.png$", told, re.MULTILINE
    )
    assert re.search(r"^memory .* data 1$", told, re.MULTILINE), "24 images of 48 KiB"


def test_it_tells_of_held_out_images_and_of_domains(workplace: Path, gans: Gans) -> None:
    for number in range(24):
        file = workplace / "photos" / "AB"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        noise(number, 8, 12 if number % 2 else 8).save(file)
    told = gans(f"run {SMALL} --image-size 8 --fit crop --holdout 0.5 --dry-run").out
    assert re.search(
        r"^images +12 to train on, beside 12 held out by --holdout 0.5; of 2 sizes", told, re.MULTILINE
    )
    domains = SMALL.replace("dcgan", "cyclegan").replace(" --z-dim 4", "")
    told = gans(f"run {domains} --image-size 8 --fit crop --dry-run").out
    assert re.search(r"^images A +12 of 8×8 \(height × width\)$", told, re.MULTILINE), told
    assert re.search(r"^images B +12 of 8×12 \(height × width\)$", told, re.MULTILINE)


def test_images_made_smaller_by_a_preset_are_remarked_on(workplace: Path, gans: Gans) -> None:
    def remark(words: str, sizes: list[tuple[int, int]]) -> str:
        for number in range(4):
            Image.new("RGB", sizes[number % len(sizes)]).save(workplace / f"photos/{number}.png")
        outcome = gans(f"run {SMALL} {words}")
        assert outcome.status == 0, outcome.err
        found = re.findall(r"data folder:\S+: (images of .* are trained at .*)", outcome.out + outcome.err)
        assert len(found) < 2
        return found[0] if found else ""

    (workplace / "photos").mkdir()
    line = (
        "images of 64×64 are trained at 32×32 (preset laptop of architecture dcgan); "
        "--image-size 64 keeps their size"
    )
    large, small, wide = (64, 64), (32, 32), (96, 64)
    assert remark("--dry-run", [large]) == remark("--out run", [large]) == line
    assert remark("--dry-run --image-size 64", [large]) == remark("--dry-run --image-size 32", [large]) == ""
    assert remark("--dry-run", [small]) == remark("--dry-run --fit crop", [large, small]) == ""
    assert "64×96 are trained at 32×32" in remark("--dry-run", [wide])
    assert "--image-size 64x96 keeps their size" in remark("--dry-run", [wide])
    assert remark("--dry-run", [(50, 50)]).endswith("; --image-size chooses another size")
    assert remark("--dry-run", [(2048, 2048)]).endswith("; --image-size chooses another size")
