"""MNIST: 60,000 grey 28×28 pictures of handwritten digits."""

from typing import ClassVar

from experiments.data.core.idx import IdxSet


class Mnist(IdxSet):
    """MNIST source: the handwritten digits of LeCun et al. 1998."""

    name: ClassVar[str] = "mnist"
    folder: ClassVar[str] = "MNIST/raw"
    published: ClassVar[str] = "MNIST"
    classes: ClassVar[tuple[str, ...]] = tuple("0123456789")
