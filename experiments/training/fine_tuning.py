"""Beginning of a run from weights: which layers are taken, told in a table, and copied."""

import logging
from collections.abc import Callable

import torch
from torch import nn

from experiments.config.factory import build_networks
from experiments.core.errors import UsageError
from experiments.core.settings import Settings
from experiments.runs.initial_settings import ROLES, match_networks
from experiments.runs.initial_weights import InitialWeights, read_initial_weights
from experiments.runs.weights import Role
from experiments.training.experiment import Experiment
from experiments.training.fixed_layers import fix_layers, fixed_parameters
from experiments.training.layer_table import describe_match
from gans.core.layer_matching import LayerMatch, take_weights

log = logging.getLogger("gans")

Matches = dict[Role, LayerMatch]


def check_initial_weights(settings: Settings) -> None:
    """Checks that the weights which a run begins from can be read and fit, and logs the table of layers."""
    if settings.init_from is None:
        return
    weights = _read(settings)
    with torch.device("meta"):
        generator, critic = build_networks(settings)
    fix_layers(settings, generator, critic)
    _match(settings, weights, generator, critic, log.info)


def begin_from_weights(experiment: Experiment, log_table: bool = True) -> None:
    """Copies initial weights into the networks of a run and their EMAs, and logs which layers are taken.

    Without `log_table` it logs for debugging alone.

    Raises UsageError where they are not those that the run was to begin from, where nothing fits, and with
    `--init-strict` where something does not; RunError for damaged files.
    """
    settings, game = experiment.spec.settings, experiment.game
    weights = _read(settings)
    generator, critic = game.generator_network, game.critic_network
    tell = log.info if log_table else log.debug
    matches = _match(settings, weights, generator, critic, tell)
    take_weights(generator, matches["generator"], weights.generator.state_dict())
    take_weights(experiment.ema.average, matches["generator"], weights.ema.state_dict())
    if weights.critic is not None:
        critic_ema = weights.critic_ema or weights.critic
        take_weights(critic, matches["critic"], weights.critic.state_dict())
        if experiment.critic_ema is not None:
            take_weights(experiment.critic_ema.average, matches["critic"], critic_ema.state_dict())
    for name in game.running_means:
        if (value := weights.game.get(name)) is not None and value.shape == game.get_buffer(name).shape:
            game.get_buffer(name).copy_(value)
    tell(_describe_tuning(settings))


def _read(settings: Settings) -> InitialWeights:
    """Reads the initial weights of a run. Raises UsageError where they are others than its config says."""
    name = settings.init_from or ""
    weights = read_initial_weights(name, settings.init_hash)
    if weights.hash != settings.init_hash:
        raise UsageError(
            f"--init-from {name} has changed since this run was set up: {weights.kind} has the SHA-256 "
            f"{weights.hash[:12]}…, not {(settings.init_hash or 'none')[:12]}…; bring it back, or take "
            "another --out"
        )
    return weights


def _match(
    settings: Settings,
    weights: InitialWeights,
    generator: nn.Module,
    critic: nn.Module,
    tell: Callable[[str], None],
) -> Matches:
    """Matches both networks with the initial ones, and tells the table; see `begin_from_weights`."""
    name, matches, complete = settings.init_from, Matches(), True
    rows = [f"begins from {name} ({weights.kind}, SHA-256 {weights.hash[:12]}…)"]
    for role, network in zip(ROLES, (generator, critic), strict=True):
        other = weights.network(role)
        if other is None:
            rows.append(f"  {role}: new, as {weights.kind} has none")
            complete = False
            continue
        matches[role] = match = match_networks(settings, role, network, other)
        complete = complete and match.is_complete
        classes = (weights.settings.classes or 0, settings.classes or 0)
        rows += [f"  {role}: {row}" for row in describe_match(settings, role, match, classes)]
    if not any(match.weights for match in matches.values()):
        raise UsageError(
            f"--init-from {name}: no layer fits networks with {_shape(settings)}, as it has "
            f"{_shape(weights.settings)}; leave out what differs"
        )
    for row in rows:
        tell(row)
    for role, network in zip(ROLES, (generator, critic), strict=True):
        _check_fixed(settings, role, network, matches.get(role))
    if settings.init_strict and not complete:
        raise UsageError(
            f"--init-strict: not all layers come from {name}, as the lines above say; leave it out, or what "
            "differs"
        )
    return matches


def _shape(settings: Settings) -> str:
    """Words for what decides the shapes of the layers."""
    height, width = settings.image_size or (0, 0)
    size = f"images of {height}x{width}" if settings.image_size else "points"
    return f"a width of {settings.width} and {size}"


def _check_fixed(settings: Settings, role: Role, network: nn.Module, match: LayerMatch | None) -> None:
    """Checks that no layer of a network is to stay fixed that is new. Raises UsageError."""
    taken = {} if match is None else match.taken
    new = [name for name in fixed_parameters(settings, role, network) if name not in taken]
    if new:
        flag = "--freeze-mapping" if role == "generator" else f"--freeze-critic {settings.freeze_critic}"
        raise UsageError(
            f"{flag}: {new[0]} does not come from {settings.init_from}, and would stay as random as it is; "
            "leave it out, or what differs"
        )


def _describe_tuning(settings: Settings) -> str:
    """Describes how the learning rates and the EMA begin."""
    warmup, ramp_up = settings.lr_warmup_kimg, settings.options.get("ema.ramp_up")
    rates = (
        f"learning rates warm up over {warmup:g} kimg" if warmup else "learning rates begin at full height"
    )
    if any(name in ("lr_generator", "lr_critic") for name, *_ in settings.schedule):
        rates = "learning rates follow --schedule"
    average = "without ramp-up" if ramp_up is None else f"with a ramp-up of {ramp_up:g}"
    return f"{rates}, the EMA is {average} (--lr-warmup-kimg, --set ema.ramp_up)"
