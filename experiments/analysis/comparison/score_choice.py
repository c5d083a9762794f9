"""Choice of the score to compare: the same metric of every experiment, computed alike, at equal kimg."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.analysis.comparison.evaluation_words import (
    describe_score,
    evaluation_command,
    evaluation_remedy,
)
from experiments.analysis.comparison.record import Record
from experiments.analysis.comparison.score_bounds import widest_bounds
from experiments.core import registry
from experiments.core.bounds import Bounds
from experiments.core.errors import UsageError
from experiments.core.named_values import JsonObject
from experiments.core.value_format import cut_apart
from experiments.runs.scores import COMPARED_PARTS, differences, flatten_scores, is_of_class, usual_name
from metrics.core.metric import Metric

LONGEST_VALUE = 80  # characters of a part of a record in a message
SAME_KIMG = 0.01  # relative tolerance of equal kimg, at least one step: a run ends with a whole step


@dataclass(frozen=True)
class ScoreValue:
    """Score value of one evaluation, with its kimg and how it was computed: its entry of scores.jsonl."""

    kimg: float | None
    value: float
    entry: JsonObject


@dataclass(frozen=True)
class ChosenScore:
    """Score by which experiments are compared, with its value for each of them.

    Attributes:
        metric: its name, such as `fid` or `precision-recall/recall`.
        higher_is_better: its direction.
        bounds: the smallest and largest value that it can have.
        kimg: the length of training at which all were evaluated, give or take a step; None where it was not
            recorded.
        values: a value for each experiment, in their order.
        run_kimg: the kimg at which each was evaluated, in the same order; None where it was not recorded.
        provenance: how the values were computed, as far as it is the same for all.
        meaning: its metric, with whose features and how many samples it was computed, in words.
    """

    metric: str
    higher_is_better: bool
    bounds: Bounds
    kimg: float | None
    values: tuple[float, ...]
    run_kimg: tuple[float | None, ...]
    provenance: JsonObject
    meaning: str


def scores_by_name(record: Record) -> dict[str, list[ScoreValue]]:
    """Every score of a record by its name, each with its values in the order of steps."""
    found: dict[str, list[ScoreValue]] = {}
    for kimg, scores in record.evaluations:
        for key, entry in scores.items():
            for name, value in flatten_scores({key: entry}).items():
                found.setdefault(name.removeprefix("metric/"), []).append(ScoreValue(kimg, value, entry))
    return found


def choose_score(records: Sequence[Record], metric: str | None, force: bool = False) -> ChosenScore:
    """Chooses the score of every experiment, where all were trained on as many images.

    Args:
        metric: name of the score; None for the first that all experiments have.
        force: compares scores that were not computed alike.

    Raises UsageError for an experiment without the score, for none at equal kimg, and, unless `force`, for
    scores that were not computed alike.
    """
    marks = [scores_by_name(record) for record in records]
    metric = _resolve_among(metric, marks) if metric else _first_common(records, marks)
    for record, own in zip(records, marks, strict=True):
        if metric not in own:
            names = [name for name in own if is_of_class(metric) or not is_of_class(name)]
            has = f"it has {', '.join(names)}" if own else "it has none"
            entry = next((each[metric][-1].entry for each in marks if metric in each), None)
            remedy = evaluation_remedy("make it with", record, {metric: entry})
            raise UsageError(f"{record.name} has no score {metric} ({has}){remedy}")
    rows = [own[metric] for own in marks]
    kimg = _common_kimg(records, metric, rows)
    slack = max(map(_step_kimg, records))
    chosen = [[mark for mark in row if kimg is None or _is_same_kimg(kimg, mark, slack)][-1] for row in rows]
    if not force:
        _refuse_mixed(records, metric, chosen)
    better = direction(metric, chosen[0].entry)
    if better is None:
        raise UsageError(f"--metric {metric} has no direction, so none can be the best")
    provenance = {key: chosen[0].entry[key] for key in COMPARED_PARTS if key in chosen[0].entry}
    values, run_kimg = tuple(mark.value for mark in chosen), tuple(mark.kimg for mark in chosen)
    bounds, meaning = _bounds(metric, records, chosen), describe_score(metric, chosen[0].entry)
    return ChosenScore(metric, better, bounds, kimg, values, run_kimg, provenance, meaning)


def resolve_metric_name(metric: str, marks: Mapping[str, Sequence[ScoreValue]]) -> str:
    """Resolves a user's name of a metric to the name among these scores.

    `fid` is also a name of the Fréchet distance between features of another extractor, `precision-recall`
    of its first number, and `recall` of that number. A name that is unknown, or that several scores match,
    is returned as it stands.
    """

    def words(name: str) -> tuple[str, str, str]:
        usual = usual_name(name, marks[name][-1].entry)
        metric_of, _, score_name = usual.rpartition("/")
        return usual, metric_of, score_name

    alike = [name for name in directional_scores(marks) if metric in words(name)]
    alike = [name for name in alike if not is_of_class(name) or words(name)[0] == metric]
    alike = [name for name in alike if words(name)[0] == metric] or alike
    evaluations = {id(marks[name][-1].entry) for name in alike}
    return alike[0] if metric not in marks and len(evaluations) == 1 else metric


def _resolve_among(metric: str, marks: Sequence[Mapping[str, Sequence[ScoreValue]]]) -> str:
    """Resolves a user's name of a metric by the first record that has such a score."""
    names = [resolve_metric_name(metric, own) for own in marks]
    return next((name for name, own in zip(names, marks, strict=True) if name in own), names[0])


def directional_scores(marks: Mapping[str, Sequence[ScoreValue]]) -> list[str]:
    """Names of the scores that have a direction; the first is compared by default."""
    return [name for name, own in marks.items() if direction(name, own[-1].entry) is not None]


def _first_common(records: Sequence[Record], marks: Sequence[Mapping[str, Sequence[ScoreValue]]]) -> str:
    """Name of the first score that all records have. Raises UsageError where there is none."""
    common = directional_scores(marks[0])
    for record, own in zip(records, marks, strict=True):
        shared = [name for name in common if name in own]
        if not shared:
            has, others = (", ".join(names) or "none" for names in (directional_scores(own), common))
            beside = "" if record is records[0] else f" and those before it {others}"
            made = {
                name: each[name][-1].entry
                for each in reversed(marks)
                for name in directional_scores(each)
                if not common or name in common
            }
            raise UsageError(
                f"no score that all have, and loss terms compare nothing: {record.name} has {has}{beside}"
                f"{evaluation_remedy('score it with', record, made)}"
            )
        common = shared
    return common[0]


def _common_kimg(
    records: Sequence[Record], metric: str, rows: Sequence[Sequence[ScoreValue]]
) -> float | None:
    """Last kimg at which all experiments were evaluated, as recorded by the one with the longest steps.

    None where no kimg was recorded. Raises UsageError where there is no common kimg.
    """
    if all(mark.kimg is None for row in rows for mark in row):
        return None
    longest = max(range(len(records)), key=lambda index: _step_kimg(records[index]))
    for kimg in sorted({mark.kimg for mark in rows[longest] if mark.kimg is not None}, reverse=True):
        slack = _step_kimg(records[longest])
        if all(any(_is_same_kimg(kimg, mark, slack) for mark in row) for row in rows):
            return kimg
    ends = [(record.name, row[-1].kimg) for record, row in zip(records, rows, strict=True)]
    least, most = (pick(ends, key=lambda end: end[1] or 0.0) for pick in (min, max))
    raise UsageError(
        f"{metric} was taken at no kimg that all share (the last of {least[0]}: {least[1] or 0:g}, of "
        f"{most[0]}: {most[1] or 0:g}); train them for as long, or score them on the way with --evaluate-kimg"
    )


def _is_same_kimg(kimg: float, mark: ScoreValue, slack: float) -> bool:
    """Whether a score was taken at this kimg, give or take `slack` or 1 %."""
    return mark.kimg is not None and abs(kimg - mark.kimg) <= max(slack, SAME_KIMG * kimg)


def _step_kimg(record: Record) -> float:
    """Kimg of one training step, as far as settings tell."""
    return float(record.settings.get("batch_size", 0) * record.settings.get("n_critic", 1)) / 1000


def _refuse_mixed(records: Sequence[Record], metric: str, chosen: Sequence[ScoreValue]) -> None:
    """Checks that all scores were computed alike. Raises UsageError with what differs, and a remedy."""
    first = chosen[0].entry
    for record, mark in zip(records[1:], chosen[1:], strict=True):
        different = differences(first, mark.entry, COMPARED_PARTS)
        if different:
            pairs = {key: (str(first.get(key)), str(mark.entry.get(key))) for key in different}
            parts = [f"{key}: {', '.join(cut_apart(pair, LONGEST_VALUE))}" for key, pair in pairs.items()]
            # Other data, weights or rounding: no flag of an evaluation makes these alike.
            can_be_made = record.folder and {*different} - {"reference", "weights", "quantization"}
            command = evaluation_command(record.name, metric, first, different) if can_be_made else ""
            remedy = f"make them alike by: {command}" if command else "evaluate them alike"
            raise UsageError(
                f"{metric} of {records[0].name} and of {record.name} were not made alike "
                f"({'; '.join(parts)}); {remedy}, or compare them all the same with --allow-mixed"
            )


def _bounds(metric: str, records: Sequence[Record], chosen: Sequence[ScoreValue]) -> Bounds:
    """Smallest and largest value that the score can have in any of the experiments."""
    kind, score_name = _metric_and_score_name(metric, chosen[0].entry)
    assert kind is not None  # it has a direction
    pairs = zip(chosen, records, strict=True)
    scores = [(mark.entry, str(record.settings.get("data"))) for mark, record in pairs]
    return widest_bounds(kind, score_name, scores)


def direction(metric: str, entry: JsonObject) -> bool | None:
    """Whether a higher score is better; None for a score without direction, or of an unknown metric.

    Args:
        entry: the score's entry in scores.jsonl.
    """
    kind, score_name = _metric_and_score_name(metric, entry)
    return None if kind is None else kind.higher_is_better.get(score_name)


def _metric_and_score_name(metric: str, entry: JsonObject) -> tuple[type[Metric] | None, str]:
    """Metric of a score, None where it is unknown, and the name of the score among the metric's own."""
    name, *rest = usual_name(metric, entry).split("/")
    if name not in registry.plugin_names("metric"):
        return None, ""
    kind: type[Metric] = registry.load("metric", name)
    names = list(kind.higher_is_better)
    return kind, names[0] if len(names) == 1 else rest[-1] if rest else ""
