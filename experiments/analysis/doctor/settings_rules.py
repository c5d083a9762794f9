"""Rules on settings: batch norm under a gradient penalty, learning rates out of scale, an EMA that lags."""

from math import ceil, log2

from experiments.analysis.doctor.finding import Finding
from experiments.analysis.doctor.history import History
from experiments.analysis.doctor.remedies import rerun, train_longer
from experiments.config.factory import build_game, growth_of_generator
from experiments.config.flag_words import ELSEWHERE
from experiments.config.resolve import resolve
from experiments.config.run_length import plan_batches
from experiments.core.errors import RunError, UsageError
from experiments.core.settings import Settings
from gans.core.clock import Clock
from gans.core.ema import EmaOptions


def batch_norm_under_penalty(history: History) -> Finding | None:
    """Finds batch norm in a critic under a gradient penalty.

    The penalty constrains the gradient of each sample by itself, and batch norm mixes the samples.
    `gans run` refuses the pair; configs from elsewhere, and of older versions, may have it.
    """
    settings = history.settings
    if not settings.penalty or settings.critic_norm != "batch":
        return None
    return Finding(
        "batch norm under a gradient penalty",
        f"critic_norm is batch, and gradients are penalized at {', '.join(settings.penalty)}",
        "take another --critic-norm: layer, instance, spectral or none",
        "Gulrajani et al. 2017, arXiv:1704.00028, section 4",
        (*rerun(history, critic_norm="layer"), *rerun(history, critic_norm="none")),
    )


OUT_OF_SCALE = 10.0  # the laptop presets, tuned by eye, go up to ten times the papers' rates


def rates_out_of_scale(history: History) -> Finding | None:
    """Finds a learning rate more than ten times above or below the recipe's, at the same scale.

    Adam moves every weight by about its rate, whatever the loss, so a rate means a size of updates beside
    that of the weights, and a recipe's was tried on networks with the weights of these.
    """
    settings = history.settings
    try:
        usual = _recipe(settings)
    except (UsageError, RunError):  # data that is gone, another machine
        return None
    if settings.optimizer != usual.optimizer:
        return None
    parts, known_rates = [], {}
    for name in ("lr_generator", "lr_critic"):
        own, known = getattr(settings, name), getattr(usual, name)
        if not known / OUT_OF_SCALE <= own <= known * OUT_OF_SCALE:
            parts.append(f"{name} is {own:g}, {own / known:.3g} times the {known:g} of the recipe")
            known_rates[name] = known
    if not parts:
        return None
    return Finding(
        "learning rates out of scale",
        " and ".join(parts),
        "take the recipe's, or what gans find-lr suggests",
        "Smith 2017, arXiv:1506.01186, section 3.3; Heusel et al. 2017, arXiv:1706.08500",
        (*rerun(history, **known_rates),),
    )


def _recipe(settings: Settings) -> Settings:
    """Settings that the recipe itself would give to a run of this architecture, loss, data and size."""
    same = ("arch", "loss", "data", "preset", "image_size", "channels", "batch_size", "data_root")
    given = {name: getattr(settings, name) for name in same}
    given |= ELSEWHERE  # the preset says the scale
    return resolve({name: value for name, value in given.items() if value is not None}).settings


OLD_SHARE = 0.5  # share of the EMA that is older than the newest layers


def ema_lags(history: History) -> Finding | None:
    """Finds an EMA that is mostly older than the layers that grew last, at the end of the run.

    With its ramp-up the half-life is at most a share of the images shown (gans/core/ema.py), so that nothing
    else of a run can be too young for it.
    """
    settings = history.settings
    if not settings.ema_kimg or history.progress < 1 or not history.terms:
        return None
    began = _newest_level_kimg(history)
    if began is None:
        return None
    ramp_up = settings.options.get("ema.ramp_up", EmaOptions.ramp_up)
    half_life = settings.ema_kimg if ramp_up is None else min(settings.ema_kimg, ramp_up * history.kimg)
    old = 0.5 ** ((history.kimg - began) / half_life)
    if old <= OLD_SHARE:
        return None
    more = log2(1 / 0.01) * half_life
    return Finding(
        "EMA lagging",
        f"{old:.0%} of the generator's EMA is older than its largest layers, which are in since "
        f"{began:.2f} of {history.kimg:.2f} kimg, for {(history.kimg - began) / half_life:.2g} of its "
        f"half-life of {half_life:.2f} kimg",
        f"samples show the past: train for {more:.2g} kimg more, or lower --ema-kimg",
        "Karras et al. 2018, arXiv:1710.10196, section 4; Yazıcı et al. 2019, arXiv:1806.04498",
        (
            *train_longer(history, more),
            *rerun(history, ema_kimg=float(f"{(history.kimg - began) / log2(1 / 0.01):.2g}")),
        ),
    )


def _newest_level_kimg(history: History) -> float | None:
    """Kimg at which the present level of growing networks began; None for others, and at the first level."""
    settings, kimg, networks = history.settings, history.kimg, history.networks
    if networks is None:
        return None
    growth = growth_of_generator(settings, networks[0])
    levels = len(growth.sides) - 1
    if levels == 0:
        return None
    plan = plan_batches(settings, growth, build_game(settings, *networks).batches_per_round)

    def level(images: float) -> int:
        return ceil(growth.pace.stage(Clock(round(images), progress=plan.progress(images)), levels))

    now, low, high = level(kimg * 1000), 0.0, kimg * 1000
    if now == 0:
        return None
    while high - low > 1:
        between = (low + high) / 2
        low, high = (low, between) if level(between) == now else (between, high)
    return high / 1000
