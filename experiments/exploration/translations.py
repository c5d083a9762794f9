"""Translations of an uploaded picture to every domain, exactly those of `gans translate`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory

import torch

from experiments.core.errors import UsageError
from experiments.core.images import png_bytes
from experiments.core.seeds import make_deterministic, seed_all
from experiments.core.units import units_of
from experiments.data.core.decoding import IMAGE_ENDINGS, REMEDY, UnreadableError
from experiments.exploration.generators import OpenGenerator
from experiments.exploration.saved_names import SavedNames
from experiments.inference.translation import InputFormat, TranslationItem
from experiments.inference.translation_targets import AttributeChange, Target, resolve_target
from gans.core.attributes import groups_from_columns
from gans.core.translation import AttributeTranslator, DomainTranslator

MOST_UPLOAD_BYTES = 32 * 2**20
LONGEST_NAME = 80


@dataclass(frozen=True)
class TranslatedPicture:
    """A picture that was uploaded, or its translation.

    Attributes:
        words: "input", or the domain or attribute that it was translated to.
        png: the picture, as a file.
        command: makes it again; empty for the input.
        file: its name where it is saved; empty for the input.
    """

    words: str
    png: bytes
    command: str = ""
    file: str = ""


def targets_of(opened: OpenGenerator) -> list[Target]:
    """All that a translator can make of a picture: each domain, or each value of each attribute.

    Raises UsageError for one of attributes whose run has no critic, which tells those that are kept.
    """
    network, settings = opened.network, opened.settings
    if isinstance(network, DomainTranslator):
        return [resolve_target(network, settings, [domain], opened.path) for domain in network.targets]
    assert isinstance(network, AttributeTranslator)
    groups = groups_from_columns(settings.attributes)
    asked = [{group.name: value} for group in groups for value in group.values]
    words = [f"{name}={value}" for each in asked for name, value in each.items()]
    first = resolve_target(network, settings, words[:1], opened.path)
    assert isinstance(first.change, AttributeChange)
    changes = [
        AttributeChange(network, groups, each, first.change.critic, settings) for each in asked[1:]
    ]  # the critic is loaded once
    return [first, *map(Target, words[1:], changes)]


def file_name_of(upload: str) -> str:
    """A name for the file of an upload: its own, without what a file system or a shell takes amiss."""
    name = re.sub(r"[^\w.\-]+", "-", Path(upload.replace("\\", "/")).name).lstrip(".-")[-LONGEST_NAME:]
    return name if name.lower().endswith(IMAGE_ENDINGS) else f"{name or 'upload'}.png"


@torch.no_grad()
def translate_upload(
    opened: OpenGenerator, content: bytes, upload: str, names: SavedNames | None = None
) -> Iterator[TranslatedPicture]:
    """Yields an uploaded picture as it was read, then its translation to every target.

    Args:
        content: of the file; upload: its name.
        names: of the folders in the commands; those of the only run of a page if not given.

    Raises UsageError for a file that cannot be read, or is too large.
    """
    if len(content) > MOST_UPLOAD_BYTES:
        raise UsageError(f"{upload} has more than {MOST_UPLOAD_BYTES >> 20} MiB; give a smaller picture")
    network, settings = opened.network, opened.settings
    assert isinstance(network, DomainTranslator | AttributeTranslator)
    assert settings.image_size is not None and settings.channels is not None
    if units_of(settings.options) is not None:
        raise UsageError(
            f"{opened.path} translates pictures beyond 8 bits, which a browser cannot show; "
            f"gans translate {quote(str(opened.path))} FILE --out DIR keeps their units"
        )
    name, names = file_name_of(upload), names or SavedNames()
    with TemporaryDirectory(prefix="gans-explore-") as folder:
        item = TranslationItem(Path(folder), name, Path(folder, "result.png"))
        item.file.write_bytes(content)
        try:
            image, alpha = item.read(settings.channels)
        except UnreadableError as error:
            raise UsageError(str(error).removesuffix(REMEDY).replace(f"{folder}/{name}", upload)) from error
    yield TranslatedPicture("input", png_bytes(image))
    frame = InputFormat(settings.image_size, settings.channels, network.multiple, opened.device)
    make_deterministic()
    for target in targets_of(opened):
        seed_all(0, "translate", name)
        result = frame.through(target, image)
        if alpha is not None:
            result.putalpha(alpha)
        words, out = quote(target.words), quote(names.folder_of(target.words))
        command = f"gans translate {quote(str(opened.path))} {quote(name)} --to {words} --out {out}"
        file = names.translation(name, target.words)
        yield TranslatedPicture(target.words, png_bytes(result), command, file)
