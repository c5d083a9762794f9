"""Bounds of a number, such as a score: the smallest and the largest value that it can have."""

import math

Bounds = tuple[float, float]  # low, high; an infinite one bounds nothing
UNBOUNDED: Bounds = (-math.inf, math.inf)
