"""The cache of references: whatever is wrong with a file in it, it is made anew."""

from pathlib import Path

import numpy as np
import pytest

from tests.experiments.evaluation.helpers import Gans

RUN = "run --arch mlp --data ring8 --loss bce --steps 3 --batch-size 8 --width 4 --track local --out run"
EVALUATE = "evaluate run -n 60 --metrics fid,precision-recall --json"


def damage_method(content: bytearray) -> None:
    """Names a method of compression that does not exist, in the archive's directory."""
    content[content.find(b"PK\x01\x02") + 10] = 99


def damage_bits(content: bytearray) -> None:
    random = np.random.default_rng(len(content))
    for index in random.integers(len(content), size=40):
        content[index] ^= 1 << int(random.integers(8))


@pytest.mark.parametrize("damage", [damage_method, damage_bits, bytearray.clear, bytearray.reverse])
def test_a_damaged_file_is_made_anew(damage: object, gans: Gans, workplace: Path) -> None:
    assert gans(RUN).status == 0
    first = gans(EVALUATE)
    assert first.status == 0, first.err
    kept = {path: path.read_bytes() for path in (workplace / "cache" / "references").glob("*.npz")}
    assert len(kept) == 2, "statistics and vectors"
    for path, whole in kept.items():
        content = bytearray(whole)
        damage(content)  # type: ignore[operator]
        path.write_bytes(content)
    again = gans(EVALUATE)
    assert (again.status, again.out) == (0, first.out), again.err
    assert {path: path.read_bytes() for path in kept} == kept
