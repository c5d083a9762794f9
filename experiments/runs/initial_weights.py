"""Weights that a run begins from (`--init-from`): those of a run, an import, a checkpoint or an export."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from experiments.core import registry
from experiments.core.errors import RunError, UsageError
from experiments.core.files import read_regular_file
from experiments.core.named_values import StateDict
from experiments.core.paths import expand_home, require_path
from experiments.core.settings import Settings
from experiments.runs.checkpoint import checkpoint_name, load_checkpoint, read_hash
from experiments.runs.export import import_network, open_export
from experiments.runs.folder import RunFolder
from experiments.runs.revisions import check_revision
from experiments.runs.weights import Role, build_with_weights


@dataclass(frozen=True)
class InitialWeights:
    """Networks to begin from, on the CPU, with what tells them from others.

    Attributes:
        name: as the user named them.
        kind: words for what was read, such as `step-00001000.pt`.
        hash: SHA-256 of what was read.
        settings: with which the networks are built.
        generator, ema: the generator, and its EMA; the same where only one of them is there.
        critic, critic_ema: the critic and its EMA; None where there is none.
        game: state of the game beside its networks; empty for exports.
    """

    name: str
    kind: str
    hash: str
    settings: Settings
    generator: nn.Module
    ema: nn.Module
    critic: nn.Module | None = None
    critic_ema: nn.Module | None = None
    game: StateDict = field(default_factory=dict)

    def network(self, role: Role) -> nn.Module | None:
        """The generator, or the critic where there is one."""
        return self.generator if role == "generator" else self.critic


def read_initial_weights(name: str, wanted: str | None = None) -> InitialWeights:
    """Reads the weights of a run folder, an import, a checkpoint, or an exported generator.

    Of a run it is the newest checkpoint, or the exports where there is none.

    Args:
        name: of the folder or file.
        wanted: hash of weights that a run began from: a checkpoint with it is taken before newer ones.

    Raises UsageError for what cannot be begun from, among them the weights of an earlier revision of an
    architecture, RunError for damaged files.
    """
    try:
        path = expand_home(name)
    except ValueError as error:
        raise UsageError(f"--init-from {error}") from error
    require_path(path, "a run folder, a checkpoint or an exported generator", f"--init-from {name}")
    if path.suffix == ".safetensors":
        return _from_exports(name, {"generator": path})
    if path.suffix == ".pt":
        folder = RunFolder(path.absolute().parent.parent)
        if not (path.exists() and folder.exists):
            raise UsageError(
                f"--init-from {name} is not a checkpoint in a run folder (RUN/checkpoints/step-….pt)"
            )
        return _from_checkpoint(name, folder, load_checkpoint(path))
    folder = RunFolder(path)
    if not folder.exists:
        raise UsageError(
            f"--init-from {name} is not a run folder (it has no config.json), nor a file .pt or .safetensors"
        )
    state = _find_checkpoint(folder, wanted)
    if state is not None:
        return _from_checkpoint(name, folder, state)
    if not folder.is_finished:
        raise UsageError(f"--init-from {name} has no checkpoint yet; wait for its first, or resume that run")
    files = {
        "generator": folder.training_generator_file,
        "ema": folder.generator_file,
        "critic": folder.critic_file,
    }
    return _from_exports(name, {role: file for role, file in files.items() if file.is_file()}, folder)


def _find_checkpoint(folder: RunFolder, wanted: str | None) -> StateDict | None:
    """Loads the checkpoint with a hash, or else the newest; None where there is none."""
    checkpoints = folder.checkpoints()
    for path in checkpoints.paths() if wanted else ():
        try:
            if read_hash(path) == wanted:
                return load_checkpoint(path)
        except (OSError, ValueError, RunError):
            continue
    return checkpoints.newest()


def _from_checkpoint(name: str, folder: RunFolder, state: StateDict) -> InitialWeights:
    """Builds the networks of a checkpoint."""
    settings, file = folder.settings(), folder.checkpoints().folder / checkpoint_name(state["step"])
    check_revision(settings.arch, state.get("revision", 1), f"checkpoint {file.name}")
    _refuse_earlier_revision(name, settings, state.get("revision", 1))

    def weights(role: Role) -> StateDict:
        prefix = f".{role}.network."  # of the player, which may be within another game
        found = ((f".{key}".partition(prefix), value) for key, value in state["game"].items())
        return {name: value for (_, is_there, name), value in found if is_there}

    try:
        critic_ema = state.get("critic_ema")
        return InitialWeights(
            name,
            file.name,
            read_hash(file),
            settings,
            build_with_weights(settings, "generator", weights("generator")),
            build_with_weights(settings, "generator", state["ema"]),
            build_with_weights(settings, "critic", weights("critic")),
            None if critic_ema is None else build_with_weights(settings, "critic", critic_ema),
            {key: value for key, value in state["game"].items() if ".network." not in key},
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"checkpoint {file} does not fit the config of its run") from error


def _from_exports(name: str, files: dict[str, Path], folder: RunFolder | None = None) -> InitialWeights:
    """Imports exported networks by their role: `generator` or `ema`, and `critic`."""
    exported = open_export(files["ema" if "ema" in files else "generator"])
    ema, settings = exported.network, exported.settings
    generator = import_network(files["generator"])[0] if "generator" in files else ema
    critic = open_export(files["critic"], "critic") if "critic" in files else None
    # Exports tell it, not the config of their run; a generator may have stayed what it was.
    if registry.load("architecture", settings.arch).earlier_options.get(exported.revision) != {}:
        _refuse_earlier_revision(name, settings, exported.revision)
    if critic is not None:
        _refuse_earlier_revision(name, critic.settings, critic.revision)
    if folder is not None:  # with its data and its loss
        settings = folder.settings()
    kind = ", ".join(file.name for file in files.values())
    network = None if critic is None else critic.network
    return InitialWeights(name, kind, _hash_files(files.values()), settings, generator, ema, network)


def _hash_files(files: Iterable[Path]) -> str:
    """SHA-256 of one file, or of the hashes of several."""
    hashes = [hashlib.sha256(read_regular_file(file)).hexdigest() for file in files]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256(" ".join(hashes).encode()).hexdigest()


def _refuse_earlier_revision(name: str, settings: Settings, revision: int) -> None:
    """Refuses weights whose mathematics are those of an earlier revision of their architecture.

    Layers of an earlier one that options of the present one can have, too, are none: a run that begins from
    them takes the options over.
    """
    architecture = registry.load("architecture", settings.arch)
    if {revision, settings.options.get("arch.revision")} & architecture.earlier_options.keys():
        raise UsageError(
            f"--init-from {name} holds weights of an earlier revision of {settings.arch}, which make other "
            f"images in revision {architecture.revision}; train it anew"
        )
