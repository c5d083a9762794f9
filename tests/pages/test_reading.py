"""What the tests of the pages read, and what they make short."""

import pytest

from tests.pages.reading import Command, read_commands, read_spans
from tests.pages.shortening import shorten
from tests.pages.stock import Stock
from tests.pages.test_commands import _typing_fault

PAGE = """
Type `gans list` or `gans info
RUN`; not `other`.

```sh
gans run --arch dcgan \\
    --kimg 40    # a comment
make test
```

<!-- long: an hour -->
```sh
gans sweep --out losses
```

<!-- not run: needs W&B -->

```console
$ gans sync RUN
nothing to upload
```

```python
gans = "no command"
```
"""


def test_commands_are_read_with_their_marks() -> None:
    assert list(read_commands(PAGE, "page")) == [
        Command(("gans", "run", "--arch", "dcgan", "--kimg", "40"), "page:6", True),
        Command(("make", "test"), "page:8", True),
        Command(("gans", "sweep", "--out", "losses"), "page:13", False),
        Command(("gans", "sync", "RUN"), "page:19", False),
    ]
    assert list(read_spans(PAGE)) == ["gans list", "gans info RUN"]


@pytest.mark.parametrize(
    ("line", "short"),
    [
        (
            "run --arch dcgan --kimg 40 --width 64",
            "run --arch dcgan --kimg 0.016 --width 2 --batch-size 4 --track local",
        ),
        ("run --resume RUN --kimg 40", "run --resume RUN --kimg 0.032"),
        ("run --arch dcgan --dry-run", "run --arch dcgan --dry-run"),
        ("sample RUN -n 64 --out grid.png", "sample RUN -n 4 --out grid.png"),
        ("evaluate RUN --metrics kid", "evaluate RUN --metrics kid --set kid.subset_size=8 -n 16"),
        ("doctor RUN --watch", "doctor RUN --watch"),
    ],
)
def test_commands_are_made_short(line: str, short: str) -> None:
    assert shorten(tuple(line.split())) == short.split()


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("gans train --data x", "no command train"),
        ("gans sample RUN --number 3", "No such option"),
        ("gans export RUN", "out"),
        ("make tests", "no such target"),
        ("python examples/none.py", "no examples/none.py"),
        ("pip install gans[none]", "no such extra"),
        ("torchrun --nproc-per-node 8 -m gans run --batch 8", "--batch"),
        ("torchrun --nproc-per-node 8 -m gans run --batch-size 8", ""),
        ("nvidia-smi", "no program"),
    ],
)
def test_faults_of_commands_are_found(line: str, fault: str) -> None:
    found = _typing_fault(tuple(line.split()))
    assert fault in found and bool(found) == bool(fault)


def test_a_name_that_means_two_things_is_found(stock: Stock, workplace: object) -> None:
    words = [
        (("gans", "run", "--data", "folder:photos", "--out", "photos"), False),
        (("gans", "prepare", "folder:photos", "--out", "photos.zip"), True),
        (("gans", "info", "photos"), True),
    ]
    with pytest.raises(AssertionError, match="photos is the name of two things"):
        stock.lay_out([Command(each, "page:1", is_run) for each, is_run in words])
