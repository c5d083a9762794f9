"""Numbers of the official networks: files of weights, inputs, outputs and gradients, in float64.

They lie in tests/fixtures/, or in the folder that GANS_FIXTURES names.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor, nn

from gans.core.published_names import NameTable

FOLDER = Path(os.environ.get("GANS_FIXTURES") or Path(__file__).parents[2] / "fixtures")


@dataclass(frozen=True)
class Numbers:
    """The content of a file.

    Attributes:
        about: what it says of itself, with `config`.
        tensors: by name.
    """

    about: dict[str, Any]
    tensors: dict[str, Tensor]

    @property
    def config(self) -> dict[str, Any]:
        return self.about["config"]

    def group(self, start: str) -> dict[str, Tensor]:
        """Tensors whose names begin so, by the rest of their names."""
        return {
            name.removeprefix(start): value for name, value in self.tensors.items() if name.startswith(start)
        }

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]


def read(name: str) -> Numbers:
    with safe_open(FOLDER / f"{name}.safetensors", "pt") as file:
        about = json.loads(file.metadata()["about"])
        return Numbers(about, {key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118  (no mapping)


def files(*names: str) -> list[str]:
    """Names of the files that begin so, without those that begin with a longer of these kinds."""
    found = sorted(path.stem for path in FOLDER.glob("*.safetensors"))
    return [each for each in found if each.startswith(names)]


def sides(resolution: int) -> list[int]:
    """Sides of images from 4 pixels to the full size."""
    return [4 << index for index in range(resolution.bit_length() - 2)]


def load(network: nn.Module, table: NameTable, resolution: int, weights: dict[str, Tensor]) -> nn.Module:
    """Loads published weights into a network of float64, through its table of names."""
    network = network.double()
    found = table.to_ours(network, sides(resolution), weights)
    network.load_state_dict(network.state_dict() | found)
    return network


def assert_close(found: Tensor, expected: Tensor, what: str, tolerance: float = 1e-9) -> None:
    assert found.shape == expected.shape, what
    apart = (found - expected).abs().max() / expected.abs().max().clamp_min(1e-300)
    assert apart <= tolerance, f"{what}: {apart:.1e} apart"


def assert_gradients(
    network: nn.Module, table: NameTable, resolution: int, numbers: Numbers, phase: str = ""
) -> None:
    """Compares gradients of all parameters: whole ones where the file has them, the lengths of the others.

    Parameters that are missing there have gradient zero, or one of rounding.
    """
    whole = numbers.group(f"gradients/weights/{phase}")
    lengths = numbers.group(f"gradients/weights_norm/{phase}")
    parameters = dict(network.named_parameters())
    seen, most = set(), max(float(length) for length in lengths.values())
    for ours, pair in table.expand(network, sides(resolution)).items():
        if ours not in parameters:
            continue
        gradient, what = parameters[ours].grad, f"gradient of {phase}{pair.published}"
        if pair.published not in lengths:
            assert gradient is None or gradient.norm() <= 1e-12 * most, what
            continue
        assert gradient is not None, what
        seen.add(pair.published)
        assert_close(gradient.norm(), lengths[pair.published], what)
        if pair.published in whole:
            assert_close(pair.layout.to_published(gradient), whole[pair.published], what)
    assert seen == set(lengths), f"{phase}: not compared: {set(lengths) - seen}"
