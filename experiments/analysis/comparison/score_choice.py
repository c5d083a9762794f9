"""One score of every experiment: the same one, made alike, at equal kimg."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.analysis.comparison.record import Record
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.runs.scores import numbers_of

PROVENANCE = ("extractor", "weights", "resize_rule", "n", "quantization", "reference", "split")
SAME_KIMG = 0.01  # of the kimg, beside a round of each: a run ends with a whole round


@dataclass(frozen=True)
class Mark:
    """A number of one evaluation: when it was taken, and how."""

    kimg: float | None
    value: float
    made: Mapping[str, Any]


@dataclass(frozen=True)
class Chosen:
    """One score of every experiment.

    Attributes:
        metric: its name, such as `fid` or `precision-recall/recall`.
        higher_is_better: its direction.
        kimg: at which all were scored; None where nobody kept that.
        values: in the order of the experiments.
        provenance: what all have in common.
    """

    metric: str
    higher_is_better: bool
    kimg: float | None
    values: tuple[float, ...]
    provenance: Mapping[str, Any]


def marks_of(record: Record) -> dict[str, list[Mark]]:
    """Every number of every evaluation by its name, in the order of steps."""
    found: dict[str, list[Mark]] = {}
    for kimg, scores in record.evaluations:
        for key, made in scores.items():
            for name, value in numbers_of({key: made}).items():
                found.setdefault(name.removeprefix("metric/"), []).append(Mark(kimg, value, made))
    return found


def scored(records: Sequence[Record], metric: str | None, force: bool = False) -> Chosen:
    """The score of every experiment, where all were trained on as many images.

    Raises UsageError for an experiment without it, for none at equal kimg, and for scores that were not made
    alike, unless `force`.
    """
    marks = [marks_of(record) for record in records]
    metric = named(metric, marks[0]) if metric else _first_common(records, marks)
    for record, own in zip(records, marks, strict=True):
        if metric not in own:
            has = f"it has {', '.join(own)}" if own else "it has none"
            raise UsageError(
                f"{record.name} has no score {metric} ({has}); make it with: gans evaluate {record.name}"
            )
    rows = [own[metric] for own in marks]
    kimg = _common_kimg(records, metric, rows)
    slack = max(map(_round_kimg, records))
    chosen = [[mark for mark in row if kimg is None or _same(kimg, mark, slack)][-1] for row in rows]
    if not force:
        _refuse_mixed(records, metric, chosen)
    better = direction(metric, chosen[0].made)
    if better is None:
        raise UsageError(f"--metric {metric} has no direction, so none can be the best")
    provenance = {key: chosen[0].made[key] for key in PROVENANCE if key in chosen[0].made}
    return Chosen(metric, better, kimg, tuple(mark.value for mark in chosen), provenance)


def named(metric: str, marks: Mapping[str, Sequence[Mark]]) -> str:
    """The name among these marks that a user means; as it stands where it is none, or may be several.

    `fid` is also said of the Fréchet distance between the features of another network, whose own name then
    stands beside every number; `precision-recall` of its first number, and `recall` of that one.
    """

    def words(name: str) -> tuple[str, str, str]:
        usual = usual_name(name, marks[name][-1].made)
        metric_of, _, number = usual.rpartition("/")
        return usual, metric_of, number

    alike = [name for name in directed(marks) if metric in words(name)]
    evaluations = {id(marks[name][-1].made) for name in alike}
    return alike[0] if metric not in marks and len(evaluations) == 1 else metric


def directed(marks: Mapping[str, Sequence[Mark]]) -> list[str]:
    """Those of which more is better, or less; the first is what is compared where nobody says more."""
    return [name for name, own in marks.items() if direction(name, own[-1].made) is not None]


def usual_name(metric: str, made: Mapping[str, Any]) -> str:
    """`fd-random-vgg/to-B` → `fid/to-B`."""
    return metric.replace(str(made.get("distance")), "fid", 1)


def _first_common(records: Sequence[Record], marks: Sequence[Mapping[str, Sequence[Mark]]]) -> str:
    common = directed(marks[0])
    for record, own in zip(records, marks, strict=True):
        shared = [name for name in common if name in own]
        if not shared:
            has, others = (", ".join(names) or "none" for names in (directed(own), common))
            beside = "" if record is records[0] else f" and those before it {others}"
            raise UsageError(
                f"no score that all have, and loss terms compare nothing: {record.name} has {has}{beside}; "
                f"score it with: gans evaluate {record.name}"
            )
        common = shared
    return common[0]


def _common_kimg(records: Sequence[Record], metric: str, rows: Sequence[Sequence[Mark]]) -> float | None:
    """The last at which all were scored, as the one says that has the longest rounds."""
    if all(mark.kimg is None for row in rows for mark in row):
        return None
    longest = max(range(len(records)), key=lambda index: _round_kimg(records[index]))
    for kimg in sorted({mark.kimg for mark in rows[longest] if mark.kimg is not None}, reverse=True):
        slack = _round_kimg(records[longest])
        if all(any(_same(kimg, mark, slack) for mark in row) for row in rows):
            return kimg
    ends = [(record.name, row[-1].kimg) for record, row in zip(records, rows, strict=True)]
    least, most = (pick(ends, key=lambda end: end[1] or 0.0) for pick in (min, max))
    raise UsageError(
        f"{metric} was taken at no kimg that all share (the last of {least[0]}: {least[1] or 0:g}, of "
        f"{most[0]}: {most[1] or 0:g}); train them for as long, or score them on the way with --evaluate-kimg"
    )


def _same(kimg: float, mark: Mark, slack: float) -> bool:
    return mark.kimg is not None and abs(kimg - mark.kimg) <= max(slack, SAME_KIMG * kimg)


def _round_kimg(record: Record) -> float:
    return float(record.settings.get("batch_size", 0) * record.settings.get("n_critic", 1)) / 1000


def _refuse_mixed(records: Sequence[Record], metric: str, chosen: Sequence[Mark]) -> None:
    first = chosen[0].made
    for record, mark in zip(records[1:], chosen[1:], strict=True):
        different = [key for key in PROVENANCE if first.get(key) != mark.made.get(key)]
        if different:
            parts = [f"{key}: {_short(first.get(key))}, {_short(mark.made.get(key))}" for key in different]
            raise UsageError(
                f"{metric} of {records[0].name} and of {record.name} were not made alike "
                f"({'; '.join(parts)}); evaluate them alike, or compare them all the same with --force"
            )


def _short(value: Any) -> str:
    return f"{value:.24}" if isinstance(value, str) else str(value)


def direction(metric: str, made: Mapping[str, Any]) -> bool | None:
    """Whether more of it is better; None for what is no mark, or of a metric that nobody here knows.

    Args:
        made: the record of the score.
    """
    name, *rest = usual_name(metric, made).split("/")
    if name not in registry.names_of("metric"):
        return None
    better: Mapping[str, bool] = registry.load("metric", name).higher_is_better
    return next(iter(better.values())) if len(better) == 1 else better.get(rest[-1] if rest else "")
