"""Pictures of a run's progress: samples of fixed latents, or translations of fixed images."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from PIL.Image import Image
from torch import Tensor

from experiments.core.background_writer import BackgroundWriter
from experiments.core.device import dtype_of
from experiments.core.diversity import pairwise_distance
from experiments.core.images import GRID_COLUMNS, draw_samples, save_png, to_uint8
from experiments.core.labelled_sheets import SheetRow, draw_sheet
from experiments.core.seeds import generator_for, seed_all
from experiments.core.settings import Settings
from experiments.runs.generator import from_noise
from experiments.runs.grid_names import REAL_IMAGES, grid_name
from experiments.trackers.core.tracker import Tracker
from experiments.training.callbacks import Progress
from experiments.training.experiment import Experiment
from gans.core.networks import Batch, Condition, LatentNetwork
from gans.core.player import Scores
from gans.core.translation import Translator

MOST_COLUMNS = 16  # largest number of classes that have a column each
TRANSLATED = 8  # number of images that are translated, a row each


class SamplePicture(NamedTuple):
    """Samples `(N, …)`, and a function that draws the picture of them, in any thread."""

    draw: Callable[[], Image]
    samples: Tensor


class SampleGridDrawer:
    """Grid of samples of fixed latents, with a column for each class; points are drawn over the real ones."""

    def __init__(self, network: LatentNetwork, reals: Tensor, count: int, settings: Settings) -> None:
        self.network, self.reals = network, reals
        latents = torch.randn(count, network.z_dim, generator=generator_for(settings.seed, "samples"))
        self.condition: Condition = ()
        self.columns = GRID_COLUMNS
        if settings.classes:
            if settings.classes <= MOST_COLUMNS:
                self.columns = settings.classes * max(1, GRID_COLUMNS // settings.classes)
            latents = latents[: len(latents) // self.columns * self.columns]
            labels = torch.arange(len(latents)) % settings.classes
            self.condition = (labels.to(settings.device),)
        self.latents = latents.to(settings.device, dtype_of(settings.precision))

    @torch.no_grad()
    def __call__(self) -> SamplePicture:
        samples = self.network(self.latents, *self.condition)
        reals = self.reals if self.reals.dim() == 2 else None
        shown = samples.detach().float().cpu()
        return SamplePicture(partial(draw_samples, shown, reals, self.columns), samples)


class TranslationDrawer:
    """Rows of fixed images, each with its translation and what that is to be compared with."""

    def __init__(self, network: Translator, reals: Batch, settings: Settings) -> None:
        self.network, self.seed = network, settings.seed
        samples, condition = (reals.samples[:TRANSLATED], [each[:TRANSLATED] for each in reals.condition])
        self.batch = Batch(samples.to(settings.device), tuple(each.to(settings.device) for each in condition))

    @torch.no_grad()
    def __call__(self) -> SamplePicture:
        seed_all(self.seed, "translations")  # of networks whose dropout stays on
        columns = self.network.columns(self.batch)
        images = to_uint8(torch.stack(list(columns.values()), dim=1).float().cpu())
        above = [tuple(columns)] + [()] * (len(images) - 1)
        rows = [SheetRow("", row, words) for row, words in zip(images, above, strict=True)]
        return SamplePicture(partial(draw_sheet, rows), self.network.generate(self.batch))


class SampleGrid:
    """Saves sample grids of the EMA generator and one of real samples, and scores how far samples are apart.

    Samples are made at once; their picture is drawn and written by the writer, and then given to the tracker.
    It goes before the metric logger, whose next line has the distance among the scores of its steps,
    and whose first has that of the real samples.
    """

    def __init__(
        self,
        experiment: Experiment,
        folder: Path,
        interval: int,
        tracker: Tracker,
        writer: BackgroundWriter,
    ) -> None:
        self.experiment, self.folder, self.interval, self.tracker = experiment, folder, interval, tracker
        self.writer = writer
        network = experiment.ema.average
        settings, reals = experiment.spec.settings, experiment.reals
        if isinstance(network, Translator):
            self.draw: Callable[[], SamplePicture] = TranslationDrawer(network, reals, settings)
        else:
            self.draw = SampleGridDrawer(
                from_noise(network, settings.arch), reals.samples, experiment.loader.grid_count, settings
            )

    def save_reals(self, is_new: bool) -> None:
        """Saves the grid of real samples, `real.png`; the tracker of a new run is given it."""
        file = self.folder / REAL_IMAGES
        save_png(draw_samples(self.experiment.reals.samples), file)
        if is_new:
            self.tracker.images("real", file, 0.0)

    def __call__(self, progress: Progress, scores: Scores) -> None:
        if progress.step == 1:
            self._score_distance(scores, "real_distance", self.experiment.reals.samples)
        if progress.passes(self.interval):
            file = self.folder / grid_name(progress.seen, progress.previous_seen, self.interval)
            draw, samples = self.draw()
            self.writer.submit(
                lambda: save_png(draw(), file), lambda: self.tracker.images("samples", file, progress.kimg)
            )
            self._score_distance(scores, "pairwise_distance", samples)

    def _score_distance(self, scores: Scores, name: str, samples: Tensor) -> None:
        """Adds the mean pairwise distance of samples to the scores."""
        if len(samples) > 1:
            scores[f"samples/{name}"] = pairwise_distance(samples)
