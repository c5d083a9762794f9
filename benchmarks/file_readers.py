"""The readers of files: for each, a folder with a whole file, and the commands that read it as users do."""

import contextlib
import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from PIL import Image

import cli
from benchmarks import data_readers as data
from benchmarks import whole_files as whole
from experiments.core.errors import RunError, UsageError, usage_errors
from experiments.core.files import parse_json
from experiments.data.core.decoding import FORMATS, READABLE

CLEAR = (UsageError, RunError)  # what a command turns into one clear line
UNCLEAR = "(--debug shows where)"  # how an error ends of which nobody has thought


class FaultError(Exception):
    """Error of a reader that did something else than read, or refuse in one clear line."""


@dataclass(frozen=True)
class Reader:
    """A reader of files.

    Attributes:
        file: which file of the folder is mutated.
        kind: of its content, a key of MUTATIONS.
        make: makes the folder with the whole file, in the current folder.
        reads: commands that read it, or functions; one of them reads each mutation.
        is_hashed: whether a hash stands beside the file, which is to fit the mutated content.
        heals: whether what the commands print must be the same for a damaged file.
    """

    file: str
    kind: str
    make: Callable[[], None]
    reads: tuple[str | Callable[[], object], ...]
    is_hashed: bool = False
    heals: bool = False

    def write(self, content: bytes) -> None:
        """Writes a mutated file in the current folder, with its hash."""
        file = Path(self.file)
        file.write_bytes(content)
        if self.is_hashed:
            words = f"{hashlib.sha256(content).hexdigest()}  {file.name}\n"
            file.with_name(f"{file.name}.sha256").write_text(words)

    def read(self, how: int) -> str:
        """Reads the file in one of the ways; returns what was printed. Raises FaultError."""
        read = self.reads[how]
        if isinstance(read, str):
            return call(read)
        try:
            read()
        except CLEAR as error:
            if not str(error):
                raise FaultError("an error without words") from error
        return ""


def call(line: str) -> str:
    """Runs a command in this process; returns what it printed for programs. Raises FaultError."""
    from experiments.core import registry

    registry._from_files.clear()  # a new process knows no plug-in
    out, err, status = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main(line.split())
        except SystemExit as stop:
            status = int(stop.code or 0)
    said = err.getvalue()
    if status not in (0, 1, 2) or UNCLEAR in said or "Traceback" in said:
        raise FaultError(f"{line}: status {status}: {said[-1500:]}")
    if status:
        last = (said.splitlines() or [""])[-1]
        if not last.startswith("gans: "):
            raise FaultError(f"{line}: no clear line: {said[-1500:]}")
        _check_line(last)
    return out.getvalue()


def _check_line(line: str) -> None:
    if len(line) > 1500 or len(line.splitlines()) > 1:
        raise FaultError(f"not one short line: {line[:300]}")


def read_cache(what: str) -> Callable[[], object]:
    """Evaluates against a damaged cache; the scores must be those that another cache gives."""

    def read() -> None:
        there = Path(os.environ["GANS_CACHE"], "references")
        there.mkdir(parents=True, exist_ok=True)
        shutil.copy(f"{what}.npz", there / Path(f"{what}.name").read_text())
        metric = "fid" if what == "statistics" else "density-coverage"
        own = "" if metric == "fid" else " --set density-coverage.k=1"
        line = f"evaluate run -n 4 --metrics {metric} --extractor random-vgg --json{own}"
        found = json.loads(call(line))
        if found != json.loads(call(line)):
            raise FaultError(f"{line}: another score from a damaged cache")

    return read


def read_decoded() -> None:
    """Trains on damaged decoded pictures; the run must be the one on whole ones."""
    from experiments.data.folder import Folder

    folder = Path(os.environ["GANS_CACHE"], "decoded")
    for part in ("pixels", "checksums"):
        for file in folder.glob(f"*.{part}"):
            shutil.copy(part, file)
    access = Folder("pictures").access
    kept = [
        Folder("pictures", replace(access, stream=streams)).open((8, 8), 3, "crop")
        for streams in (True, False)
    ]
    if not torch.equal(*(data.fetch(torch.arange(4)) for data in kept)):
        raise FaultError("other pixels from a damaged cache")


def read_classifier_file() -> None:
    """Reads the weights of a classifier."""
    from metrics.extractors.classifier import Classifier
    from metrics.extractors.core.extractor import WeightsError

    try:
        Classifier(Path("w.safetensors"))
    except WeightsError as error:
        raise UsageError(str(error)) from error


def read_weights_file() -> None:
    """Reads weights that torch.save wrote."""
    from metrics.extractors.core.extractor import WeightsError
    from metrics.extractors.core.weights import read

    try:
        read(Path("w.pth"), "Network", whole.SHAPES)
    except WeightsError as error:
        raise UsageError(str(error)) from error


def read_project() -> None:
    """Compares the runs of a project of W&B, as its server answered."""
    from types import SimpleNamespace

    from experiments.analysis.comparison.html_report import render_report
    from experiments.analysis.comparison.terminal_table import compare, format_comparison
    from experiments.analysis.comparison.wandb_reader import records_of

    try:
        answer = parse_json(Path("wandb.json").read_bytes())
        for run in answer:
            if not isinstance(run["config"], dict) or not all(isinstance(row, dict) for row in run["rows"]):
                return  # which W&B itself never answers
    except (ValueError, KeyError, TypeError):
        return
    try:
        runs = [SimpleNamespace(**{"scan_history": lambda rows=run["rows"]: rows, **run}) for run in answer]
        found = records_of(runs)
    except Exception as error:
        raise RunError("what the server answers is not clear") from error  # as read_project does
    render_report(found, None)
    with contextlib.suppress(UsageError):
        format_comparison(compare(found, None, [], "welch", True))


def read_set(read: Callable[[Path], object], name: str) -> Callable[[], None]:
    """Reads a file of a published set, whose reader's ValueErrors the commands turn into lines."""

    def call_it() -> None:
        with usage_errors():
            read(Path(name))

    return call_it


def read_untrusted() -> None:
    """Samples from that run: nothing of the file may be executed."""
    call("sample run -n 2 --out s.npy")
    if Path("executed").exists():
        raise FaultError("a plug-in was executed that nobody trusts")


def read_snapshot() -> None:
    """Reads the networks in a snapshot."""
    from experiments.runs.published.files import read_published_file

    read_published_file(Path("snapshot.pkl"))


def read_sweep() -> None:
    """Reads the file of a sweep."""
    from experiments.commands.sweep import threads_of_sweep

    threads_of_sweep(Path("sweep"), 1)


def picture_readers() -> dict[str, Reader]:
    """A reader for each format of pictures that Pillow can write."""
    Image.init()
    line = f"run {whole.DCGAN} --data folder:pictures --fit crop --force --out out"
    found = {}
    for form in READABLE:
        ending = FORMATS[form][0].removeprefix(".")
        if form in Image.SAVE:
            found[f"picture {form}"] = Reader(
                f"pictures/1.{ending}",
                "png" if form == "PNG" else "bytes",
                partial(whole.make_pictures, "pictures", ending, form),
                (read_pictures, line, f"{line} --skip-bad", f"{line} --stream"),
            )
    return found


def read_pictures() -> None:
    """Reads a folder of pictures, as the commands do."""
    from experiments.data.folder import Folder

    with usage_errors():
        Folder("pictures").open((8, 8), 3, "crop").fetch(torch.arange(4))


def data_set_readers() -> dict[str, Reader]:
    """A reader for each kind of file that holds a whole data set."""
    return {
        "array": Reader("images.npy", "npy", data.make_array, data.reads_of("npy:images.npy")),
        "labels of an array": Reader("labels.npy", "npy", data.make_array, data.reads_of("npy:images.npy")),
        "arrays": Reader("set.npz", "zip", data.make_arrays, data.reads_of("npz:set.npz")),
        "tar file": Reader("set.tar", "tar", data.make_tar, data.reads_of("wds:set.tar")),
        "database": Reader("set/data.mdb", "database", data.make_database, data.reads_of("lmdb:set")),
        "parquet": Reader(
            "set/data/train-00000-of-00001.parquet", "bytes", data.make_table, data.reads_of("hf:set")
        ),
        "index of a tar file": Reader(
            "index-0", "bytes", data.make_index, (data.read_index(0, "wds:set.tar"),)
        ),
        "checked pictures": Reader(
            "index-1", "bytes", data.make_index, (data.read_index(1, "folder:pictures"),)
        ),
    }


def readers() -> dict[str, Reader]:
    """All readers by name."""
    from experiments.data.core.cifar import load_plain_pickle
    from experiments.data.core.idx import read_idx
    from experiments.data.svhn import Svhn

    compares = (
        "compare run --metric modes/covered",
        "compare run",
        "report run --out r.html",
        "doctor run --json",
    )
    beside = (
        "compare other run --metric modes/covered",
        "compare other run",
        "compare other run --allow-mixed",
        "report other run --out r.html",
    )
    resume, sample = "run --resume run", "sample run -n 2 --out s.npy"
    trained = f"run {whole.DCGAN} --data zip:p.zip --fit crop --force --out out"
    return {
        "config.json of a run": Reader(
            "run/config.json",
            "json",
            whole.make_unfinished,
            (*compares, sample, "run --config run/config.json --dry-run"),
        ),
        "config in YAML": Reader(
            "c.yaml", "words", whole.make_config("yaml"), ("run --config c.yaml --dry-run",)
        ),
        "config in TOML": Reader(
            "c.toml", "words", whole.make_config("toml"), ("run --config c.toml --dry-run",)
        ),
        "scores": Reader("run/scores.jsonl", "jsonl", whole.make_unfinished, (*compares, resume)),
        "evaluations": Reader(
            "run/evaluation.jsonl",
            "jsonl",
            whole.make_two,
            (*beside, "doctor run --json", resume),
        ),
        "checkpoint": Reader(
            "run/checkpoints/step-00000003.pt",
            "torch",
            whole.make_half,
            (resume, sample, "sample run/checkpoints/step-00000003.pt -n 2 --out s.npy"),
            is_hashed=True,
        ),
        "export": Reader(
            "run/generator.safetensors",
            "safetensors",
            whole.make_run,
            (sample, "sample run/generator.safetensors -n 2 --out s.npy"),
            is_hashed=True,
        ),
        "hash of an export": Reader("run/generator.safetensors.sha256", "bytes", whole.make_run, (sample,)),
        "hash of a checkpoint": Reader(
            "run/checkpoints/step-00000004.pt.sha256", "bytes", whole.make_unfinished, (sample, resume)
        ),
        "statistics": Reader("s.npz", "zip", whole.make_statistics, ("fid s.npz s.npz --json",)),
        "statistics in the cache": Reader(
            "statistics.npz", "zip", whole.make_cache, (read_cache("statistics"),)
        ),
        "features in the cache": Reader("vectors.npz", "zip", whole.make_cache, (read_cache("vectors"),)),
        "decoded pictures": Reader("pixels", "bytes", whole.make_decoded, (read_decoded,)),
        "sums of decoded pictures": Reader("checksums", "bytes", whole.make_decoded, (read_decoded,)),
        "classifier": Reader("w.safetensors", "safetensors", whole.make_classifier, (read_classifier_file,)),
        "weights": Reader(
            "w.pth",
            "torch",
            lambda: torch.save({name: torch.ones(shape) for name, shape in whole.SHAPES.items()}, "w.pth"),
            (read_weights_file,),
        ),
        "zip of pictures": Reader(
            "p.zip", "zip", whole.make_zip, (trained, f"{trained} --skip-bad", f"{trained} --stream")
        ),
        "dataset.json": Reader(
            "pictures/dataset.json",
            "json",
            whole.make_labels,
            (f"run {whole.DCGAN} --data folder:pictures --fit crop --conditional --force --out out",),
        ),
        "attributes.csv": Reader(
            "faces/attributes.csv",
            "words",
            whole.make_attributes("attributes.csv"),
            (f"run {whole.STARGAN} --dry-run",),
        ),
        "list_attr_celeba.txt": Reader(
            "faces/list_attr_celeba.txt",
            "words",
            whole.make_attributes("list_attr_celeba.txt"),
            (f"run {whole.STARGAN} --dry-run",),
        ),
        "sample grid in a report": Reader(
            "run/samples/kimg-000000.032.png", "png", whole.make_run, ("report run --out r.html",)
        ),
        "note of a sweep": Reader(
            "run/ended.txt",
            "bytes",
            lambda: (whole.make_run(), whole.void(Path("run/ended.txt").write_text("failed: x\n")))[1],
            compares,
        ),
        "sweep.json": Reader("sweep/sweep.json", "json", whole.make_sweep, (read_sweep,)),
        "runs of W&B": Reader("wandb.json", "json", whole.make_project, (read_project,)),
        "plug-in of a config": Reader("plugin.py", "bytes", whole.make_plugin, (read_untrusted,)),
        "idx": Reader("idx", "bytes", whole.make_idx, (read_set(lambda file: read_idx(file, 3), "idx"),)),
        "pickle of CIFAR": Reader(
            "batch",
            "bytes",
            whole.make_pickle,
            (read_set(lambda file: load_plain_pickle(file, "data"), "batch"),),
        ),
        "snapshot of NVlabs": Reader(
            "snapshot.pkl", "bytes", whole.make_snapshot, (read_snapshot, "import snapshot.pkl --out out")
        ),
        "snapshot of modules": Reader(
            "snapshot.pkl",
            "bytes",
            whole.make_module_snapshot,
            (read_snapshot, "import snapshot.pkl --out out"),
        ),
        "latents": Reader(
            "z.npy", "bytes", whole.make_latents, ("sample run --latents z.npy --out s.npy --force",)
        ),
        "Matlab file of SVHN": Reader(
            "train.mat", "bytes", whole.make_svhn, (read_set(lambda file: Svhn().read((file,)), "train.mat"),)
        ),
        "store of MLflow": Reader("run/mlflow/mlflow.db", "bytes", whole.make_tracked, (resume,)),
        "run of MLflow": Reader("run/mlflow/run.json", "json", whole.make_tracked, (resume,)),
        **picture_readers(),
        **data_set_readers(),
    }
