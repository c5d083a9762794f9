"""Commands that evaluate a run as a score was made, from the record of the score."""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.analysis.comparison.record import Record
from experiments.core import registry
from experiments.core.errors import UsageError
from experiments.core.named_values import JsonObject
from experiments.core.options import read_option
from experiments.core.value_format import format_value
from experiments.core.word_lists import describe_count
from experiments.runs.scores import CLASS, is_of_class, usual_name
from metrics.extractors.core.resize import RULES

PROTOCOL = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
NONE = "none"  # in the records of points, and of pictures that no extractor sees


def evaluation_remedy(what: str, record: Record, scores: Mapping[str, JsonObject | None]) -> str:
    """End of a message with the command that makes one of these scores for a run as others have it.

    It is empty for runs elsewhere, and for scores that no metric makes.

    Args:
        scores: their records in another run by name; None for a score that no run has.
    """
    if record.folder is None:
        return ""
    commands = (
        _command_for(record.name, name) if entry is None else evaluation_command(record.name, name, entry)
        for name, entry in scores.items()
    )
    command = next(filter(None, commands), "") if scores else shlex.join(["gans", "evaluate", record.name])
    return f"; {what}: {command}" if command else ""


def _command_for(run: str, score: str) -> str:
    """Command that makes a score of this name; empty where no metric does."""
    first, *more = score.split("/")
    extractor = first.removeprefix("fd-") if first.startswith("fd-") else ""
    (metric,) = registry.metric_names(["fid" if extractor else first])
    if metric not in registry.names("metric") or extractor not in ("", *registry.names("extractor")):
        return ""
    words = ["gans", "evaluate", run, "--metrics", metric]
    words += ["--extractor", extractor] if extractor else []
    words += ["--reference", "held-out"] if "held-out" in more else []
    return shlex.join([*words, *["--by-class"] * is_of_class(score)])


def metric_of(score: str, entry: JsonObject) -> str:
    """Name of the metric that makes a score: `fd-random-vgg/to-B` → `fid`."""
    return usual_name(score, entry).partition("/")[0]


def describe_score(name: str, entry: JsonObject) -> str:
    """Describes a score: its metric with the paper, whose features it is of, and of how many samples.

    It is empty for a metric that is not known here.
    """
    metric = metric_of(name, entry)
    if metric not in registry.names("metric"):
        return ""
    words = registry.summary("metric", metric).rstrip(".")
    if (extractor := str(entry.get("extractor") or NONE)) != NONE:
        words += f"; features of {extractor}"
    generated, real = [*(entry.get("n") or ()), None, None][:2]
    words += f"; {describe_count(generated, 'sample')}" if generated else ""
    words += f", {real:,} {'held-out' if entry.get('split') == 'held-out' else 'real'} ones" if real else ""
    return words


class EvaluationCall(NamedTuple):
    """A call of `gans evaluate`, which makes scores by several metrics alike.

    Attributes:
        metrics: in their order.
        shared: words that hold for all metrics.
        options: words that set options of the metrics.
    """

    run: str
    metrics: tuple[str, ...]
    shared: tuple[str, ...]
    options: tuple[str, ...]

    def join(self, other: "EvaluationCall") -> "EvaluationCall":
        """This call with the metrics of another as well."""
        metrics, options = (
            tuple(dict.fromkeys([*own, *others]))
            for own, others in ((self.metrics, other.metrics), (self.options, other.options))
        )
        return self._replace(metrics=metrics, options=options)

    @property
    def command(self) -> str:
        """The command, quoted for a shell."""
        words = ["--metrics", ",".join(self.metrics), *self.shared, *_set_words(self.options)]
        return shlex.join(["gans", "evaluate", self.run, *words])


def evaluation_command(
    run: str, metric: str, entry: JsonObject, different: Sequence[str] = ("resize_rule", "seed", "resamples")
) -> str:
    """Command that evaluates a run as a score was made; empty where `evaluation_call` makes none."""
    call = evaluation_call(run, metric, entry, different)
    return call.command if call else ""


def evaluation_call(
    run: str, metric: str, entry: JsonObject, different: Sequence[str] = ("resize_rule", "seed", "resamples")
) -> EvaluationCall | None:
    """The call that evaluates a run as a score was made.

    It is None where the score's record, which anyone may have written, names what is not known here.

    Args:
        different: parts of the record that a plain evaluation may make otherwise.
    """
    kind, extractor = metric_of(metric, entry), str(entry.get("extractor") or NONE)
    protocol, rule = entry.get("protocol"), str(entry.get("resize_rule") or NONE)
    try:
        options = _options(f"{kind}.", entry.get("options") or {}, extractor)
        of_extractor = _options("extractor.", entry.get("extractor_options") or {}, extractor)
    except (UsageError, ValueError):
        return None
    is_known = (
        extractor.partition(":")[0] in (*registry.names("extractor"), NONE)
        and ("resize_rule" not in different or rule in (*RULES, NONE))
        and (protocol is None or bool(PROTOCOL.fullmatch(protocol)))
    )
    if not is_known:
        return None
    words = ["--extractor", extractor] if extractor != NONE else []
    words += ["--resize-rule", rule] if rule != NONE and "resize_rule" in different else []
    words += ["--protocol", protocol] if protocol else []
    words += ["-n", str(max(entry["n"]))] if entry.get("n") and not protocol else []
    words += ["--seed", str(entry["seed"])] if entry.get("seed") and "seed" in different else []
    words += (
        ["--intervals", str(entry["resamples"])]
        if entry.get("resamples") and "resamples" in different
        else []
    )
    words += ["--by-class"] if is_of_class(metric) else []
    words += _reference_words(metric, entry)
    words += _set_words(of_extractor)
    return EvaluationCall(run, (kind,), tuple(words), tuple(options))


def _reference_words(metric: str, entry: JsonObject) -> list[str]:
    """Words of a command that compare with the real samples of a score, where its record names them."""
    if entry.get("split") == "held-out":
        return ["--reference", "held-out"]
    # Training samples, with which a run that translates is compared only where somebody asks for them.
    is_asked = "train" in metric.partition(f"/{CLASS}/")[0].split("/")[1:]
    return ["--reference", "train"] if is_asked else []


def _set_words(options: Sequence[str]) -> list[str]:
    """Words of a command that set options."""
    return [word for option in options for word in ("--set", option)]


def _options(prefix: str, options: JsonObject, extractor: str) -> list[str]:
    """Recorded options as `--set` takes them. Raises UsageError or ValueError for what cannot be."""
    words = []
    for name, recorded in options.items():
        key, components = f"{prefix}{name}", {"extractor": extractor.partition(":")[0]}
        value = read_option(key, recorded, components)
        text = format_value(value)
        if read_option(key, text, components) != value:
            raise ValueError(f"{key} cannot be given as {text}")
        words.append(f"{key}={text}")
    return words
