"""Command `gans export`: parse, call, print. Nothing heavy is imported at the top."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.commands.latent_options import generator_options
from experiments.commands.options import out_option
from experiments.core import registry
from experiments.core.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

    from experiments.runs.weights import Role

log = logging.getLogger("gans")


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["safetensors", "onnx", *registry.names("published-format")]),
    help="Format of the file; default: by its ending. Formats of published weights are safetensors files.",
)
@click.option("--with-critic", is_flag=True, help="Write the critic, too, in a format of gans list formats.")
@out_option("FILE.safetensors|.onnx")
@generator_options
def export(form: str | None, with_critic: bool, out: str, force: bool, **flags: Any) -> None:
    """Export the EMA generator of RUN as one file: for gans (safetensors), or for any program (onnx).

    \b
    gans export runs/mine --out generator.safetensors
    gans export runs/mine --format onnx --out generator.onnx

    Formats of published weights, such as nvlabs (gans list formats), name the weights as their authors' code;
    where a file has several networks, the names begin with the network's (G_A.model.1.weight).

    ONNX takes z (batch, z_dim), of a conditional generator also label (batch), and gives samples. A generator
    with styles takes truncation (1) and noise_0, … as well, where they are given. Samples are compared with
    PyTorch's before the file is written, and the largest difference is printed.
    """
    from experiments.core.destinations import output_file
    from experiments.core.files import make_parent_folders, write_file
    from experiments.runs.checkpoint import hash_path
    from experiments.runs.export import export_network
    from experiments.runs.generator import from_noise, load, require_critic, restrict_to_class

    is_published = form in registry.names("published-format")
    if with_critic and not is_published:
        names = ", ".join(registry.names("published-format"))
        raise UsageError(f"--with-critic needs a --format of published weights ({names})")
    endings = [".safetensors" if is_published else f".{form}"] if form else [".safetensors", ".onnx"]
    beside = [hash_path(Path(out)).name] if Path(out).suffix == ".safetensors" and not is_published else []
    with output_file("export", out, *endings, force=force, beside=beside) as path:
        network, settings, step, kimg = load(flags["run"])
        if path.suffix == ".safetensors":
            if flags["label"] is not None:
                raise UsageError("--label has no meaning for safetensors, which keep all classes")
            if is_published:
                from experiments.runs.published.exporting import published_content

                networks: dict[Role, nn.Module] = {"generator": network}
                if with_critic:
                    networks["critic"] = require_critic(flags["run"], settings)
                write_file(path, published_content(networks, settings, str(form), str(flags["run"])))
            else:
                with make_parent_folders(path):
                    export_network(network, settings, path, step=step, kimg=kimg)
        else:
            from experiments.inference.onnx import export_checked

            name = str(flags["run"])
            content, difference = export_checked(
                restrict_to_class(from_noise(network, name), flags["label"], name), settings
            )
            write_file(path, content)
            log.info(
                f"largest difference between ONNX Runtime and PyTorch: {difference:.2g} of the samples' range"
            )
    click.echo(out)
