"""Result of a comparison: its groups from the best to the worst, as they are shown and written as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from experiments.analysis.comparison.groups import Group
from experiments.analysis.comparison.score_choice import ChosenScore

Test = Literal["welch", "paired"]
BEST = "best"
TIED = "tied"
NO_DIFFERENCE = "no significant difference"


@dataclass(frozen=True)
class GroupRow:
    """Row of a comparison: the failures of a group, its median and mean, and its test against the best group.

    Attributes:
        group: its experiments.
        rank: its place, from 1; tied groups have the same.
        failed_count: number of experiments that failed, diverged or collapsed; failed_share: their share.
        median: over all experiments, in which failed ones are worse than any number; None where it is of
            these.
        mean: of the scores of the others; None where there are none.
        low, high: the ends of the mean's interval, within the bounds of the score; None for a single score.
        p: probability that equal settings look as different as this and the best group, corrected for all
            pairs of groups that are compared; None for the best, and where no test can be made.
        difference: of the mean from that of the best group, positive where it is worse; None without one.
        detectable: minimum detectable effect of so many experiments; None where nothing spreads.
        verdict: the result of the test in words.
    """

    group: Group
    rank: int
    failed_count: int
    failed_share: float
    median: float | None
    mean: float | None
    low: float | None
    high: float | None
    p: float | None
    difference: float | None
    detectable: float | None
    verdict: str

    @property
    def count(self) -> int:
        """Number of experiments, failed ones included."""
        return len(self.group.scores) + self.failed_count


@dataclass(frozen=True)
class Comparison:
    """Comparison of groups of experiments, from the best to the worst.

    Attributes:
        chosen: the score.
        by: the settings that groups differ in.
        within: settings that differ within groups, beside the seed.
        differing: every setting that is not the same everywhere, with its values.
        test: which t test.
        rows: a row for each group.
        left_out: names of experiments that are in no group, and why: not evaluated yet, for the most part.
    """

    chosen: ChosenScore
    by: Sequence[str]
    within: Sequence[str]
    differing: dict[str, list[Any]]
    test: Test
    rows: Sequence[GroupRow]
    left_out: Sequence[tuple[str, str]]

    @property
    def has_failures(self) -> bool:
        """Whether an experiment of some group failed, diverged or collapsed."""
        return any(row.failed_count for row in self.rows)

    @property
    def count_name(self) -> str:
        """The name of the number of runs in a group: seeds, where they differ in nothing else."""
        return "runs" if self.within else "seeds"

    @property
    def kimg_words(self) -> str:
        """Length of training at which the scores were made: `8`, or `8 to 8.064`; empty if not recorded."""
        return " to ".join(self.kimg_ends)

    @property
    def kimg_ends(self) -> list[str]:
        """The shortest and the longest of these lengths, one where they are equal as words."""
        known = sorted(kimg for kimg in self.chosen.run_kimg if kimg is not None)
        return list(dict.fromkeys(f"{kimg:g}" for kimg in (*known[:1], *known[-1:])))
