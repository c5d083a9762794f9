"""Description of data: number, sizes and classes of the images in a folder, or in a file of many."""

import shlex
import textwrap

from experiments.core.errors import usage_errors
from experiments.data.core.dataset import DataAccess
from experiments.data.core.description import describe_shares, describe_sizes, has_classes
from experiments.data.core.sources import open_source

LONGEST_LINE = 85  # characters
NOMINAL_SIZE = (64, 64)  # of images of many sizes, which are counted and not resized


def describe_data(spec: str) -> tuple[str, dict[str, list[str]]]:
    """Describes the data of a spec: a title, and lines by the name of their part.

    Images are counted and their headers read; those that cannot be read are counted, too.

    Raises UsageError for data that cannot be opened, or that has no images.
    """
    source = open_source(spec, DataAccess(stream=True, skip_bad=True))
    if source.kind != "images":
        return f"{spec}: points", {"next": [shlex.join(["gans", "run", "--data", spec, "--dry-run"])]}
    with usage_errors():
        native = source.native()
        data = source.open(native.size or NOMINAL_SIZE, native.channels, "crop")
    count = data.sample_shape[0]
    found = data.native_sizes or ({native.size: len(data)} if native.size else {})
    sizes = f" {describe_sizes(found, len(data))}" if found else ""
    rows = {"images": [f"{len(data):,}{sizes}, {count} channel{'s' * (count != 1)}"]}
    if broken := len(data.unreadable):
        rows["broken"] = [f"{broken:,} that cannot be read, which --skip-bad leaves out"]
    if has_classes(data):
        rows["classes"] = textwrap.wrap(f"{len(data.classes):,}: {describe_shares(data)}", LONGEST_LINE)
    words = ["gans", "run", "--data", spec]
    words += ["--fit", "crop"] if len(found) > 1 else []
    words += ["--skip-bad"] if broken else []
    rows["next"] = [shlex.join([*words, "--dry-run"])]
    return f"{spec}: images", rows
