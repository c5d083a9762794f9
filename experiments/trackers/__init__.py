"""Trackers: every file beside this one receives the scores and pictures of runs (`--track NAME`)."""

from experiments.trackers.core.tracker import TrackedRun as TrackedRun
from experiments.trackers.core.tracker import Tracker as Tracker
