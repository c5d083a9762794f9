"""Floors and goals of benchmarks: ratios of our speed to another's, which `make bench` holds."""

from dataclasses import dataclass

SLACK = 0.97  # of a floor: medians of blocks that take turns still differ by so much


@dataclass(frozen=True)
class Goal:
    """Floor and goal of a speed-up over a contestant: how many times faster we have to be."""

    floor: float
    goal: float

    def holds(self, ratio: float) -> bool:
        """Whether a ratio is at the floor, up to noise."""
        return ratio >= SLACK * self.floor

    def judge(self, ratio: float) -> str:
        """Verdict on a ratio: goal, floor, floor within noise, or MISSED."""
        if ratio >= self.goal:
            return "goal"
        if ratio >= self.floor:
            return "floor"
        return f"floor −{1 - SLACK:.0%}" if self.holds(ratio) else "MISSED"
