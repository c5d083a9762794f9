"""Fixture of the tests of networks: a fixed seed."""

import pytest
import torch


@pytest.fixture
def seeded() -> None:
    """Weights and inputs are the same in every run."""
    torch.manual_seed(0)
