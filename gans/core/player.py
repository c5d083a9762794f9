"""Players: networks updated together by one optimizer; the only place where a gradient step happens."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial, reduce
from math import inf
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm, parametrize
from torch.optim import Optimizer

from gans.core.clock import CONSTANT, Clock, Rates
from losses.core.batch_parts import compute_in_passes
from losses.core.precision import mixed_precision
from losses.core.ranks import average_gradients

Scores = dict[str, Tensor]
MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


class Losses(NamedTuple):
    """Terms of a player's loss, whose sum is minimised, and further scalars that are only logged.

    Names with a slash, such as "augment/p", are logged as they are; others begin with that of the player.
    """

    terms: Scores
    logged: Scores = {}  # noqa: RUF012  (never written to)


class Player(nn.Module):
    """A player of a game: networks that are updated together, and their optimizer.

    At rest a player's parameters ask for no gradient, so whoever else moves neither computes nor leaves
    gradients here; `minimise` is where it wakes up. Parameters that ask for none when it is made stay fixed.

    Args:
        name: prefix of its scores (`critic/gradient_penalty`).
        network: the network to train; several that are updated together come as one `nn.ModuleDict`.
        make_optimizer: given the parameters, returns their optimizer.
        after_step: constraints on the weights, applied after every step, while those that are trained ask for
            gradients.
        rates: schedules of the optimizer's learning rate and second beta.

    Attributes:
        micro_batch_size: samples that are computed at once; an update takes a larger batch in several passes,
            whose gradients add up. None for all.
        product_type: in which networks multiply while objectives call them, such as bfloat16. What they
            return, losses, weights and moments stay in their own type. None for that of the weights.
    """

    micro_batch_size: int | None = None
    product_type: torch.dtype | None = None

    def __init__(
        self,
        name: str,
        network: nn.Module,
        make_optimizer: MakeOptimizer,
        after_step: Sequence[Callable[[nn.Module], None]] = (),
        rates: Rates = CONSTANT,
    ) -> None:
        super().__init__()
        self.name = name
        self.network = network
        self.weights = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.optimizer = make_optimizer(self.weights)
        self.after_step = tuple(after_step)
        self.schedule, self.beta2, self.power = rates.factor, rates.beta2, 1.0
        self.full_rates = [group["lr"] for group in self.optimizer.param_groups]
        self._set_requires_grad(False)

    def minimise(
        self, objective: Callable[..., Losses], clock: Clock, *batch: Any, counts_all: bool = False
    ) -> Scores:
        """Takes one step down the sum of `objective(clock, *batch)`; returns its scalars by name.

        The gradients are those of the mean over the batch of all processes. Terms are means over samples, or
        the same for all.

        Args:
            batch: tensors `(N, …)`, and tuples of such; anything else is handed on as it is.
            counts_all: whether parameters that the objective does not reach have the gradient 0, so that the
                optimizer counts the step for them too and their moments decay; else it skips them.
        """
        self._set_requires_grad(True)
        self._set_rates(clock)
        self.optimizer.zero_grad(set_to_none=True)
        passes = self._count_passes(batch)
        scores = compute_in_passes(passes, partial(self._descend, objective, passes, clock), batch)
        if counts_all:
            for weight in self.weights:
                weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
        average_gradients(self.weights)
        self.optimizer.step()
        for constrain in self.after_step:
            constrain(self.network)
        self._set_requires_grad(False)
        return {key if "/" in key else f"{self.name}/{key}": value for key, value in _average(scores).items()}

    def _descend(self, objective: Callable[..., Losses], passes: int, clock: Clock, *batch: Any) -> Scores:
        """Adds the gradients of one of the passes; returns its scalars."""
        # A weight under spectral norm is normalized once a step.
        with mixed_precision(self.product_type), parametrize.cached():
            terms, logged = objective(clock, *batch)
        total = reduce(torch.add, terms.values())
        (total if passes == 1 else total / passes).backward()  # type: ignore[no-untyped-call]
        return {name: value.detach() for name, value in (terms | logged).items()}

    def _count_passes(self, batch: Iterable[Any]) -> int:
        """Number of passes in which a batch is computed."""
        if self.micro_batch_size is None:
            return 1
        rows = next((len(x) for each in batch for x in _tensors(each)), 0)
        return -(-rows // self.micro_batch_size)

    def gradient_norm(self) -> Tensor:
        """Euclidean norm of the last update's gradient over all weights, a scalar; 0 before the first."""
        gradients = [weight.grad for weight in self.weights if weight.grad is not None]
        # Of numbers that are at most 1: squares of large ones are no float32.
        scale = get_total_norm(gradients, norm_type=inf).clamp_min(torch.finfo(torch.float32).tiny)
        return scale * get_total_norm([gradient / scale for gradient in gradients])

    def take_zero_step(self) -> None:
        """Takes a step with gradients of zero; gradients and the optimizer's moments are there after it."""
        for weight in self.weights:
            weight.grad = torch.zeros_like(weight)
        self.optimizer.step()

    def reset_optimizer(self) -> None:
        """Clears the optimizer's moments, as at the beginning."""
        self.optimizer.state.clear()

    def slow_down(self, power: float) -> None:
        """Lowers learning rates and betas for an optimizer that takes 1 / power times as many steps."""
        self.full_rates, self.power = [rate * power for rate in self.full_rates], self.power * power
        for group in self.optimizer.param_groups:
            if "betas" in group:
                group["betas"] = tuple(beta**power for beta in group["betas"])

    @property
    def hyperparameters(self) -> set[str]:
        """Names of the numbers that every parameter group of the optimizer has, such as `weight_decay`."""
        return set.intersection(*(set(group) for group in self.optimizer.param_groups)) - {"params"}

    def set_hyperparameter(self, name: str, value: float) -> None:
        """Sets a hyperparameter of the optimizer, in all its parameter groups as they are now."""
        for group in self.optimizer.param_groups:  # loading a state makes new ones
            group[name] = value

    def _set_rates(self, clock: Clock) -> None:
        """Sets the learning rates and the second beta to their values at this time."""
        share = self.schedule(clock)
        for group, full_rate in zip(self.optimizer.param_groups, self.full_rates, strict=True):
            group["lr"] = full_rate * share
            if self.beta2 is not None:
                group["betas"] = (group["betas"][0], self.beta2.at(clock.progress) ** self.power)

    def _set_requires_grad(self, asks: bool) -> None:
        """Turns gradients of all parameters that are trained on or off."""
        for parameter in self.weights:
            parameter.requires_grad_(asks)

    def _check_moments(self, moments: Mapping[int, Mapping[str, Any]]) -> None:
        """Checks that moments are of these parameters and this optimizer. Raises ValueError for others.

        PyTorch finds that out in the next step, and sometimes not: shapes may broadcast, and SGD begins anew
        without its momentum. The moments of a plug-in may have any form.
        """
        if not type(self.optimizer).__module__.startswith("torch."):
            return
        names = {
            frozenset(name for name, value in each.items() if value is not None) for each in moments.values()
        }
        if not moments.keys() <= set(range(len(self.weights))) or len(names) > 1:
            raise ValueError("these are moments of other parameters")
        for index, each in moments.items():
            known = ((), self.weights[index].shape)
            if not all(value.shape in known for value in each.values() if isinstance(value, Tensor)):
                raise ValueError("these are moments of other parameters")
        for found in names:
            needed = self._names_of_moments()
            if not needed <= found or (found and not needed):
                raise ValueError("these are moments of another optimizer")

    def _names_of_moments(self) -> set[str]:
        """Names of the moments of a parameter, which an optimizer tells by its first step alone."""
        parameter = torch.nn.Parameter(torch.zeros((), device=self.weights[0].device))
        parameter.grad = torch.zeros_like(parameter)
        like = type(self.optimizer)([parameter], lr=1.0)  # type: ignore[call-arg]
        group = self.optimizer.param_groups[0]
        like.param_groups[0].update({name: value for name, value in group.items() if name != "params"})
        like.step()
        return {name for name, value in like.state[parameter].items() if value is not None}

    def _apply(self, *arguments: Any, **options: Any) -> Self:
        """Moves the moments with their weights, as `.to(device)` may come after a state was loaded."""
        super()._apply(*arguments, **options)  # type: ignore[no-untyped-call]
        if self.optimizer.state:
            # As from a checkpoint, so that PyTorch decides which of them lie beside their weights.
            self.set_extra_state(self.get_extra_state())
        return self

    def get_extra_state(self) -> dict[str, Any]:
        """The optimizer's moments: they travel with the player, so that a game's `state_dict` is whole."""
        return {"moments": self.optimizer.state_dict()["state"]}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        # Learning rates and betas belong to the config; only the moments belong to the checkpoint.
        self._check_moments(state["moments"])
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state["moments"], "param_groups": groups})
        for weight, own in self.optimizer.state.items():
            for name, value in own.items():
                if isinstance(value, Tensor):
                    # Fused optimizers go through memory, so a moment must lie in it as its weight does. All
                    # are copies: steps would change the state that was loaded, which may be loaded again.
                    place = weight if value.shape == weight.shape else value
                    own[name] = torch.empty_like(place, dtype=value.dtype, device=value.device).copy_(value)


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors within tuples."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from _tensors(each)


def _average(scores: Sequence[Scores]) -> Scores:
    """Averages the scalars of each name over passes."""
    if len(scores) == 1:
        return scores[0]
    return {name: torch.stack([each[name] for each in scores]).mean() for name in scores[0]}
