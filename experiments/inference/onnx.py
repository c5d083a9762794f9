"""A generator as an ONNX file that runs without PyTorch, compared with PyTorch before it is written."""

import contextlib
import importlib
import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from experiments.core.errors import RunError
from experiments.core.seeds import generator_for
from experiments.core.settings import Settings
from experiments.runs.export import METADATA_KEY, describe_network
from experiments.runs.generator import drawn_labels
from gans.core.networks import LatentNetwork
from gans.layers.folding import fold_batch_norm

INPUTS, OUTPUT = ("z", "label"), "samples"
TOLERANCE = 1e-4  # between the runtime's samples and PyTorch's; an 8-bit level of an image is 8e-3
COMPARED = (1, 7, 64)  # latents in a batch: none is that of the export, so that any size is seen to work


def onnx_bytes(network: LatentNetwork, settings: Settings) -> bytes:
    """The generator in evaluation mode, `z` (batch, z_dim) → `samples`, for any batch, batch norm folded; one
    that is told labels takes `label` (batch) besides.

    Equal networks give equal bytes: traces of the exporter, with the paths of this machine, are left out.
    """
    plain = fold_batch_norm(network.cpu().float())
    example = inputs_for(network, 2, generator_for(0, "example"))
    with _silence():
        program: Any = torch.onnx.export(
            plain,
            example,
            dynamo=True,
            input_names=INPUTS[: len(example)],
            output_names=[OUTPUT],
            dynamic_shapes=_batches(len(example)),
            verbose=False,
        )
    model = program.model_proto
    _forget_origins(model)
    _name_batch(model)
    entry = model.metadata_props.add()
    entry.key = METADATA_KEY
    entry.value = json.dumps(describe_network(settings, "generator"))
    return model.SerializeToString(deterministic=True)


def inputs_for(network: LatentNetwork, count: int, random: torch.Generator) -> tuple[Tensor, ...]:
    """That many random latents, and labels where the generator is told any."""
    return torch.randn(count, network.z_dim, generator=random), *drawn_labels(network, count, random)


def largest_difference(content: bytes, network: LatentNetwork) -> float:
    """Between the samples of ONNX Runtime and those of PyTorch, over batches of random latents."""
    onnxruntime = importlib.import_module("onnxruntime")  # without types
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    random = generator_for(0, "export")
    worst = 0.0
    for count in COMPARED:
        inputs = inputs_for(network, count, random)
        fed = {name: value.numpy() for name, value in zip(INPUTS, inputs, strict=False)}
        (found,) = session.run([OUTPUT], fed)
        with torch.no_grad():
            expected = network(*inputs)
        worst = max(worst, _difference(torch.from_numpy(found), expected))
    return worst


def checked_onnx(network: LatentNetwork, settings: Settings) -> tuple[bytes, float]:
    """The file's content, and by how much its samples differ. Raises RunError for more than 1e-4."""
    try:
        content = onnx_bytes(network, settings)
        difference = largest_difference(content, network)
    except Exception as error:  # exporter and runtime raise anything, for whatever they do not know
        raise RunError(
            f"architecture {settings.arch} cannot be exported to ONNX: {_first_line(error)}"
        ) from error
    if not difference <= TOLERANCE:
        raise RunError(
            f"ONNX Runtime's samples differ from PyTorch's by up to {difference:.2g}, "
            f"more than {TOLERANCE:g}; nothing was written"
        )
    return content, difference


def _batches(inputs: int) -> Any:
    """That the first dimension of every input is the batch. Inputs behind the first are one `*label`."""
    batch = {0: torch.export.Dim("batch")}
    return (batch, (batch,)) if inputs > 1 else (batch,)


def _difference(found: Tensor, expected: Tensor) -> float:
    if found.shape != expected.shape:
        raise RunError(f"samples of shape {tuple(found.shape)} instead of {tuple(expected.shape)}")
    return float((found - expected).abs().max())


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _forget_origins(model: Any) -> None:
    del model.metadata_props[:], model.graph.metadata_props[:]
    for part in (model.graph.node, model.graph.input, model.graph.output, model.graph.value_info):
        for entry in part:
            del entry.metadata_props[:]
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]


def _name_batch(model: Any) -> None:
    """PyTorch < 2.7 calls it after a symbol of its own."""
    symbol = model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param == symbol:
                dim.dim_param = "batch"


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """The exporter prints, warns and logs what only its authors can use."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            with contextlib.redirect_stderr(io.StringIO()):
                yield
    finally:
        logging.disable(before)
