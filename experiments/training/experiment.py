"""Experiment, built from a config: networks, game, data and EMA."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import torch

from experiments.config.factory import (
    build_game,
    build_networks,
    growth_of_generator,
    loss_spec_of,
    make_augmentations,
    make_ema,
    to_device,
)
from experiments.config.resolve import RunSpec
from experiments.config.run_length import plan_batches
from experiments.config.scheduled_values import scheduled_options
from experiments.core import registry
from experiments.core.device import allow_tf32, dtype_of, warn_of_emulation
from experiments.core.errors import usage_errors
from experiments.core.named_values import JsonObject, StateDict
from experiments.core.seeds import choose_algorithms, seed_all
from experiments.data.core.fingerprint import DataFingerprint
from experiments.data.core.loader import Loader
from experiments.data.core.open import open_data
from experiments.runs.checkpoint import rename_keys
from experiments.runs.revisions import check_training
from experiments.training.compilation import compile_networks
from experiments.training.fixed_layers import fix_layers
from experiments.training.patience import patience_of
from experiments.training.rollback import scale_schedule
from experiments.training.shared_batches import share_batches
from gans.core.architecture import Architecture
from gans.core.ema import ExponentialMovingAverage
from gans.core.game import Game
from gans.core.networks import Batch, LatentNetwork
from gans.core.objective import adapt_memory
from gans.core.player import Player
from losses.core.schedule import ScheduledSetting


@dataclass
class Experiment:
    """All parts of a run that change while training. Its `state_dict` is a checkpoint's content.

    Attributes:
        spec: the specification that it was built from.
        game: the players with their networks and optimizers.
        loader: batches of the data.
        reals: the first real samples, for pictures.
        ema: EMA of the generator; critic_ema: EMA of the critic, None without.
        total_steps, total_images: length of the run.
        rollbacks: how often the run was rolled back.
        scheduled: options of components, and the critic's dropout, that move over the run.
        patience: evaluations without improvement, after which it ends early.
    """

    spec: RunSpec
    game: Game
    loader: Loader
    reals: Batch
    ema: ExponentialMovingAverage
    critic_ema: ExponentialMovingAverage | None
    total_steps: int
    total_images: int
    rollbacks: int = 0
    scheduled: Sequence[ScheduledSetting] = ()

    def __post_init__(self) -> None:
        self.patience = patience_of(self.spec.settings)

    @property
    def _architecture(self) -> Architecture:
        found: Architecture = registry.load("architecture", self.spec.settings.arch)
        return found

    @property
    def players(self) -> list[Player]:
        """The players of the game."""
        return self.game.players

    @property
    def random_parts(self) -> tuple[int | str, ...]:
        """Parts of the seed, beside the step, of which all random draws of training are a function."""
        seed = self.spec.settings.seed
        return (seed, "rollback", self.rollbacks) if self.rollbacks else (seed,)

    def set_rollbacks(self, rollbacks: int) -> None:
        """Sets how often the run was rolled back.

        Each rollback changes all random draws and lowers the learning rates.
        """
        for player in self.players:
            player.schedule = scale_schedule(player.schedule, rollbacks - self.rollbacks)
        self.rollbacks = rollbacks

    @property
    def averages(self) -> list[ExponentialMovingAverage]:
        """The EMAs of the generator and, where there is one, of the critic."""
        return [self.ema] if self.critic_ema is None else [self.ema, self.critic_ema]

    def state_dict(self) -> StateDict:
        """State that the next step depends on, beside the config and the step's number."""
        state = {
            "seen": self.loader.seen,
            "data": self.fingerprint,
            "rollbacks": self.rollbacks,
            "revision": self._architecture.revision,
            "game": self.game.state_dict(),
            "ema": self.ema.average.state_dict(),
        }
        if self.critic_ema is not None:
            state["critic_ema"] = self.critic_ema.average.state_dict()
        if patience := self.patience.state_dict():
            state["patience"] = patience
        return state

    @cached_property
    def fingerprint(self) -> JsonObject:
        """Fingerprint of the data: the number of images in it, and a hash of the first of them.

        The hash includes their attributes. With labels or attributes that the run uses, a hash of all these.
        """
        sources = [each for each in self.reals.condition if each.dim() > 1]
        first = b"".join(each.contiguous().numpy().tobytes() for each in (self.reals.samples, *sources))
        count = len(self.loader.data) + (len(self.loader.sources.data) if self.loader.sources else 0)
        known = {"count": count, "first": blake2b(first, digest_size=8).hexdigest()}
        hashes = [word for each in self.trained_on for word in (each.labels, each.attributes) if word]
        return {**known, "labels": "-".join(hashes)} if hashes else known

    @cached_property
    def trained_on(self) -> list[DataFingerprint]:
        """Fingerprints of the data for the config of the run, of two domains that of A first."""
        return self.loader.fingerprints()

    def load_state_dict(self, state: StateDict, *, adapts: bool = False) -> None:
        """Restores the state of a checkpoint.

        Args:
            adapts: takes one of a run with other regularizers or another critic augmentation, too; those that
                are new begin anew.
        """
        check_training(self.spec.settings.arch, state.get("revision", 1), "the checkpoint")
        self.loader.seen = state["seen"]
        renamed = self._architecture.renamed_keys
        game = rename_keys(state["game"], renamed)
        self.game.load_state_dict(adapt_memory(self.game, game) if adapts else game)
        self.ema.average.load_state_dict(rename_keys(state["ema"], renamed))
        if self.critic_ema is not None:
            self.critic_ema.average.load_state_dict(rename_keys(state["critic_ema"], renamed))
        self.patience.load_state_dict(state.get("patience", {}))
        self.set_rollbacks(state.get("rollbacks", 0))  # checkpoints of older versions have none


def build(spec: RunSpec) -> Experiment:
    """Builds an experiment on the device of the specification, ready for its first step."""
    settings = spec.settings
    device = torch.device(settings.device)
    choose_algorithms(device, settings.deterministic)
    allow_tf32(settings.precision == "tf32")
    warn_of_emulation(settings.precision, device)
    seed_all(settings.seed, "weights")
    generator, critic = build_networks(settings)
    data, condition = open_data(settings)
    if condition is not None and isinstance(generator, LatentNetwork):
        counts = condition.bincount(minlength=generator.classes)
        shown = (counts > 0).float() if settings.class_balance else counts
        generator.shares.copy_(shown / shown.sum())
    fix_layers(settings, generator, critic)
    with usage_errors():
        loss = loss_spec_of(settings, generator)
    dtype = dtype_of(settings.precision)
    game = to_device(build_game(settings, generator, critic, loss), device, dtype)
    plan = plan_batches(settings, growth_of_generator(settings, generator), game.batches_per_round)
    share_batches(settings, game, plan)
    if settings.compile:
        compile_networks(settings, game)
    augmentations = make_augmentations(settings)
    changes = [(augmentation.apply, strength) for augmentation, strength in augmentations]
    loader = Loader(data, plan, settings.seed, device, changes, condition, dtype, settings.class_balance)
    ema = make_ema(settings, game.generator_network, "ema_kimg")
    critic_ema = (
        make_ema(settings, game.critic_network, "critic_ema_kimg") if settings.critic_ema_kimg else None
    )
    parts = [*loss.components, *(augmentation for augmentation, _ in augmentations)]
    scheduled = scheduled_options(settings, game, parts)
    return Experiment(
        *(spec, game, loader, loader.first(), ema, critic_ema, plan.steps, plan.images), scheduled=scheduled
    )
