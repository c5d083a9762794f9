"""CIFAR-10: 50,000 RGB 32×32 photographs in ten classes."""

from typing import ClassVar

from experiments.data.core.cifar import CifarSet


class Cifar10(CifarSet):
    """CIFAR-10 source: the training split (Krizhevsky 2009), in the version for Python."""

    name: ClassVar[str] = "cifar10"
    folder: ClassVar[str] = "cifar-10-batches-py"
    published: ClassVar[str] = "CIFAR10"
    files: ClassVar[tuple[str, ...]] = (*(f"data_batch_{number}" for number in range(1, 6)), "batches.meta")
    held_out_files: ClassVar[tuple[str, ...]] = ("test_batch", "batches.meta")
    labels_key: ClassVar[str] = "labels"
    classes_key: ClassVar[str] = "label_names"
