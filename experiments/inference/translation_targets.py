"""Target of a translation (`--to`): a domain, or attributes, others of which the critic classifies."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from experiments.core.errors import UsageError, usage_errors
from experiments.core.images import from_uint8
from experiments.core.settings import Settings
from experiments.data.core.array_pictures import resize_array
from experiments.data.core.conversion import resize
from experiments.data.core.dataset import Fit
from experiments.runs.generator import load_critic
from gans.core.attributes import (
    AttributeCritic,
    Groups,
    column_names,
    columns_of,
    groups_from_columns,
    join_words,
    most_likely_rows,
    with_value,
)
from gans.core.translation import AttributeTranslator, DomainTranslator


class Target(NamedTuple):
    """Target of a translation, in words and as a function on images.

    Attributes:
        words: such as `B`, or `hue=red,filled=1`.
        change: the whole image, in the run's channels, and the network's input of it `(1, C, H, W)` → the
            network's output. An image beyond 8 bits is an array `(H, W, C)` in [−1, 1].
    """

    words: str
    change: Callable[[Image.Image | NDArray[Any], Tensor], Tensor]


def resolve_target(
    network: DomainTranslator | AttributeTranslator,
    settings: Settings,
    words: Sequence[str],
    path: Path,
) -> Target:
    """Resolves the words of `--to` for the generator of `path`.

    Raises UsageError for a target that it cannot give.
    """
    words = [part for word in words for part in word.split(",") if part]
    if isinstance(network, DomainTranslator):
        to = read_domain(network.targets, words, str(path))
        return Target(to, lambda _, x: network.translate(x, to))
    groups = groups_from_columns(settings.attributes)
    asked = read_attributes(groups, words, str(path))
    missing = [group.name for group in groups if group.name not in asked]
    critic = critic_of(path, settings) if missing else None
    if missing and critic is None:
        raise UsageError(
            f"{path} comes without the critic, which would tell the attributes that --to does not name: "
            f"name {', '.join(missing)}, too"
        )
    return Target(
        ",".join(f"{name}={value}" for name, value in asked.items()),
        AttributeChange(network, groups, asked, critic, settings),
    )


def read_domain(targets: Sequence[str], words: Sequence[str], name: str) -> str:
    """Domain that the words name; it may be left out where there is only one.

    Raises UsageError for words that name no domain or several.
    """
    words = words or (targets if len(targets) == 1 else ())
    if len(words) != 1:
        raise UsageError(f"{name} translates to {join_words(targets)}: say which with --to, one of them")
    for target in targets:
        if target.casefold() == words[0].casefold():
            return target
    only = " only: it holds no weights of another direction" if len(targets) == 1 else ""
    raise UsageError(f"--to {words[0]}: {name} translates to {join_words(targets)}{only}")


def read_attributes(groups: Groups, words: Sequence[str], name: str) -> dict[str, str]:
    """Values of the attributes that the words name, by attribute.

    Raises UsageError for words that name none, for an unknown attribute or value, and for one named twice.
    """
    names = join_words([group.name for group in groups])
    if not words:
        raise UsageError(f"{name} changes attributes: say which with --to NAME=VALUE, of {names}")
    asked: dict[str, str] = {}
    none = torch.zeros(1, len(column_names(groups)))
    for word in words:
        attribute, equals, value = word.partition("=")
        with usage_errors(f"--to {word}"):
            columns_of(groups, attribute)
        if not equals:
            values = next(group.values for group in groups if group.name == attribute)
            raise UsageError(f"--to {word}: give its value, {join_words([f'{word}={v}' for v in values])}")
        with usage_errors(f"--to {word}"):
            with_value(groups, none, attribute, value)
        if attribute in asked:
            raise UsageError(f"--to names {attribute} twice; give it one value")
        asked[attribute] = value
    return asked


class AttributeChange:
    """Translation that changes some attributes, and keeps the others as the critic classifies them.

    Args:
        critic: may be None where all attributes are given.
    """

    def __init__(
        self,
        network: AttributeTranslator,
        groups: Groups,
        asked: dict[str, str],
        critic: AttributeCritic | None,
        settings: Settings,
    ) -> None:
        self.network, self.groups, self.asked, self.critic = network, groups, asked, critic
        self.size, self.fit = settings.image_size, settings.fit

    def __call__(self, image: Image.Image | NDArray[Any], x: Tensor) -> Tensor:
        return self.network.translate(x, self.rows(image, x.device))

    def rows(self, image: Image.Image | NDArray[Any], device: torch.device) -> Tensor:
        """All attributes that the translation is to have, `(1, D)`."""
        rows = torch.zeros(1, len(column_names(self.groups)), device=device)
        if self.critic is not None and self.size is not None:
            seen: Any = self.fit or "crop"  # as the run brought its own images to its size
            shown = as_input(resized(image, self.size, seen)).to(device)
            rows = most_likely_rows(self.groups, self.critic.to(device).classify(shown))
        for name, value in self.asked.items():
            rows = with_value(self.groups, rows, name, value)
        return rows


def critic_of(path: Path, settings: Settings) -> AttributeCritic | None:
    """Critic of a checkpoint or a run folder, if it classifies attributes.

    None where there is none, as in an exported file.
    """
    critic = load_critic(path, settings)
    return critic if isinstance(critic, AttributeCritic) else None


def resized(image: Any, size: tuple[int, int], fit: Fit) -> Any:
    """Resizes an image, or an array `(H, W, C)`, as `--fit` says; returns one of the same kind."""
    if isinstance(image, np.ndarray):
        return resize_array(image, size, fit).transpose(1, 2, 0)
    return resize(image, size, fit)


def as_input(image: Image.Image | NDArray[Any]) -> Tensor:
    """Converts an 8-bit image, or an array `(H, W, C)` in [−1, 1], to `(1, C, H, W)` in [−1, 1]."""
    if isinstance(image, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]
    pixels = torch.from_numpy(np.array(image)).view(image.height, image.width, -1)
    return from_uint8(pixels.permute(2, 0, 1)[None])
