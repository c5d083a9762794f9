"""Power spectra of images, and correlations between their channels, gathered batch by batch."""

import torch
from torch import Tensor

from metrics.core.batches import Rows, checked

SMALLEST = 4  # pixels a side
CONSTANT = 1e-9  # standard deviation below which a channel is


class ChannelStatistics:
    """Radially averaged power spectrum of each channel, and moments of the channels at a pixel.

    The power of a wave is the mean over images of |X(k)|² / (H W)², with X the discrete Fourier transform of
    a channel: over all waves but the mean they add up to the variance within an image. Waves are gathered in
    rings of whole numbers of cycles over the short side, k = 1, 2, …, to half of that side; what lies in the
    corners beyond is left out.

    Args:
        name: of the metric, for errors.
    """

    def __init__(self, name: str) -> None:
        self.name, self.shape = name, tuple[int, ...]()
        self._powers, self._sums, self._products = (Rows(name) for _ in range(3))

    def __len__(self) -> int:
        return len(self._sums)

    def reset(self) -> None:
        """Forgets all images."""
        self.shape = ()
        for rows in (self._powers, self._sums, self._products):
            rows.clear()

    def update(self, images: Tensor) -> None:
        """Takes images `(N, C, H, W)`.

        Raises ValueError for another shape than before, for sides below 4, and for numbers that are not
        finite.
        """
        if images.dim() != 4 or min(images.shape[2:]) < SMALLEST:
            raise ValueError(
                f"{self.name}: takes images (N, C, H, W) of at least {SMALLEST} pixels a side, not "
                f"{tuple(images.shape)}"
            )
        shape = tuple(images.shape[1:])
        if self.shape not in ((), shape):
            raise ValueError(f"{self.name}: images of shape {shape} beside those of {self.shape}")
        values = checked(images.flatten(1), self.name).double().view(images.shape)
        self.shape = shape
        # One row for each image, so that sums do not depend on how images come in batches.
        self._powers.add(ring_powers(values).flatten(1))
        self._sums.add(values.mean(dim=(2, 3)))
        products = [(values * values[:, c, None]).mean(dim=(2, 3)) for c in range(shape[0])]
        self._products.add(torch.cat(products, dim=1))

    def spectra(self) -> Tensor:
        """Radially averaged power of each channel, float64 `(C, K)`, of k = 1, …, K cycles a side.

        Raises ValueError without images.
        """
        return self._powers.all().mean(dim=0).view(self.shape[0], -1)

    def means(self) -> Tensor:
        """Mean of each channel, float64 `(C,)`. Raises ValueError without images."""
        return self._sums.all().mean(dim=0)

    def covariance(self) -> Tensor:
        """Covariance of the channels at a pixel, float64 `(C, C)`. Raises ValueError without images."""
        means = self.means()
        return self._products.all().mean(dim=0).view(len(means), -1) - torch.outer(means, means)

    def correlations(self) -> Tensor:
        """Correlations of the channels at a pixel, float64 `(C, C)`; 0 with a channel that is constant.

        Raises ValueError without images.
        """
        covariance = self.covariance()
        deviations = covariance.diagonal().clamp(min=0).sqrt()
        return (covariance / torch.outer(deviations, deviations).clamp(min=CONSTANT**2)).clamp(-1, 1)

    def check_channels(self) -> None:
        """Checks that no channel is constant, which has neither spectrum nor correlation; else ValueError."""
        deviations = self.covariance().diagonal().clamp(min=0).sqrt()
        if constant := (deviations < CONSTANT).nonzero()[:, 0].tolist():
            raise ValueError(
                f"{self.name}: channel {constant[0] + 1} of {len(deviations)} is constant, which has neither "
                "spectrum nor correlation; leave it out of the data"
            )


def ring_powers(images: Tensor) -> Tensor:
    """Radially averaged power of each image and channel, float64 `(N, C, H, W)` → `(N, C, K)`."""
    height, width = images.shape[2:]
    ring, weight = rings((height, width))
    count = min(height, width) // 2
    powers = torch.fft.rfft2(images, norm="forward").abs().square().flatten(2) * weight
    sums = powers.new_zeros(*powers.shape[:2], count + 1).index_add_(2, ring, powers)
    waves = weight.new_zeros(count + 1).index_add_(0, ring, weight)
    return sums[..., 1:] / waves[1:]


def rings(size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Ring of each wave of `torch.fft.rfft2`, int64 `(H · (W // 2 + 1),)`, and how many waves it stands for.

    The mean and the corners beyond half of the short side are in ring 0.
    """
    height, width = size
    short = min(size)
    rows = torch.fft.fftfreq(height, 1 / short, dtype=torch.float64)
    columns = torch.fft.rfftfreq(width, 1 / short, dtype=torch.float64)
    ring = (rows[:, None].square() + columns.square()).sqrt().round().long()
    ring[ring > short // 2] = 0
    weight = torch.full((height, width // 2 + 1), 2.0, dtype=torch.float64)  # a wave and its mirror image
    weight[:, 0] = 1.0
    if width % 2 == 0:
        weight[:, -1] = 1.0
    return ring.flatten(), weight.flatten()


def log_spectral_distance(spectra: Tensor, others: Tensor) -> Tensor:
    """Distance of power spectra `(C, K)` in decibels, for each channel `(C,)`.

    It is the root mean square over k of 10 log₁₀ of their ratio (Gray & Markel 1976, equation 8).

    >>> from metrics.core.spectra import log_spectral_distance
    >>> import torch
    >>> log_spectral_distance(torch.tensor([[10.0, 10.0]]), torch.tensor([[1.0, 1.0]]))
    tensor([10.])
    """
    smallest = torch.finfo(torch.float64).tiny
    decibels = 10 * (spectra.clamp(min=smallest) / others.clamp(min=smallest)).log10()
    return decibels.square().mean(dim=1).sqrt()
