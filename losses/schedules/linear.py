"""Falls in a straight line to 0 at the end of the run."""

from losses.core.schedule import Schedule, linear


class Linear(Schedule):
    """Linear schedule: `1 − p`, when the share p of the run is over."""

    def __call__(self, progress: float) -> float:
        return linear(progress)
