"""Names of the files that are saved from the explorer's page."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath


@dataclass(frozen=True)
class SavedNames:
    """Names of what is saved of a run.

    Args:
        suffix: tells the runs of a page apart, so that the files of one never replace those of another.
    """

    suffix: str = ""

    @property
    def picture(self) -> str:
        return f"sample{self.suffix}.png"

    @property
    def latent(self) -> str:
        return f"latent{self.suffix}.npy"

    def folder_of(self, target: str) -> str:
        """Names the folder of a picture that was translated to a domain, or with an attribute."""
        return f"translated{self.suffix}-{_file_word(target)}"

    def translation(self, upload: str, target: str) -> str:
        """Names the picture of a translation of an uploaded file."""
        return f"{PurePath(upload).stem}{self.suffix}-{_file_word(target)}.png"


def name_files(titles: Sequence[str]) -> list[SavedNames]:
    """Names the files of each run of a page: by its title where there are several."""
    if len(titles) == 1:
        return [SavedNames()]
    words = [_file_word(title) for title in titles]
    clash = len({word.lower() for word in words}) < len(words)  # some file systems know no case
    return [SavedNames(f"-{number}-{word}" if clash else f"-{word}") for number, word in enumerate(words, 1)]


def _file_word(title: str) -> str:
    """The title without what a file system or a shell takes amiss."""
    return re.sub(r"[^\w.=]+", "-", title).strip("-.")
