"""The readers of files: for each, a folder with a whole file, and the commands that read it as users do."""

import contextlib
import hashlib
import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import cli
from experiments.core.errors import RunError, UsageError
from experiments.core.files import parse_json
from experiments.data.core.decoding import FORMATS, READABLE

POINTS = "--arch mlp --loss bce --data ring8 --steps 4 --batch-size 16 --width 4 --track local"
SMALL = "--image-size 8 --width 2 --batch-size 2 --steps 1 --track local"
DCGAN = f"--arch dcgan --loss bce --z-dim 4 {SMALL}"
STARGAN = f"--arch stargan --data folder:faces {SMALL}"
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


def must(line: str) -> None:
    """Runs a command that prepares a reader, which must succeed."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        cli.main(line.split())


def make_run() -> None:
    """Makes a finished run of four steps on points, with an evaluation and an export beside it."""
    must(f"run {POINTS} --checkpoint-kimg 0.016 --keep 3 --sample-kimg 0.016 --out run")
    must("evaluate run -n 64")
    must("export run --out alone.safetensors")


def make_unfinished() -> None:
    """Makes the same run as if it was killed before its export."""
    make_run()
    Path("run/generator.safetensors").unlink()


def make_half() -> None:
    """Makes the same run without its last checkpoint, so that a step is left to do."""
    make_unfinished()
    Path("run/checkpoints/step-00000004.pt").unlink()


def make_config(ending: str) -> Callable[[], None]:
    """Makes a config file of settings and options."""
    content = {
        "yaml": "arch: {name: stylegan2, mapping_layers: 2}\ndata: shapes\nimage_size: 16\nbatch_size : 4\n"
        "optimizer: {betas: [0.0, 0.9]}\nlr_generator: 0.001\nkimg: 1\naugment: {flip: 0.5}\nseed: 3\n",
        "toml": 'data = "shapes"\nbatch_size = 4\nsteps = 3\nlr_generator = 0.001\nsample_kimg = 1.5\n'
        '[arch]\nname = "stylegan2"\nmapping_layers = 2\n[optimizer]\nbetas = [0.0, 0.9]\n',
    }[ending]
    return lambda: void(Path(f"c.{ending}").write_text(content))


def void(_: object) -> None:
    """Drops a value."""


def make_pictures(folder: str, ending: str = "png", form: str = "PNG") -> None:
    """Makes a folder of four pictures."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0)
    for number in range(4):
        picture = Image.fromarray(noise.integers(256, size=(12, 9, 3), dtype=np.uint8))
        picture.save(Path(folder) / f"{number}.{ending}", form)


def make_zip() -> None:
    """Makes a zip file of pictures with labels."""
    make_pictures("pictures")
    labels = {"labels": [[f"{number}.png", number % 2] for number in range(4)]}
    with zipfile.ZipFile("p.zip", "w") as archive:
        for file in sorted(Path("pictures").iterdir()):
            archive.write(file, file.name)
        archive.writestr("dataset.json", json.dumps(labels))
    shutil.rmtree("pictures")


def make_labels() -> None:
    """Makes a folder of pictures with labels."""
    make_pictures("pictures")
    labels = {"labels": [[f"{number}.png", number % 2] for number in range(4)]}
    Path("pictures/dataset.json").write_text(json.dumps(labels))


def make_attributes(name: str) -> Callable[[], None]:
    """Makes a folder of pictures with a list of attributes."""

    def make() -> None:
        make_pictures("faces")
        rows = [f"{number}.png {1 if number % 2 else -1} {-1 if number > 1 else 1}" for number in range(4)]
        lines = ["4", "young smiling", *rows] if name.endswith(".txt") else ["file young smiling", *rows]
        text = "\n".join(lines) + "\n"
        Path("faces", name).write_text(text if name.endswith(".txt") else text.replace(" ", ","))

    return make


def make_statistics() -> None:
    """Makes a file of statistics."""
    from metrics.core.statistics import Statistics

    half = torch.randn(9, 4, generator=torch.Generator().manual_seed(0)).double()
    Statistics(half.mean(0), half.T @ half, 9, provenance={"distance": "fd-x", "weights": "a"}).save("s.npz")


def make_cache() -> None:
    """Makes a run and the caches of the data that it is scored against."""
    make_pictures("pictures")
    must(f"run {DCGAN} --data folder:pictures --out run")
    must("evaluate run -n 4 --metrics fid,density-coverage --set density-coverage.k=1 --extractor random-vgg")
    for what in ("statistics", "vectors"):
        (file,) = Path(os.environ["GANS_CACHE"], "references").glob(f"*.{what}.npz")
        file.rename(f"{what}.npz")
        Path(f"{what}.name").write_text(file.name)


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


def make_decoded() -> None:
    """Makes the cache of decoded pictures."""
    make_pictures("pictures")
    must(f"run {DCGAN} --data folder:pictures --stream --out run")
    for part in ("pixels", "checksums"):
        (file,) = Path(os.environ["GANS_CACHE"], "decoded").glob(f"*.{part}")
        shutil.copy(file, part)


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


def make_classifier() -> None:
    """Makes the weights of a classifier, and pictures to look at."""
    from metrics.extractors.classifier import ClassifierNetwork, classifier_bytes

    make_pictures("pictures")
    description = {"name": "own", "classes": ["a", "b"], "accuracy": 0.5}
    Path("w.safetensors").write_bytes(classifier_bytes(ClassifierNetwork(2), description))


def read_classifier_file() -> None:
    """Reads the weights of a classifier."""
    from metrics.extractors.classifier import Classifier
    from metrics.extractors.core.extractor import WeightsError

    try:
        Classifier(Path("w.safetensors"))
    except WeightsError as error:
        raise UsageError(str(error)) from error


SHAPES = {"a.weight": (3, 2), "a.bias": (3,)}


def read_weights_file() -> None:
    """Reads weights that torch.save wrote."""
    from metrics.extractors.core.extractor import WeightsError
    from metrics.extractors.core.weights import read

    try:
        read(Path("w.pth"), "Network", SHAPES)
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


def make_project() -> None:
    """Makes an answer of W&B."""
    config = {
        "arch": "mlp",
        "betas": [0.0, 0.9],
        "lr_critic": 1e-3,
        "seed": 1,
        "batch_size": 16,
        "n_critic": 1,
    }
    score = {"metric/fid": 3.0, "evaluation/fid/value": 3.0, "evaluation/fid/extractor": "x"}
    rows = [
        {"_step": 0, "step": 1, "kimg": 0.1, "critic/fake": 0.5, "seconds": 1.0},
        {"step": 4, "kimg": 0.4, **score},
    ]
    raw = {**config, "_wandb": {"python_version": "3.12", "cli_version": "0.31"}}
    runs = [
        {
            "name": "n",
            "id": i,
            "state": "finished",
            "config": config | {"seed": int(i)},
            "rawconfig": raw,
            "rows": rows,
        }
        for i in "12"
    ]
    Path("wandb.json").write_text(json.dumps(runs))


def make_idx() -> None:
    """Makes an idx file."""
    Path("idx").write_bytes(
        bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in (2, 3, 4)) + bytes(24)
    )


def read_set(read: Callable[[Path], object], name: str) -> Callable[[], None]:
    """Reads a file of a published set, whose reader's ValueErrors the commands turn into lines."""

    def call_it() -> None:
        try:
            read(Path(name))
        except ValueError as error:
            raise UsageError(str(error)) from error

    return call_it


def make_pickle() -> None:
    """Makes a batch of CIFAR."""
    batch = {"data": np.zeros((2, 3072), np.uint8), "labels": [0, 1]}
    Path("batch").write_bytes(pickle.dumps(batch, protocol=2))


def make_plugin() -> None:
    """Makes a run whose config names a Python file that nobody trusts."""
    make_run()
    Path("plugin.py").write_text("open('executed', 'w').close()\n")
    content = json.loads(Path("run/config.json").read_text())
    content["settings"]["plugin"] = {"value": [str(Path("plugin.py").absolute())], "from": "flag"}
    Path("run/config.json").write_text(json.dumps(content))


def read_untrusted() -> None:
    """Samples from that run: nothing of the file may be executed."""
    call("sample run -n 2 --out s.npy")
    if Path("executed").exists():
        raise FaultError("a plug-in was executed that nobody trusts")


def read_sweep() -> None:
    """Reads the file of a sweep."""
    from experiments.commands.sweep import threads_of_sweep

    threads_of_sweep(Path("sweep"), 1)


def make_sweep() -> None:
    """Makes the file of a sweep."""
    Path("sweep").mkdir()
    Path("sweep/sweep.json").write_text('{"format": 1, "threads": 1}')


def picture_readers() -> dict[str, Reader]:
    """A reader for each format of pictures that Pillow can write."""
    Image.init()
    line = f"run {DCGAN} --data folder:pictures --fit crop --force --out out"
    found = {}
    for form in READABLE:
        ending = FORMATS[form][0].removeprefix(".")
        if form in Image.SAVE:
            found[f"picture {form}"] = Reader(
                f"pictures/1.{ending}",
                "png" if form == "PNG" else "bytes",
                partial(make_pictures, "pictures", ending, form),
                (read_pictures, line, f"{line} --skip-bad", f"{line} --stream"),
            )
    return found


def read_pictures() -> None:
    """Reads a folder of pictures, as the commands do."""
    from experiments.core.errors import usage_errors
    from experiments.data.folder import Folder

    with usage_errors():
        Folder("pictures").open((8, 8), 3, "crop").fetch(torch.arange(4))


def readers() -> dict[str, Reader]:
    """All readers by name."""
    from experiments.data.core.cifar import load_plain_pickle
    from experiments.data.core.idx import read_idx

    compares = (
        "compare run --metric modes/covered",
        "compare run",
        "report run --out r.html",
        "doctor run --json",
    )
    resume, sample = "run --resume run", "sample run -n 2 --out s.npy"
    trained = f"run {DCGAN} --data zip:p.zip --fit crop --force --out out"
    return {
        "config.json of a run": Reader(
            "run/config.json",
            "json",
            make_unfinished,
            (*compares, sample, "run --config run/config.json --dry-run"),
        ),
        "config in YAML": Reader("c.yaml", "words", make_config("yaml"), ("run --config c.yaml --dry-run",)),
        "config in TOML": Reader("c.toml", "words", make_config("toml"), ("run --config c.toml --dry-run",)),
        "scores": Reader("run/scores.jsonl", "jsonl", make_unfinished, (*compares, resume)),
        "evaluations": Reader("run/evaluation.jsonl", "jsonl", make_unfinished, (*compares, resume)),
        "checkpoint": Reader(
            "run/checkpoints/step-00000003.pt",
            "torch",
            make_half,
            (resume, sample, "sample run/checkpoints/step-00000003.pt -n 2 --out s.npy"),
            is_hashed=True,
        ),
        "export": Reader(
            "run/generator.safetensors",
            "safetensors",
            make_run,
            (sample, "sample run/generator.safetensors -n 2 --out s.npy"),
            is_hashed=True,
        ),
        "hash of an export": Reader("run/generator.safetensors.sha256", "bytes", make_run, (sample,)),
        "hash of a checkpoint": Reader(
            "run/checkpoints/step-00000004.pt.sha256", "bytes", make_unfinished, (sample, resume)
        ),
        "statistics": Reader("s.npz", "zip", make_statistics, ("fid s.npz s.npz --json",)),
        "statistics in the cache": Reader("statistics.npz", "zip", make_cache, (read_cache("statistics"),)),
        "features in the cache": Reader("vectors.npz", "zip", make_cache, (read_cache("vectors"),)),
        "decoded pictures": Reader("pixels", "bytes", make_decoded, (read_decoded,)),
        "sums of decoded pictures": Reader("checksums", "bytes", make_decoded, (read_decoded,)),
        "classifier": Reader("w.safetensors", "safetensors", make_classifier, (read_classifier_file,)),
        "weights": Reader(
            "w.pth",
            "torch",
            lambda: torch.save({name: torch.ones(shape) for name, shape in SHAPES.items()}, "w.pth"),
            (read_weights_file,),
        ),
        "zip of pictures": Reader(
            "p.zip", "zip", make_zip, (trained, f"{trained} --skip-bad", f"{trained} --stream")
        ),
        "dataset.json": Reader(
            "pictures/dataset.json",
            "json",
            make_labels,
            (f"run {DCGAN} --data folder:pictures --fit crop --conditional --force --out out",),
        ),
        "attributes.csv": Reader(
            "faces/attributes.csv", "words", make_attributes("attributes.csv"), (f"run {STARGAN} --dry-run",)
        ),
        "list_attr_celeba.txt": Reader(
            "faces/list_attr_celeba.txt",
            "words",
            make_attributes("list_attr_celeba.txt"),
            (f"run {STARGAN} --dry-run",),
        ),
        "sample grid in a report": Reader(
            "run/samples/kimg-000000.032.png", "png", make_run, ("report run --out r.html",)
        ),
        "note of a sweep": Reader(
            "run/ended.txt",
            "bytes",
            lambda: (make_run(), void(Path("run/ended.txt").write_text("failed: x\n")))[1],
            compares,
        ),
        "sweep.json": Reader("sweep/sweep.json", "json", make_sweep, (read_sweep,)),
        "runs of W&B": Reader("wandb.json", "json", make_project, (read_project,)),
        "plug-in of a config": Reader("plugin.py", "bytes", make_plugin, (read_untrusted,)),
        "idx": Reader("idx", "bytes", make_idx, (read_set(lambda file: read_idx(file, 3), "idx"),)),
        "pickle of CIFAR": Reader(
            "batch", "bytes", make_pickle, (read_set(lambda file: load_plain_pickle(file, "data"), "batch"),)
        ),
        **picture_readers(),
    }
