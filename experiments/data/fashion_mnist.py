"""Fashion-MNIST: 60,000 grey 28×28 pictures of clothes in ten classes."""

from pathlib import Path
from typing import ClassVar

from experiments.data.core.idx import IdxSet

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


class FashionMnist(IdxSet):
    """Fashion-MNIST source: Zalando's drop-in for MNIST (Xiao et al. 2017).

    Debian's package is found by itself.
    """

    name: ClassVar[str] = "fashion-mnist"
    folder: ClassVar[str] = "FashionMNIST/raw"
    published: ClassVar[str] = "FashionMNIST"
    installed: ClassVar[tuple[Path, ...]] = (DEBIAN,)
    remedy: ClassVar[str] = "apt-get install dataset-fashion-mnist"
    classes: ClassVar[tuple[str, ...]] = (
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    )
