"""hf:NAME[/CONFIG][@SPLIT]: images of a Hugging Face data set, from a folder, the cache or the Hub."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from experiments.core.paths import expand_home
from experiments.data.core.arrangement import Arrangement
from experiments.data.core.class_labels import NO_LABELS, ClassLabels, number_classes
from experiments.data.core.dataset import NoHeldOutDataError
from experiments.data.core.decoding import MOST_BYTES, Store, holds_no_image
from experiments.data.core.hub_datasets import (
    DatasetName,
    advise_columns,
    choose_split,
    image_column,
    is_binary,
    label_column,
    load_splits,
    parse_name,
)
from experiments.data.core.listed_images import ListedImageSource, file_stamp
from experiments.data.core.picture_options import ImageFileOptions
from losses.core.options import option
from metrics.core.input_files import open_input_file

FEW_ROWS = 8  # of a column of bytes that are looked at for images
TEST = ("test", "validation", "val", "valid")  # splits that are held out from training, likely ones first


@dataclass(frozen=True)
class ColumnOptions(ImageFileOptions):
    """Options of tables."""

    image: str | None = option(None, "Column of the images; default: the only one that holds images.")
    label: str | None = option(
        None,
        "Column of the labels; default: one of classes, or one that is called label or the like; "
        "data.label=nothing leaves labels out.",
    )


class TableStore(Store):
    """Store of the encoded images in a column of tables, by split and row.

    Args:
        tables: each split of the data set.
        column: the column of the images.
        where: name of the data set in messages.
    """

    def __init__(self, tables: Mapping[str, Any], column: str, where: str) -> None:
        self.column, self.where = column, where
        self.tables = {
            split: _undecoded(table, column) for split, table in tables.items() if column in table.features
        }
        self._stamps: dict[str, str] = {}

    def open(self, name: str) -> BinaryIO:
        content, path = self._content(name)
        return open_input_file(path) if content is None else io.BytesIO(content)

    def size_of(self, name: str) -> int:
        content, path = self._content(name)
        return Path(path).stat().st_size if content is None else len(content)

    def name_of(self, name: str) -> str:
        split, _, row = name.rpartition("/")
        return f"{self.column} of row {row} of {split} in {self.where}"

    def stamp(self, name: str) -> str:
        """A stamp of the split and the row; of an image in a file of its own, of that file as well."""
        split = name.rpartition("/")[0]
        if split not in self._stamps:
            table = self.tables[split]
            files = [file_stamp(Path(file["filename"])) for file in table.cache_files]
            first: Any = table[0][self.column] if len(table) else None
            lies_outside = isinstance(first, Mapping) and first["bytes"] is None
            fingerprint = "" if files else str(table._fingerprint)
            self._stamps[split] = ("outside " if lies_outside else "") + " ".join([fingerprint, *files])
        stamp = f"{self._stamps[split]} {name} {self.column}"
        if not stamp.startswith("outside "):
            return stamp
        content, path = self._content(name)
        return f"{stamp} {file_stamp(Path(path)) if content is None else len(content)}"

    def _content(self, name: str) -> tuple[bytes | None, str]:
        """The bytes of an image, or else the path of its file. Raises ValueError where it has neither."""
        split, _, row = name.rpartition("/")
        value: Any = self.tables[split][int(row)][self.column]
        content: bytes | None
        path: str
        is_pair = isinstance(value, Mapping)
        content, path = (value["bytes"], value["path"] or "") if is_pair else (value, "")
        if content is None and not path:
            raise ValueError("the row has no image")
        if content is None and not Path(path).is_absolute():  # an address, or a path below who knows what
            raise ValueError(f"its image is not on this machine, but at {path[:100]}")
        if content is not None and len(content) > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES // 2**20} MiB, too many to be read safely")
        return content, path


def _undecoded(table: Any, column: str) -> Any:
    """The column of a table alone, of images as they are encoded."""
    alone = table.select_columns([column]).with_format(None)
    feature = alone.features[column]
    return alone.cast_column(column, type(feature)(decode=False)) if hasattr(feature, "decode") else alone


class Hf(ListedImageSource):
    """Hugging Face source: the images of a split, in the order of its rows; no code of the set is run.

    NAME is a folder (saved by `save_to_disk`, or of parquet files or images), a parquet file, or OWNER/NAME
    of the Hub, which is taken from the cache of this machine, or fetched with `--download`. The split is
    `train`, or the only one; beside it, `test`, else `validation`, is held out from training.
    """

    options_type: ClassVar[type] = ColumnOptions

    @classmethod
    def absolute_argument(cls, argument: str) -> str:
        """Makes the path of a folder or file absolute, with its configuration and split as they are."""
        name = parse_name(argument).name
        if name.startswith("~") or not Path(name).exists():
            return argument
        return f"{Path(name).absolute()}{argument[len(name) :]}"

    @property
    def location(self) -> str:
        return f"hf:{self.argument}"

    @cached_property
    def name(self) -> DatasetName:
        """The parts of the argument."""
        if not self.argument:
            raise ValueError("data 'hf' needs a data set: write --data hf:OWNER/NAME, or hf:FOLDER")
        expand_home(self.argument)
        return parse_name(self.argument)

    @cached_property
    def splits(self) -> Mapping[str, Any]:
        """The tables of the data set."""
        return load_splits(self.name, self.access.download)

    @cached_property
    def split(self) -> str:
        """The split to train on."""
        return choose_split(self.splits, self.name)

    @cached_property
    def store(self) -> TableStore:
        table = self.splits[self.split]
        column = image_column(table, self.options.image, self.location)
        store = TableStore(self.splits, column, self.location)
        if is_binary(table.features[column]):
            self._check_images(store, len(table))
        return self.set_value_range(store)

    def _check_images(self, store: TableStore, count: int) -> None:
        """Checks that a column of bytes has an image among its first rows. Raises ValueError."""
        names = [f"{self.split}/{row}" for row in range(min(count, FEW_ROWS))]
        if names and all(holds_no_image(store, name) for name in names):
            raise ValueError(
                f"column {store.column} of {self.location} holds bytes that are no images, in its first "
                f"{len(names)} rows; {advise_columns(self.splits[self.split], store.column)}"
            )

    @cached_property
    def arrangement(self) -> Arrangement:
        """The rows of the split to train on."""
        return self._arranged(self.split)

    @cached_property
    def held_out_arrangement(self) -> Arrangement:
        """The rows of the split for tests, else for validation."""
        if self.split == "train":
            for split in TEST:
                if len(self.store.tables.get(split, ())):
                    return self._arranged(split)
        raise NoHeldOutDataError(f"{self.location} has no split test beside train")

    def _arranged(self, split: str) -> Arrangement:
        """The rows of a split, with their classes. Raises ValueError where there are none."""
        count = len(self.store.tables[split])
        if not count:
            raise ValueError(f"split {split} of {self.location} has no rows")
        found = self._classes_in(split)
        return Arrangement(
            [f"{split}/{row}" for row in range(count)], classes=found.names, labels=found.labels
        )

    def _classes_in(self, split: str) -> ClassLabels:
        """The classes of a split; none where no row has a label. Raises ValueError where some lack one."""
        table = self.splits[split]
        wanted = self.options.label
        if wanted == NO_LABELS and wanted not in table.features:
            return ClassLabels()
        column = label_column(table, wanted, self.location)
        if column is None:
            return ClassLabels()
        values = table.with_format(None).select_columns([column])[:][column]
        names = getattr(table.features[column], "names", None)
        lacking = [row for row, value in enumerate(values) if value is None or (names and value == -1)]
        if len(lacking) == len(values):
            return ClassLabels()
        if lacking:
            raise ValueError(
                f"row {lacking[0]} of {split} in {self.location} has no {column}, as {len(lacking):,} of "
                f"{len(values):,}: label them, or choose another column by --set data.label=COLUMN"
            )
        found = number_classes(f"labels {column} of {self.location}", values)
        return found._replace(names=tuple(names[int(each)] for each in found.names)) if names else found
