"""Rules on scores: critic too strong, vanishing gradient, mode collapse, divergence, penalty off its target.

Every rule is a function of a History that returns a Finding or None. Its thresholds stand above it, and
docs/doctor.md says from which runs they come.
"""

import math
from statistics import median

from experiments.analysis.doctor.finding import Finding
from experiments.analysis.doctor.history import History, median_value
from experiments.analysis.doctor.loss_scale import reference_losses
from experiments.analysis.doctor.remedies import rerun, rerun_with_lower_rates, with_other_loss
from experiments.config.factory import form_of

CRITICS_NORM, GENERATORS_NORM = (f"{player}/weight_gradient_norm" for player in ("critic", "generator"))
ALMOST_PERFECT = 0.02  # share of the loss at chance; good runs kept 0.1 and more, early ones 0.04
VANISHED = 0.05  # share of the largest norm of the generator's gradient so far


def critic_too_strong(history: History) -> Finding | None:
    """Finds a critic that makes hardly a mistake over the last quarter of the images."""
    terms = history.latest("critic/adversarial", 0.25)
    form = form_of(history.settings)
    scale = reference_losses(form)
    if (
        history.is_young
        or not terms
        or scale is None
        or scale.remaining_share(median_value(terms)) >= ALMOST_PERFECT
    ):
        return None
    share = scale.remaining_share(median_value(terms))
    evidence = f"its loss is {share:.1%} of that of a guess since {terms[0].kimg:.1f} kimg"
    reals, fakes = (history.latest(f"critic/{side}", 0.25) for side in ("real", "fake"))
    if reals and fakes:
        real, fake = median_value(reals), median_value(fakes)
        evidence += f", mean logits {real:.3g} for real samples and {fake:.3g} for fakes"
    norms, now = (history.latest(GENERATORS_NORM, share) for share in (1.0, 0.25))
    top = max(norms, key=lambda point: point.value, default=None)
    if top and now and median_value(now) < VANISHED * top.value:
        evidence += (
            f"; the generator's gradient has vanished, from a norm of {top.value:.2g} at {top.kimg:.1f} kimg "
            f"to {median_value(now):.2g}"
        )
    return Finding(
        "critic too strong",
        evidence,
        "lower --lr-critic or --n-critic, add --instance-noise, or penalize the critic's gradient at real "
        "samples",
        "Arjovsky & Bottou 2017, arXiv:1701.04862, theorem 2.4; Mescheder et al. 2018, arXiv:1801.04406",
        (
            *rerun(history, lr_critic=history.settings.lr_critic / 4),
            *rerun(history, n_critic=1),
            *rerun(history, {"instance-noise": 0.1}),
            *_penalized_at_reals(history),
        ),
    )


def _penalized_at_reals(history: History) -> list[str]:
    """The command with a zero-centred penalty at real samples, which batch norm in the critic excludes."""
    norm = "none" if history.settings.critic_norm == "batch" else None
    return rerun(history, penalty=("real",), penalty_norm="zero", critic_norm=norm)


EPSILON = 1e-8  # of Adam and RMSprop; good runs had 5e-5 a weight and more, one with a narrow clip 1.7e-8


def vanishing_gradient(history: History) -> Finding | None:
    """Finds a generator whose gradient is too small to move it over the last quarter of the images.

    Adam and RMSprop take out a gradient's size, so that it may be tiny; but not smaller than the epsilon
    that they add, below which steps shrink with it.
    """
    settings, norms = history.settings, history.latest(GENERATORS_NORM, 0.25)
    networks = history.networks if norms and not history.is_young and settings.optimizer != "sgd" else None
    if networks is None:
        return None
    count = sum(weight.numel() for weight in networks[0].parameters())
    size = median_value(norms) / math.sqrt(count)
    if size >= EPSILON:
        return None
    clip = dict(settings.regularizers).get("weight-clip")
    commands = rerun(history, {"weight-clip": 10 * clip}) if clip else []
    if not clip:
        commands = [*rerun(history, lr_critic=settings.lr_critic / 4), *rerun(history, n_critic=1)]
    return Finding(
        "vanishing gradient",
        f"the generator's gradient is {size:.2g} a weight since {norms[0].kimg:.1f} kimg (norm "
        f"{median_value(norms):.2g}, {count:,} weights), under the epsilon of {settings.optimizer}, "
        f"{EPSILON:g}, where steps shrink with it",
        f"widen --weight-clip {clip:g}, or take another --loss"
        if clip
        else "lower --lr-critic or --n-critic, or take another --loss",
        "Arjovsky et al. 2017, arXiv:1701.07875, section 3; Arjovsky & Bottou 2017, arXiv:1701.04862",
        (*commands, *with_other_loss(history, "wgan-gp", "r3gan")),
    )


SPREAD_OUT = 0.3  # share of the real samples' pairwise distance: what never spread cannot have collapsed
FALLEN = 0.5  # share of the largest pairwise distance so far
SPREAD = 0.75  # share of the largest pairwise distance so far
NARROW = 0.5  # share of the real samples' pairwise distance
FLAT = 0.1  # share of the real samples' pairwise distance, below which samples never spread
LOST_NATS = 1.0  # fall of the entropy of predicted classes: e times fewer of them


def mode_collapse(history: History) -> Finding | None:
    """Finds samples of fixed latents that come together, or fall into fewer classes than they did."""
    evidence = collapse_evidence(history)
    if evidence is None:
        return None
    return Finding(
        "mode collapse",
        evidence,
        "lower both learning rates, let the critic see whole batches, take a loss with a penalty, or "
        "go back to before it with half of the rates (--on-collapse rollback)",
        "Salimans et al. 2016, arXiv:1606.03498, section 3.2; Gulrajani et al. 2017, arXiv:1704.00028; "
        "Huang et al. 2024, arXiv:2501.05441",
        (
            *rerun_with_lower_rates(history, 2),
            *rerun(history, minibatch_statistic="discrimination"),
            *with_other_loss(history, "r3gan", "wgan-gp"),
            *rerun(history, on_collapse="rollback"),
        ),
        is_serious=True,
    )


def collapse_evidence(history: History) -> str | None:
    """Evidence of a mode collapse, of which only the scores and the length of the run are read."""
    return _samples_alike(history) or _classes_lost(history)


def _samples_alike(history: History) -> str | None:
    """Evidence that samples of fixed latents have come together, or never spread; None without."""
    distances, reals = (history.points(f"samples/{name}") for name in ("pairwise_distance", "real_distance"))
    if history.is_young or not distances or not reals:
        return None
    top, now, real = max(distances, key=lambda point: point.value), distances[-1], reals[0].value
    beside = f"{now.value:.3g} apart in the mean at {now.kimg:.1f} kimg, where real samples are {real:.3g}"
    if top.value >= SPREAD_OUT * real and now.value < min(FALLEN * top.value, NARROW * real):
        return (
            f"samples of fixed latents are {beside} and samples were {top.value:.3g} at {top.kimg:.1f} kimg"
        )
    if history.progress >= 0.5 and max(point.value for point in distances[-3:]) < FLAT * real:
        return f"samples of fixed latents never spread: they are {beside}"
    return None


def is_spread(history: History) -> bool:
    """Whether samples are about as far apart as they ever were: nothing of a collapse yet."""
    distances = [point.value for point in history.points("samples/pairwise_distance")]
    return bool(distances) and distances[-1] >= SPREAD * max(distances)


def _classes_lost(history: History) -> str | None:
    """Evidence that predicted classes became fewer: `KL(predicted ‖ true)` has risen; None without."""
    for name in (n for n in history.names("metric/") if n.endswith("/kl")):
        values = history.points(name)
        if not values:
            continue
        best, now = min(values, key=lambda point: point.value), values[-1]
        if now.value - best.value >= LOST_NATS:
            return (
                f"the entropy of predicted classes has fallen by {now.value - best.value:.2f} nats from "
                f"{best.kimg:.1f} to {now.kimg:.1f} kimg ({name} {best.value:.2f}, then {now.value:.2f})"
            )
    return None


EXPLODED = 1000.0  # multiple of a term's least size so far, which counts as 1 at least
# Where only differences of logits count, their level is free to drift (ProGAN, appendix A.1, holds it); and
# optimizers take out the size of a gradient.
FREE = ("critic/real", "critic/fake", "generator/adversarial", CRITICS_NORM, GENERATORS_NORM)


def divergence(history: History) -> Finding | None:
    """Finds a term that is not finite, or by now a thousand times as large as it was."""
    evidence = divergence_evidence(history)
    if evidence is None:
        return None
    return Finding(
        "divergence",
        evidence,
        "lower both learning rates (gans find-lr shows where they become too high), or penalize the critic's "
        "gradient at real samples",
        "Mescheder et al. 2018, arXiv:1801.04406; Heusel et al. 2017, arXiv:1706.08500",
        (
            *rerun_with_lower_rates(history, 10),
            *_penalized_at_reals(history),
            *with_other_loss(history, "r3gan", "wgan-gp"),
        ),
        is_serious=True,
    )


def divergence_evidence(history: History) -> str | None:
    """Evidence of a divergence, of which only the scores and the length of the run are read."""
    for name in history.names("critic/", "generator/"):
        values = history.points(name)
        broken = next((point for point in values if not math.isfinite(point.value)), None)
        if broken:
            return f"{name} is {broken.value} at {broken.kimg:.1f} kimg"
        if history.is_young or name in FREE or not values:
            continue
        sizes = [abs(point.value) for point in values]
        least, now = min(sizes), median(sizes[-max(1, len(sizes) // 8) :])
        if now > EXPLODED * max(1.0, least):
            since, until = values[sizes.index(least)].kimg, values[-1].kimg
            return (
                f"{name} has grown from a size of {least:.3g} at {since:.1f} kimg to {now:.3g} at "
                f"{until:.1f} kimg"
            )
    return None


LOWEST_NORM, HIGHEST_NORM = 1 / 3, 3.0  # good runs with a one-centred penalty had 1.0 to 1.9


def penalty_off_target(history: History) -> Finding | None:
    """Finds a penalized gradient norm that is far from its target of 1 over the second half of the images."""
    settings, norms = history.settings, history.latest("critic/gradient_norm", 0.5)
    if history.is_young or not norms or settings.penalty_norm not in ("one", "one-sided"):
        return None
    norm = median_value(norms)
    if norm <= HIGHEST_NORM and (norm >= LOWEST_NORM or settings.penalty_norm == "one-sided"):
        return None
    remedy, weight, rate = "raise --penalty-weight or lower --lr-critic", 10.0, 0.5
    if norm < LOWEST_NORM:
        remedy = "the critic learns too slowly: raise --lr-critic, or lower --penalty-weight"
        weight, rate = 0.1, 2.0
    return Finding(
        "penalty off its target",
        f"the critic's gradient has a norm of {norm:.3g} since {norms[0].kimg:.1f} kimg, not about 1",
        remedy,
        "Gulrajani et al. 2017, arXiv:1704.00028, section 4; Petzka et al. 2018, arXiv:1709.08894",
        (
            *rerun(history, penalty_weight=weight * (settings.penalty_weight or 1.0)),
            *rerun(history, lr_critic=rate * settings.lr_critic),
        ),
    )
