"""The data that a run was trained on, compared with the data as it is now."""

from contextlib import suppress
from pathlib import Path
from shlex import quote

from experiments.core.errors import RunError, UsageError, usage_errors
from experiments.core.settings import Settings
from experiments.data.core.dataset import DataSet
from experiments.data.core.fingerprint import DataFingerprint, take_fingerprint
from experiments.data.core.open import task_of
from experiments.evaluation.protocols import SPLITS, TRAIN
from experiments.evaluation.sample_sets import DataSamples
from experiments.runs.folder import RunFolder


def run_folder_of(path: Path) -> RunFolder:
    """The folder of a run, of one of its checkpoints, or of its exported generator."""
    if path.suffix == ".pt":
        return RunFolder(path.absolute().parent.parent)
    return RunFolder(path.absolute().parent if path.suffix == ".safetensors" else path)


def trained_on(folder: RunFolder, settings: Settings) -> tuple[DataFingerprint, ...]:
    """Fingerprints of the data that a run was trained on; none where nothing says it.

    Of an earlier version's runs that is the number of samples in its newest checkpoint.
    """
    if found := folder.trained_on:
        return found
    with suppress(RunError):  # no checkpoint can be read
        state = folder.checkpoints().newest()
        kept = (state or {}).get("data")
        count = kept.get("count") if isinstance(kept, dict) else None
        if type(count) is int and task_of(settings) in ("noise", "attributes"):  # else of both domains
            return (DataFingerprint(count),)
    return ()


def command_anew(folder: RunFolder, suffix: str, data: DataSet, flags: str = "") -> str:
    """The command that trains a run with its settings again, into a folder beside its own.

    Args:
        data: as it is now; files of it may have broken since.
        suffix: what the name of that folder ends with.
        flags: that change settings; empty for the same ones.
    """
    beside = folder.path if folder.path.name not in ("", "..") else folder.path.resolve()
    changes = "".join(f" {words}" for words in (flags, "--skip-bad" if data.unreadable else "") if words)
    return f"gans run --config {quote(str(folder.config_file))}{changes} --out {quote(f'{beside}-{suffix}')}"


class TrainedData:
    """The data of a run, as its folder has it written down.

    Args:
        path: the run folder, a checkpoint or an exported generator in it.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self.folder, self.settings = run_folder_of(path), settings
        self.fingerprints = trained_on(self.folder, settings) if self.folder.exists else ()

    def check(self, samples: DataSamples, split: str) -> None:
        """Checks that samples are a part of the data of the run, by a few of its training images.

        Held-out samples that no share is kept from training for, such as test files, are not compared.

        Args:
            split: the part that they are, "training" or "held-out".

        Raises UsageError where they are of other data.
        """
        if not self.fingerprints:
            return
        found = samples.data.training_fingerprint
        if split == SPLITS[TRAIN]:
            with usage_errors():
                found = take_fingerprint(samples.data)
        if found is None or any(map(found.is_like, self.fingerprints)):
            return
        raise UsageError(self._describe(found, samples.data))

    def _describe(self, found: DataFingerprint, data: DataSet) -> str:
        """Describes how the data differ, and what is to be done."""
        counts = [each.count for each in self.fingerprints]
        then = " and ".join(f"{count:,}" for count in counts)
        words = f"{then} training samples then, {found.count:,} now"
        if found.count in counts:
            words = f"as many samples, but others: {found.count:,}"
        mixed = ", so that others are held out now" if self.settings.holdout is not None else ""
        if any(map(found.has_samples_of, self.fingerprints)):
            words = "the same samples, but other labels, attributes or names of classes"
            mixed = ""
        return (
            f"data {self.settings.data} is not what {self.folder.path} was trained on ({words}{mixed}): "
            f"bring it back, or train anew with {command_anew(self.folder, 'anew', data)}"
        )
