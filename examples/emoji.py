"""Emoji as two companies draw them, for unpaired translation (CycleGAN).

    python examples/emoji.py OUT [--held-out N]

fetches two npm packages (62 and 74 MB) and lays out 3,786 PNG files of 64 × 64 pixels each, on white:
Twitter's drawings in OUT/A, Google's in OUT/B. `--held-out N` puts N emoji into OUT/testA and OUT/testB
instead, the same in both, so that a translation can be laid beside the other company's drawing.

Twitter's (Twemoji): Copyright Twitter, Inc and other contributors, CC-BY-4.0. Google's (Noto Emoji):
Copyright Google, Apache-2.0. Needs Pillow, and npm where the registry asks for a login.
"""

import argparse
from pathlib import Path

from _fetch import at_least, hold_out, new_folder, npm_files, opened, run

VERSION = "16.0.0"
SIDES = {"A": "twitter", "B": "google"}
LICENCES = f"""Images from the npm packages emoji-datasource-twitter and emoji-datasource-google {VERSION}.
Changes: transparent pixels are white.

A, testA: Twemoji, Copyright Twitter, Inc and other contributors, licensed under CC-BY-4.0
(https://creativecommons.org/licenses/by/4.0/).
B, testB: Noto Emoji, Copyright Google, licensed under Apache-2.0
(https://www.apache.org/licenses/LICENSE-2.0).
"""


def lay_out(folder: Path, drawings: dict[str, dict[str, bytes]], count: int) -> None:
    """Writes the files of both sides and the licences."""
    (folder / "LICENCE.txt").write_text(LICENCES)
    for side, files in drawings.items():
        (folder / side).mkdir()
        for name, content in files.items():
            opened(content, name).save(folder / side / name)
    hold_out(folder, count)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--held-out", type=at_least(0), default=0, metavar="N")
    flags = parser.parse_args()
    with new_folder(flags.out) as folder:
        drawings = {
            side: npm_files(f"emoji-datasource-{who}", VERSION, f"img/{who}/64")[0]
            for side, who in SIDES.items()
        }
        lay_out(folder, drawings, flags.held_out)


if __name__ == "__main__":
    run(main)
