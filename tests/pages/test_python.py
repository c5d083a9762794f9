"""The Python code of README.md and docs/ runs, block after block of a page, with small settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cli
import gans
from tests.conftest import long_but, one_thread
from tests.pages.embedding import embedded
from tests.pages.reading import NAMES, ROOT, Block, read_blocks
from tests.pages.stock import Stock

# What stands on a page, and what is run in its place; each must stand there.
SMALLER = {
    "README.md": (
        ("kimg=20)", "kimg=0.008, width=2, batch_size=4, track='local')"),
        ('options={"kid.subset_size": 100}', 'options={"kid.subset_size": 8}, n=16'),
        ("start=1000", "start=0"),
    ),
    "docs/adversary.md": (("image_size=256", "image_size=64"), ("start=10_000", "start=0")),
}


class _Decoder(nn.Module):
    """A network of pictures with a last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Conv2d(3, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.last(x)
        return made


def _of_readme(stock: Stock) -> dict[str, Any]:
    """What a loop of one's own has: critic, samples, and a network that is trained."""
    decoder, x = _Decoder(), torch.rand(4, 3, 64, 64) * 2 - 1
    y = decoder(x)
    images_a, images_b = (torch.rand(2, 16, 3, 16, 16) * 255).byte()
    return {
        "C": nn.Sequential(nn.Flatten(), nn.LazyLinear(1), nn.Flatten(0)),
        **{"real": x, "fake": y.detach(), "images_a": images_a, "images_b": images_b},
        **{"x": x, "y": y, "reconstruction": (y - x).abs().mean(), "decoder": decoder},
        "optimizer": torch.optim.Adam(decoder.parameters()),
    }


def _of_adversary(stock: Stock) -> dict[str, Any]:
    """An autoencoder, its optimizer, and batches of pictures."""
    autoencoder = _Decoder()
    batches = [torch.rand(4, 3, 64, 64) * 2 - 1 for _ in range(2)]
    optimizer = torch.optim.Adam(autoencoder.parameters())
    return {"autoencoder": autoencoder, "batches": batches, "optimizer": optimizer}


def _of_latents(stock: Stock) -> dict[str, Any]:
    """The generator in ONNX's form that `gans export` writes."""
    cli.main(["export", str(stock.item("stylegan2")), "--out", "x.onnx"])
    return {}


def _of_published(stock: Stock) -> dict[str, Any]:
    """Networks that `gans export` writes under their published names."""
    words = ["--format", "cyclegan", "--with-critic", "--out", "zebras.safetensors"]
    cli.main(["export", str(stock.item("cyclegan")), *words])
    return {}


# What a page takes for granted, and what must hold at its end.
BEFORE: dict[str, Callable[[Stock], dict[str, Any]]] = {
    "README.md": _of_readme,
    "docs/adversary.md": _of_adversary,
    "docs/latents.md": _of_latents,
    "docs/published.md": _of_published,
}
AFTER: dict[str, Callable[[dict[str, Any]], bool]] = {
    "README.md": lambda names: (
        names["images"].shape == (16, 3, 32, 32)
        and names["value"].ndim == 0
        and names["adversary"].weight_now > 0
        and names["Pearson"]().generator(torch.ones(3)) == -1
    ),
    "docs/adversary.md": lambda names: names["adversary"].weight_now > 0,
    "docs/latents.md": lambda names: names["images"].shape[0] == 16 and names["images"].dtype == np.uint8,
    "docs/published.md": lambda names: set(names["own"]) == set(torch.load("latest_net_G_A.pth")),
}


def _blocks(page: str) -> list[Block]:
    """Blocks of Python on a page that are run here: no files, which have tests of their own."""
    text = (ROOT / page).read_text(encoding="utf-8")
    files = {content.rstrip("\n") for _, content in embedded(text)}
    blocks = [block for block in read_blocks(text) if block.language == "python" and not block.is_marked]
    return [block for block in blocks if "\n".join(block.lines) not in files]


QUICK = {"README.md", "docs/adversary.md", "docs/published.md"}  # among the usual tests


@pytest.mark.parametrize("page", long_but(QUICK, [page for page in NAMES if _blocks(page)]))
@pytest.mark.usefixtures("_small_extractor")
def test_python_code_of_a_page_runs(page: str, stock: Stock, workplace: Path) -> None:
    assert page in BEFORE, f"say in BEFORE and AFTER what the code of {page} needs and leaves, or mark it"
    torch.manual_seed(0)
    with one_thread():
        names: dict[str, Any] = {"gans": gans, "__name__": "page", **BEFORE[page](stock)}
        smaller = dict(SMALLER.get(page, ()))
        for block in _blocks(page):
            # Lines above it, so that a traceback has the number of the page's line.
            code = "\n" * (block.line - 1) + "\n".join(block.lines)
            for whole in [each for each in smaller if each in code]:
                code = code.replace(whole, smaller.pop(whole))
            exec(compile(code, page, "exec"), names)
    assert not smaller, f"{page} has no more {', '.join(smaller)}"
    assert AFTER[page](names)
