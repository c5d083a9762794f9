"""Keeps the level for the whole run."""

from losses.core.schedule import Schedule, constant


class Constant(Schedule):
    """Constant schedule: the level is 1 throughout."""

    def __call__(self, progress: float) -> float:
        return constant(progress)
