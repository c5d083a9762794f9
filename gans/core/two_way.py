"""Games between two domains without pairs: generators in both directions, and a critic in each domain."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gans.core.architecture import Blueprint
from gans.core.clock import Clock
from gans.core.fixed_layers import OrderedCritic
from gans.core.game import BatchLoader
from gans.core.networks import Batch, GeneratorNetwork
from gans.core.objective import LossSpec, sum_losses
from gans.core.player import Losses, Scores
from gans.core.translation import PatchCritic
from gans.core.two_player import Generator, TwoPlayerGame
from losses.core.batch_parts import join_passes, process_part
from losses.core.ranks import gather_rows

Pair = tuple[Tensor, Tensor]


class DomainCritics(OrderedCritic):
    """Two patch critics, one for images of domain A and one for B.

    Args:
        domains: those that have a critic; a game needs both.
    """

    a: PatchCritic
    b: PatchCritic

    def __init__(self, blueprint: Blueprint, domains: Sequence[str] = ("A", "B")) -> None:
        super().__init__()
        for domain in domains:
            self.add_module(domain.lower(), PatchCritic(blueprint, blueprint.sample_shape[0]))

    @property
    def parts_from_image(self) -> list[list[nn.Module]]:
        return [[critic] for critic in self.children()]

    def forward(self, x: Tensor) -> Tensor:
        """The logits of all critics for the same images, `(N, 2, h, w)`."""
        return torch.stack([critic(x) for critic in self.children()], dim=1)


class TwoWayGame(TwoPlayerGame[Generator, DomainCritics]):
    """Base of games between two domains: updates the generators, then the critics on detached fakes.

    With `n_critic` > 1 further updates of the critics follow, on fresh images.

    Args:
        generator: makes images of both domains.
        critic: the critics of both domains.
        spec: form, penalties, regularizers and optimizers.

    Raises ValueError for a regularizer that is for one critic only.
    """

    def __init__(self, generator: GeneratorNetwork, critic: nn.Module, spec: LossSpec) -> None:
        if not isinstance(critic, DomainCritics):
            raise TypeError("a game between two domains needs a critic in each")
        for regularizer in spec.regularizers:
            if regularizer.is_for_one_critic:
                raise ValueError(
                    f"{regularizer.name} remembers logits of one critic, and two are updated together here; "
                    f"take --critic-augment diffaugment in place of --{regularizer.name}"
                )
        super().__init__(generator, critic, spec)

    @property
    def critics(self) -> tuple[PatchCritic, PatchCritic]:
        """The critics of domain A and of domain B."""
        return self.critic_network.a, self.critic_network.b

    @abstractmethod
    def make(self, real: Pair) -> tuple[Pair, Callable[[], Scores]]:
        """Generates fakes of both domains, with a function that computes the generators' other terms.

        These are weighted, and computed only where they are wanted.
        """

    def replay_fakes(self, fakes: Pair) -> Pair:
        """Chooses the fakes that the critics see, such as earlier ones from a pool; by default these."""
        return fakes

    def round(self, loader: BatchLoader) -> Scores:
        clock, real = loader.clock, split_domains(loader.next_batch())
        made: list[Pair] = []
        scores = self.generator.minimise(self.generator_loss, clock, real, made)
        fakes = join_passes([a for a, _ in made]), join_passes([b for _, b in made])
        for update in range(self.n_critic):
            if update:
                clock, real = loader.clock, split_domains(loader.next_batch())
                with torch.no_grad():
                    fakes = self.make(real)[0]
            fakes_shown = self.replay_fakes((fakes[0].detach(), fakes[1].detach()))
            scores |= self.critic.minimise(self.critic_loss, clock, real, fakes_shown)
        return scores

    def generator_loss(self, clock: Clock, real: Pair, made: list[Pair]) -> Losses:
        """The generators' loss; the fakes are appended to `made`."""
        fakes, others = self.make(real)
        made.append(fakes)
        sides = zip(self.critics, real, fakes, strict=True)
        fooling = [self.objective.generator_loss(critic, clock, Batch(x), fake) for critic, x, fake in sides]
        return Losses({"adversarial": torch.stack(fooling).sum(), **others()})

    def critic_loss(self, clock: Clock, real: Pair, fakes: Pair) -> Losses:
        """The sum of the losses of both critics."""
        sides = zip(self.critics, real, fakes, strict=True)
        return sum_losses(
            [self.objective.critic_loss(critic, clock, Batch(x), fake) for critic, x, fake in sides]
        )


def split_domains(batch: Batch) -> Pair:
    """Splits a batch into the images of domain A and those of domain B."""
    (a,) = batch.condition
    return a, batch.samples


class ImagePool(nn.Module):
    """Pool of earlier fakes that critics see again (Shrivastava et al. 2017, section 2.3).

    So a critic does not forget them. Each image that comes is kept while there is room; after that it takes,
    with probability ½, the place of one that is handed out for it.
    """

    images: Tensor

    def __init__(self, size: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("images", torch.zeros(size, *shape))
        self.filled = 0

    def forward(self, fresh: Tensor) -> Tensor:
        """Exchanges fresh images `(N, C, H, W)` for as many, some of them from the pool.

        The pool is that of the whole batch, and the same in all processes.
        """
        given = []
        for image in gather_rows(fresh):
            slot = self.filled
            if slot < len(self.images):
                self.images[slot] = image
                self.filled += 1
                given.append(image)
            elif torch.rand(()).item() < 0.5:  # drawn on the CPU, so that an accelerator is not waited for
                slot = int(torch.randint(len(self.images), ()))
                given.append(self.images[slot].clone())
                self.images[slot] = image
            else:
                given.append(image)
        return process_part().cut(torch.stack(given))

    def get_extra_state(self) -> dict[str, Any]:
        return {"filled": self.filled}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.filled = state["filled"]
