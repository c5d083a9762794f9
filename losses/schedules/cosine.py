"""Falls along half a cosine to 0 at the end of the run (Loshchilov & Hutter 2017)."""

from losses.core.schedule import Schedule, cosine


class Cosine(Schedule):
    """Cosine schedule: `½ (1 + cos π p)`, when the share p of the run is over."""

    def __call__(self, progress: float) -> float:
        return cosine(progress)
