"""The device and the precision of a run."""

import logging

import pytest
import torch

from experiments.core.device import warn_of_emulation

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("precision", "found", "warns"),
    [
        ("bf16", {"avx2": True, "avx512_bf16": False, "amx_bf16": False}, True),
        ("bf16", {"avx2": True, "avx512_bf16": True, "amx_bf16": False}, False),
        ("bf16", {"neon": True, "bf16": True}, False),
        ("bf16", {"neon": True, "bf16": False}, True),
        ("fp32", {"avx2": True, "avx512_bf16": False}, False),
        ("fp64", {"avx2": True, "avx512_bf16": False}, False),
    ],
)
def test_bf16_is_warned_of_where_a_processor_emulates_it(
    precision: str,
    found: dict[str, bool],
    warns: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    with caplog.at_level(logging.WARNING, "gans"):
        warn_of_emulation(precision, CPU)
    assert ("--precision fp32 is faster here" in caplog.text) is warns


def test_nothing_is_claimed_where_pytorch_cannot_tell(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    warn_of_emulation("bf16", CPU)
    warn_of_emulation("bf16", torch.device("cuda"))
    assert not caplog.text
