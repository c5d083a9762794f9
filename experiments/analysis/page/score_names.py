"""Names of scores in the field's words, and the kinds of scores that stand together on a page."""

from dataclasses import dataclass

METRICS = "Other scores"
LOSSES, LOGITS, GRADIENTS = "Losses", "Logits of the critic", "Penalties and gradients"
SAMPLES, OTHERS = "Diversity of samples and augmentation", "Everything else"
KINDS = (METRICS, LOSSES, LOGITS, GRADIENTS, SAMPLES, OTHERS)  # in the order of the page

PLAYERS = ("critic", "generator")
ADVERSARIAL, TERM = "adversarial loss", "loss term"
KNOWN = {
    "real": (LOGITS, "mean logit of real images", "logit"),
    "fake": (LOGITS, "mean logit of generated images", "logit"),
    "gradient_norm": (GRADIENTS, "gradient norm with respect to images", "norm at the penalty's points"),
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
    "samples/pairwise_distance": (SAMPLES, "mean distance between samples", "root mean square difference"),
    "samples/real_distance": (SAMPLES, "mean distance between real images", "root mean square difference"),
    "augment/p": (SAMPLES, "ADA: probability p of augmentations", "probability"),
    "augment/sign": (SAMPLES, "ADA: mean sign of real logits", "in [−1, 1]"),
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
    """

    kind: str
    title: str
    y_title: str
    depends_on_loss: bool = False


def name_score(key: str) -> ScoreName:
    """Names a score of scores.jsonl.

    >>> name_score("critic/gradient_penalty").title
    'critic: gradient penalty, weighted'
    """
    if key in WHOLE:
        return ScoreName(*WHOLE[key])
    room, _, rest = key.partition("/")
    if room == "metric":
        return ScoreName(METRICS, rest, "score")
    words = rest.replace("_", " ").replace("/", ": ")
    if room not in PLAYERS or not rest:
        return ScoreName(OTHERS, key, "value")
    kind, title, y_title = KNOWN.get(rest, (LOSSES, words, "loss"))
    return ScoreName(kind, f"{room}: {title}", y_title, rest not in UNLIKE)
