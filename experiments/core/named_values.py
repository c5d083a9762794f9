"""Types of values by name: settings as flags and files bring them, JSON objects, and states of training."""

from collections.abc import Mapping
from typing import Any

SettingValues = Mapping[str, Any]  # values of settings by name, and of options by key
JsonObject = Mapping[str, Any]  # an object as `json.loads` gives it
StateDict = dict[str, Any]  # state of training: tensors by name, and what else a checkpoint holds
