"""Falls in a straight line to 0 at the end of the run."""

from losses.core.schedule import Schedule, linear


class Linear(Schedule):
    """The function `losses.core.schedule.linear`."""

    def __call__(self, progress: float) -> float:
        return linear(progress)
