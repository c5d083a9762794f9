"""Data: every file beside this one is a source (`--data NAME`)."""

from experiments.data.core.dataset import DataSet as DataSet
from experiments.data.core.dataset import InMemoryData as InMemoryData
from experiments.data.core.dataset import Native as Native
from experiments.data.core.dataset import Source as Source
