"""Export of a generator to ONNX, compared with PyTorch before the file is written."""

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
from experiments.inference.onnx_inputs import LABEL, LATENT, SAMPLES, TRUNCATION, prepare_export
from experiments.runs.export import METADATA_KEY, describe_network
from experiments.runs.generator import draw_labels
from gans.core.networks import LatentNetwork
from gans.layers.folding import fold_batch_norm

OPSET = 18
TOLERANCE = 1e-4  # share of the samples' range; a level of 8 bits is 4e-3 of an image's
COMPARED = (1, 7, 64)  # batch sizes of the comparison, none of which is that of the export
PSI = 0.7  # truncation of the comparison, where there is one


def export_onnx(network: LatentNetwork, settings: Settings) -> bytes:
    """Exports a generator in evaluation mode to ONNX, for batches of any size, with batch norm folded.

    Its input is `z` (batch, z_dim), and of a conditional generator also `label` (batch); its output is
    `samples`. A generator with styles takes `truncation` (1) and `noise_0`, … (1, 1, H, W) as well, which
    default to 1 and to its fixed noise. Equal networks give equal bytes: traces of the exporter, with the
    paths of this machine, are left out.
    """
    plain, optional = prepare_export(network.cpu().float())
    example = random_inputs(network, 2, generator_for(0, "example"))
    with _silence():
        program: Any = torch.onnx.export(
            fold_batch_norm(plain),
            (*example, *optional.values()),
            dynamo=True,
            input_names=[*(LATENT, LABEL)[: len(example)], *optional],
            output_names=[SAMPLES],
            dynamic_shapes=_batches(len(example), len(optional)),
            opset_version=OPSET,
            verbose=False,
            # Its optimizer takes numbers up to 1e-8 for 0, and drops what keeps norms from dividing by 0:
            # samples of young networks, whose maps are nearly constant, were wrong or not finite.
            optimize=False,
        )
    model = program.model_proto
    _remove_metadata(model)
    _name_batch(model)
    numpy_helper = importlib.import_module("onnx.numpy_helper")  # without types
    for name, default in optional.items():  # an input with an initializer may be left out
        model.graph.initializer.append(numpy_helper.from_array(default.numpy(), name))
    entry = model.metadata_props.add()
    entry.key = METADATA_KEY
    entry.value = json.dumps(describe_network(settings, "generator"))
    return model.SerializeToString(deterministic=True)


def random_inputs(network: LatentNetwork, count: int, random: torch.Generator) -> tuple[Tensor, ...]:
    """Draws random inputs of a generator: `count` latents, and labels where it is conditional."""
    return torch.randn(count, network.z_dim, generator=random), *draw_labels(network, count, random)


def largest_difference(content: bytes, network: LatentNetwork) -> float:
    """Largest difference between the samples of ONNX Runtime and of PyTorch, as a share of their range.

    It is taken over random batches, and of a generator with styles also with truncation.
    """
    onnxruntime = importlib.import_module("onnxruntime")  # without types
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    random = generator_for(0, "export")
    plain, optional = prepare_export(network)
    worst = 0.0
    for count in COMPARED:
        inputs = random_inputs(network, count, random)
        fed = {name: value.numpy() for name, value in zip((LATENT, LABEL), inputs, strict=False)}
        (found,) = session.run([SAMPLES], fed)
        with torch.no_grad():
            worst = max(worst, _difference(torch.from_numpy(found), network(*inputs)))
            if optional:
                told = optional | {TRUNCATION: torch.full((1,), PSI)}
                (found,) = session.run([SAMPLES], fed | {name: x.numpy() for name, x in told.items()})
                worst = max(worst, _difference(torch.from_numpy(found), plain(*inputs, *told.values())))
    return worst


def export_checked(network: LatentNetwork, settings: Settings) -> tuple[bytes, float]:
    """Exports a generator to ONNX and checks it; returns the file's content and the largest difference.

    Raises RunError for a difference of more than 1e-4 of the samples' range, and for a network that ONNX
    cannot express.
    """
    try:
        content = export_onnx(network, settings)
        difference = largest_difference(content, network)
    except Exception as error:  # exporter and runtime raise anything, for whatever they do not know
        raise RunError(
            f"architecture {settings.arch} cannot be exported to ONNX: {_first_line(error)}"
        ) from error
    if not difference <= TOLERANCE:
        raise RunError(
            f"ONNX Runtime's samples differ from PyTorch's by up to {difference:.2g} of their range, "
            f"more than {TOLERANCE:g}; nothing was written"
        )
    return content, difference


def _batches(inputs: int, optional: int) -> Any:
    """Dynamic shapes of the inputs, whose first dimension is the batch, and of those with defaults.

    All but the first are one argument `*others`.
    """
    batch: dict[int, Any] = {0: torch.export.Dim("batch")}
    others = (*[batch] * (inputs - 1), *[{}] * optional)
    return (batch, others) if others else (batch,)


def _difference(found: Tensor, expected: Tensor) -> float:
    """Largest difference of samples as a share of their range. Raises RunError for unequal shapes."""
    if found.shape != expected.shape:
        raise RunError(f"samples of shape {tuple(found.shape)} instead of {tuple(expected.shape)}")
    span = (expected.max() - expected.min()).clamp_min(torch.finfo(expected.dtype).tiny)
    return float((found - expected).abs().max() / span)


def _first_line(error: Exception) -> str:
    """First line of an error's text that is not empty."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _remove_metadata(model: Any) -> None:
    """Removes the metadata of the exporter, which hold paths of this machine."""
    del model.metadata_props[:], model.graph.metadata_props[:]
    for part in (model.graph.node, model.graph.input, model.graph.output, model.graph.value_info):
        for entry in part:
            del entry.metadata_props[:]
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]


def _name_batch(model: Any) -> None:
    """Names the batch dimension "batch": PyTorch < 2.7 calls it after a symbol of its own."""
    symbol = model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param == symbol:
                dim.dim_param = "batch"


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Silences the exporter, which prints, warns and logs what only its authors can use."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            with contextlib.redirect_stderr(io.StringIO()):
                yield
    finally:
        logging.disable(before)
