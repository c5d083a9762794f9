"""Distance of images by the features of a network that classifies photographs (Zhang et al. 2018)."""

from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

FILE = "vgg16-397923af.pth"  # torchvision's, trained on ImageNet
LAYERS = (4, 9, 16, 23, 30)  # ends of the five stages, behind their last ReLU but before pooling
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, in [0, 1]


class PerceptualDistance:
    """Perceptual distance: mean squared difference of unit features of VGG16, summed over its five stages.

    Equation 1 of Zhang et al. 2018 (arXiv:1801.03924) with equal weights of all channels. It is no part of a
    player: its weights stay as they are, and are in no checkpoint.

    Raises:
        ValueError: the weights are not on this machine; the line says how to get them.
    """

    def __init__(self) -> None:
        from torchvision.models import vgg16  # type: ignore[import-untyped]

        path = Path(torch.hub.get_dir()) / "checkpoints" / FILE
        if not path.is_file():
            raise ValueError(
                f"perceptual reconstruction: {path} is missing; download the weights of torchvision's vgg16 "
                "there, or take --set arch.reconstruction=plain"
            )
        network = vgg16(weights=None, init_weights=False)
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self.stages = [
            network.features[first:last].eval().requires_grad_(False)
            for first, last in zip((0, *LAYERS), LAYERS, strict=False)
        ]

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """The distance of images `(N, C, H, W)` in [−1, 1], a scalar; C is 1 or 3."""
        a, b = self._prepare(a), self._prepare(b)
        distances = []
        for stage in self.stages:
            stage.to(a.device, a.dtype)
            a, b = stage(a), stage(b)
            distances.append((normalize(a, dim=1) - normalize(b, dim=1)).square().sum(dim=1).mean())
        return torch.stack(distances).sum()

    def _prepare(self, images: Tensor) -> Tensor:
        """Standardizes images as for ImageNet; grey ones get three equal channels."""
        if images.shape[1] not in (1, 3):
            raise ValueError(
                f"perceptual reconstruction needs 1 or 3 channels, not {images.shape[1]}; take "
                "--set arch.reconstruction=plain"
            )
        mean, deviation = (images.new_tensor(each).view(1, 3, 1, 1) for each in (MEAN, DEVIATION))
        return ((images.expand(-1, 3, -1, -1) + 1) / 2 - mean) / deviation
