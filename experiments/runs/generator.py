"""Loading of generators from runs, checkpoints and exported files, and sampling from them."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from math import ceil
from pathlib import Path
from shlex import quote
from typing import NamedTuple

import torch
from torch import Tensor, nn

from experiments.core import registry
from experiments.core.device import resolve_device
from experiments.core.errors import RunError, UsageError
from experiments.core.files import read_regular_file
from experiments.core.named_values import StateDict
from experiments.core.paths import require_path
from experiments.core.processes import share_out
from experiments.core.seeds import generator_for
from experiments.core.settings import Settings
from experiments.runs.checkpoint import (
    checkpoint_name,
    hash_path,
    load_checkpoint,
    write_hash,
)
from experiments.runs.export import export_network, import_network, open_export
from experiments.runs.folder import RunFolder, open_run
from experiments.runs.revisions import check_revision, with_earlier_options
from experiments.runs.weights import build_with_weights
from gans.core.networks import Condition, LatentNetwork, StyledNetwork
from gans.core.one_class import fix_label
from gans.core.styles import class_means, truncate_styles
from gans.core.translation import AttributeTranslator, DomainTranslator

log = logging.getLogger("gans")

BATCH = 64
CRITIC = "critic.network."  # where the state of a game has its critic


class LoadedGenerator(NamedTuple):
    """A loaded generator in evaluation mode on the CPU, its settings, and how long it was trained.

    Step and kimg are None where the file does not say.
    """

    generator: nn.Module
    settings: Settings
    step: int | None = None
    kimg: float | None = None


def load_generator(path: Path) -> tuple[nn.Module, Settings]:
    """Loads the generator of a run folder, a checkpoint or an exported file, and its settings."""
    return load(path)[:2]


def from_noise(network: nn.Module, name: str) -> LatentNetwork:
    """Checks that a generator starts from noise, and returns it; raises UsageError otherwise."""
    if not isinstance(network, LatentNetwork):
        raise UsageError(f"{name} makes images from images, not from noise; gans translate applies it")
    return network


def require_translator(network: nn.Module, name: str) -> DomainTranslator | AttributeTranslator:
    """Checks that a generator starts from images, and returns it; raises UsageError otherwise."""
    if not isinstance(network, DomainTranslator | AttributeTranslator):
        raise UsageError(f"{name} makes images from noise, not from images; gans sample draws them")
    return network


def restrict_to_class(
    network: LatentNetwork, label: int | None, name: str, needed: bool = False
) -> LatentNetwork:
    """Restricts a generator to one class; None leaves it as it is.

    Raises UsageError for a label of an unconditional generator, for one that is none of its classes, and
    where one is needed.
    """
    classes = network.classes
    if label is None:
        if classes and needed:
            raise UsageError(
                f"{name} makes {classes} classes; say which with --label, from 0 to {classes - 1}"
            )
        return network
    if not classes:
        raise UsageError(f"--label {label}: {name} was not trained with --conditional, and takes no label")
    if label >= classes:
        raise UsageError(f"--label {label}: {name} has classes 0 to {classes - 1}")
    return fix_label(network, label)


def draw_labels(network: LatentNetwork, count: int, random: torch.Generator) -> Condition:
    """Draws class labels as frequent as in the data of a generator; none for an unconditional one."""
    if not network.classes:
        return ()
    return (torch.multinomial(network.shares.cpu(), count, replacement=True, generator=random),)


def label_batches(network: LatentNetwork, seed: int) -> Iterator[Condition]:
    """Yields the class labels of samples without end, a whole batch `(BATCH,)` at a time.

    None are yielded for an unconditional generator, but empty conditions.
    """
    random = generator_for(seed, "labels")
    while True:
        yield draw_labels(network, BATCH, random)


def sample_labels(network: LatentNetwork, count: int, seed: int) -> Tensor | None:
    """The classes of the samples of `sample_batches`, int64 `(count,)`; None without labels."""
    if not network.classes:
        return None
    batches = islice(label_batches(network, seed), ceil(count / BATCH))
    return torch.cat([label for (label,) in batches])[:count]


def load(path: Path) -> LoadedGenerator:
    """Loads the generator's EMA from a run folder, one of its checkpoints, or an exported file.

    The run may be finished or not. A line names a damaged export, and each damaged checkpoint. The network
    is in the memory format of training, on which the last bits of its samples depend.
    """
    loaded = _load(path)
    loaded.generator.to(memory_format=torch.channels_last)
    return loaded


def _load(path: Path) -> LoadedGenerator:
    require_path(path, "a run folder, a checkpoint or an exported generator")
    if path.suffix == ".safetensors":
        return LoadedGenerator(*open_export(path)[:4])
    if path.suffix == ".pt":
        folder = RunFolder(path.absolute().parent.parent)
        if not (path.exists() and folder.exists):
            raise UsageError(f"{path} is not a checkpoint in a run folder (RUN/checkpoints/step-….pt)")
        settings = folder.settings()
        return _from_checkpoint(load_checkpoint(path), settings)
    folder = open_run(path)
    settings = folder.settings()
    fault = ""
    if os.path.lexists(folder.generator_file):
        try:
            return _load_export(folder, settings)
        except UsageError as error:
            fault = str(error)
    newest = folder.checkpoints().newest()
    if newest is not None:
        loaded = _from_checkpoint(newest, settings)
        if fault:
            _replace_export(folder, loaded, fault, _is_last(newest, settings))
        return loaded
    if fault:
        remedy = "import it anew into another folder" if folder.is_imported else "train it anew with --force"
        raise UsageError(f"{fault}, and there is no checkpoint; {remedy}")
    raise RunError(f"{folder.path} has no checkpoint yet; wait for its first, or resume the run")


def _is_last(checkpoint: StateDict, settings: Settings) -> bool:
    """Whether a checkpoint is that of the run's last step."""
    if settings.steps is not None:
        return bool(checkpoint["step"] >= settings.steps)
    images = (settings.kimg or 0.0) * 1000
    return bool(checkpoint["seen"] >= images * (1 - 1e-12))  # the number of steps was rounded


def _load_export(folder: RunFolder, settings: Settings) -> LoadedGenerator:
    """Loads the exported generator of a run folder. Raises UsageError where it is damaged."""
    network, exported, step, kimg, _ = open_export(folder.generator_file)
    # Those of an earlier revision are in the export alone.
    settings = replace(settings, options={**settings.options, **exported.options})
    if not hash_path(folder.generator_file).exists():
        _verify_by_checkpoint(folder, network, settings)
    if step is None:  # as in exports of older versions
        last = max(folder.scores(), key=lambda line: line["step"], default={})
        step, kimg = last.get("step"), last.get("kimg")
    return LoadedGenerator(network, settings, step, kimg)


def _verify_by_checkpoint(folder: RunFolder, network: nn.Module, settings: Settings) -> None:
    """Compares an export without a hash with the checkpoint of the last step, and writes its hash.

    Older versions wrote none. Raises UsageError where the weights differ; a line says where there is no such
    checkpoint.
    """
    file, newest = folder.generator_file, None
    with suppress(RunError):  # all are damaged
        newest = folder.checkpoints().newest()
    if newest is None or not _is_last(newest, settings):
        log.info(f"{file}: no hash and no checkpoint of the last step stand beside it to verify it by")
        return
    own, others = network.state_dict(), _from_checkpoint(newest, settings).generator.state_dict()
    if not all(torch.equal(value, others[name]) for name, value in own.items()):
        raise UsageError(f"{file} is damaged: it has not the weights of {checkpoint_name(newest['step'])}")
    with suppress(OSError):
        write_hash(file, read_regular_file(file))


def _replace_export(folder: RunFolder, loaded: LoadedGenerator, fault: str, is_last: bool) -> None:
    """Exports the generator of a checkpoint in the place of a damaged export, if it is of the last step.

    A folder that cannot be written is left as it is.
    """
    name = checkpoint_name(loaded.step or 0)
    if not is_last:
        log.warning(
            f"{fault}; the generator of {name} is taken instead, which is not of the last step: "
            f"gans run --resume {quote(str(folder.path))} trains to the end"
        )
        return
    generator, settings, step, kimg = loaded
    with suppress(OSError):
        export_network(generator, settings, folder.generator_file, step=step, kimg=kimg)
    log.warning(f"{fault}; it is replaced by the generator of {name}")


def _from_checkpoint(state: StateDict, settings: Settings) -> LoadedGenerator:
    """Builds the generator with the EMA's weights of a checkpoint."""
    name = checkpoint_name(state["step"])
    revision = state.get("revision", 1)
    check_revision(settings.arch, revision, f"checkpoint {name}")
    settings = with_earlier_options(settings, revision)
    try:
        generator = build_with_weights(settings, "generator", state["ema"])
        return LoadedGenerator(generator, settings, state["step"], state["seen"] / 1000)
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"checkpoint {name} does not fit the config of its run") from error


def load_critic(path: Path, settings: Settings) -> nn.Module | None:
    """Loads the critic of a checkpoint, or of the newest one of a run folder, in evaluation mode.

    That of imported weights is a file of their folder. There is none in an exported file, nor of a revision
    that is not trained any more: None. Raises RunError for one that does not fit the settings.
    """
    if path.suffix == ".safetensors":
        return None
    folder = RunFolder(path)
    if folder.is_imported:
        return import_network(folder.critic_file, "critic")[0] if folder.critic_file.is_file() else None
    state = load_checkpoint(path) if path.suffix == ".pt" else folder.checkpoints().newest()
    if state is None:
        return None
    architecture, revision = registry.load("architecture", settings.arch), state.get("revision", 1)
    if revision in architecture.earlier_options and not architecture.has_earlier_critics:
        return None
    settings = with_earlier_options(settings, revision)
    try:
        names = [name for name in state["game"] if CRITIC in name]
        weights = {name.partition(CRITIC)[2]: state["game"][name] for name in names}
        return build_with_weights(settings, "critic", weights)
    except (ValueError, KeyError, TypeError) as error:
        name = checkpoint_name(state["step"])
        raise RunError(f"the critic in checkpoint {name} does not fit the config of its run") from error


def require_critic(path: Path, settings: Settings) -> nn.Module:
    """Loads the critic as `load_critic` does; raises UsageError where there is none."""
    critic = load_critic(path, settings)
    if critic is None:
        raise UsageError(f"{path} comes without a critic; take the folder of a run, or a checkpoint")
    return critic


class Truncation(NamedTuple):
    """Parameters of truncation of style-based generators; see `gans.core.styles.truncate_styles`."""

    psi: float
    cutoff: int | None = None


def generate(
    generator: LatentNetwork,
    count: int,
    seed: int,
    device: str = "auto",
    truncation: Truncation | None = None,
) -> Tensor:
    """Generates `count` samples on the CPU: images in [−1, 1] or points."""
    makers = sample_batches(generator, count, seed, device, truncation)
    return torch.cat(list(share_out(lambda make: make().cpu(), makers)))


def sample_batches(
    generator: LatentNetwork,
    count: int,
    seed: int,
    device: str = "auto",
    truncation: Truncation | None = None,
) -> Iterator[Callable[[], Tensor]]:
    """Functions that generate `count` samples batch by batch, on the device: images in [−1, 1] or points.

    Of a class-conditional generator, classes are about as frequent as in its data. Raises UsageError for the
    truncation of a generator without styles.

    Latents are drawn and samples made in whole batches, of which the last is cut, so that the first n of a
    larger draw are the same to the bit.
    """
    target = torch.device(resolve_device(device))
    generator = generator.to(target)
    random = generator_for(seed, "latents")
    for start, labels in zip(range(0, count, BATCH), label_batches(generator, seed), strict=False):
        z = torch.randn(BATCH, generator.z_dim, generator=random).to(target)
        condition = tuple(label.to(target) for label in labels)
        yield partial(_generate_batch, generator, truncation, count - start, z, *condition)


@torch.no_grad()
def _generate_batch(
    generator: LatentNetwork, truncation: Truncation | None, count: int, z: Tensor, *label: Tensor
) -> Tensor:
    """Generates a whole batch of samples, and returns at most `count` of them."""
    if truncation is None:
        samples = generator(z, *label)
    else:
        samples = _generate_truncated(generator, truncation, z, *label)
    found: Tensor = samples.float()[:count]
    return found


def _generate_truncated(
    generator: LatentNetwork, truncation: Truncation, z: Tensor, *label: Tensor
) -> Tensor:
    """Generates samples with truncated styles."""
    if not isinstance(generator, StyledNetwork):
        raise UsageError("--truncation needs a generator with styles, such as stylegan's")
    if truncation.cutoff is not None and truncation.cutoff > generator.styles:
        raise UsageError(f"--cutoff {truncation.cutoff}: the generator has {generator.styles} styles")
    mean = class_means(generator, *label) if label else None
    return generator.synthesize(truncate_styles(generator, generator.map(z, *label), *truncation, mean))
