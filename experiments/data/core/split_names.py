"""Names of folders that are parts of a set, such as `train/`, `test/` and `val/`, told from those of classes.

A name is a word for a part, alone or with others around it: `training_set`, `val2017`, `seg_train`,
`DIV2K_train_HR`, `imagesTr`. With others around it, it must share these with another part.
"""

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

Purpose = Literal["training", "validation", "test", "other"]
# Words for parts. The weak ones mean a part only beside one that is for training.
STRONG_WORDS: dict[Purpose, str] = {
    "training": "train|training|trn|train[-_. ]?val",
    "validation": "val|valid|validation|dev|eval|evaluation|hold[-_. ]?out|held[-_. ]?out",
    "test": "tests?|testing|tst",
}
WEAK_WORDS: dict[Purpose, str] = {
    "training": "tr",
    "validation": "evaluate|mini[-_. ]?val",
    "test": "te|ts|(public|private)[-_. ]?test|test[-_. ]?dev|query|gallery",
    "other": "unlabell?ed|extra|pred|predict|predictions?",
}
DOMAINS = {"A", "B", "AB"}
_KIND = r"(set|data|images?|imgs?|split)"  # `training_set`, `test_images`
_DOMAIN = r"([-_ ]?(?P<domain>A|B|AB))?"  # `trainA`, as CycleGAN publishes its sets
_STRONG, _WEAK = (
    {purpose: re.compile(f"({each}){end}", re.IGNORECASE) for purpose, each in words.items()}
    for words, end in (
        (STRONG_WORDS, rf"([-_. ]?{_KIND})?[-_. ]?\d*{_DOMAIN}"),  # `val2017`
        (WEAK_WORDS, rf"([-_. ]{_KIND})?[-_. ]?\d*(?P<domain>(?!))?"),
    )
)
_BETWEEN_WORDS = re.compile(r"[-_. ]+|(?<=[a-z])(?=[A-Z])")


class SplitName(NamedTuple):
    """The name of a folder that may be a part of a set.

    Attributes:
        folder: the name.
        purpose: what the part is for.
        is_weak: whether its word means a part only beside one that is for training.
        is_domain: whether it is that of one of two domains.
        before, after: other words around it, in small letters and without numbers.
    """

    folder: str
    purpose: Purpose
    is_weak: bool
    is_domain: bool
    before: str = ""
    after: str = ""

    @property
    def words_around(self) -> tuple[str, str]:
        """The other words before and after it."""
        return self.before, self.after

    def belongs_to(self, training: "SplitName") -> bool:
        """Whether it may be held out from the part `training`: `test` or `x_test_1` from `x_train`."""
        if self.words_around in (("", ""), training.words_around):
            return True
        return self.before == training.before and not training.after


def read_split_name(folder: str) -> SplitName | None:
    """Reads the name of a folder; None where it holds no word for a part.

    Of several words the first one that is not for training counts: `train_extra` is held out from `train`.
    """
    if folder in DOMAINS:
        return SplitName(folder, "training", is_weak=False, is_domain=True)
    if whole := _read_word(folder):
        return SplitName(folder, *whole)
    words = [word for word in _BETWEEN_WORDS.split(folder) if word]
    found = {place: read for place, word in enumerate(words) if (read := _read_word(word))}
    if not found:
        return None
    purpose, is_weak, is_domain = next(
        (each for each in found.values() if each[0] != "training"), found[min(found)]
    )
    around = ("_".join(some).lower() for some in (words[: min(found)], words[max(found) + 1 :]))
    return SplitName(folder, purpose, is_weak, is_domain, *(re.sub(r"\d+", "", each) for each in around))


def is_held_out_name(folder: str) -> bool:
    """Whether a name alone says that a folder is held out from training: `test`, `val2017`."""
    name = read_split_name(folder)
    return bool(name and name.purpose != "training" and not name.is_weak and name.words_around == ("", ""))


def split_names_among(folders: Iterable[str]) -> tuple[list[SplitName], list[SplitName]]:
    """Finds the parts of one set among folders: for training, and held out. There are both, or none."""
    names = [name for folder in folders if (name := read_split_name(folder))]
    others = [name for name in names if name.purpose != "training"]
    training = [name for name in names if name.purpose == "training"]
    training = [name for name in training if any(other.belongs_to(name) for other in others)]
    return training, [other for other in others if any(other.belongs_to(name) for name in training)]


def _read_word(word: str) -> tuple[Purpose, bool, bool] | None:
    """Reads a word: its purpose, whether it is weak, and whether it names a domain."""
    for patterns in (_STRONG, _WEAK):
        for purpose, pattern in patterns.items():
            if match := pattern.fullmatch(word):
                return purpose, patterns is _WEAK, bool(match["domain"])
    return None
