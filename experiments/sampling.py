"""Samples from a run, a checkpoint or an exported generator, into pictures or arrays."""

import io
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from experiments.build import build_game_seeded
from experiments.checkpoint import load_checkpoint, write_atomically
from experiments.config import read_config, resolve, resolve_device
from experiments.errors import RunError, UsageError
from experiments.export import import_generator
from experiments.pictures import picture_of, save_png, to_pillow, to_uint8
from experiments.run_folder import RunFolder, open_run
from experiments.seeds import generator_for
from experiments.settings import Settings
from gans.core.ema import ExponentialMovingAverage

BATCH = 256


def load_generator(path: Path) -> tuple[nn.Module, Settings]:
    """The averaged generator of a run folder (finished or not), of one of its checkpoints, or of an
    exported file, in evaluation mode on the CPU, with the settings of its run."""
    if path.suffix == ".safetensors":
        return import_generator(path)
    if path.suffix == ".pt":
        return _from_checkpoint(path, open_run(path.resolve().parent.parent))
    folder = open_run(path)
    if folder.is_finished:
        return import_generator(folder.generator_file)
    return _from_checkpoint(None, folder)


def _from_checkpoint(path: Path | None, folder: RunFolder) -> tuple[nn.Module, Settings]:
    settings = resolve({"device": "cpu"}, read_config(folder.config_file), str(folder.config_file)).settings
    state = load_checkpoint(path) if path else folder.checkpoints().newest(lambda line: None)
    if state is None:
        raise RunError(f"{folder.path} has no checkpoint yet; wait for its first, or resume the run")
    average = ExponentialMovingAverage(build_game_seeded(settings).generator_network, 0.0).average
    average.load_state_dict(state["ema"])
    return average, settings


@torch.no_grad()
def generate(generator: nn.Module, z_dim: int, count: int, seed: int, device: str = "auto") -> Tensor:
    """`count` samples on the CPU: images in [−1, 1] or points. The latents depend on the seed alone, so
    that the first n of a larger draw are the same."""
    place = torch.device(resolve_device(device))
    generator = generator.to(place)
    latents = torch.randn(count, z_dim, generator=generator_for(seed, "latents"))
    return torch.cat([generator(z.to(place)).float().cpu() for z in torch.split(latents, BATCH)])


def save_samples(samples: Tensor, out: str) -> str:
    """Writes `FILE.png` (grid or scatter plot), `FILE.npy` (uint8 `(N, C, H, W)` or float32 `(N, 2)`) or
    `DIR/` (a PNG for each image). Returns a line on what was written. Raises UsageError for another form
    of name, RunError where it cannot be written."""
    path = Path(out)
    is_folder = out.endswith("/") or path.is_dir()
    try:
        if is_folder:
            return _save_each(samples, path)
        if path.suffix not in (".png", ".npy"):
            raise UsageError(f"--out {out}: give FILE.png, FILE.npy or DIR/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            save_png(picture_of(samples), path)
        else:
            buffer = io.BytesIO()
            np.save(buffer, (to_uint8(samples) if samples.dim() == 4 else samples).numpy())
            write_atomically(path, buffer.getvalue())
    except OSError as error:
        raise RunError(f"cannot write {out}: {error.strerror or error}") from error
    return f"{len(samples)} samples in {path}"


def _save_each(samples: Tensor, folder: Path) -> str:
    if samples.dim() == 2:
        raise UsageError("points do not make one picture each; give --out FILE.npy or FILE.png")
    folder.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(to_uint8(samples)):
        save_png(to_pillow(image), folder / f"{index:06d}.png")
    return f"{len(samples)} pictures in {folder}/"
