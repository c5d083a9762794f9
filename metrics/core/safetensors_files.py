"""Files in the safetensors format, from bytes that were read once: what is checked is what is used."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from metrics.core.nested_values import parse_json

LENGTH_BYTES = 8  # of the number at the start: the length of the header
MOST_HEADER_BYTES = 16 * 2**20


class SafetensorsContent(NamedTuple):
    """Metadata and tensors of a file, both by name."""

    metadata: Mapping[str, str]
    tensors: dict[str, Tensor]


def read_safetensors(content: bytes) -> SafetensorsContent:
    """Reads metadata and tensors from the content of a file. Raises ValueError for any other content."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    length = int.from_bytes(content[:LENGTH_BYTES], "little")
    if length > min(len(content), MOST_HEADER_BYTES):
        raise ValueError("it claims a longer header than it has")
    header: Any = parse_json(content[LENGTH_BYTES : LENGTH_BYTES + length])
    try:
        return SafetensorsContent(header.get("__metadata__", {}), load(content))
    except (SafetensorError, AttributeError, AssertionError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError("it is no file of safetensors") from error
