"""OpenMoji's line art and the same in colour, for paired translation (pix2pix).

    pip install resvg-py
    python examples/openmoji.py OUT [--size 64] [--distinct] [--held-out N]

fetches the npm package openmoji (4 MB) and draws its files on white: the lines in OUT/A and the colours in
OUT/B, under equal names. `--held-out N` puts N of them into OUT/testA and OUT/testB instead. Files without a
partner, those equal in both and those without a line are left out and counted.

Many drawings share their lines: all flags are one rectangle, and the skin tones differ in colour only. No
network can know which is meant; `--distinct` keeps the first of each.

Copyright OpenMoji, CC-BY-SA-4.0: what is made from the images is shared alike.
"""

import argparse
import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from _fetch import at_least, hold_out, needed, new_folder, npm_files, rasterized, run
from PIL import Image

VERSION = "17.0.0"
LICENCE = f"""Images from the npm package openmoji {VERSION}, drawn as pixels on white.

All emojis designed by OpenMoji, the open-source emoji and icon project (https://openmoji.org), licensed
under CC-BY-SA-4.0 (https://creativecommons.org/licenses/by-sa/4.0/).
"""

Files = dict[str, bytes]


def pairs(
    lines: Files, colours: Files, size: int, distinct: bool, left: Counter[str]
) -> Iterator[tuple[str, Image.Image, Image.Image]]:
    """Name, lines and colours; counts in `left` what is not among them, and the repeated lines."""
    left["alone"] = len(lines.keys() ^ colours.keys())
    seen: set[bytes] = set()
    for file in sorted(lines.keys() & colours.keys()):
        line, colour = (rasterized(side[file].decode(), size, file) for side in (lines, colours))
        digest = hashlib.sha256(line.tobytes()).digest()
        equal, blank = line.tobytes() == colour.tobytes(), set(line.tobytes()) == {255}
        left["equal"] += equal
        left["blank"] += blank and not equal
        if equal or blank:
            continue
        left["repeated"] += digest in seen
        if not (distinct and digest in seen):
            yield f"{Path(file).stem}.png", line, colour
        seen.add(digest)


def lay_out(folder: Path, lines: Files, colours: Files, size: int, distinct: bool, count: int) -> None:
    """Writes both sides of every pair and the licence, and says what is left out."""
    (folder / "LICENCE.txt").write_text(LICENCE)
    for side in "AB":
        (folder / side).mkdir()
    left: Counter[str] = Counter()
    for name, line, colour in pairs(lines, colours, size, distinct, left):
        line.save(folder / "A" / name)
        colour.save(folder / "B" / name)
    hold_out(folder, count)
    print(
        f"left out: {left['alone']:,} without a partner, {left['equal']:,} equal in both, "
        f"{left['blank']:,} without a line"
    )
    fate = "left out" if distinct else "kept; --distinct leaves them out"
    print(f"with the lines of an earlier one: {left['repeated']:,} ({fate})")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--size", type=at_least(1), default=64, help="of the images in pixels; default: 64")
    parser.add_argument("--distinct", action="store_true")
    parser.add_argument("--held-out", type=at_least(0), default=0, metavar="N")
    flags = parser.parse_args()
    needed("resvg_py", "resvg-py")
    with new_folder(flags.out) as folder:
        lines, colours = npm_files("openmoji", VERSION, "black/svg", "color/svg")
        lay_out(folder, lines, colours, flags.size, flags.distinct, flags.held_out)


if __name__ == "__main__":
    run(main)
