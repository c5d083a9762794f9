"""Kuzushiji-MNIST: 60,000 grey 28×28 pictures of cursive Japanese in ten classes."""

from typing import ClassVar

from experiments.data.core.idx import IdxSet


class Kmnist(IdxSet):
    """Kuzushiji-MNIST source: ten hiragana, one of each row of the syllabary (Clanuwat et al. 2018)."""

    name: ClassVar[str] = "kmnist"
    folder: ClassVar[str] = "KMNIST/raw"
    published: ClassVar[str] = "KMNIST"
    classes: ClassVar[tuple[str, ...]] = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
