"""Labels in `dataset.json`, as StyleGAN's dataset tool writes them beside the images.

`{"labels": [["00000/img00000000.png", 3], …]}`, or `{"labels": null}` for images without labels. Beside the
labels there may be `"classes"`, the name of each class in the order of their numbers; that tool has none.
"""

import json
from collections.abc import Container, Mapping, Sequence

import torch
from torch import Tensor

from experiments.core.files import parse_json
from experiments.data.core.path_names import listed_path

DATASET_JSON = "dataset.json"


def read_labels(file: str, content: bytes, names: Sequence[str]) -> tuple[Tensor | None, tuple[str, ...]]:
    """Reads the labels of the images `names` from the content of a `dataset.json`.

    Args:
        file: its name in messages.
        names: paths of the images below the folder of that file.

    Returns the class of each image, int64 `(N,)`, and the names of the classes that occur, which are their
    numbers where the file has no names; None and no classes where the images have no labels. Raises
    ValueError, naming the file, for content of another form, and for an image without a label.
    """
    rows, words = _read_rows(file, content, frozenset(names))
    lacking = [name for name in names if name not in rows]
    if not rows:
        return None, ()
    if lacking:
        more = f" and {len(lacking) - 1:,} more" if len(lacking) > 1 else ""
        raise ValueError(f"{file} has no label for {lacking[0]}{more}: add it, or take the image out")
    chosen = [rows[name] for name in names]
    if all(label is None for label in chosen):
        return None, ()
    numbers = [_number_of(file, name, label) for name, label in zip(names, chosen, strict=True)]
    if len({len(label) if isinstance(label, list) else 0 for label in chosen}) > 1:
        raise ValueError(f"{file}: labels must be all numbers, or all one-hot vectors of one length")
    found = sorted(set(numbers))
    index = {number: label for label, number in enumerate(found)}
    are_named = found[-1] < len(words)
    named = tuple(words[number] if are_named else str(number) for number in found)
    return torch.tensor([index[number] for number in numbers]), named


def _read_rows(file: str, content: bytes, present: Container[str]) -> tuple[dict[str, object], Sequence[str]]:
    """Labels by the names of their images, as `listed_path` finds these, and the names of the classes.

    None of either where the file has none.
    """
    try:
        whole = parse_json(content.decode("utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{file} cannot be read as JSON ({error}): mend it, or take it out") from error
    labels = whole.get("labels") if isinstance(whole, dict) else whole
    if isinstance(whole, dict) and labels is None:
        return {}, ()
    pairs = list(labels.items()) if isinstance(labels, Mapping) else labels
    if not isinstance(whole, dict) or not isinstance(pairs, list):
        raise ValueError(f'{file} must be {{"labels": [[name, label], …]}} or {{"labels": null}}')
    rows: dict[str, object] = {}
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            raise ValueError(f"{file}: {_short(pair)} in labels is not [name, label]")
        name = listed_path(pair[0], present)
        if name in rows and rows[name] != pair[1]:
            raise ValueError(f"{file} has two labels for {name}: take one out")
        rows[name] = pair[1]
    words = whole.get("classes")
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return rows, ()
    return rows, words if len(set(words)) == len(words) else ()


def _number_of(file: str, name: str, label: object) -> int:
    """The class that a label says, as a number or as a one-hot vector."""
    if isinstance(label, list) and all(_is_number(value) for value in label):
        if sorted(label) == [0] * (len(label) - 1) + [1]:
            return label.index(1)
    elif _is_number(label) and label == int(label) and label >= 0:  # type: ignore[operator, call-overload]
        return int(label)  # type: ignore[call-overload]
    raise ValueError(
        f"{file}: the label of {name} is {_short(label)}, neither a whole number from 0 nor a one-hot vector"
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
