"""Shows the critic fakes as real, with a probability of at most STRENGTH (APA, Jiang et al. 2021)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from losses.core.adaptive_probability import AdaptiveOptions, AdaptiveProbability
from losses.core.adversarial import Adversarial
from losses.core.batch_parts import uniform_each
from losses.core.labels import innermost, require_target_labels
from losses.core.regularizer import Relabel
from losses.recipe import Recipe


@dataclass(frozen=True)
class ApaOptions(AdaptiveOptions):
    """Options of adaptive pseudo augmentation: what steers its probability."""


class PseudoReals(Adversarial):
    """A form whose critic takes some generated samples for real ones.

    Args:
        form: of which it takes the losses.
        probability: steers how many.
        most: the largest probability.
    """

    recipe: ClassVar[Recipe]

    def __init__(self, form: Adversarial, probability: AdaptiveProbability, most: float) -> None:
        self.form, self.probability, self.most = form, probability, most
        self.threshold = form.threshold

    def critic(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        if (probability := min(self.probability.value, self.most)) > 0:
            is_replaced = uniform_each(real_logits) < probability  # all patches of a sample
            real_logits = torch.where(is_replaced, fake_logits, real_logits)
        return self.form.critic(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return self.form.generator(fake_logits, real_logits)


class AdaptivePseudoAugmentation(Relabel):
    """Adaptive pseudo augmentation (arXiv:2111.06849, section 3.2): generated samples in place of real ones.

    With probability p a real sample of the critic's loss is replaced by a generated one of the batch, which
    counts as real. p rises while the mean sign of the critic's logits of real samples is above its target, as
    in ADA, and is 0 at the start. Penalties stay at the real samples. The authors' code takes the images
    of the generator's last update; here the critic sees no further ones.
    """

    name: ClassVar[str] = "apa"
    options_type: ClassVar[type] = ApaOptions
    is_outermost: ClassVar[bool] = True
    state: AdaptiveProbability

    def __init__(self, strength: float, options: ApaOptions = ApaOptions()) -> None:
        if not 0 < strength <= 1:
            raise ValueError(f"apa needs a largest probability in (0, 1], not {strength:g}")
        super().__init__(strength)
        self.options, self.state = options, AdaptiveProbability(options)
        self.threshold = 0.0

    def wrap(self, form: Adversarial) -> Adversarial:
        if form.threshold is None:
            own = innermost(form)
            if undeclared := own.undeclared_threshold():
                raise ValueError(f"apa follows the signs of the critic's logits, and {undeclared}")
            raise ValueError(
                f"apa has no meaning for {own.recipe.form}: the signs of its critic's logits do not say "
                "what is real; take --critic-augment diffaugment"
            )
        require_target_labels("apa", form)
        self.threshold = form.threshold
        return PseudoReals(form, self.state, self.strength)

    def begin(self, batch_index: int, seen: int) -> None:
        self.state.begin(batch_index, seen)
        self.state.value = min(self.state.value, self.strength)  # or it would have to come down from beyond

    def observe(self, real_logits: Tensor) -> dict[str, Tensor]:
        probability = real_logits.new_full((), min(self.state.value, self.strength))
        return {"apa/p": probability, "apa/sign": self.state.observe(real_logits, self.threshold)}
