"""Examples of every rule of the doctor: broken runs, healthy runs, and pairs at both sides of a threshold."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from experiments.analysis.doctor.history import History
from experiments.config.resolve import resolve
from experiments.core.settings import Settings

CHANCE = 2 * math.log(2)  # bce of a critic that guesses


@dataclass(frozen=True)
class Threshold:
    """Two runs that differ in little: a rule is silent in one, and finds a fault in the other.

    Attributes:
        constant: name of the constant in the rule's module; empty for what is no number.
        silent, found: the numbers at both sides of it, in its unit.
        run: makes the run of such a number.
        words: what the evidence must have in one, and not in the other; empty where the rule is silent.
    """

    constant: str
    silent: Any
    found: Any
    run: Callable[[Any], History]
    words: str = ""


@dataclass(frozen=True)
class Examples:
    """What every rule needs: runs where it speaks, runs where it does not, and where that changes."""

    broken: Sequence[History]
    healthy: Sequence[History]
    thresholds: Sequence[Threshold]


@cache
def resolved(arch: str = "mlp", loss: str = "bce", **flags: Any) -> Settings:
    data = {} if "image_size" in flags else {"data": "ring8"}
    words = {"steps": 100, **data, **flags} if "kimg" not in flags else {**data, **flags}
    return resolve({"arch": arch, "loss": loss, "device": "cpu", "track": ("local",), **words}).settings


def run_of(
    settings: Settings | None = None,
    *columns: tuple[str, Sequence[float]],
    count: int = 20,
    kimg: float = 1.0,
    records: Sequence[dict[str, Any]] = (),
) -> History:
    """A run with so many lines of scores and these columns, of which the last value repeats.

    Values of `metric/…` end with the last line instead, each an evaluation, with these records.
    """
    lines: list[dict[str, Any]] = [
        {"step": i + 1, "kimg": kimg * (i + 1), "seconds": 1.0} for i in range(count)
    ]
    for name, values in columns:
        if name.startswith("metric/"):
            for line, value in zip(lines[-len(values) :], values, strict=True):
                line[name] = value
            continue
        for line, value in zip(lines, [*values, *values[-1:] * (count - len(values))][:count], strict=True):
            line[name] = value
    steps = [line["step"] for line in lines[-len(records) :]] if records else []
    evaluations = [(step, record) for step, record in zip(steps, records, strict=True)]
    return History(settings or resolved(), lines, evaluations, run="run")


def scored(name: str, *values: float, steps: int = 20, **more: Any) -> History:
    """A run that ended, with these values of an evaluation score, the last at its end."""
    return run_of(resolved(steps=steps), (f"metric/{name}", values), **more)


def scored_at(share: float, number: str) -> History:
    """A run evaluated after this share of it, at its worst."""
    return scored(f"modes/{number}", 0.0, steps=round(20 / share))


def kl_risen(last: float) -> History:
    """A young run: what its levels are says nothing."""
    return scored("modes/kl", 2.0, 0.3, last, steps=100)


def of_size(*sizes: float) -> History:
    return run_of(None, ("critic/adversarial", sizes))


def critic_at(share: float, count: int = 20) -> History:
    return run_of(None, ("critic/adversarial", [share * CHANCE]), count=count)


def gradient_at(norm: float) -> History:
    return run_of(None, ("critic/adversarial", [0.0]), ("generator/weight_gradient_norm", [0.5, 1.0, norm]))


def gradient_of_each_weight(size: float, optimizer: str = "rmsprop") -> History:
    settings = replace(resolved(loss="wgan", width=16, z_dim=2), optimizer=optimizer)
    weights = 2 * 16 + 16 + 2 * (16 * 16 + 16) + 16 * 2 + 2
    return run_of(settings, ("generator/weight_gradient_norm", [1.0, size * weights**0.5]))


def apart(*distances: float, steps: int = 100) -> History:
    columns = ("samples/pairwise_distance", distances), ("samples/real_distance", [1.0])
    return run_of(resolved(steps=steps), *columns)


def held_at(norm: float, loss: str = "wgan-gp") -> History:
    return run_of(resolved(loss=loss), ("critic/gradient_norm", [norm]))


def rates(generator: float = 1.0, critic: float = 1.0) -> History:
    """Rates as multiples of the recipe's."""
    usual = resolved()
    return run_of(
        replace(usual, lr_generator=generator * usual.lr_generator, lr_critic=critic * usual.lr_critic)
    )


def critic_norm(name: str, loss: str = "wgan-gp") -> History:
    return run_of(replace(resolved("dcgan", loss, image_size=(16, 16), width=4), critic_norm=name))


def grown_for(half_lives: float, ema_kimg: float = 0.04, kimg: float = 1.0) -> History:
    """A growing run whose last level is as old at the end: its half-life is under a twentieth of the run."""
    fade = kimg - half_lives * ema_kimg
    options = {"arch.stable_kimg": fade, "arch.fade_kimg": 0.5}
    sizes = {"image_size": (8, 8), "width": 4, "z_dim": 8, "batch_size": 4}
    return run_of(growing(kimg, ema_kimg, tuple(options.items()), **sizes), kimg=kimg / 20)


@cache
def growing(kimg: float, ema_kimg: float, options: tuple[tuple[str, float], ...], **sizes: Any) -> Settings:
    flags = {"arch": "progan", "data": "shapes", "device": "cpu", "track": ("local",), **sizes}
    return resolve({**flags, "kimg": kimg, "ema_kimg": ema_kimg, **dict(options)}).settings


def kid_with_error(error: float) -> History:
    records = [{"kid": {"value": 0.0, "standard_error": error}}] * 3
    return scored("kid", 0.05, 0.01, 0.04, records=records)


NAN = float("nan")
EXAMPLES = {
    "divergence": Examples(
        broken=[
            run_of(None, ("generator/adversarial", [0.5, NAN])),
            of_size(0.5, 5000.0),
        ],
        healthy=[
            of_size(-5000.0, -1001.0),  # it came from there
            run_of(None, ("critic/real", [0.5, 5000.0])),  # a level that is free
            run_of(None, ("critic/weight_gradient_norm", [0.5, 5000.0])),  # the optimizer takes it out
        ],
        thresholds=[
            Threshold("EXPLODED", 999.0, 1001.0, lambda size: of_size(-0.5, -size)),
        ],
    ),
    "mode_collapse": Examples(
        broken=[apart(0.8, 0.1), apart(0.02, steps=20), scored("class-modes/kl", 2.0, 0.3, 1.9, steps=100)],
        healthy=[apart(0.1, 0.9), apart(2.0, 0.9), apart(0.01), scored("modes/kl", 2.0, 0.3, 0.1)],
        thresholds=[
            Threshold("SPREAD_OUT", 0.299, 0.301, lambda top: apart(top, 0.1)),
            Threshold("FALLEN", 0.501, 0.499, lambda now: apart(0.8, 0.8 * now)),
            Threshold("NARROW", 0.501, 0.499, lambda now: apart(2.0, now)),
            Threshold("FLAT", 0.101, 0.099, lambda now: apart(now, steps=40)),
            Threshold("", 41, 40, lambda steps: apart(0.09, steps=steps)),  # the middle of the run
            Threshold("LOST_NATS", 0.99, 1.01, lambda nats: kl_risen(0.3 + nats)),
        ],
    ),
    "critic_too_strong": Examples(
        broken=[critic_at(0.0)],
        healthy=[critic_at(0.5), run_of(resolved(loss="wgan"), ("critic/adversarial", [-50.0]))],
        thresholds=[
            Threshold("ALMOST_PERFECT", 0.0201, 0.0199, critic_at),
            Threshold("VANISHED", 0.0501, 0.0499, gradient_at, words="vanished"),
            Threshold("FEWEST_LINES", 7, 8, lambda count: critic_at(0.0, count)),
        ],
    ),
    "vanishing_gradient": Examples(
        broken=[gradient_of_each_weight(1e-9), gradient_of_each_weight(1e-9, "adam")],
        healthy=[gradient_of_each_weight(1e-5), gradient_of_each_weight(1e-9, "sgd")],  # which has no epsilon
        thresholds=[Threshold("EPSILON", 1.01e-8, 0.99e-8, gradient_of_each_weight)],
    ),
    "penalty_off_target": Examples(
        broken=[held_at(9.0), held_at(0.1), held_at(9.0, "wgan-lp")],
        healthy=[held_at(1.3), held_at(0.1, "wgan-lp"), held_at(9.0, "r1")],
        thresholds=[
            Threshold("HIGHEST_NORM", 2.99, 3.01, held_at),
            Threshold("LOWEST_NORM", 0.334, 0.333, held_at),
        ],
    ),
    "mode_dropping": Examples(
        broken=[
            scored("modes/covered", 1.0),
            scored("modes/kl", 2.07),
            scored("precision-recall/recall", 0.01),
            scored("density-coverage/coverage", 0.02),
        ],
        healthy=[
            scored("modes/covered", 8.0),
            scored("modes/kl", 0.01),
            scored("precision-recall/recall", 0.4),
            scored("modes/covered", 0.0, steps=100),  # the run is young
        ],
        thresholds=[
            Threshold("EARLIEST", 0.49, 0.5, lambda share: scored_at(share, "covered")),
        ],
    ),
    "low_fidelity": Examples(
        broken=[
            scored("modes/high_quality", 0.01),
            scored("precision-recall/precision", 0.02),
            scored("density-coverage/density", 0.01),
        ],
        healthy=[scored("modes/high_quality", 0.9), scored("precision-recall/precision", 0.5)],
        thresholds=[
            Threshold("EARLIEST", 0.49, 0.5, lambda share: scored_at(share, "high_quality")),
        ],
    ),
    "score_near_worst_end": Examples(
        broken=[scored("ssim", -0.9)],
        healthy=[scored("ssim", 0.2), scored("fid", 300.0), scored("precision-recall/recall", 0.0)],
        thresholds=[Threshold("NEARLY_WORST", 0.101, 0.099, lambda share: scored("ssim", -1 + 2 * share))],
    ),
    "score_worsened": Examples(
        broken=[
            scored("fid", 300.0, 20.0, 150.0),
            scored("precision-recall/recall", 0.1, 0.6, 0.1),
            scored("modes/covered", 2.0, 8.0, 3.0),
        ],
        healthy=[
            scored("fid", 300.0, 20.0, 25.0),
            scored("fid", 0.5, 0.001, 0.003),  # noise beside what was gained
            scored("precision-recall/recall", 0.1, 0.6, 0.5),
            scored("modes/kl", 0.08, 0.002, 0.01),
        ],
        thresholds=[
            Threshold("FEWEST_EVALUATIONS", 2, 3, lambda n: scored("fid", *[300.0, 20.0, 20.0, 150.0][-n:])),
            Threshold("HALVED", 0.501, 0.499, lambda share: scored("modes/covered", 2.0, 8.0, 8 * share)),
            Threshold("DOUBLED", 1.99, 2.01, lambda times: scored("fid", 30.0, 10.0, 10.0 * times)),
            Threshold("LOST_GAIN", 0.249, 0.251, lambda lost: scored("fid", 410.0, 10.0, 10 + 400 * lost)),
            Threshold("STANDARD_ERRORS", 3.99, 4.01, lambda errors: kid_with_error(0.03 / errors)),
        ],
    ),
    "batch_norm_under_penalty": Examples(
        broken=[critic_norm("batch")],
        healthy=[critic_norm("layer"), critic_norm("none"), critic_norm("batch", "bce")],
        thresholds=[Threshold("", "layer", "batch", critic_norm)],
    ),
    "rates_out_of_scale": Examples(
        broken=[rates(generator=20.0), rates(critic=0.01)],
        healthy=[rates(), rates(generator=5.0, critic=0.2)],
        thresholds=[
            Threshold("OUT_OF_SCALE", 9.99, 10.01, lambda times: rates(generator=times)),
            Threshold("OUT_OF_SCALE", 9.99, 10.01, lambda times: rates(critic=1 / times)),
        ],
    ),
    "ema_lags": Examples(
        broken=[grown_for(0.1)],
        healthy=[grown_for(3.0), run_of(resolved(steps=20))],
        thresholds=[
            Threshold("OLD_SHARE", 0.499, 0.501, lambda share: grown_for(math.log2(1 / share))),
        ],
    ),
}  # fmt: skip
