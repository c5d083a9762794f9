"""Whole files of every kind that is read, each made in the current folder."""

import contextlib
import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import cli

FIXTURES = Path(__file__).resolve().parents[1] / "tests/fixtures"
POINTS = "--arch mlp --loss bce --data ring8 --steps 4 --batch-size 16 --width 4 --track local"
SMALL = "--image-size 8 --width 2 --batch-size 2 --steps 1 --track local"
DCGAN = f"--arch dcgan --loss bce --z-dim 4 {SMALL}"
STARGAN = f"--arch stargan --data folder:faces {SMALL}"


def run_quietly(line: str) -> None:
    """Runs a command, which must succeed."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        cli.main(line.split())


def make_run() -> None:
    """Makes a finished run of four steps on points, with an evaluation and an export beside it."""
    run_quietly(f"run {POINTS} --checkpoint-kimg 0.016 --keep 3 --sample-kimg 0.016 --out run")
    run_quietly("evaluate run -n 64")
    run_quietly("export run --out alone.safetensors")


def make_unfinished() -> None:
    """Makes the same run as if it was killed before its export."""
    make_run()
    Path("run/generator.safetensors").unlink()


def make_two() -> None:
    """Makes two runs whose evaluations can be compared, the first of them unfinished."""
    make_unfinished()
    shutil.copytree("run", "other")
    config = Path("other/config.json")
    content = json.loads(config.read_text())
    content["settings"]["seed"]["value"] = 1
    config.write_text(json.dumps(content))


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
    run_quietly(f"run {DCGAN} --data folder:pictures --out run")
    run_quietly(
        "evaluate run -n 4 --metrics fid,density-coverage --set density-coverage.k=1 --extractor random-vgg"
    )
    for what in ("statistics", "vectors"):
        (file,) = Path(os.environ["GANS_CACHE"], "references").glob(f"*.{what}.npz")
        file.rename(f"{what}.npz")
        Path(f"{what}.name").write_text(file.name)


def make_decoded() -> None:
    """Makes the cache of decoded pictures."""
    make_pictures("pictures")
    run_quietly(f"run {DCGAN} --data folder:pictures --stream --out run")
    for part in ("pixels", "checksums"):
        (file,) = Path(os.environ["GANS_CACHE"], "decoded").glob(f"*.{part}")
        shutil.copy(file, part)


def make_classifier() -> None:
    """Makes the weights of a classifier, and pictures to look at."""
    from metrics.extractors.classifier import ClassifierNetwork, classifier_bytes

    make_pictures("pictures")
    description = {"name": "own", "classes": ["a", "b"], "accuracy": 0.5}
    Path("w.safetensors").write_bytes(classifier_bytes(ClassifierNetwork(2), description))


SHAPES = {"a.weight": (3, 2), "a.bias": (3,)}


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


def make_pickle() -> None:
    """Makes a batch of CIFAR."""
    batch = {"data": np.zeros((2, 3072), np.uint8), "labels": [0, 1]}
    Path("batch").write_bytes(pickle.dumps(batch, protocol=2))


def make_snapshot() -> None:
    """Makes a snapshot of NVlabs' training."""
    shutil.copy(FIXTURES / "nvlabs_snapshot.pkl", "snapshot.pkl")


def make_module_snapshot() -> None:
    """Makes a snapshot of plain modules, as those of R3GAN's training are."""
    layers = torch.nn.ModuleList([torch.nn.Conv2d(2, 2, 1), torch.nn.Linear(2, 2)])
    Path("snapshot.pkl").write_bytes(pickle.dumps({"G": layers}, protocol=4))


def make_latents() -> None:
    """Makes a run, and latents for it."""
    run_quietly(f"run {DCGAN} --data shapes --out run")
    np.save("z.npy", np.zeros((2, 4), np.float32))


def make_plugin() -> None:
    """Makes a run whose config names a Python file that nobody trusts."""
    make_run()
    Path("plugin.py").write_text("open('executed', 'w').close()\n")
    content = json.loads(Path("run/config.json").read_text())
    content["settings"]["plugin"] = {"value": [str(Path("plugin.py").absolute())], "from": "flag"}
    Path("run/config.json").write_text(json.dumps(content))


def make_sweep() -> None:
    """Makes the file of a sweep."""
    Path("sweep").mkdir()
    Path("sweep/sweep.json").write_text('{"format": 1, "threads": 1}')


def make_svhn() -> None:
    """Makes a Matlab file of SVHN."""
    from scipy.io import savemat  # type: ignore[import-untyped]

    pixels = np.zeros((32, 32, 3, 2), np.uint8)
    savemat("train.mat", {"X": pixels, "y": np.array([[1], [10]], np.uint8)}, do_compression=True)


def make_tracked() -> None:
    """Makes the half of a run that MLflow tracks in the run folder."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    run_quietly(f"run {POINTS.replace('local', 'mlflow')} --checkpoint-kimg 0.016 --keep 3 --out run")
    Path("run/generator.safetensors").unlink()
    Path("run/checkpoints/step-00000004.pt").unlink()
