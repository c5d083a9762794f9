"""Rules on evaluation scores: modes of the data dropped, samples unlike it, and scores that became worse.

They read what the metrics themselves declare (`Metric.levels`, `ranges`, `higher_is_better`), so that those
of plug-ins are read, too. An evaluation tells of the result from the middle of the run on: before that,
low scores are those of every run.
"""

from experiments.analysis.doctor.finding import Finding
from experiments.analysis.doctor.history import History, ScoredPoint
from experiments.analysis.doctor.metric_scores import MetricScore, metric_scores
from experiments.analysis.doctor.remedies import rerun, rerun_with_lower_rates, train_longer, with_other_loss

EARLIEST = 0.5  # share of the run at which an evaluation tells of its result


def mode_dropping(history: History) -> Finding | None:
    """Finds samples that lack modes, classes or other parts of the data, by the last evaluation."""
    scores = _evaluated(history)
    low = [score for score in scores if _is_low(score, "diversity") and not _is_off_all_modes(score, scores)]
    if not low:
        return None
    return Finding(
        "mode dropping",
        "; ".join(map(_level_evidence, low)),
        "the generator leaves out parts of the data: let the critic see whole batches, lower both learning "
        "rates, or take a loss with a gradient penalty",
        "Salimans et al. 2016, arXiv:1606.03498, section 3.2; Lin et al. 2018, arXiv:1712.04086, section 4; "
        "Huang et al. 2024, arXiv:2501.05441",
        (
            *rerun(history, minibatch_statistic="discrimination"),
            *rerun_with_lower_rates(history, 2),
            *with_other_loss(history, "r3gan", "wgan-gp"),
        ),
    )


def low_fidelity(history: History) -> Finding | None:
    """Finds samples of which hardly any is like the data, by the last evaluation."""
    scores = _evaluated(history)
    low = [
        score
        for score in scores
        if _is_low(score, "fidelity") or (_is_low(score, "diversity") and _is_off_all_modes(score, scores))
    ]
    if not low:
        return None
    return Finding(
        "low fidelity",
        "; ".join(map(_level_evidence, low)),
        "hardly a sample is like the data: train longer, or lower both learning rates",
        "Srivastava et al. 2017, arXiv:1705.07761, section 4.1; Kynkäänniemi et al. 2019, arXiv:1904.06991; "
        "Heusel et al. 2017, arXiv:1706.08500",
        (
            *train_longer(history, history.kimg),
            *rerun_with_lower_rates(history, 2),
            *with_other_loss(history, "r3gan", "wgan-gp"),
        ),
    )


NEARLY_WORST = 0.1  # share of the way from the worse to the better end of a score's range


def score_near_worst_end(history: History) -> Finding | None:
    """Finds a score near the worst end of its range, of a metric that declares nothing of real data."""
    found = []
    for score in _evaluated(history):
        share = None if score.level else score.share(score.last.value)
        if share is not None and share < NEARLY_WORST:
            low, high = score.kind.ranges[score.score_name]
            better = "higher" if score.higher_is_better else "lower"
            found.append(
                f"{_said(score, score.last)}, in a range of {low:g} to {high:g} where {better} is better"
            )
    if not found:
        return None
    return Finding(
        "score near the worst end of its range",
        "; ".join(found),
        "train longer, lower both learning rates, or take another loss",
        "the range that the metric declares; Heusel et al. 2017, arXiv:1706.08500",
        (
            *train_longer(history, history.kimg),
            *rerun_with_lower_rates(history, 2),
            *with_other_loss(history, "r3gan", "wgan-gp"),
        ),
    )


FEWEST_EVALUATIONS = 3  # before that, nobody knows what training gains
HALVED = 0.5  # share of the best level so far
DOUBLED = 2.0  # multiple of the best value so far, for a score without a level
LOST_GAIN = 0.25  # share of what training had gained since the first evaluation
STANDARD_ERRORS = 4.0  # of the last score, where its metric has one


def score_worsened(history: History) -> Finding | None:
    """Finds a score that is by now much worse than it was."""
    worse = [score for score in _evaluated(history) if _has_worsened(score)]
    if not worse:
        return None
    settings, metric = history.settings, worse[0].metric
    evaluations = {"evaluate_kimg": settings.evaluate_kimg or float(f"{max(history.kimg / 10, 1e-3):.2g}")}
    return Finding(
        "score worsened",
        "; ".join(f"{_said(score, score.last)}, after {_said(score, score.best)}" for score in worse),
        "keep the best generator on the way (RUN/best), and lower the learning rates over the run",
        "Brock et al. 2019, arXiv:1809.11096, section 4.2; Heusel et al. 2017, arXiv:1706.08500",
        (
            *rerun(history, **evaluations, evaluate_metrics=(metric,), best_metric=metric),
            *rerun(history, lr_schedule="linear"),
            *rerun_with_lower_rates(history, 2),
        ),
    )


def _has_worsened(score: MetricScore) -> bool:
    """Whether the last value is much worse than the best: by its level, or else beside what was gained."""
    first, best, last = score.points[0], score.best, score.last
    if len(score.points) < FEWEST_EVALUATIONS:
        return False
    now, then = score.share(last.value), score.share(best.value)
    if now is not None and then is not None:
        return now < HALVED * then
    loss, gain = abs(last.value - best.value), abs(best.value - first.value)
    error = last.record.get("standard_error", 0.0)
    return (
        loss > (DOUBLED - 1) * abs(best.value) and loss > LOST_GAIN * gain and loss > STANDARD_ERRORS * error
    )


def _evaluated(history: History) -> list[MetricScore]:
    """Scores whose last evaluation is late enough to tell of the run's result."""
    return [
        score
        for score in metric_scores(history)
        if history.progress_at(score.last.step, score.last.kimg) >= EARLIEST
    ]


def _is_low(score: MetricScore, shows: str) -> bool:
    """Whether the last value is below the declared level, of a score that shows this."""
    level, share = score.level, score.share(score.last.value)
    return level is not None and share is not None and level.shows == shows and share < level.least


def _is_off_all_modes(score: MetricScore, scores: list[MetricScore]) -> bool:
    """Whether a metric finds samples around all modes, but hardly one in a mode.

    Its count of modes is low then, and its divergence, for which every sample counts, is not.
    """
    others = [each for each in scores if each.name_prefix == score.name_prefix and each.level]
    spread = [each for each in others if not each.higher_is_better]
    return (
        score not in spread
        and any(_is_low(each, "fidelity") for each in others)
        and any(spread)
        and not any(_is_low(each, "diversity") for each in spread)
    )


def _said(score: MetricScore, point: ScoredPoint) -> str:
    """A value in words, with its key, step and kimg."""
    return f"{score.name} is {point.value:.3g} at step {point.step:,}, {point.kimg:.1f} kimg"


def _level_evidence(score: MetricScore) -> str:
    """The last value beside that of real data."""
    of_modes = f" of its {score.modes:,} modes" if score.modes and score.score_name == "covered" else ""
    return (
        f"{_said(score, score.last)}, where samples of the data itself have {score.real_value:.3g}{of_modes}"
    )
