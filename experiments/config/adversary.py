"""The adversary as a library: a critic with its loss, by name, for a loop of somebody's own."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DataParallel, DistributedDataParallel

from experiments.config.adversary_settings import resolve_adversary
from experiments.config.factory import (
    blueprint_of,
    build_network,
    contains_module,
    critic_view_of,
    loss_spec_of,
    make_ema_options,
)
from experiments.config.python_words import python_words
from experiments.config.scheduled_values import scheduled_options, scheduled_value_of
from experiments.core import registry
from experiments.core.errors import UsageError, usage_errors
from experiments.core.python_values import plain_settings, plain_value
from experiments.core.settings import Settings
from gans.core.adversary_inputs import SampleFormat
from gans.core.architecture import Blueprint
from gans.core.critic_trainer import CriticTrainer, GeneratorWeight, TrainingLength
from gans.core.translation import PatchCritic

ARGUMENTS = {"critic_augment": "augment"}  # whose names are not those of their settings
TASKS = ("noise", "pairs")  # of architectures whose critic takes samples alone, or pairs of images
# Critics that are part of an architecture for something else: its name, and what builds them.
FURTHER_CRITICS: dict[str, tuple[str, Callable[[Blueprint], nn.Module]]] = {
    "patch": ("pix2pix", lambda blueprint: PatchCritic(blueprint, blueprint.sample_shape[0]))
}


class Adversary(CriticTrainer):
    """A critic that trains itself beside your network, and gives it an adversarial loss.

    It is what the games of `gans run` are made of, for people with a loop of their own: tokenizers,
    super-resolution, distillation. A step of both sides, in either order:

        adversary.critic_step(real, fake.detach())
        (reconstruction + adversary.generator_loss(fake, real)).backward()

    It has its own optimizer; your optimizer and `DistributedDataParallel` are for your network alone. Its
    `state_dict` holds all that its next step depends on, but random numbers, which come from torch's global
    generators. Under autocast its networks multiply in bfloat16, and losses, penalties and weights stay in
    float32. Over processes (torch's default group) it averages the critic's gradients itself.

    Args:
        critic: a module, samples `(N, …)` and their condition → logits `(N, …)`, which is trained in place;
            or the name of one: an architecture of noise (gans list architectures), "pix2pix", which takes
            pairs of images, or "patch", the same for single images.
        loss: a name after `--loss`, with its paper's penalty, optimizer and numbers; its norms only where the
            critic is built here, and its number of critic steps is your loop's business.
        penalty: names after `--penalty`, "none" for none; None for the loss's own.
        augment: as after `--critic-augment`: "ada", "ada:0.2", "diffaugment".
        start: generator losses before the adversarial term begins, which are 0 (VQGAN's `disc_start`).
        critic_start: critic steps that train nothing before its training begins; None for `start`, as VQGAN
            does, 0 for a critic that is ready when it is asked.
        weight: of the generator's loss; "adaptive" or "adaptive:FACTOR" for VQGAN's rule (Esser et al. 2021,
            arXiv:2012.09841, equation 7), for which `generator_loss` takes more.
        kimg, steps: length of the training, in thousands of real images or in critic steps, over which
            schedules, annealed penalties and fading noise move; without it they stay at their beginning.
        image_size, channels: of images `S` or `(H, W)`, about in [−1, 1], for a critic by name, and for
            losses whose numbers depend on the size. "patch" and "pix2pix" take images of any size: it chooses
            the size of their patches.
        classes: of labels that a critic by name takes; 0 for none.
        critic_ema_kimg: half-life of an EMA of the critic (`critic_ema`), which `follow` moves; 0 for none.
        settings: further flags of `gans run` by name that concern a critic: `lr_critic`, `optimizer`,
            `betas`, `penalty_norm`, `penalty_weight`, `penalty_every`, `penalty_anneal`, `lr_schedule`,
            `schedule`, regularizers (`lecam=0.3`), `width` and `critic_norm` of a critic by name, and options
            of components, nested or by key (`**{"ada.target": 0.5}`).

    Raises UsageError for what cannot be, with a line that names these arguments.

    >>> from torch import Tensor, nn
    >>> import gans
    >>> adversary = gans.Adversary(nn.Linear(2, 1), loss="hinge", lr_critic=1e-3)
    >>> scores = adversary.critic_step(Tensor([[1.0, 0.0]]), Tensor([[0.0, 1.0]]))
    >>> sorted(scores)
    ['critic/adversarial', 'critic/fake', 'critic/real']
    """

    def __init__(
        self,
        critic: nn.Module | str,
        loss: str = "r3gan",
        *,
        penalty: str | Sequence[str] | None = None,
        augment: str = "none",
        start: int = 0,
        critic_start: int | None = None,
        weight: float | str = 1.0,
        kimg: float | None = None,
        steps: int | None = None,
        image_size: int | tuple[int, int] | None = None,
        channels: int | None = None,
        classes: int = 0,
        critic_ema_kimg: float = 0.0,
        **settings: Any,
    ) -> None:
        own: dict[str, Any] = {
            "loss": loss,
            "penalty": penalty,
            "critic_augment": augment,
            "kimg": kimg,
            "steps": steps,
        }
        own |= {"image_size": image_size, "channels": channels, "classes": classes}
        settings = plain_settings(own | {"critic_ema_kimg": critic_ema_kimg} | settings)
        settings["classes"] = settings["classes"] or None
        if settings["loss"] is None:
            raise UsageError("loss: None is no name; give one (gans list losses), such as loss='r3gan'")
        start = _read_count("start", start)
        begins = start if critic_start is None else _read_count("critic_start", critic_start)
        arch, kind = None, "images"
        if isinstance(critic, str):
            arch, kind = _find_critic(critic, image_size, channels)
        with python_words(ARGUMENTS):
            resolved = resolve_adversary(settings, arch, kind)
            network = _build(critic, resolved) if isinstance(critic, str) else critic
            _check_network(network, resolved)
            with usage_errors():
                spec = loss_spec_of(resolved, None)
                spec = replace(spec, critic_view=critic_view_of(resolved, spec.form))
        length = TrainingLength((resolved.kimg or 0.0) * 1000, resolved.steps or 0)
        factor = _read_weight(plain_value("weight", weight))
        with usage_errors():
            super().__init__(
                network, spec, length, start, begins, factor, _format_of(critic, network, resolved)
            )
        self.settings = resolved
        with python_words(ARGUMENTS):
            self.scheduled = scheduled_options(resolved, self, spec.components)
        if resolved.critic_ema_kimg:
            half_life = scheduled_value_of(resolved, "critic_ema_kimg") or resolved.critic_ema_kimg
            self.ema_of(network, half_life, make_ema_options(resolved))
            self.critic_ema_tracker = self.emas[-1]


def _find_critic(name: str, image_size: Any, channels: int | None) -> tuple[str, str]:
    """The architecture of a critic by name, and the kind of its samples. Raises UsageError."""
    known = [each for each in registry.names("architecture") if _task(each) in TASKS]
    if name not in (*known, *FURTHER_CRITICS):
        raise registry.unknown_name_error("critic", name, [*known, *FURTHER_CRITICS])
    arch = FURTHER_CRITICS[name][0] if name in FURTHER_CRITICS else name
    if image_size is not None and channels is not None:
        return arch, "images"
    if "points" in registry.load("architecture", arch).data and image_size is None and channels is None:
        return arch, "points"
    raise UsageError(f"critic {name}: give image_size=… and channels=… of the images that it is to see")


def _task(arch: str) -> str:
    """The task of an architecture: noise, pairs, domains or attributes."""
    task: str = registry.load("architecture", arch).task
    return task


def _build(name: str, settings: Settings) -> nn.Module:
    """Builds a critic by name, with weights from torch's global random generator."""
    if settings.classes and not registry.load("architecture", settings.arch).takes_labels:
        raise UsageError(f"critic {name} takes no labels; leave out classes")
    if name not in FURTHER_CRITICS:
        return build_network(settings, "critic")
    blueprint = blueprint_of(settings)
    with usage_errors(f"critic {name}"):
        network = FURTHER_CRITICS[name][1](blueprint)
    blueprint.critic_norm.normalize_weights(network)
    return network


def _format_of(critic: nn.Module | str, network: nn.Module, settings: Settings) -> SampleFormat | None:
    """The samples that a critic by name takes; None for a critic of somebody's own."""
    if not isinstance(critic, str):
        return None
    is_of_pairs = critic not in FURTHER_CRITICS and _task(critic) == "pairs"
    return SampleFormat(
        critic,
        blueprint_of(settings).sample_shape,
        is_of_any_size=isinstance(network, PatchCritic),  # all its layers are convolutions
        classes=settings.classes or 0,
        has_partners=is_of_pairs,
    )


def _check_network(critic: nn.Module, settings: Settings) -> None:
    """Checks that a critic can be trained, and that no batch norm mixes samples with penalized gradients.

    Raises UsageError otherwise.
    """
    if not isinstance(critic, nn.Module):
        raise UsageError(f"critic: give a module or a name, not {type(critic).__name__}")
    if isinstance(critic, DataParallel | DistributedDataParallel):
        raise UsageError(
            "the critic is wrapped already, but an adversary averages its gradients itself; give "
            "critic.module"
        )
    if not any(parameter.requires_grad for parameter in critic.parameters()):
        raise UsageError("critic: no parameter asks for a gradient; call critic.requires_grad_(True) before")
    if settings.penalty and contains_module(critic, _BatchNorm):
        raise UsageError(
            "the critic has batch norm, which mixes the samples whose gradients a penalty holds one by one; "
            "take another norm in it, or give penalty='none'"
        )


def _read_count(name: str, count: Any) -> int:
    """Reads a number of steps. Raises UsageError for anything else."""
    number = plain_value(name, count)
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise UsageError(f"{name}: {count!r} is not a number of steps; give a whole number, 0 or more")
    return number


def _read_weight(weight: float | str) -> GeneratorWeight:
    """Reads the weight of the generator's loss. Raises UsageError for one that cannot be."""
    word, _, factor = weight.partition(":") if isinstance(weight, str) else ("", "", weight)
    try:
        number = 1.0 if factor == "" else float(factor)
    except (TypeError, ValueError):
        number = -1.0
    if word not in ("", "adaptive") or not 0 <= number < float("inf"):
        raise UsageError(
            f"weight: {weight!r} is no weight; give a number, 0 or more, 'adaptive' or 'adaptive:0.8'"
        )
    return GeneratorWeight(number, word == "adaptive")
