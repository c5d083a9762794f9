"""How things fade over a run: from 1 at its start to 0 at its end, as functions of `progress` in [0, 1]."""

import math
from collections.abc import Callable


def constant(progress: float) -> float:
    return 1.0


def linear(progress: float) -> float:
    return 1.0 - progress


def cosine(progress: float) -> float:
    """`½ (1 + cos π p)` (Loshchilov & Hutter 2017, SGDR, equation 5)."""
    return (1.0 + math.cos(math.pi * progress)) / 2


SCHEDULES: dict[str, Callable[[float], float]] = {"constant": constant, "linear": linear, "cosine": cosine}
