"""Damaged exports: noticed by the hash beside them, and made anew from the run's checkpoint."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CommandResult

Gans = Callable[..., CommandResult]
RUN = "run --arch mlp --data ring8 --loss bce --steps 3 --batch-size 8 --width 4 --track local --out run"
FILE = Path("run/generator.safetensors")


def zero_tail(content: bytes) -> bytes:
    return content[:-60] + bytes(60)


def flip_bit(content: bytes) -> bytes:
    return content[:-9] + bytes([content[-9] ^ 4]) + content[-8:]


def cut(content: bytes) -> bytes:
    return content[:-20]


def empty(content: bytes) -> bytes:
    return b""


DAMAGE = pytest.mark.parametrize("damage", [zero_tail, flip_bit, cut, empty])


@DAMAGE
@pytest.mark.parametrize("line", ["sample run --out s.npy", "evaluate run -n 40 --json"])
def test_a_run_takes_its_checkpoint_instead(
    line: str, damage: Callable[[bytes], bytes], gans: Gans, workplace: Path
) -> None:
    """With the same result, one line, and a file that is whole again."""
    assert gans(RUN).status == 0
    whole, first = FILE.read_bytes(), gans(line)
    drawn = Path("s.npy").read_bytes() if "sample" in line else b""
    FILE.write_bytes(damage(whole))
    again = gans(line)
    assert again.status == 0 and again.out == first.out
    assert "replaced by the generator of step-00000003.pt" in again.err
    assert (Path("s.npy").read_bytes() if "sample" in line else b"") == drawn
    assert FILE.read_bytes() == whole
    assert "replaced" not in gans(line).err


@DAMAGE
def test_a_file_alone_is_refused(damage: Callable[[bytes], bytes], gans: Gans, refused: Callable) -> None:
    assert gans(RUN).status == 0
    assert gans("export run --out alone.safetensors").status == 0
    alone = Path("alone.safetensors")
    alone.write_bytes(damage(alone.read_bytes()))
    refused(2, ("alone.safetensors",), "sample alone.safetensors --out s.npy")


def test_without_any_checkpoint_it_is_said(gans: Gans, refused: Callable) -> None:
    assert gans(RUN).status == 0
    FILE.write_bytes(zero_tail(FILE.read_bytes()))
    for path in Path("run/checkpoints").iterdir():
        path.unlink()
    refused(2, ("generator.safetensors is damaged", "no checkpoint"), "sample run --out s.npy")


def test_an_export_of_a_version_without_hashes_is_opened(gans: Gans, workplace: Path) -> None:
    assert gans(RUN).status == 0
    Path("run/generator.safetensors.sha256").unlink()
    assert gans("sample run --out s.npy").status == 0
