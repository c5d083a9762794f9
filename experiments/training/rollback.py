"""Learning rates after a rollback of a collapsed run (`--on-collapse rollback`)."""

from gans.core.clock import RateFactor, ScaledSchedule

RATE_FACTOR = 0.5  # of both learning rates, for each rollback
MOST_ROLLBACKS = 3


def slow_schedule(schedule: RateFactor, rollbacks: int) -> RateFactor:
    """Multiplies a learning rate schedule by RATE_FACTOR for each of so many further rollbacks."""
    return ScaledSchedule(schedule, RATE_FACTOR**rollbacks)
