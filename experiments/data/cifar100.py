"""CIFAR-100: 50,000 RGB 32×32 photographs in a hundred classes."""

from typing import ClassVar

from experiments.data.core.cifar import CifarSet


class Cifar100(CifarSet):
    """CIFAR-100 source: the training split (Krizhevsky 2009), in the version for Python, with fine labels."""

    name: ClassVar[str] = "cifar100"
    folder: ClassVar[str] = "cifar-100-python"
    published: ClassVar[str] = "CIFAR100"
    files: ClassVar[tuple[str, ...]] = ("train", "meta")
    held_out_files: ClassVar[tuple[str, ...]] = ("test", "meta")
    labels_key: ClassVar[str] = "fine_labels"
    classes_key: ClassVar[str] = "fine_label_names"
