"""Rules that presets share: channels by image size, and tables by the size that growing networks have."""

from collections.abc import Mapping
from typing import Any

from losses.recipe import Rule

WIDEST = 512  # channels at the smallest sizes, in ProGAN and its successors


def channels_by_size(base: int) -> Rule:
    """Makes the rule of the channels at the full image size: `base / side`, at most 512.

    `base` is the `channel_base` of StyleGAN2-ADA's authors, and twice the `fmap_base` of earlier code.
    """
    return Rule(
        f"{base} / side, at most {WIDEST}", lambda side, _: max(1, min(base // side, WIDEST)), takes="side"
    )


def values_by_size(table: Mapping[int, Any]) -> Rule:
    """Makes the rule of the entries of a table, by image side, at the sizes that a run grows through.

    A side between two powers of two has the value of the larger one.
    """

    def entries(side: int, _: int) -> tuple[tuple[int, Any], ...]:
        found = []
        while side >= 4:
            power = 1 << (side - 1).bit_length()
            if power in table:
                found.append((side, table[power]))
            side //= 2
        return tuple(sorted(found))

    words = ", ".join(f"{side}: {value:g}" for side, value in table.items())
    return Rule(f"by side, {words}", entries, takes="side")
