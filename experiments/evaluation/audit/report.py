"""Report of an audit: what each statistic would have found, what it found, and a verdict in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.core.named_values import JsonObject
from experiments.evaluation.audit.calibration import LEVEL, POWER, CalibratedStatistic
from experiments.evaluation.audit.copying import EXCHANGE, TRAINING_RATIO, is_trusted
from experiments.evaluation.audit.planting import SHARES
from experiments.evaluation.audit.variety import DROPPED

COPIES, HINTS, NO_COPIES, UNKNOWN = "copies", "hints of copies", "no copies found", "cannot tell"
LOST, WHOLE = "modes are missing", "no missing modes found"


@dataclass(frozen=True)
class AuditReport:
    """Results of an audit.

    Attributes:
        run: as it was named; step: of the generator.
        counts: numbers of images: training, reference, honest, generated.
        record: provenance: the extractor and the seed.
        copying, variety: the statistics.
        modes: what the modes are, and how many.
        remedy: what may let an audit see more, in words.
    """

    run: str
    step: int | None
    counts: Mapping[str, int]
    record: JsonObject
    copying: Sequence[CalibratedStatistic]
    variety: Sequence[CalibratedStatistic]
    modes: str
    remedy: str = "take another --extractor"

    @property
    def copies(self) -> str:
        """Verdict on copies.

        Only the exchange of training and held-out images tells copies from samples that are near everything;
        the others also move for a generator that makes little variety, so that alone they are hints.
        """
        beyond = [each.name for each in self.copying if each.is_beyond and is_trusted(each)]
        if EXCHANGE in beyond:
            return COPIES
        if not any(map(is_trusted, self.copying)):
            return UNKNOWN
        return HINTS if beyond else NO_COPIES

    @property
    def is_flagged(self) -> bool:
        """Whether the generator copies its training data."""
        return self.copies == COPIES

    @property
    def lost(self) -> str:
        """Verdict on lost modes, by the statistics that find some share of dropped ones."""
        able = [each for each in self.variety if each.found[DROPPED] is not None]
        if not able:
            return UNKNOWN
        return LOST if any(each.is_beyond for each in able) else WHOLE

    def verdict(self) -> list[str]:
        """The verdict in words, a line on copies and one on modes."""
        return [self._words_on_copies(), self._words_on_modes()]

    def _words_on_copies(self) -> str:
        beyond = ", ".join(each.name for each in self.copying if each.is_beyond and is_trusted(each))
        least = {
            kind: min((each.found[kind] or 2.0 for each in self.copying), default=2.0)
            for kind in self.copying[0].found
        }
        power = ", ".join(
            f"{share:.0%} {kind}" if share <= 1 else f"no share of {kind} ones"
            for kind, share in least.items()
        )
        would = f"it would have found, of copies: {power}"
        if self.copies == UNKNOWN:
            return f"{UNKNOWN}: half of all samples could be copies unseen; {self.remedy}"
        if self.copies == COPIES:
            nearness = next(each for each in self.copying if each.name == TRAINING_RATIO)
            share = nearness.equivalent("exact")
            like = f", as of {share:.0%} exact copies or more" if share else ""
            return f"{COPIES}: training images are nearer to the samples than held-out ones ({beyond}){like}"
        if self.copies == HINTS:
            return (
                f"{HINTS}: {beyond} beyond honest samples, which little variety explains as well; training "
                f"images as such are no nearer than held-out ones; {would}"
            )
        return f"{NO_COPIES}; {would}"

    def _words_on_modes(self) -> str:
        if self.lost == UNKNOWN:
            unlike = ", ".join(each.name for each in self.variety if each.is_beyond)
            like = f"; samples are unlike the data ({unlike} beyond honest samples)" if unlike else ""
            return (
                f"{UNKNOWN} whether modes are missing ({self.modes}): no share of dropped ones that was "
                f"tried would have been found{like}; {self.remedy}"
            )
        beyond = [each for each in self.variety if each.is_beyond and each.found[DROPPED] is not None]
        if not beyond:
            found = min(each.found[DROPPED] or 1.0 for each in self.variety)
            return f"{WHOLE} ({self.modes}); it would have found {found:.0%} dropped"
        shares = {each.name: each.equivalent(DROPPED) for each in beyond}
        words = ", ".join(
            f"{name} as with {share:.0%} dropped"
            if share
            else f"{name} less than with {SHARES[0]:.0%} dropped"
            for name, share in shares.items()
        )
        return f"{LOST}, or samples are unlike the data ({self.modes}): {words}"

    def to_json(self) -> JsonObject:
        """Returns everything as JSON knows values."""
        return {
            "run": self.run,
            "step": self.step,
            "flagged": self.is_flagged,
            "copies": self.copies,
            "modes": self.lost,
            "verdict": self.verdict(),
            "n": dict(self.counts),
            **self.record,
            "copying": {each.name: _entry(each) for each in self.copying},
            "variety": {each.name: _entry(each) for each in self.variety},
        }

    def lines(self) -> list[str]:
        """Returns tables for people, and the verdict."""
        numbers = ", ".join(f"{count:,} {name}" for name, count in self.counts.items())
        return [
            f"{numbers}; intervals of {LEVEL:.0%} by resampling; found in {POWER:.0%} of planted sets",
            "",
            *_table(self.copying, "copies"),
            "",
            *_table(self.variety, f"of the {self.modes}"),
            "",
            *self.verdict(),
        ]


def _entry(each: CalibratedStatistic) -> JsonObject:
    return {
        "value": each.value,
        "interval": [each.interval.low, each.interval.high],
        "honest": [each.honest.low, each.honest.high],
        "beyond": each.is_beyond,
        "found": dict(each.found),
        "wrong_way": list(each.reversed),
        "medians": {
            kind: {str(share): value for share, value in of.items()} for kind, of in each.medians.items()
        },
    }


def _table(statistics: Sequence[CalibratedStatistic], of: str) -> list[str]:
    """Lines of a table: the statistic, honest samples, the run, and the smallest share found."""
    kinds = list(statistics[0].found)
    header = ["statistic", "honest samples", "this run", "", *(f"{kind} {of}" for kind in kinds)]
    rows = [header]
    for each in statistics:
        rows.append(
            [
                each.name,
                f"{each.honest.low:.3g} … {each.honest.high:.3g}",
                f"{each.value:.3g} ({each.interval.low:.3g} … {each.interval.high:.3g})",
                "beyond" if each.is_beyond else "",
                *(_found(each, kind) for kind in kinds),
            ]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _found(each: CalibratedStatistic, kind: str) -> str:
    share = each.found[kind]
    if share is not None:
        return f"{share:.0%}"
    return "wrong way" if kind in each.reversed else "never"
