"""Compilation of networks by `torch.compile` (`--compile`)."""

import logging
import os
import shutil
from collections.abc import Iterator

from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from experiments.core.errors import UsageError
from experiments.core.settings import Settings
from gans.core.game import Game
from gans.core.growth import GrowingGenerator
from losses.core.precision import call_outermost

BACKEND = "inductor"
COMPILERS = ("g++", "clang++")


def compile_networks(settings: Settings, game: Game) -> None:
    """Compiles the networks of a game, each for the sizes that it sees, at its first call.

    Gradient penalties and path lengths, which differentiate gradients, call them as they are. So do the EMA,
    samples and scores, whose networks are copies. Raises UsageError for networks that would be compiled again
    and again, or not at all.
    """
    name = f"architecture {settings.arch}"
    if isinstance(game.generator_network, GrowingGenerator):
        raise UsageError(f"{name} grows, and would be compiled anew at every size; leave out --compile")
    if settings.activation_checkpointing:
        raise UsageError("--compile and --activation-checkpointing exclude each other; leave one out")
    if any(is_parametrized(module) for module in game.modules()):
        raise UsageError(
            f"{name}: weights under spectral norm change with every call, which compiled networks do not "
            "notice; leave out --compile, or take --critic-norm none"
        )
    if settings.device == "cpu" and not _has_compiler():
        raise UsageError("--compile needs a C++ compiler on a CPU, such as g++; install one or leave it out")
    # It warns where there is no GPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    for network in (game.generator_network, game.critic_network):
        for part in _callable_parts(network):
            # Sizes are fixed and random numbers PyTorch's own, so that a run that is resumed, and compiled
            # anew, goes on with the same bits.
            part.compile(backend=BACKEND, dynamic=False, **_options())
            compiled = part._compiled_call_impl
            assert compiled is not None
            part._compiled_call_impl = call_outermost(part, compiled)


def _options() -> dict[str, dict[str, bool]]:
    """Options of the backend."""
    return {"options": {"fallback_random": True}} if BACKEND == "inductor" else {}


def _callable_parts(network: nn.Module) -> Iterator[nn.Module]:
    """A network, and its parts of several layers, which some games call by themselves."""
    yield network
    yield from (part for part in network.children() if any(True for _ in part.children()))


def _has_compiler() -> bool:
    """Whether a C++ compiler is found, by the environment variable CXX or by its usual names."""
    return any(shutil.which(name) for name in (os.environ.get("CXX", ""), *COMPILERS) if name)
