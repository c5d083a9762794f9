"""TensorBoard: scores and sample grids over the images shown, in the run folder's `tensorboard/`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from experiments.trackers.core.tracker import TrackedRun, Tracker


@dataclass(frozen=True)
class TensorboardOptions:
    """Options of the tracker tensorboard."""

    flush_seconds: int = field(
        default=10,
        metadata={"help": "Seconds between writes to disk: a killed process loses no more.", "at_least": 1},
    )


class TensorboardTracker(Tracker):
    """Writes event files whose step is the number of images shown: TensorBoard knows whole numbers only."""

    requires: ClassVar[Mapping[str, str]] = {"tensorboard": 'pip install "gans[tensorboard]"'}

    options_type: ClassVar[type] = TensorboardOptions

    def __init__(self, run: TrackedRun, options: TensorboardOptions | None = None) -> None:
        from torch.utils.tensorboard import SummaryWriter

        seconds = (options or TensorboardOptions()).flush_seconds
        # What a killed process wrote after the moment from which this one goes on is hidden.
        self._writer = SummaryWriter(
            str(run.folder / "tensorboard"), purge_step=_images(run.kimg) + 1, flush_secs=seconds
        )
        about = {"project": run.project, "group": run.group, "tags": run.tags, **run.settings}
        lines = json.dumps(about, indent=2).replace("\n", "\n    ")  # a block of code in Markdown
        self._writer.add_text("settings", "    " + lines, _images(run.kimg))

    def scores(self, scores: Mapping[str, float]) -> None:
        for name, value in scores.items():
            if name != "kimg":
                self._writer.add_scalar(name, value, _images(scores["kimg"]))

    def images(self, name: str, file: Path, kimg: float) -> None:
        with Image.open(file) as picture:
            pixels = np.asarray(picture)
        self._writer.add_image(name, pixels, _images(kimg), dataformats="HWC"[: pixels.ndim])

    def close(self, exit_status: int = 0) -> None:
        self._writer.close()


def _images(kimg: float) -> int:
    return round(kimg * 1000)
