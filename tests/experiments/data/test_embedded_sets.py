"""Embedded data stay what they were: figures in docs/ and scores of earlier versions belong to them."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from experiments.core import registry

INDICES = torch.tensor([*range(11), 21])  # all six classes are among them
# Of these pictures at 32 pixels: the mean over 8×8 pixels and all colours, two digits each.
THUMBNAILS = {
    "shapes": """
        1c20201c32814b1c1d6e4e1c1c1c1c1c1c28281c2965642c2b62602e1c2e2f1c1c1c1c1c1c4f762c1c6598231c1c241c
        1c1c1c1c1c5050262383832d1c1f491c2353441c5280802f428079261c2d251c1c1c1c1c1c32341c1c4879241c231c1c
        1f68321c4bae9e1e397e621c1c1c1c1c1c4c702f2c853a82268d5e761c304c211c241e1c378c751c3f8f801c1c35271c
        1c211c1c2888631f4b8e721c1c35361c1c1f1c1c1c5d3c1c1c5f4c1d1c1c1c1c1c1c1c1c23572e1c1d824c1c1c1e1f1c
    """,
    "shapes-paired A": """
        1c20201c304f411c1d513d1c1c1c1c1c1c27281c2846442a2a44432b1c2b2c1c1c1c1c1c1c39382b1c3f3f231c1c241c
        1c1c1c1c1c3b442523573e2a1c1f3c1c2332311c311c212d30222d251c2c251c1c1c1c1c1c2e2d1c1c3843241c231c1c
        1f452f1c3a1e411e313c3f1c1c1c1c1c1c37422b2c4f365026523e4c1c2d3b211c241e1c2e2e3b1c3221371c1c30261c
        1c211c1c27393a1f3922351c1c2f2d1c1c1f1c1c1c3c2f1c1c40381d1c1c1c1c1c1c1c1c23482e1c1d4d3f1c1c1e1f1c
    """,
    "shapes-paired B": """
        1c20201c32814b1c1d6e4e1c1c1c1c1c1c28281c2965642c2b62602e1c2e2f1c1c1c1c1c1c4f762c1c6598231c1c241c
        1c1c1c1c1c5050262383832d1c1f491c2353441c5280802f428079261c2d251c1c1c1c1c1c32341c1c4879241c231c1c
        1f68321c4bae9e1e397e621c1c1c1c1c1c4c702f2c853a82268d5e761c304c211c241e1c378c751c3f8f801c1c35271c
        1c211c1c2888631f4b8e721c1c35361c1c1f1c1c1c5d3c1c1c5f4c1d1c1c1c1c1c1c1c1c23572e1c1d824c1c1c1e1f1c
    """,
    "shapes-styles A": """
        1c20201c32814b1c1d6e4e1c1c1c1c1c1c28281c2965642c2b62602e1c2e2f1c1c1c1c1c1c4f762c1c6598231c1c241c
        1c1c1c1c1c5050262383832d1c1f491c2353441c5280802f428079261c2d251c1c1c1c1c1c32341c1c4879241c231c1c
        1f68321c4bae9e1e397e621c1c1c1c1c1c4c702f2c853a82268d5e761c304c211c241e1c378c751c3f8f801c1c35271c
        1c211c1c2888631f4b8e721c1c35361c1c1f1c1c1c5d3c1c1c5f4c1d1c1c1c1c1c1c1c1c23572e1c1d824c1c1c1e1f1c
    """,
    "shapes-styles B": """
        e3afcaeaa09c79dea3957de1e7b9d2eaeaddeaead77d8be4b19093eaead2c6eaead5d9ead49db4eac6aaa2eaeaeaeaea
        ead6e9eaea8182bcd77888cfeadab4eaeacbc3dfea989bb9eaa291c4eaeaeaeae7a7adeab99b8fc7d87f88e1eaeaeaea
        eae2eaeae77798eab5877fe6eab9eaeaeaeaeaeaeac2b1eaea8e76d1ead9e7eaeaeae6ead6a180e9d79287bfeaa1c8e0
        eabac4ead18b87aec48984c8ead7b0eaead3c9ead8848fc2d58790bbeaccbfeaeae8cfeae4967cdae0918eb0eacdc7ea
    """,
    "shapes-attributes": """
        1f242c1c3838371c273d3e1e1d261c1c1c31321c325b5836355653391c393a1c1c1c1c1c1c324f1f1c3e661d1c1c1c1c
        1c1c1c1c1c2f311c1c4c611d1c1c271c1c25201c24252d1c1f2e2b1c1c1c1c1c1c1c1c1c1c25251c1c2c331f1c1e1c1c
        1d48271c36796b1c2c57441c1c1c1c1c1c2d3525253e2d3e213f323b1c26301f1e3c2e1c507f7c28567f7f2c234d3c1c
        1c1c1c1c1c4c321c2070431c1c1d1e1c1c251c1c1c61431c1f6752201c1c1c1c1c1c1c1c1d31221c1c322c1c1c1c1c1c
    """,
}
# The first points of the first three modes or steps, and the last point of all.
POINTS = {
    "ring8": [[0.982761, -0.010021], [0.699434, 0.713451], [-0.005962, 0.994076], [0.68896, -0.699487]],
    "grid25": [[-4.086195, -4.050103], [-4.038363, -1.968278], [-4.029808, -0.029622], [3.909267, 4.038097]],
    "spiral": [[-0.034478, 0.179959], [-0.015345, -0.187311], [-0.051851, 0.207475], [-0.036293, -0.984761]],
}
LABELS = [5, 1, 2, 5, 0, 3, 2, 1, 0, 2, 3, 4]


def pictures(name: str) -> dict[str, Tensor]:
    """Twelve training pictures of a set, of either domain where it has two."""
    source = registry.load("data", name)()
    if hasattr(source, "open_domains"):
        domains = source.open_domains((32, 32), 3, "auto", source.has_pairs)
        opened = {f"{name} A": domains.a, f"{name} B": domains.b}
    else:
        opened = {name: source.open((32, 32), 3, "auto")}
    return {key: data.fetch(INDICES).float() for key, data in opened.items()}


def thumbnails(images: Tensor) -> Tensor:
    return avg_pool2d(images.mean(dim=1, keepdim=True), 8).flatten()


@pytest.mark.usefixtures("all_shapes")
@pytest.mark.parametrize("name", ["shapes", "shapes-paired", "shapes-styles", "shapes-attributes"])
def test_pictures_stay_what_they_were(name: str) -> None:
    """To a level of grey, which another processor's rounding may take."""
    for key, images in pictures(name).items():
        expected = torch.tensor(list(bytes.fromhex("".join(THUMBNAILS[key].split()))), dtype=torch.float32)
        torch.testing.assert_close(thumbnails(images), expected, rtol=0, atol=1.0, msg=key)


def test_labels_stay_what_they_were() -> None:
    labels = registry.load("data", "shapes")().open((32, 32), 3, "auto").labels
    assert labels[INDICES].tolist() == LABELS
    assert len(set(LABELS)) == 6


@pytest.mark.parametrize("name", POINTS)
def test_points_stay_what_they_were(name: str) -> None:
    data = registry.load("data", name)().open(None, None, "auto")
    assert len(data) == 100_000
    found = data.fetch(torch.tensor([0, 1, 2, 99_999]))
    torch.testing.assert_close(found, torch.tensor(POINTS[name]), rtol=0, atol=1e-5)
