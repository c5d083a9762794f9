"""Samples of latents that the user gives: from a file, or by seeds as NVlabs' programs have them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from experiments.core.device import resolve_device
from experiments.core.errors import UsageError
from experiments.core.paths import require_path
from experiments.core.seeds import generator_for, seed_all
from experiments.runs.generator import BATCH, Truncation, draw_labels
from gans.core.networks import Condition, LatentNetwork, StyledNetwork
from gans.core.styles import Noise, NoiseMode, class_means, set_noise_mode, truncate_styles
from metrics.core.npz_arrays import read_npy

MOST_LATENT_BYTES = 512 * 2**20  # 14,000 latents of w for each of the 18 layers of a network for 1024 pixels
KINDS = "fiu"  # of numpy's numbers

Space = Literal["z", "w"]


class Draws(NamedTuple):
    """Latents of samples, or the seeds of them.

    Attributes:
        latents: float32 `(N, …)`, or the seeds `(N,)`.
        space: where the latents are; None for seeds.
        labels: one for each, or one for all; none: as frequent as in the data.
        name: the flag that named them.
    """

    latents: Tensor | Sequence[int]
    space: Space | None
    labels: Sequence[int]
    name: str


def read_draws(
    file: Path | None, space: Space, seeds: Sequence[int] | None, labels: Sequence[int]
) -> Draws | None:
    """Reads what the user gives of latents; None where it is nothing.

    Raises UsageError for a file that holds no latents, and for another number of labels.
    """
    draws = None
    if file is not None:
        draws = Draws(_read_latents(file), space, labels, f"--latents {file}")
    elif seeds is not None:
        draws = Draws(seeds, None, labels, "--seeds")
    if draws and len(labels) > 1 and len(labels) != len(draws.latents):
        raise UsageError(f"--label has {len(labels)} labels for the {len(draws.latents)} of {draws.name}")
    return draws


def _read_latents(file: Path) -> Tensor:
    """Reads latents `(N, …)` from a `.npy`, as float32; a vector is one latent, as `gans project` writes it.

    Raises UsageError for any other file.
    """
    require_path(file, "a .npy file of latents", f"--latents {file}")
    try:
        array = read_npy(file, MOST_LATENT_BYTES)
        if array.dtype.kind not in KINDS or array.ndim not in (1, 2, 3) or not array.size:
            raise ValueError(f"holds {array.dtype} of shape {array.shape}, no latents (N, z_dim)")
        found = torch.from_numpy(array.astype(np.float32))
        found = found[None] if found.ndim == 1 else found
        if not found.isfinite().all():
            raise ValueError("holds numbers that are not finite")
    except OSError as error:
        raise UsageError(f"--latents {file}: {error.strerror or error}") from error
    except Exception as error:  # damaged files raise anything
        raise UsageError(f"--latents {file}: {' '.join(str(error).split())}") from error
    return found


def latents_of_seeds(seeds: Sequence[int], z_dim: int) -> Tensor:
    """Draws the latents `(N, z_dim)` of seeds as NVlabs' programs: `RandomState(seed).randn(1, z_dim)`."""
    found = [np.random.RandomState(seed).randn(1, z_dim) for seed in seeds]
    return torch.from_numpy(np.concatenate(found).astype(np.float32))


def set_noise(network: LatentNetwork, mode: NoiseMode, seed: int, name: str) -> None:
    """Sets the mode of the noise of a network, and seeds it. Raises UsageError where it has none."""
    if mode == "auto":
        return
    if not any(isinstance(part, Noise) for part in network.modules()):
        raise UsageError(f"--noise-mode {mode}: {name} has no noise in its layers")
    set_noise_mode(network, mode)
    seed_all(seed, "noise")


@torch.no_grad()
def sample_draws(
    network: LatentNetwork,
    draws: Draws,
    seed: int,
    device: str = "auto",
    truncation: Truncation | None = None,
    batch: int = BATCH,
) -> Tensor:
    """Makes the samples of latents on the CPU, in whole batches as `gans sample` does.

    Args:
        batch: samples that are made at once; with others than `BATCH` the last bits may differ.

    Raises UsageError for latents that are not those of the network, and for truncation without styles.
    """
    if isinstance(draws.latents, Tensor):
        latents = draws.latents
    else:
        latents = latents_of_seeds(draws.latents, network.z_dim)
    _check_latents(network, latents, draws)
    labels = _labels_of(network, draws, len(latents), seed)
    target = torch.device(resolve_device(device))
    network, made = network.to(target), []
    for start in range(0, len(latents), batch):
        rows = torch.arange(start, start + batch).clamp(max=len(latents) - 1)  # the last is repeated
        told = tuple(each[rows].to(target) for each in labels)
        samples = _make(network, latents[rows].to(target), told, draws.space or "z", truncation)
        made.append(samples.float().cpu()[: len(latents) - start])
    return torch.cat(made)


def _check_latents(network: LatentNetwork, latents: Tensor, draws: Draws) -> None:
    """Checks the shape of latents. Raises UsageError."""
    shapes: list[tuple[int, ...]] = [(network.z_dim,)]
    if draws.space == "w":
        if not isinstance(network, StyledNetwork):
            raise UsageError("--space w needs a generator with styles, such as stylegan2's")
        shapes = [(network.w_dim,), (network.styles, network.w_dim)]
    if tuple(latents.shape[1:]) not in shapes:
        known = " or ".join(str(("N", *shape)).replace("'", "") for shape in shapes)
        raise UsageError(f"{draws.name} has the shape {tuple(latents.shape)}; the generator takes {known}")


def _labels_of(network: LatentNetwork, draws: Draws, count: int, seed: int) -> Condition:
    """Labels of samples, `(N,)`; none for an unconditional generator. Raises UsageError for unknown ones."""
    if len(draws.labels) < 2:  # one label has restricted the network to its class
        return draw_labels(network, count, generator_for(seed, "labels"))
    if not network.classes:
        raise UsageError("--label: the generator was not trained with --conditional, and takes no labels")
    if max(draws.labels) >= network.classes:
        raise UsageError(f"--label {max(draws.labels)}: the generator has classes 0 to {network.classes - 1}")
    return (torch.tensor(draws.labels),)


def _make(
    network: LatentNetwork, latents: Tensor, labels: Condition, space: Space, truncation: Truncation | None
) -> Tensor:
    """Makes samples of a batch of latents."""
    if not isinstance(network, StyledNetwork):
        if truncation is not None:
            raise UsageError("--truncation needs a generator with styles, such as stylegan's")
        made: Tensor = network(latents, *labels)
        return made
    w = network.map(latents, *labels) if space == "z" else latents
    if truncation is None:
        return network.synthesize(w)
    if truncation.cutoff is not None and truncation.cutoff > network.styles:
        raise UsageError(f"--cutoff {truncation.cutoff}: the generator has {network.styles} styles")
    mean = class_means(network, *labels) if labels else None
    return network.synthesize(truncate_styles(network, w, *truncation, mean))
