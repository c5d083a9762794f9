"""Critics that are no chain of layers: their input gradient is taken by double backward."""

from collections.abc import Callable

import pytest
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from losses.core.input_gradient import input_gradient
from tests.gans.translating import MAP_NORMS, norm_of
from tests.losses.input_gradients import check, close, critic_of, draw

pytestmark = pytest.mark.usefixtures("one_thread")


class Doubled(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class Wrapped(nn.Module):
    def __init__(self, critic: nn.Module) -> None:
        super().__init__()
        self.critic = critic

    def forward(self, x: Tensor) -> Tensor:
        return self.critic(x).square()


class Squared(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).square()


def chain(*layers: nn.Module) -> nn.Sequential:
    """The layers, between a convolution and a linear layer."""
    return nn.Sequential(
        *(nn.Conv2d(3, 4, 3, padding=1), *layers, nn.Flatten(), nn.Linear(4 * 8 * 8, 1), nn.Flatten(0))
    )


def hooked(where: Callable[[nn.Sequential], nn.Module], before: bool) -> nn.Module:
    critic = chain(nn.LeakyReLU(0.2))
    if before:
        where(critic).register_forward_pre_hook(lambda layer, inputs: (inputs[0].sin(),))
    else:
        where(critic).register_forward_hook(lambda layer, inputs, output: output.sin())
    return critic


def spectral(arch: str) -> nn.Module:
    critic = critic_of(arch)
    for layer in critic.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            parametrizations.spectral_norm(layer)
    return critic


def one_weight_normed() -> nn.Module:
    critic = chain(nn.ReLU())
    parametrizations.weight_norm(critic[0])
    return critic


NO_CHAINS: dict[str, Callable[[], nn.Module]] = {
    "softplus": lambda: chain(nn.Softplus()),
    "max pooling": lambda: chain(nn.MaxPool2d(3, 1, 1)),
    "dropout": lambda: critic_of("dcgan", critic_dropout=0.3),
    "dropout of units": lambda: critic_of("mlp", critic_dropout=0.3),
    "layer norm of units": lambda: critic_of("mlp", critic_norm=norm_of("layer")),
    "spectral norm": lambda: spectral("dcgan"),
    "spectral norm of units": lambda: spectral("mlp"),
    "weight norm of one layer": one_weight_normed,
    "hook after the critic": lambda: hooked(lambda critic: critic, before=False),
    "hook before the critic": lambda: hooked(lambda critic: critic, before=True),
    "hook after a layer": lambda: hooked(lambda critic: critic[0], before=False),
    "hook before a layer": lambda: hooked(lambda critic: critic[1], before=True),
    "subclass of a layer": lambda: nn.Sequential(nn.Flatten(), nn.ReLU(), Doubled(192, 1), nn.Flatten(0)),
    "another module around it": lambda: Wrapped(chain(nn.ReLU())),
    "chain in a chain": lambda: nn.Sequential(chain(nn.ReLU()), nn.Unflatten(0, (-1, 1)), nn.Linear(1, 1)),
    "circular padding": lambda: nn.Sequential(
        nn.Conv2d(3, 1, 3, padding=1, padding_mode="circular"), nn.ReLU(), nn.Flatten(0)
    ),
    "padding by a word": lambda: nn.Sequential(nn.Conv2d(3, 1, 3, padding="same"), nn.ReLU(), nn.Flatten(0)),
    "slope downwards": lambda: chain(nn.LeakyReLU(-0.2)),
    "slope 0": lambda: chain(nn.LeakyReLU(0.0)),
    "resnet": lambda: critic_of("resnet"),
    "resnet with a norm": lambda: critic_of("resnet", critic_norm=norm_of("layer")),
}


@pytest.mark.usefixtures("fallback_only")
@pytest.mark.parametrize("name", NO_CHAINS)
def test_other_critics_fall_back(name: str) -> None:
    """Each has something that a chain of transposed layers would leave out."""
    critic = NO_CHAINS[name]().double()
    check(critic, draw(4, 3, 8, 8))


@pytest.mark.usefixtures("fallback_only")
@pytest.mark.parametrize("name", MAP_NORMS)
def test_norms_between_layers_fall_back(name: str) -> None:
    check(critic_of("dcgan", (3, 16, 16), critic_norm=norm_of(name)).double(), draw(4, 3, 16, 16))


@pytest.mark.usefixtures("fallback_only")
def test_a_chain_that_computes_more_falls_back() -> None:
    """Its layers are a chain's, its `forward` is not."""
    check(Squared(*chain(nn.ReLU())).double(), draw(4, 3, 8, 8))


@pytest.mark.usefixtures("fallback_only")
def test_a_function_falls_back() -> None:
    x = draw(4, 3)
    close(input_gradient(lambda s: s.square().sum(1), x), 2 * x)
