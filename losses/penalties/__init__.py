"""Penalty points: every file beside this one chooses where gradients are penalized (`--penalty NAME`)."""

from losses.core.points import Points as Points
