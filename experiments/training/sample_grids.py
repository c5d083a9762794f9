"""Pictures of a run's progress: samples of fixed latents, or translations of fixed images."""

from typing import NamedTuple

import torch
from PIL.Image import Image
from torch import Tensor

from experiments.core.images import GRID_COLUMNS, draw_samples, to_uint8
from experiments.core.labelled_sheets import SheetRow, draw_sheet
from experiments.core.seeds import generator_for, seed_all
from experiments.core.settings import Settings
from gans.core.networks import Batch, Condition, LatentNetwork
from gans.core.translation import Translator

MOST_COLUMNS = 16  # largest number of classes that have a column each
TRANSLATED = 8  # number of images that are translated, a row each


class SamplePicture(NamedTuple):
    """Picture, and the samples that it shows, `(N, …)`."""

    picture: Image
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
        self.latents = latents.to(settings.device)

    @torch.no_grad()
    def __call__(self) -> SamplePicture:
        samples = self.network(self.latents, *self.condition)
        reals = self.reals if self.reals.dim() == 2 else None
        return SamplePicture(draw_samples(samples, reals, self.columns), samples)


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
        picture = draw_sheet([SheetRow("", row, words) for row, words in zip(images, above, strict=True)])
        return SamplePicture(picture, self.network.generate(self.batch))
