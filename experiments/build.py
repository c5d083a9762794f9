"""From a config to the things that train: networks, game, data and the generator's average."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import blake2b
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from experiments import catalogue
from experiments.config import Config
from experiments.deal import Dealer
from experiments.errors import UsageError, usable
from experiments.opening import open_data
from experiments.seeds import make_deterministic, seed_all
from experiments.settings import Settings
from experiments.timetable import Growth, growth_of, timetable
from gans.core.architecture import Architecture, Blueprint
from gans.core.attributes import groups_of
from gans.core.batch_statistics import MinibatchStatistic
from gans.core.clock import Pace, RateSchedule, Slowed
from gans.core.contest import Rules
from gans.core.ema import ExponentialMovingAverage
from gans.core.game import Batch, Game, GeneratorNetwork, LatentNetwork, StyledNetwork
from gans.core.growth import GrowingGenerator
from gans.core.norms import spectral_norm
from gans.core.player import Player
from losses.adversarial import Adversarial
from losses.gradient_penalty import GradientPenalty


def make_optimizer(settings: Settings, lr: float, parameters: Iterable[nn.Parameter]) -> Optimizer:
    """The optimizer of one player."""
    if settings.optimizer == "adam":
        betas = settings.betas or (0.9, 0.999)
        # Without decay the two are one algorithm.
        make = torch.optim.AdamW if settings.weight_decay else torch.optim.Adam
        return make(parameters, lr=lr, betas=betas, weight_decay=settings.weight_decay)
    others = {"rmsprop": torch.optim.RMSprop, "sgd": torch.optim.SGD}
    return others[settings.optimizer](parameters, lr=lr, weight_decay=settings.weight_decay)


@dataclass
class Experiment:
    """Everything that moves while training. Its `state_dict` is a checkpoint's content."""

    config: Config
    game: Game
    deal: Dealer
    reals: Batch  # the first of the data, to look at
    ema: ExponentialMovingAverage
    critic_ema: ExponentialMovingAverage | None
    total_steps: int
    total_images: int
    rollbacks: int = 0

    @property
    def players(self) -> list[Player]:
        return [module for module in self.game.modules() if isinstance(module, Player)]

    @property
    def stream(self) -> tuple[int | str, ...]:
        """What all random draws of training are a function of, beside the step."""
        seed = self.config.settings.seed
        return (seed, "rollback", self.rollbacks) if self.rollbacks else (seed,)

    def go_on_as(self, rollbacks: int) -> None:
        """As a run that was rolled back so often: with other random draws, and half the rates each time."""
        for player in self.players:
            player.schedule = Slowed(player.schedule, 0.5 ** (rollbacks - self.rollbacks))
        self.rollbacks = rollbacks

    @property
    def averages(self) -> list[ExponentialMovingAverage]:
        return [self.ema] if self.critic_ema is None else [self.ema, self.critic_ema]

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on, beside the config and the step's number."""
        state = {
            "seen": self.deal.seen,
            "data": self.fingerprint,
            "rollbacks": self.rollbacks,
            "game": self.game.state_dict(),
            "ema": self.ema.average.state_dict(),
        }
        if self.critic_ema is not None:
            state["critic_ema"] = self.critic_ema.average.state_dict()
        return state

    @cached_property
    def fingerprint(self) -> dict[str, Any]:
        """What tells this data from another: the number of images in it, and a hash of the first of them,
        with their attributes."""
        sources = [each for each in self.reals.condition if each.dim() > 1]
        first = b"".join(each.contiguous().numpy().tobytes() for each in (self.reals.samples, *sources))
        count = len(self.deal.data) + (len(self.deal.sources.data) if self.deal.sources else 0)
        return {"count": count, "first": blake2b(first, digest_size=8).hexdigest()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.deal.seen = state["seen"]
        self.game.load_state_dict(state["game"])
        self.ema.average.load_state_dict(state["ema"])
        if self.critic_ema is not None:
            self.critic_ema.average.load_state_dict(state["critic_ema"])
        self.go_on_as(state.get("rollbacks", 0))  # checkpoints of older versions have none


def blueprint_of(settings: Settings) -> Blueprint:
    size, channels = settings.image_size, settings.channels
    shape = (2,) if size is None or channels is None else (channels, *size)
    return Blueprint(
        shape,
        settings.z_dim or 0,
        settings.width,
        settings.critic_norm or "none",
        settings.critic_dropout,
        settings.style_mixing or 0.0,
        settings.classes or 0,
        groups_of(settings.attributes),
        settings.minibatch_statistic,
    )


def build_networks(settings: Settings) -> tuple[GeneratorNetwork, nn.Module]:
    """Generator and critic on the current default device, with weights from the global random generator."""
    architecture: Architecture = catalogue.load("architecture", settings.arch)
    if settings.classes and not architecture.takes_labels:
        raise UsageError(f"architecture {settings.arch} takes no labels; leave out --conditional")
    blueprint = blueprint_of(settings)
    generator, critic = usable(
        lambda: (architecture.generator(blueprint), architecture.critic(blueprint)),
        f"architecture {settings.arch}",
    )
    refuse_batch_norm(settings, generator, critic)
    if settings.critic_dropout and not has(critic, nn.modules.dropout._DropoutNd):
        raise UsageError(
            f"architecture {settings.arch}: its critic has no dropout; leave out --critic-dropout"
        )
    if settings.minibatch_statistic and not has(critic, MinibatchStatistic):
        raise UsageError(
            f"architecture {settings.arch}: its critic has no place for a statistic of the batch; "
            "leave out --minibatch-statistic"
        )
    if (settings.fade_kimg or settings.stable_kimg) and not isinstance(generator, GrowingGenerator):
        raise UsageError(
            f"architecture {settings.arch} does not grow; leave out --fade-kimg and --stable-kimg"
        )
    if settings.stage_batch_sizes and not isinstance(generator, GrowingGenerator):
        raise UsageError(f"architecture {settings.arch} does not grow; leave out --stage-batch-sizes")
    if settings.style_mixing and not isinstance(generator, StyledNetwork):
        raise UsageError(f"architecture {settings.arch} has no styles; leave out --style-mixing")
    if settings.critic_norm == "spectral":
        spectral_norm(critic)
    return generator, critic


def build_game(settings: Settings, generator: GeneratorNetwork, critic: nn.Module) -> Game:
    """Brings the networks and the rules together."""
    architecture: Architecture = catalogue.load("architecture", settings.arch)
    pace = growth_in(settings, generator).pace
    return usable(lambda: architecture.game(generator, critic, rules_of(settings, pace)))


def growth_in(settings: Settings, generator: GeneratorNetwork) -> Growth:
    """How far this generator grows, how fast, and on what batches."""
    return growth_of(settings, generator.stage.levels if isinstance(generator, GrowingGenerator) else 0)


def form_of(settings: Settings) -> Adversarial:
    """What the players want, without what regularizers make of it."""
    form: Adversarial = catalogue.load("form", catalogue.load_recipe(settings.loss).form)()
    return form


def rules_of(settings: Settings, pace: Pace) -> Rules:
    """The loss in all its parts, as objects."""
    penalties = [
        GradientPenalty(
            catalogue.load("penalty", place)(),
            settings.penalty_norm or "one",
            settings.penalty_weight or 0.0,
            settings.penalty_every or 1,
            1.0 if settings.penalty_anneal is None else settings.penalty_anneal,
        )
        for place in settings.penalty
    ]
    regularizers = [catalogue.load("regularizer", name)(strength) for name, strength in settings.regularizers]
    return Rules(
        form=form_of(settings),
        generator_optimizer=partial(make_optimizer, settings, settings.lr_generator),
        critic_optimizer=partial(make_optimizer, settings, settings.lr_critic),
        n_critic=settings.n_critic,
        penalties=penalties,
        regularizers=regularizers,
        schedule=RateSchedule(
            settings.lr_schedule, settings.lr_decay_from or 0.0, settings.lr_warmup_kimg * 1000
        ),
        pace=pace,
        weights=dict(settings.term_weights),
    )


def refuse_batch_norm(settings: Settings, generator: nn.Module, critic: nn.Module) -> None:
    """A per-sample penalty in a critic whose judgement of one sample depends on the others is a mistake
    (WGAN-GP, section 4), and a batch of one vector has no statistics."""
    name = f"architecture {settings.arch}"
    if settings.penalty and has(critic, nn.modules.batchnorm._BatchNorm):
        raise UsageError(
            f"{name}: its critic has batch norm, which mixes the samples whose gradients a penalty holds "
            "one by one; take --critic-norm layer, instance, spectral or none"
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
    generator, critic = build_networks(settings)
    data, told = open_data(settings)
    if told is not None and isinstance(generator, LatentNetwork):
        generator.shares.copy_(told.bincount(minlength=generator.classes) / len(told))
    game = place(build_game(settings, generator, critic), device)
    plan = timetable(settings, growth_in(settings, generator), game.deals_per_round)
    deal = Dealer(data, plan, settings.seed, device, settings.augment, told)
    ema = ExponentialMovingAverage(game.generator_network, settings.ema_kimg)
    critic_ema = (
        ExponentialMovingAverage(game.critic_network, settings.critic_ema_kimg)
        if settings.critic_ema_kimg
        else None
    )
    return Experiment(config, game, deal, deal.first(), ema, critic_ema, plan.steps, plan.images)


def place(game: Game, device: torch.device) -> Game:
    """Moves a game to its device, its image networks to channels-last memory, which convolves faster."""
    return game.to(device).to(memory_format=torch.channels_last)
