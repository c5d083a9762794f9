"""Files of pictures beyond 8 bits: TIFF by the library tifffile, else .npy, in original units."""

import importlib
import io
from importlib.util import find_spec

import numpy as np
from torch import Tensor

TIFF, NPY = ".tif", ".npy"
WITHOUT_TIFF = "pip install 'gans[tiff]' writes TIFF files instead of .npy"


def array_ending() -> str:
    """The ending of files of pictures: TIFF where tifffile is installed."""
    return NPY if find_spec("tifffile") is None else TIFF


def array_bytes(values: Tensor, ending: str) -> bytes:
    """The content of a file of one picture `(C, H, W)`; equal pictures give equal bytes.

    A `.npy` file has the array as it is. A TIFF file has its rows and columns, with the channels of a pixel
    side by side: one is grey, three are RGB where they are whole numbers, others have no colour.
    """
    array, content = values.cpu().numpy(), io.BytesIO()
    if ending == NPY:
        np.save(content, array)
        return content.getvalue()
    channels = len(array)
    is_rgb = channels == 3 and array.dtype.kind == "u"
    pixels = array[0] if channels == 1 else np.ascontiguousarray(array.transpose(1, 2, 0))
    importlib.import_module("tifffile").imwrite(
        content,
        pixels,
        photometric="rgb" if is_rgb else "minisblack",
        planarconfig=None if channels == 1 else "contig",
        metadata=None,
        software=False,
    )
    return content.getvalue()
