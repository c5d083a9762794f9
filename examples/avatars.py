"""Drawn faces whose attributes are known exactly, for StarGAN, conditional runs and autoencoder swaps.

    pip install python-avatars resvg-py
    python examples/avatars.py OUT [-n 2000] [--size 64] [--seed 0]
    python examples/avatars.py OUT --swap bob,mohawk [--held-out N]

The first command draws n faces into OUT and their attributes into OUT/attributes.csv: hair colour (10
words), glasses and facial hair (0 or 1), hair style (41), skin (7) and mouth (13). They are drawn
independently, so none tells about another. The second draws n faces with one hair style into OUT/A and n
with another into OUT/B, all else at random; with `--held-out N` also N faces that OUT/testA and OUT/testB
show with the one hair and with the other: what a perfect swap would make. Face number i depends on the seed
and on i alone.

python-avatars: Copyright Ibon, MIT.
"""

import argparse
import csv
from difflib import get_close_matches
from pathlib import Path
from random import Random
from typing import Any

from _fetch import ScriptError, at_least, needed, new_folder, rasterized, run
from PIL import Image

# Hair that would make an attribute untrue: its colour does not show, or it covers glasses or beard, or it
# is worn and not grown.
UNFIT_HAIR = (
    *("NONE", "SHAVED_SIDES", "STRAIGHT_2", "SIDES"),
    *("ASTRONAUT", "CURLY_2", "LONG_HAIR_CURLY", "LOOSE_HAIR"),
    *("HAT", "BRIDE"),
)
COLUMNS = ("file", "hair_colour", "glasses", "facial_hair", "hair", "skin", "mouth")
LICENCE = "Drawn by the Python package python-avatars, Copyright Ibon, MIT licence.\n"

Parts = dict[str, Any]


def choices(name: str, *without: str) -> list[Any]:
    """The members of one of python-avatars' enumerations."""
    members = getattr(needed("python_avatars", "python-avatars"), name)
    return [member for member in members if member.name not in without]


def styles() -> dict[str, Any]:
    """Hair styles by their words."""
    return {hair.name.lower(): hair for hair in choices("HairType", *UNFIT_HAIR)}


def face(random: Random) -> Parts:
    """All parts at random and independent, but that whiskers have the colour of the hair."""
    colour = random.choice(choices("HairColor"))
    glasses = random.choice(choices("AccessoryType", "NONE", "EYEPATCH"))
    whiskers = random.choice(choices("FacialHairType", "NONE", "BEARD_LIGHT"))  # that one does not show
    return {
        "style": choices("AvatarStyle", "CIRCLE")[0],
        "top": random.choice(list(styles().values())),
        "hair_color": colour,
        "accessory": glasses if random.random() < 0.5 else None,
        "facial_hair": whiskers if random.random() < 0.5 else None,
        "facial_hair_color": colour,
        "skin_color": random.choice(choices("SkinColor")),
        "eyebrows": random.choice(choices("EyebrowType", "NONE")),
        "eyes": random.choice(choices("EyeType")),
        "nose": random.choice(choices("NoseType")),
        "mouth": random.choice(choices("MouthType")),
        "clothing": random.choice(choices("ClothingType", "NONE")),
        "clothing_color": random.choice(choices("ClothingColor")),
        # The custom text would need a font, and every machine has others.
        "shirt_graphic": random.choice(choices("ClothingGraphic", "NONE", "CUSTOM_TEXT")),
    }


def drawn(parts: Parts, size: int) -> Image.Image:
    """The face on white."""
    svg = needed("python_avatars", "python-avatars").Avatar(**parts).render()
    return rasterized(svg, size, "a face")


def attributes(parts: Parts) -> list[str | int]:
    """What stands in the table after the name of the file."""
    colour, hair, skin, mouth = (
        parts[key].name.lower() for key in ("hair_color", "top", "skin_color", "mouth")
    )
    glasses, whiskers = (int(parts[key] is not None) for key in ("accessory", "facial_hair"))
    return [colour, glasses, whiskers, hair, skin, mouth]


def lay_out(folder: Path, count: int, size: int, seed: int) -> None:
    """Faces, and the table of their attributes."""
    with (folder / "attributes.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for number in range(count):
            parts = face(Random(f"{seed} {number}"))
            name = f"{number:06}.png"
            drawn(parts, size).save(folder / name)
            table.writerow([name, *attributes(parts)])


def lay_out_swap(folder: Path, hair: list[Any], count: int, size: int, seed: int, held: int) -> None:
    """Other faces in A than in B; in testA and testB the same."""
    for side, top in zip("AB", hair, strict=True):
        for place, people, number_of in ((side, side, count), (f"test{side}", "test", held)):
            if number_of:
                (folder / place).mkdir()
            for number in range(number_of):
                parts = face(Random(f"{seed} {people} {number}")) | {"top": top}
                drawn(parts, size).save(folder / place / f"{number:06}.png")


def two_styles(text: str) -> list[Any]:
    """`bob,mohawk` as members of the enumeration."""
    known = styles()
    words = text.split(",")
    for word in words:
        if word not in known:
            close = get_close_matches(word, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
            raise ScriptError(f"unknown hair style '{word}'; {hint}")
    if len(set(words)) != 2 or len(words) != 2:
        raise ScriptError(f"--swap takes two different hair styles, not {text}: write --swap bob,mohawk")
    return [known[word] for word in words]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("-n", type=at_least(1), default=2000, help="faces, or faces a side; default: 2000")
    parser.add_argument("--size", type=at_least(1), default=64, help="of the images in pixels; default: 64")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--swap", metavar="HAIR1,HAIR2", help="two folders with two hair styles")
    parser.add_argument("--held-out", type=at_least(0), default=0, metavar="N", help="with --swap")
    flags = parser.parse_args()
    if flags.held_out and not flags.swap:
        raise ScriptError("--held-out goes with --swap: faces of another --seed are as good")
    hair = two_styles(flags.swap) if flags.swap else None
    with new_folder(flags.out) as folder:
        (folder / "LICENCE.txt").write_text(LICENCE)
        if hair:
            lay_out_swap(folder, hair, flags.n, flags.size, flags.seed, flags.held_out)
        else:
            lay_out(folder, flags.n, flags.size, flags.seed)


if __name__ == "__main__":
    run(main)
