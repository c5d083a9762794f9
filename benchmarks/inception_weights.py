"""Random weights of Inception in the published layout, for where the real ones cannot be had.

    python benchmarks/inception_weights.py FILE.pth

Equality with other implementations shows on any weights, as long as the features are not all 0. Random
kernels with batch norms that were never calibrated would give that, so each norm takes the statistics of
what comes in.
"""

import sys
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import nn


def make(file: Path) -> None:
    """Writes random weights of Inception, the same 566 tensors each time."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    # The constructor would read the weights that are to be made here.
    without_weights = mock.patch.object(FeatureExtractorInceptionV3, "load_state_dict")
    with without_weights, mock.patch.object(torch, "load"):
        layers = ["2048", "logits_unbiased"]
        network = FeatureExtractorInceptionV3("x", layers, feature_extractor_weights_path=__file__)
    random = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            deviation = (2 / module.weight[0].numel()) ** 0.5
            module.weight.data = torch.randn(module.weight.shape, generator=random) * deviation
        elif isinstance(module, nn.BatchNorm2d):
            module.weight.data = 0.7 + 0.6 * torch.rand(module.weight.shape, generator=random)
            # Units that are mostly on, as in trained networks; else depth turns rounding into chaos.
            module.bias.data = 0.5 + 0.2 * torch.randn(module.bias.shape, generator=random)
            module.register_forward_pre_hook(_calibrate)
    coarse = torch.rand(4, 3, 8, 8, generator=random)
    with torch.no_grad():
        network.eval()((nn.functional.interpolate(coarse, (299, 299), mode="bilinear") * 255).byte())
    torch.save(network.state_dict(), file)


def _calibrate(norm: nn.BatchNorm2d, inputs: tuple[Any, ...]) -> None:
    """Sets the statistics of a batch norm to those of its input."""
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean.copy_(inputs[0].mean(dim=(0, 2, 3)))
    norm.running_var.copy_(inputs[0].var(dim=(0, 2, 3)) + 1e-2)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
