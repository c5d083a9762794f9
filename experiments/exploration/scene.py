"""Scene: all that is asked of a generator's picture, and the latent that it comes to."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from experiments.inference.given_latents import Draws
from experiments.inference.latent_directions import Directions
from experiments.inference.latent_space import LatentSpace, latent_from_seed
from gans.core.networks import StyledNetwork
from gans.core.styles import repeat_styles


@dataclass(frozen=True)
class Scene:
    """A request for a picture; the first values are those of `gans sample RUN -n 1`.

    Attributes:
        seed: of the latent z.
        dims: numbers of z that are replaced, by their dimension.
        other, share: seed to which the sample is interpolated, and how far, in [0, 1].
        moves: lengths of moves along found directions, in standard deviations, by the direction's rank.
        fine, crossover: seed whose styles are taken from the layer `crossover` on; None: no styles are mixed.
        truncation: ψ; 1: none.
        label: one class of a conditional generator.
        has_noise: whether layers with noise add it.
    """

    seed: int = 0
    dims: Mapping[int, float] = field(default_factory=dict)
    other: int = 1
    share: float = 0.0
    moves: Mapping[int, float] = field(default_factory=dict)
    fine: int | None = None
    crossover: int = 1
    truncation: float = 1.0
    label: int = 0
    has_noise: bool = True

    @property
    def has_moves(self) -> bool:
        """Whether the sample is moved along a direction."""
        return any(self.moves.values())

    @property
    def is_of_seed(self) -> bool:
        """Whether the latent is that of the seed alone."""
        return not (self.dims or self.share or self.has_moves or self.fine is not None)


@torch.no_grad()
def latent_of(space: LatentSpace, scene: Scene, directions: Directions | None) -> Draws:
    """Computes the latent of a scene, `(1, …)` in z or w, as `gans sample` takes it.

    It is in z for as long as nothing moves w: the mapping network then has its place in the picture. What
    the generator has not is passed over, so that one scene may be shown by several generators.

    Args:
        directions: found ones, along which the scene moves; None for none.
    """
    z = latent_from_seed(scene.seed, space.network.z_dim)
    for dimension, value in scene.dims.items():
        if dimension < len(z):
            z[dimension] = value
    network = space.network
    mixes = scene.fine is not None and isinstance(network, StyledNetwork)
    if not (scene.share or scene.has_moves or mixes):
        return Draws(z[None], "z", (), "--latents")
    point = space.from_noise(z[None])[0]
    if scene.share:
        other = space.of_seeds([scene.other])[0]
        point = other if scene.share == 1 else space.between(point, other, torch.tensor([scene.share]))[0]
    for rank, length in scene.moves.items():
        if directions is not None and rank < len(directions.vectors):
            point = point + length * directions.strides[rank] * directions.vectors[rank]
    points = point[None]
    if scene.fine is not None and isinstance(network, StyledNetwork):
        points = repeat_styles(points, network.styles).clone()
        points[:, scene.crossover :] = space.of_seeds([scene.fine])[0]
    return Draws(points, "w" if space.letter == "w" else "z", (), "--latents")
