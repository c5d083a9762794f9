"""The critic's view of images: a critic augmentation with its probability, fixed, scheduled or adaptive."""

from collections.abc import Callable

from torch import Tensor, nn

from gans.core.clock import Clock
from gans.core.networks import Batch, Condition, conditioned
from gans.core.player import Scores
from losses.core.adaptive_probability import AdaptiveProbability
from losses.core.critic_augmentation import CriticAugmentation
from losses.core.precision import full_precision
from losses.core.schedule import Scheduled, value_at


class CriticView(nn.Module):
    """Applies a critic augmentation to all that critics see, with the probability of now.

    Args:
        augmentation: the change.
        probability: p in [0, 1], which may move over the run, or one that follows the signs of the critic's
            logits.
        threshold: logit above which a critic calls a sample real; None where its form has none.
    """

    def __init__(
        self,
        augmentation: CriticAugmentation,
        probability: Scheduled | AdaptiveProbability = 1.0,
        threshold: float | None = None,
    ) -> None:
        super().__init__()
        self.augmentation, self.threshold = augmentation, threshold
        self.adaptive = probability if isinstance(probability, AdaptiveProbability) else None
        self.fixed: Scheduled = 0.0 if isinstance(probability, AdaptiveProbability) else probability
        self.progress = 0.0

    @property
    def probability(self) -> float:
        """The probability of now."""
        return self.adaptive.value if self.adaptive else value_at(self.fixed, self.progress)

    def begin(self, clock: Clock) -> None:
        """Moves the probability to this time."""
        self.progress = clock.progress
        if self.adaptive:
            self.adaptive.begin(clock.batch_index, clock.seen)

    def see(self, samples: Tensor, condition: Condition = ()) -> Batch:
        """Changes samples `(N, C, H, W)`, and images among their condition alike; at p = 0 draws nothing."""
        if (probability := self.probability) <= 0:
            return Batch(samples, condition)
        with full_precision(samples.device):
            draws = self.augmentation.draw(samples)
            changed = [
                self.augmentation.apply(each, draws, probability) if each.dim() == 4 else each
                for each in (samples, *condition)
            ]
        return Batch(changed[0], tuple(changed[1:]))

    def of_critic(self, critic: nn.Module, condition: Condition) -> Callable[[Tensor], Tensor]:
        """A critic under a condition, as a function of the samples before they are changed.

        Its gradient at these goes through the change.
        """
        if self.probability <= 0:
            return conditioned(critic, condition)

        def judge(samples: Tensor) -> Tensor:
            changed, changed_condition = self.see(samples, condition)
            return conditioned(critic, changed_condition)(changed)

        return judge

    def observe(self, real_logits: Tensor) -> Scores:
        """Counts the signs of the logits of real samples; returns what is logged."""
        scores = {}
        if self.augmentation.takes_probability:
            scores["augment/p"] = real_logits.new_full((), self.probability)
        if self.threshold is not None and self.adaptive:
            scores["augment/sign"] = self.adaptive.observe(real_logits, self.threshold)
        return scores
