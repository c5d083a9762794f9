"""Default settings as data: a recipe is a sequence of `Defaults`, of which the later ones win."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Rule:
    """A default value computed from the image size and the batch size, whoever sets these.

    Attributes:
        words: the formula, for people.
        value: the formula; its arguments are the pixels of an image, height times width, and the batch size.
            That of the batch size itself is given 0 for it.
        takes: "side" for a formula whose first argument is the pixels on the longer side.
        published: published values for square images, by their side, which win over the formula.
        row: row of the published table that they are from.
    """

    words: str
    value: Callable[[int, int], Any]
    takes: Literal["pixels", "side"] = "pixels"
    published: Mapping[int, Any] = field(default_factory=dict)
    row: str = ""

    def apply(self, size: tuple[int, int], batch_size: int) -> tuple[Any, str]:
        """The value for images of `size` (height, width), and where it is from, in words."""
        height, width = size
        if height == width and width in self.published:
            return self.published[width], f"{self.row} at {width} pixels"
        first = max(size) if self.takes == "side" else height * width
        return self.value(first, batch_size), self.words


@dataclass(frozen=True)
class Defaults:
    """Default settings that apply where all their conditions hold; a condition of None always holds.

    Attributes:
        values: setting name → value, in the words of the command line (`lr_critic`, `n_critic`), or a Rule.
        preset: "paper", "laptop", or another name. Defaults with a preset win over all those without one.
        data: "images" or "points".
        losses: names of the losses (the words after `--loss`).
        up_to: pixels on the longer side of an image.
        row: row of a published table that the values are from, for people.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    preset: str | None = None
    data: str | None = None
    losses: tuple[str, ...] | None = None
    up_to: int | None = None
    row: str = ""

    def hold(self, *, preset: str, data: str, loss: str, side: int | None) -> bool:
        """Whether these defaults apply to a run. `side`: pixels on the longer side; None for points."""
        return (
            self.preset in (None, preset)
            and self.data in (None, data)
            and (self.losses is None or loss in self.losses)
            and (self.up_to is None or (side is not None and side <= self.up_to))
        )


def defaults(
    *,
    preset: str | None = None,
    data: str | None = None,
    losses: tuple[str, ...] | None = None,
    up_to: int | None = None,
    row: str = "",
    options: Mapping[str, Any] | None = None,
    **values: Any,
) -> Defaults:
    """Makes `Defaults` from keywords: conditions, row, options by key, and further keywords as settings."""
    return Defaults({**values, **(options or {})}, preset, data, losses, up_to, row)


@dataclass(frozen=True)
class Preset:
    """A published configuration under a name of its own, beside "paper" and "laptop".

    Attributes:
        summary: one line for lists: the configuration, and where it was published.
        settings: its defaults, which stand on those of the architecture without a preset.
    """

    summary: str
    settings: tuple[Defaults, ...]


@dataclass(frozen=True)
class Recipe:
    """A named loss: a form together with the penalty, regularizers and optimizers that its paper uses.

    Attributes:
        paper: where it was published.
        form: name of the adversarial form (a file in losses/adversarial/).
        settings: its defaults.
        summary: one line for lists, where the recipe is not that of a form's own file.
        departures: list, in Markdown, of what differs from the paper or its authors' code, but for the laptop
            preset; "" where a comparison found nothing, None where nobody has compared.
    """

    paper: str
    form: str
    settings: tuple[Defaults, ...]
    summary: str = ""
    departures: str | None = None
