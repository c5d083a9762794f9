"""Weights γ of a zero-centred gradient penalty that are worth trying, by published rules."""

from dataclasses import dataclass

from experiments.core.settings import Settings

# R3GAN's table 9 (Huang et al. 2024): of images up to so many pixels a side.
R3GAN_WEIGHTS = ((32, 0.05), (64, 2.0), (16384, 150.0))
FACTOR = 4.0  # between neighbours: γ grows with the number of pixels, four times for twice the side


@dataclass(frozen=True)
class PenaltyWeights:
    """Weights to try, from the smallest, with the rule that they follow."""

    weights: tuple[float, float, float]
    reason: str


def suggest_penalty_weights(settings: Settings) -> PenaltyWeights | None:
    """Suggests three weights of R1 or R2; None for a run without such a penalty of images."""
    is_r1 = settings.penalty_norm == "zero" and {"real", "fake"} & set(settings.penalty)
    if not is_r1 or settings.image_size is None:
        return None
    height, width = settings.image_size
    if "fake" in settings.penalty:
        middle = next(weight for side, weight in R3GAN_WEIGHTS if max(height, width) <= side)
        rule = "of this image size in R3GAN's table 9"
    else:
        middle = 0.0002 * height * width / settings.batch_size
        rule = "0.0002 · pixels / batch size (StyleGAN2-ADA's auto)"
    low, high = middle / FACTOR, middle * FACTOR
    return PenaltyWeights((low, middle, high), f"{rule}, a quarter of it, and four times as much")
