"""Power spectra of images, and correlations between their channels, gathered batch by batch."""

import torch
from torch import Tensor


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
        self.name = name
        self.reset()

    def reset(self) -> None:
        """Forgets all images."""
        self.count = 0
        self.shape: tuple[int, ...] = ()
        self._powers = self._sums = self._products = torch.zeros(0, dtype=torch.float64)

    def update(self, images: Tensor) -> None:
        """Takes images `(N, C, H, W)`.

        Raises ValueError for another shape than before, for sides below 4, and for numbers that are not
        finite.
        """
        if images.dim() != 4 or min(images.shape[2:]) < 4:
            raise ValueError(
                f"{self.name}: takes images (N, C, H, W) of at least 4 pixels a side, not {tuple(images.shape)}"
            )
        shape = tuple(images.shape[1:])
        if self.shape not in ((), shape):
            raise ValueError(f"{self.name}: images of shape {shape} beside those of {self.shape}")
        values = images.detach().cpu().double()
        if not values.sum().isfinite():
            raise ValueError(f"{self.name}: images have numbers that are not finite; check the samples")
        if not self.shape:
            self.shape, channels = shape, shape[0]
            self._powers = torch.zeros(channels, shape[1], shape[2] // 2 + 1, dtype=torch.float64)
            self._sums = torch.zeros(channels, dtype=torch.float64)
            self._products = torch.zeros(channels, channels, dtype=torch.float64)
        self._powers += torch.fft.rfft2(values, norm="forward").abs().square().sum(dim=0)
        pixels = values.transpose(0, 1).flatten(1)
        self._sums += pixels.sum(dim=1)
        self._products += pixels @ pixels.T
        self.count += len(values)

    def spectra(self) -> Tensor:
        """Radially averaged power of each channel, float64 `(C, K)`, of k = 1, …, K cycles a side.

        Raises ValueError without images.
        """
        self._check_count()
        _, height, width = self.shape
        ring, weight = rings((height, width))
        count = min(height, width) // 2
        powers = self._powers.flatten(1) / self.count
        sums = torch.zeros(len(powers), count + 1, dtype=torch.float64)
        sums.index_add_(1, ring, powers * weight)
        waves = torch.zeros(count + 1, dtype=torch.float64).index_add_(0, ring, weight)
        return sums[:, 1:] / waves[1:]

    def means(self) -> Tensor:
        """Mean of each channel, float64 `(C,)`. Raises ValueError without images."""
        self._check_count()
        return self._sums / self._pixels

    def covariance(self) -> Tensor:
        """Covariance of the channels at a pixel, float64 `(C, C)`. Raises ValueError without images."""
        means = self.means()
        return self._products / self._pixels - torch.outer(means, means)

    def correlation(self) -> Tensor:
        """Correlation of the channels at a pixel, float64 `(C, C)`.

        Raises ValueError without images, and for a channel that is constant.
        """
        covariance = self.covariance()
        deviations = covariance.diagonal().clamp(min=0).sqrt()
        if (constant := (deviations < 1e-9).nonzero()[:, 0].tolist()) != []:
            raise ValueError(
                f"{self.name}: channel {constant[0] + 1} of {len(deviations)} is constant, which has neither "
                "spectrum nor correlation; leave it out of the data"
            )
        return (covariance / torch.outer(deviations, deviations)).clamp(-1, 1)

    @property
    def _pixels(self) -> int:
        return self.count * self.shape[1] * self.shape[2]

    def _check_count(self) -> None:
        if not self.count:
            raise ValueError(f"{self.name}: no images yet, needs at least 1; give it more")


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

    >>> import torch
    >>> log_spectral_distance(torch.tensor([[10.0, 10.0]]), torch.tensor([[1.0, 1.0]]))
    tensor([10.])
    """
    smallest = torch.finfo(torch.float64).tiny
    decibels = 10 * (spectra.clamp(min=smallest) / others.clamp(min=smallest)).log10()
    return decibels.square().mean(dim=1).sqrt()
