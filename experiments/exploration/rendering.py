"""Pictures of scenes: exactly those of `gans sample`, with the latent and command that make them again."""

import io
from dataclasses import dataclass
from shlex import quote

import numpy as np
from torch import Tensor

from experiments.core.errors import UsageError
from experiments.core.images import draw_samples, png_bytes
from experiments.exploration.generators import OpenGenerator
from experiments.exploration.saved_names import SavedNames
from experiments.exploration.scene import Scene, latent_of
from experiments.inference.given_latents import sample_draws
from experiments.runs.generator import BATCH, Truncation


@dataclass(frozen=True)
class Rendering:
    """A rendered scene.

    Attributes:
        samples: `(N, C, H, W)` in [−1, 1].
        png: the picture, as a file.
        latent: numbers that `gans sample RUN --latents FILE.npy` reads, float32 `(1, …)`.
        command: makes the picture again, beside the file of the latent where it needs that.
    """

    samples: Tensor
    png: bytes
    latent: Tensor
    command: str

    @property
    def latent_file(self) -> bytes:
        """The file of the latent, a `.npy`."""
        buffer = io.BytesIO()
        np.save(buffer, self.latent.numpy())
        return buffer.getvalue()


def render(
    opened: OpenGenerator, scene: Scene, batch: int = BATCH, names: SavedNames | None = None
) -> Rendering:
    """Renders a scene by a generator.

    Args:
        batch: copies of the latent that are computed at once. With `BATCH` the picture is that of
            `gans sample` to the bit; with 1 it is a draft, many times faster, in which pixels may differ.
        names: of the files in the command; those of the only run of a page if not given.

    Raises UsageError where the generator makes no images from latents.
    """
    check_renderable(opened)
    abilities = opened.abilities
    space = opened.space(scene.label, scene.has_noise)
    directions = opened.directions(scene.label) if scene.has_moves else None
    draws = latent_of(space, scene, directions)
    near = Truncation(scene.truncation) if abilities.styles and scene.truncation != 1 else None
    samples = sample_draws(space.network, draws, 0, str(opened.device), near, batch)
    assert isinstance(draws.latents, Tensor)
    command = command_of(opened, scene, draws.space, names or SavedNames())
    return Rendering(samples, png_bytes(draw_samples(samples)), draws.latents, command)


def check_renderable(opened: OpenGenerator) -> None:
    """Refuses a generator without pictures of latents. Raises UsageError with what to do."""
    path = quote(str(opened.path))
    if opened.abilities.task == "points":
        raise UsageError(
            f"{opened.path} makes points in the plane, of which one says nothing; "
            f"gans sample {path} -n 1000 --out points.png plots many"
        )
    if opened.abilities.task == "translation":
        raise UsageError(f"{opened.path} makes images from images; give it a picture")


def command_of(opened: OpenGenerator, scene: Scene, space: str | None, names: SavedNames) -> str:
    """Command that makes the picture of a scene again, by its seed or with the file of its latent."""
    abilities = opened.abilities
    words = ["gans sample", quote(str(opened.path))]
    if scene.is_of_seed:
        words += [f"--seed {scene.seed} -n 1"]
    else:
        words += [f"--latents {names.latent}", *["--space w"] * (space == "w")]
    words += [f"--label {min(scene.label, abilities.classes - 1)}"] * bool(abilities.classes)
    words += [f"--truncation {scene.truncation:g}"] * (bool(abilities.styles) and scene.truncation != 1)
    words += ["--noise-mode none"] * (abilities.has_noise and not scene.has_noise)
    return " ".join([*words, f"--out {names.picture}"])
