"""From a config to the things that train: networks, game, data and the generator's average."""

from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any

import torch
from torch import nn

from experiments import catalogue
from experiments.config import Config, open_source
from experiments.data import DataSet
from experiments.deal import Dealer
from experiments.errors import UsageError, usable
from experiments.seeds import make_deterministic, seed_all
from experiments.settings import Settings
from gans.core.architecture import Architecture, Blueprint
from gans.core.duel import Rules
from gans.core.ema import ExponentialMovingAverage
from gans.core.game import Game, LatentNetwork
from losses.gradient_penalty import GradientPenalty

OPTIMIZERS = {
    "adam": lambda parameters, lr, betas: torch.optim.Adam(parameters, lr=lr, betas=betas),
    "rmsprop": lambda parameters, lr, betas: torch.optim.RMSprop(parameters, lr=lr),
    "sgd": lambda parameters, lr, betas: torch.optim.SGD(parameters, lr=lr),
}


@dataclass
class Experiment:
    """Everything that moves while training. Its `state_dict` is a checkpoint's content."""

    config: Config
    game: Game
    deal: Dealer
    ema: ExponentialMovingAverage
    total_steps: int

    @property
    def images_per_step(self) -> int:
        return self.deal.batch_size * self.game.deals_per_round

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on, beside the config and the step's number."""
        return {
            "seen": self.deal.seen,
            "game": self.game.state_dict(),
            "ema": self.ema.average.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.deal.seen = state["seen"]
        self.game.load_state_dict(state["game"])
        self.ema.average.load_state_dict(state["ema"])


def open_data(settings: Settings) -> DataSet:
    """The data of a run. Raises UsageError where it cannot be had or is smaller than a batch."""
    source = open_source(settings.data, settings.data_root, settings.download, settings.skip_bad)
    fit: Any = settings.fit or "auto"
    data = usable(lambda: source.open(settings.image_size, settings.channels, fit))
    if len(data) < settings.batch_size:
        raise UsageError(
            f"data {settings.data} has {len(data)} samples, fewer than a batch of {settings.batch_size}; "
            f"take --batch-size {len(data)} or smaller"
        )
    return data


def blueprint_of(settings: Settings) -> Blueprint:
    size, channels = settings.image_size, settings.channels
    shape = (2,) if size is None or channels is None else (channels, *size)
    return Blueprint(shape, settings.z_dim, settings.width, settings.critic_norm or "none")


def build_networks(settings: Settings) -> tuple[LatentNetwork, nn.Module]:
    """Generator and critic on the current default device, with weights from the global random generator."""
    architecture: Architecture = catalogue.load("architecture", settings.arch)
    blueprint = blueprint_of(settings)
    generator, critic = usable(lambda: (architecture.generator(blueprint), architecture.critic(blueprint)))
    refuse_batch_norm(settings, generator, critic)
    return generator, critic


def build_game(settings: Settings, generator: LatentNetwork, critic: nn.Module) -> Game:
    """Brings the networks and the rules together."""
    architecture: Architecture = catalogue.load("architecture", settings.arch)
    return usable(lambda: architecture.game(generator, critic, rules_of(settings)))


def rules_of(settings: Settings) -> Rules:
    """The loss in all its parts, as objects."""
    form = catalogue.load("form", catalogue.load_recipe(settings.loss).form)()
    make = partial(OPTIMIZERS[settings.optimizer], betas=settings.betas)
    penalties = [
        GradientPenalty(
            catalogue.load("penalty", place)(),
            settings.penalty_norm or "one",
            settings.penalty_weight or 0.0,
            settings.penalty_every or 1,
        )
        for place in settings.penalty
    ]
    regularizers = [
        usable(partial(catalogue.load("regularizer", name), strength))
        for name, strength in settings.regularizers
    ]
    return Rules(
        form=form,
        generator_optimizer=partial(make, lr=settings.lr_generator),
        critic_optimizer=partial(make, lr=settings.lr_critic),
        n_critic=settings.n_critic,
        penalties=penalties,
        regularizers=regularizers,
    )


def refuse_batch_norm(settings: Settings, generator: nn.Module, critic: nn.Module) -> None:
    """A per-sample penalty in a critic whose judgement of one sample depends on the others is a mistake
    (WGAN-GP, section 4), and a batch of one vector has no statistics."""
    name = f"architecture {settings.arch}"
    if settings.penalty and has(critic, nn.modules.batchnorm._BatchNorm):
        raise UsageError(
            f"{name}: its critic has batch norm, which mixes the samples whose gradients a penalty holds "
            "one by one; take --critic-norm layer, instance or none"
        )
    if settings.batch_size == 1 and (has(generator, nn.BatchNorm1d) or has(critic, nn.BatchNorm1d)):
        raise UsageError(f"--batch-size 1 has no statistics for the batch norm of {name}; take 2 or more")


def has(network: nn.Module, kind: type[nn.Module]) -> bool:
    return any(isinstance(module, kind) for module in network.modules())


def build(config: Config) -> Experiment:
    """Builds everything on the config's device, ready for its first step."""
    settings = config.settings
    make_deterministic()
    device = torch.device(settings.device)
    seed_all(settings.seed, "weights")
    game = place(build_game(settings, *build_networks(settings)), device)
    deal = Dealer(open_data(settings), settings.batch_size, settings.seed, device)
    ema = ExponentialMovingAverage(game.generator_network, settings.ema_kimg)
    steps = total_steps(settings, settings.batch_size * game.deals_per_round)
    return Experiment(config, game, deal, ema, steps)


def total_steps(settings: Settings, images_per_step: int) -> int:
    """The length of a run in steps, whichever way it was given."""
    return settings.steps or ceil((settings.kimg or 0.0) * 1000 / images_per_step)


def place(game: Game, device: torch.device) -> Game:
    """Moves a game to its device, its image networks to channels-last memory, which convolves faster."""
    return game.to(device).to(memory_format=torch.channels_last)
