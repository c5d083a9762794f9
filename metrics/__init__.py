"""Metrics: every file beside this one is a metric (`--metrics NAME`)."""

from metrics.core.metric import Metric as Metric
from metrics.core.metric import Reference as Reference
from metrics.core.metric import Takes as Takes
