"""Feature extractors: every file beside this one is an extractor (`--extractor NAME`)."""

from metrics.extractors.core.extractor import Extractor as Extractor
from metrics.extractors.core.extractor import Features as Features
