"""wds:GLOB: images in tar files as WebDataset has them, labels in .cls or .json; read in any order."""

import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, ClassVar, NamedTuple

from experiments.core.files import parse_json
from experiments.core.paths import expand_home
from experiments.core.word_lists import first_few
from experiments.data.core.arrangement import (
    Arrangement,
    describe_no_images,
    remark_on_left_out,
    remarks_on_photos,
    sorted_image_paths,
)
from experiments.data.core.class_labels import NO_LABELS, ClassLabels, number_classes
from experiments.data.core.decoded_cache import cache_key
from experiments.data.core.decoding import ARRAY_ENDINGS, IMAGE_ENDINGS, MOST_BYTES, Store, holds_no_image
from experiments.data.core.index_cache import load_index, save_index
from experiments.data.core.listed_images import FilePart, ListedImageSource, file_stamp
from experiments.data.core.picture_options import ImageFileOptions
from experiments.data.core.tar_index import TarMember, index_tar
from experiments.data.core.tar_samples import main_path, members_by_sample
from losses.core.options import option
from metrics.core.input_files import open_input_file

BRACES = re.compile(r"\{([^{}]*)\}")
RANGE = re.compile(r"(\d+)\.\.(\d+)")
FEW_MEMBERS = 8  # of an ending that is asked for that are looked at for images
NAMED = 5  # endings that an error names
UNPACK = "arrays are read from a folder: unpack the tar files, and write --data folder:PATH"
MOST_SHARDS = 100_000
MOST_LABEL_BYTES = 2**20  # of a .cls or .json
JSON_LABELS = ("label", "cls", "class", "class_id", "target")  # keys that are looked for


@dataclass(frozen=True)
class TarOptions(ImageFileOptions):
    """Options of tar files of samples."""

    image: str | None = option(None, "Ending of the image of a sample, such as input.png; default: found.")
    label: str | None = option(
        None,
        "Ending of the file with the label (cls), or a key of the .json; default: found; "
        "data.label=nothing leaves labels out.",
    )


class Part(NamedTuple):
    """A place in one of the tar files, by the number of that."""

    shard: int
    start: int
    size: int


class TarSample(NamedTuple):
    """An image in a tar file, and its label: a number, a word, or None."""

    image: TarMember
    label: int | str | None


class TarContent(NamedTuple):
    """The content of a tar file.

    Attributes:
        samples: with their images.
        left_out: path of a member of each sample that has no image.
        replaced: paths of members that later ones of the same path replace.
    """

    samples: list[TarSample]
    left_out: list[str]
    replaced: list[str]


class TarStore(Store):
    """Store of members of several tar files, by shard and path, each opened with a file handle of its own.

    Attributes:
        stamps: of the tar files, when they were first looked at.
    """

    def __init__(self, shards: Sequence[Path]) -> None:
        self.shards = shards
        self.parts: dict[str, Part] = {}
        self.stamps = [file_stamp(shard) for shard in shards]

    def add(self, shard: int, member: TarMember) -> str:
        """Adds a member of a tar file; returns its name."""
        name = f"{member.path} in {self.shards[shard]}"
        self.parts[name] = Part(shard, member.start, member.size)
        return name

    def open(self, name: str) -> BinaryIO:
        part = self.parts[name]
        if part.size > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES // 2**20} MiB, too many to be read safely")
        return io.BufferedReader(FilePart(str(self.shards[part.shard]), part.start, part.size))

    def size_of(self, name: str) -> int:
        return self.parts[name].size

    def name_of(self, name: str) -> str:
        return name

    def stamp(self, name: str) -> str:
        part = self.parts[name]
        return f"{self.stamps[part.shard]} {part.start} {part.size}"


class Wds(ListedImageSource):
    """WebDataset source: samples of all tar files that a pattern names, `*` and `{000..009}` included.

    Their headers are read once and kept in the cache, so that each sample is reached directly: the order of
    training is a function of seed and position, as everywhere, without a shuffling buffer or a division of
    shards among processes.
    """

    options_type: ClassVar[type] = TarOptions

    @classmethod
    def absolute_argument(cls, argument: str) -> str:
        return argument if argument.startswith("~") else str(Path(argument).absolute())

    @property
    def location(self) -> str:
        return f"wds:{self.argument}"

    @cached_property
    def shards(self) -> list[Path]:
        """The tar files, by their paths."""
        if not self.argument:
            raise ValueError("data 'wds' needs tar files: write --data 'wds:FOLDER/*.tar'")
        found: list[Path] = []
        for pattern in map(Path, expand_braces(str(expand_home(self.argument)))):
            has_wildcards = bool(re.search(r"[*?\[]", str(pattern)))
            below = str(pattern.relative_to(pattern.anchor))
            found += sorted(Path(pattern.anchor).glob(below)) if has_wildcards else [pattern]
        if not found:
            raise ValueError(f"{self.argument}: no file has such a name; write --data 'wds:FOLDER/*.tar'")
        return list(dict.fromkeys(found))

    @cached_property
    def store(self) -> TarStore:
        return self.set_value_range(TarStore(self.shards))

    @cached_property
    def arrangement(self) -> Arrangement:
        """The images of all shards, in the order of the tar files, with their labels."""
        names: list[str] = []
        labels: list[int | str | None] = []
        for number in range(len(self.shards)):
            for image, label in self._contents[number].samples:
                names.append(self.store.add(number, image))
                labels.append(label)
        if not names:
            raise ValueError(self._describe_no_images())
        if self.options.image is not None and all(
            holds_no_image(self.store, name) for name in names[:FEW_MEMBERS]
        ):
            raise ValueError(
                f"members .{self._image_ending} of {self.argument} are no images ({names[0]} is none): "
                f"{self._advise_endings()}"
            )
        classes = self._classes_from(names, labels)
        return Arrangement(names, classes=classes.names, labels=classes.labels)

    @cached_property
    def _contents(self) -> list[TarContent]:
        """The content of each tar file."""
        return [self._content_of(number) for number in range(len(self.shards))]

    @property
    def remarks_on_others(self) -> tuple[str, ...]:
        """Remarks on images that others of the same path replace, and on samples that have no image."""
        left_out = [path for content in self._contents for path in content.left_out]
        replaced = sorted_image_paths(path for content in self._contents for path in content.replaced)
        remarks: tuple[str, ...] = ()
        if replaced:
            remarks = (remark_on_left_out(replaced, "because later ones in the tar file have the same path"),)
        if not left_out:
            return remarks
        count = len(left_out) + len(self.arrangement.names)
        lacking = f"no .{self._image_ending}" if self._image_ending else "no image by their endings"
        words = f"left out {len(left_out):,} of {count:,} samples, with {lacking}"
        return (*remarks, f"{words}: {first_few(left_out, NAMED)}", *remarks_on_photos(left_out))

    @property
    def _image_ending(self) -> str:
        """The ending that is asked for, without its dot; empty without one."""
        return (self.options.image or "").lower().lstrip(".")

    def _describe_no_images(self) -> str:
        """Describes that no sample has an image, with what was looked for and a remedy."""
        where = f"in {self.argument}"
        if self._image_ending:
            return f"no images {where} (looked for .{self._image_ending}): {self._advise_endings()}"
        files = [member.path for shard in self.shards for member in index_tar(shard)]
        words = describe_no_images(where, files, IMAGE_ENDINGS)
        return f"{words}; {UNPACK}" if any(path.lower().endswith(ARRAY_ENDINGS) for path in files) else words

    def _advise_endings(self) -> str:
        """Advises what to name as the ending of images, by the members of the first tar file."""
        endings = sorted({ending for sample in members_by_sample(self.shards[0])[0] for ending in sample})
        others = [each for each in endings if each != self._image_ending]
        if images := [each for each in others if f".{each}".endswith(IMAGE_ENDINGS)]:
            return f"take --set data.image={images[0]}"
        arrays = any(f".{each}".endswith(ARRAY_ENDINGS) for each in endings)
        return UNPACK if arrays else f"its members end in {first_few(endings, NAMED)}"

    def _content_of(self, number: int) -> TarContent:
        """The content of a tar file: from the cache, if it has not changed since, or from its headers."""
        shard, stamp = self.shards[number], self.store.stamps[number]
        wanted = repr((self.options.image, self.options.label))
        key = cache_key(["samples and others of a tar file", stamp, wanted, *IMAGE_ENDINGS, *JSON_LABELS])
        if (rows := load_index(key)) is not None:
            found, left_out, replaced = rows
            samples = [TarSample(TarMember(*member), label) for *member, label in found]
            return TarContent(samples, left_out, replaced)
        members, replaced = members_by_sample(shard)
        samples, left_out = [], []
        with open_input_file(shard) as tar:
            for sample in members:
                if image := self._image_of(sample, shard):
                    samples.append(TarSample(image, self._label_of(sample, shard, tar)))
                elif path := main_path(sample):
                    left_out.append(path)
        if file_stamp(shard) == stamp:
            save_index(key, [[[*image, label] for image, label in samples], left_out, replaced])
        return TarContent(samples, left_out, replaced)

    def _classes_from(self, names: Sequence[str], labels: Sequence[int | str | None]) -> ClassLabels:
        """Numbers the classes. Raises ValueError where only some of the images have a label."""
        lacking = [name for name, label in zip(names, labels, strict=True) if label is None]
        if len(lacking) == len(names):
            if self.options.label not in (None, NO_LABELS):
                raise ValueError(f"no image in {self.argument} has a label {self.options.label}")
            return ClassLabels()
        if lacking:
            raise ValueError(
                f"{lacking[0]} has no label, as {len(lacking):,} of {len(names):,} images: add a .cls to each"
            )
        return number_classes(f"labels in {self.argument}", [label for label in labels if label is not None])

    def _image_of(self, sample: dict[str, TarMember], shard: Path) -> TarMember | None:
        """The image of a sample, None without one. Raises ValueError where it has several."""
        if self.options.image is not None:
            return sample.get(self._image_ending)
        found = [ending for ending in sample if f".{ending}".endswith(IMAGE_ENDINGS)]
        if len(found) > 1:
            path = sample[found[0]].path
            raise ValueError(
                f"{path} in {shard} is one of several images of a sample ({', '.join(sorted(found))}): "
                f"name the one to take, --set data.image={sorted(found)[0]}"
            )
        return sample[found[0]] if found else None

    def _label_of(self, sample: dict[str, TarMember], shard: Path, tar: BinaryIO) -> int | str | None:
        """The label of a sample, a number or a word; None without one. Raises ValueError."""
        wanted = self.options.label
        if wanted == NO_LABELS:
            return None
        file = sample.get("cls" if wanted is None else wanted.lower().lstrip("."))
        if file is not None:
            return _number_or_word(_read(shard, file, tar).decode("utf-8", "replace").strip())
        if (file := sample.get("json")) is None:
            return None
        try:
            whole = parse_json(_read(shard, file, tar).decode("utf-8-sig"))
        except ValueError as error:
            raise ValueError(f"{file.path} in {shard} cannot be read as JSON ({error})") from error
        keys = JSON_LABELS if wanted is None else (wanted,)
        value = next((whole[key] for key in keys if key in whole), None) if isinstance(whole, dict) else whole
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if value is None or (isinstance(value, str | int) and not isinstance(value, bool)):
            return value
        if wanted is None:
            return None  # a description, or the like
        raise ValueError(f"{file.path} in {shard}: {wanted} is {json.dumps(value)[:40]}, no number or word")


def _read(shard: Path, member: TarMember, tar: BinaryIO) -> bytes:
    """Reads a label from an opened tar file. Raises ValueError for one that is no short text."""
    if member.size > MOST_LABEL_BYTES:
        raise ValueError(f"{member.path} in {shard} has {member.size:,} bytes, too many for a label")
    tar.seek(member.start)
    return tar.read(member.size)


def _number_or_word(text: str) -> int | str | None:
    return int(text) if re.fullmatch(r"-?\d{1,18}", text) else text or None


def expand_braces(pattern: str) -> list[str]:
    """Expands `{000..009}` and `{a,b}` in a pattern. Raises ValueError for too many names."""
    found = BRACES.search(pattern)
    if found is None:
        return [pattern]
    choices = found[1].split(",")
    if ends := RANGE.fullmatch(found[1]):
        first, last = int(ends[1]), int(ends[2])
        if last - first >= MOST_SHARDS:
            raise ValueError(f"{pattern} names more than {MOST_SHARDS:,} tar files")
        choices = [str(number).zfill(len(ends[1])) for number in range(first, last + 1)]
    rest = expand_braces(pattern[found.end() :])
    if len(choices) * len(rest) > MOST_SHARDS:
        raise ValueError(f"{pattern} names more than {MOST_SHARDS:,} tar files")
    return [pattern[: found.start()] + choice + end for choice in choices for end in rest]
