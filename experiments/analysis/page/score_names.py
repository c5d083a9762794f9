"""Names of scores in the field's words, and the kinds of scores that stand together on a page."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.core import registry
from experiments.core.bounds import UNBOUNDED, Bounds

METRICS = "Other scores"
LOSSES, LOGITS, GRADIENTS = "Losses", "Logits of the critic", "Penalties and gradients"
SAMPLES, OTHERS = "Diversity of samples and augmentation", "Everything else"
KINDS = (METRICS, LOSSES, LOGITS, GRADIENTS, SAMPLES, OTHERS)  # in the order of the page

PLAYERS = ("critic", "generator")
ADVERSARIAL, TERM = "adversarial loss", "loss term"
KNOWN = {
    "real": (LOGITS, "mean logit of real samples", "logit"),
    "fake": (LOGITS, "mean logit of generated samples", "logit"),
    "gradient_norm": (GRADIENTS, "gradient norm with respect to samples", "norm at the penalty's points"),
    "gradient_penalty": (GRADIENTS, "gradient penalty, weighted", "loss"),
    "weight_gradient_norm": (GRADIENTS, "gradient norm with respect to weights", "Euclidean norm"),
    "path_length": (GRADIENTS, "path length regularization, weighted", "loss"),
    "adversarial": (LOSSES, ADVERSARIAL, "loss"),
    "l1": (LOSSES, "L1 distance, weighted", "loss"),
    "cycle": (LOSSES, "cycle consistency loss, weighted", "loss"),
    "identity": (LOSSES, "identity loss, weighted", "loss"),
    "classification": (LOSSES, "classification loss, weighted", "loss"),
    "reconstruction": (LOSSES, "reconstruction loss, weighted", "loss"),
    "drift": (LOSSES, "drift of the logits, weighted", "loss"),
}
WHOLE = {
    "samples/pairwise_distance": (
        SAMPLES,
        "mean distance between samples",
        "root mean square difference",
    ),
    "samples/real_distance": (SAMPLES, "mean distance between real samples", "root mean square difference"),
    "augment/p": (SAMPLES, "ADA: probability p of augmentations", "probability"),
    "augment/sign": (SAMPLES, "ADA: mean sign of real logits", "in [−1, 1]"),
}
FROM_0: Bounds = (0.0, math.inf)
BOUNDS: dict[str, Bounds] = {
    **dict.fromkeys(("samples/pairwise_distance", "samples/real_distance"), FROM_0),
    **dict.fromkeys(("gradient_norm", "weight_gradient_norm", "gradient_penalty", "l1"), FROM_0),
    "augment/p": (0.0, 1.0),
    "augment/sign": (-1.0, 1.0),
}
UNLIKE = ("weight_gradient_norm",)  # of players, which is no number of the loss


@dataclass(frozen=True)
class ScoreName:
    """Name of a score for a reader.

    Attributes:
        kind: heading under which it stands, of `KINDS`.
        title: in the field's words.
        y_title: what its axis measures.
        depends_on_loss: whether its size means something else under another loss, so that runs of several
            losses have an axis each.
        bounds: the smallest and largest value that it can have; infinite where that is not known.
    """

    kind: str
    title: str
    y_title: str
    depends_on_loss: bool = False
    bounds: Bounds = UNBOUNDED


def name_score(key: str) -> ScoreName:
    """Names a score of scores.jsonl.

    >>> name_score("critic/gradient_penalty").title
    'critic: gradient penalty, weighted'
    """
    if key in WHOLE:
        return ScoreName(*WHOLE[key], bounds=BOUNDS.get(key, UNBOUNDED))
    room, _, rest = key.partition("/")
    if room == "metric":
        return ScoreName(METRICS, rest, "score", bounds=_declared_bounds(rest))
    words = rest.replace("_", " ").replace("/", ": ")
    if room not in PLAYERS or not rest:
        return ScoreName(OTHERS, key, "value")
    kind, title, y_title = KNOWN.get(rest, (LOSSES, words, "loss"))
    return ScoreName(kind, f"{room}: {title}", y_title, rest not in UNLIKE, BOUNDS.get(rest, UNBOUNDED))


def _declared_bounds(score: str) -> Bounds:
    """Bounds that a metric declares for one of its scores; of an unknown metric, none.

    >>> _declared_bounds("precision-recall/recall")
    (0.0, 1.0)
    """
    name, *rest = score.split("/")
    if name not in registry.names("metric"):
        return UNBOUNDED
    kind: Any = registry.load("metric", name)
    ranges: Mapping[str, Bounds] = getattr(kind, "ranges", {})
    own = [word for word in rest if word in ranges] or list(ranges)[:1]
    return ranges[own[-1]] if own else UNBOUNDED
