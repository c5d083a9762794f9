"""The score by which the best of a run's generators is chosen."""

from collections.abc import Iterator
from statistics import fmean

from experiments.core import registry
from experiments.core.ranking import rank_value
from experiments.evaluation.evaluate import Evaluator
from experiments.evaluation.metric_requirements import WITHOUT_SAMPLES
from experiments.evaluation.tasks import EvaluationTask
from experiments.runs.scores import NUMBER, EvaluationScores, differences, flatten_scores

# Parts of the record of a score that must be equal for two scores to compare.
COMPARABLE = (
    *("extractor", "weights", "resize_rule", "extractor_options"),
    *("options", "n", "seed", "reference", "split", "protocol"),
)


class BestScore:
    """The score that orders generators: one number by its name, or all of a metric that have a direction.

    Of translations in several directions it is the mean over these, unless the name ends with one.

    Args:
        name: a metric, its key or one of its numbers, such as `recall`; `fid/to-B` of one direction.
        evaluator: what computes it; its metrics are open, and `name` is one of them.

    Attributes:
        keys: keys of the scores that it is read from.
    """

    def __init__(self, name: str, evaluator: Evaluator) -> None:
        self.name = name
        self._number, _, task_key = name.partition("/")
        word = registry.METRIC_ALIASES.get(self._number, self._number)
        metric, kind = next(
            (metric, kind)
            for metric, kind in evaluator.metrics.items()
            if word in (metric, evaluator.key_of(metric), *kind.higher_is_better)
        )
        self._better = kind.higher_is_better

        def ends_of(task: EvaluationTask) -> list[str]:
            return [task.key] if kind.reference in WITHOUT_SAMPLES else task.ends_of(kind)

        ends = [ends_of(task_metrics.task) for task_metrics in evaluator.task_metrics]
        chosen = [end for of_task in ends for end in of_task if end == task_key] or [each[0] for each in ends]
        self.keys = [evaluator.key_of(metric, end) for end in chosen]

    def rank_key(self, scores: EvaluationScores) -> tuple[float, ...]:
        """Numbers that order generators, the larger the better; of several the first counts most.

        A score that is not finite is worse than any other.
        """
        return tuple(self._ranked(scores))

    def _ranked(self, scores: EvaluationScores) -> Iterator[float]:
        own = [scores[key] for key in self.keys]
        names = [self._number] if self._number in self._better else self._better
        for name in names:
            value = fmean(score[name] if name in score else score["value"] for score in own)
            yield rank_value(value, self._better[name])

    def is_comparable(self, scores: EvaluationScores, others: EvaluationScores) -> bool:
        """Whether it is in the scores of both generators, with equal provenance."""
        return all(
            key in others and not differences(scores[key], others[key], COMPARABLE) for key in self.keys
        )

    def is_in(self, scores: EvaluationScores) -> bool:
        """Whether the scores have it: a metric may have failed."""
        return all(key in scores for key in self.keys)

    def records_in(self, scores: EvaluationScores) -> EvaluationScores:
        """The scores that it is read from, with their records."""
        return {key: scores[key] for key in self.keys if key in scores}

    def numbers_in(self, scores: EvaluationScores) -> dict[str, float]:
        """Its numbers, by the names that they have in `scores.jsonl`."""
        found = flatten_scores(self.records_in(scores))
        numbers = {name.removeprefix(NUMBER): value for name, value in found.items()}
        if len(self._better) == 1 or self._number not in self._better:
            return numbers
        return {name: value for name, value in numbers.items() if name.endswith(f"/{self._number}")}
