"""Factory of objects from settings: networks, the loss in all its parts, the game, the EMA."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import torch
from torch import nn

from experiments.augmentations.core.augmentation import Augmentation
from experiments.config.run_length import Growth, plan_growth
from experiments.config.scheduled_values import options_to_build_with, scheduled_strengths, scheduled_value_of
from experiments.core import registry
from experiments.core.errors import UsageError, usage_errors
from experiments.core.options import make_component, make_options
from experiments.core.settings import Settings
from gans.core.architecture import Architecture, Blueprint
from gans.core.attributes import groups_from_columns
from gans.core.clock import Clock, RateFactor, Rates, RateSchedule, ScheduledRate
from gans.core.critic_view import CriticView
from gans.core.ema import EmaOptions, ExponentialMovingAverage
from gans.core.game import Game
from gans.core.growth import GrowingGenerator
from gans.core.growth_pace import StageRate
from gans.core.networks import GeneratorNetwork
from gans.core.objective import LossSpec
from gans.core.optimizer import OptimizerRecipe
from gans.layers.batch_statistics import MinibatchStatistic
from gans.layers.recomputation import recompute_activations
from losses.core.adaptive_probability import AdaptiveProbability
from losses.core.adversarial import Adversarial
from losses.core.gradient_penalty import GradientPenalty
from losses.core.schedule import Scheduled

MOST_PARTS = 20_000  # layers and weights of both networks: ten times those of the deepest published ones


def blueprint_of(settings: Settings) -> Blueprint:
    """Makes the blueprint of both networks."""
    architecture: Architecture = registry.load("architecture", settings.arch)
    size, channels = settings.image_size, settings.channels
    return Blueprint(
        sample_shape=(2,) if size is None or channels is None else (channels, *size),
        z_dim=settings.z_dim or 0,
        width=settings.width,
        critic_norm=_component(settings, "norm", settings.critic_norm or "none", "critic_norm"),
        critic_dropout=settings.critic_dropout,
        classes=settings.classes or 0,
        attributes=groups_from_columns(settings.attributes),
        minibatch_statistic=_minibatch_statistic(settings),
        options=make_options(architecture.options_type, "arch", options_to_build_with(settings)),
    )


def _component(settings: Settings, kind: str, name: str, prefix: str, *arguments: Any) -> Any:
    """Makes a plug-in with the options of the run."""
    return make_component(kind, name, prefix, options_to_build_with(settings), *arguments)


def _minibatch_statistic(settings: Settings) -> Callable[[int], MinibatchStatistic] | None:
    """Makes the builder of the critic's minibatch statistic; None for the architecture's own."""
    own = registry.load("architecture", settings.arch).minibatch_statistic
    name = settings.minibatch_statistic or own
    if name is None:
        return None
    return partial(_component, settings, "batch-statistic", name, "minibatch_statistic")


def build_networks(settings: Settings) -> tuple[GeneratorNetwork, nn.Module]:
    """Builds generator and critic on the default device, with weights from the global random generator."""
    architecture: Architecture = registry.load("architecture", settings.arch)
    if settings.classes and not architecture.takes_labels:
        raise UsageError(f"architecture {settings.arch} takes no labels; leave out --conditional")
    blueprint = blueprint_of(settings)
    with usage_errors(f"architecture {settings.arch}"), _no_more_parts():
        generator, critic = architecture.generator(blueprint), architecture.critic(blueprint)
    check_batch_norm(settings, generator, critic)
    if settings.critic_dropout and not contains_module(critic, nn.modules.dropout._DropoutNd):
        raise UsageError(
            f"architecture {settings.arch}: its critic has no dropout; leave out --critic-dropout"
        )
    if settings.minibatch_statistic and not contains_module(critic, MinibatchStatistic):
        raise UsageError(
            f"architecture {settings.arch}: its critic has no place for a statistic of the batch; "
            "leave out --minibatch-statistic"
        )
    blueprint.critic_norm.normalize_weights(critic)
    if settings.activation_checkpointing:
        with usage_errors(f"architecture {settings.arch}"):
            recompute_activations(generator, critic)
    return generator, critic


def build_network(settings: Settings, player: Literal["generator", "critic"]) -> nn.Module:
    """Builds one of both networks, for weights that were trained with these settings."""
    architecture: Architecture = registry.load("architecture", settings.arch)
    blueprint = blueprint_of(settings)
    with usage_errors(f"architecture {settings.arch}"), _no_more_parts():
        network: nn.Module = getattr(architecture, player)(blueprint)
    if player == "critic":
        blueprint.critic_norm.normalize_weights(network)
    return network


@contextmanager
def _no_more_parts() -> Iterator[None]:
    """Refuses networks of more than `MOST_PARTS` layers and weights within: a number in a file may be any."""
    left = MOST_PARTS

    def count(module: nn.Module, name: str, part: nn.Module | None) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise ValueError(f"has more than {MOST_PARTS:,} layers and weights, too many to be built")

    with (
        nn.modules.module.register_module_parameter_registration_hook(count),
        nn.modules.module.register_module_module_registration_hook(count),
    ):
        yield


def build_game(
    settings: Settings, generator: GeneratorNetwork, critic: nn.Module, loss: LossSpec | None = None
) -> Game:
    """Builds the game of these networks, as their architecture has it.

    Args:
        loss: the loss in all its parts; None makes it from the settings.
    """
    architecture: Architecture = registry.load("architecture", settings.arch)
    with usage_errors():
        return architecture.game(generator, critic, loss or loss_spec_of(settings, generator))


def growth_of_generator(settings: Settings, generator: GeneratorNetwork | None) -> Growth:
    """The sizes, batch sizes and pace of a generator, with a single size for one that does not grow.

    Args:
        generator: None where it is somebody else's, which does not.
    """
    return plan_growth(settings, generator.stage.levels if isinstance(generator, GrowingGenerator) else 0)


def form_of(settings: Settings) -> Adversarial:
    """Makes the adversarial form, before regularizers change its labels."""
    form: Adversarial = _component(settings, "form", registry.load_recipe(settings.loss).form, "loss")
    return form


def loss_spec_of(settings: Settings, generator: GeneratorNetwork | None) -> LossSpec:
    """Makes the loss in all its parts, with the optimizers of both players.

    Args:
        generator: of the run; None where it is somebody else's.
    """
    architecture: Architecture = registry.load("architecture", settings.arch)
    growth = growth_of_generator(settings, generator)
    form = form_of(settings)
    return LossSpec(
        form=form,
        generator_optimizer=partial(_optimizer(settings).make, lr=settings.lr_generator),
        critic_optimizer=partial(_optimizer(settings).make, lr=settings.lr_critic),
        n_critic=settings.n_critic,
        penalties=_penalties(settings),
        regularizers=[
            _component(settings, "regularizer", name, name, strength)
            for name, strength in settings.regularizers
        ],
        scheduled_strengths=scheduled_strengths(settings),
        generator_rates=_by_stage(_rates(settings, "lr_generator"), growth),
        critic_rates=_by_stage(_rates(settings, "lr_critic"), growth),
        pace=growth.pace,
        critic_view=_checked_critic_view(settings, growth, form),
        options=make_options(architecture.options_type, "arch", options_to_build_with(settings)),
    )


def _checked_critic_view(settings: Settings, growth: Growth, form: Adversarial) -> CriticView | None:
    """Makes the critic augmentation of a run on images.

    Raises UsageError for images that it cannot change.
    """
    if settings.image_size is None or (view := critic_view_of(settings, form)) is None:
        return None
    halvings = len(growth.sides) - 1 - growth.pace.first_level
    with usage_errors(f"--critic-augment {settings.critic_augment.partition(':')[0]}"):
        view.augmentation.check(settings.channels or 0, min(settings.image_size) >> halvings)
    return view


def critic_view_of(settings: Settings, form: Adversarial) -> CriticView | None:
    """Makes the critic augmentation with its probability; None without. Raises UsageError if it cannot be."""
    if settings.critic_augment == "none":
        return None
    name, _, fixed = settings.critic_augment.partition(":")
    with usage_errors(f"--critic-augment {name}"):
        augmentation = _component(settings, "critic-augmentation", name, name)
    probability: Scheduled | AdaptiveProbability = 1.0
    if augmentation.takes_probability:
        scheduled = scheduled_value_of(settings, name)
        adaptive = AdaptiveProbability(augmentation.options)
        probability = scheduled or (float(fixed) if fixed else adaptive)
    return CriticView(augmentation, probability, form.threshold)


def _penalties(settings: Settings) -> list[GradientPenalty]:
    """Makes the gradient penalties, one for each choice of points."""
    weight: Scheduled = scheduled_value_of(settings, "penalty_weight") or settings.penalty_weight or 0.0
    return [
        GradientPenalty(
            _component(settings, "penalty", name, name),
            _component(settings, "penalty-norm", settings.penalty_norm or "one", "penalty_norm"),
            weight,
            settings.penalty_every or 1,
            1.0 if settings.penalty_anneal is None else settings.penalty_anneal,
        )
        for name in settings.penalty
    ]


def _optimizer(settings: Settings) -> OptimizerRecipe:
    """Makes the recipe of the optimizer of both players."""
    recipe = registry.load("optimizer", settings.optimizer)
    found: OptimizerRecipe = recipe(
        make_options(recipe.options_type, "optimizer", options_to_build_with(settings))
    )
    return found


def _rates(settings: Settings, name: str) -> Rates:
    """Makes the schedules of one player's learning rate and second beta."""
    scheduled = scheduled_value_of(settings, name)
    schedule = make_component("schedule", settings.lr_schedule, "lr_schedule", settings.options)
    factor: RateFactor = RateSchedule(schedule, settings.lr_decay_from or 0.0, settings.lr_warmup_kimg * 1000)
    if scheduled is not None:
        factor = ScheduledRate(scheduled, getattr(settings, name))
    return Rates(factor, scheduled_value_of(settings, "beta2"))


def _by_stage(rates: Rates, growth: Growth) -> Rates:
    """The schedules of a player whose learning rate may differ by the size of growing networks."""
    if set(growth.rate_factors) <= {1.0}:
        return rates
    return replace(rates, factor=StageRate(rates.factor, growth.pace, growth.rate_factors))


def final_rates(settings: Settings) -> dict[str, float]:
    """Multipliers of both players' learning rates at the end of the schedules, by player."""
    end = Clock(seen=sys.maxsize, progress=1.0)
    return {player: _rates(settings, f"lr_{player}").factor(end) for player in ("generator", "critic")}


def make_augmentations(settings: Settings) -> list[tuple[Augmentation, Scheduled]]:
    """Makes the augmentations of images, with their strengths."""
    return [
        (
            _component(settings, "augmentation", name, name),
            scheduled_value_of(settings, name) or strength,
        )
        for name, strength in settings.augment
    ]


def make_ema(settings: Settings, network: nn.Module, name: str) -> ExponentialMovingAverage:
    """Makes the EMA of a network, whose half-life is the setting of that name."""
    half_life = scheduled_value_of(settings, name) or getattr(settings, name)
    return ExponentialMovingAverage(network, half_life, make_ema_options(settings))


def make_ema_options(settings: Settings) -> EmaOptions:
    """Makes the options of EMAs."""
    options: EmaOptions = make_options(EmaOptions, "ema", settings.options)
    return options


def check_batch_norm(settings: Settings, generator: nn.Module, critic: nn.Module) -> None:
    """Checks batch norm: not beside a per-sample gradient penalty, and not of vectors with batch size 1.

    Raises UsageError where the logit of one sample depends on the others under such a penalty (WGAN-GP,
    section 4), and where a batch has no statistics.
    """
    name = f"architecture {settings.arch}"
    if settings.penalty and contains_module(critic, nn.modules.batchnorm._BatchNorm):
        raise UsageError(
            f"{name}: its critic has batch norm, which mixes the samples whose gradients a penalty holds "
            "one by one; take --critic-norm layer, instance, spectral or none"
        )
    if settings.batch_size == 1 and (
        contains_module(generator, nn.BatchNorm1d) or contains_module(critic, nn.BatchNorm1d)
    ):
        raise UsageError(f"--batch-size 1 has no statistics for the batch norm of {name}; take 2 or more")


def contains_module(network: nn.Module, kind: type[Any]) -> bool:
    """Whether a network has a module of that kind."""
    return any(isinstance(module, kind) for module in network.modules())


def to_device(game: Game, device: torch.device, dtype: torch.dtype = torch.float32) -> Game:
    """Moves a game to its device, its image networks to channels-last memory, which convolves faster."""
    return game.to(device, dtype).to(memory_format=torch.channels_last)
