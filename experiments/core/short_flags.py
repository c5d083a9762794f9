"""Flags that are short names of options: `--style-mixing 0.5` is `--set arch.style_mixing=0.5`."""

from typing import NamedTuple

from experiments.core.value_readers import Read, batch_sizes, beta_pair, finite_number, strengths


class ShortFlag(NamedTuple):
    """A flag that is a short name of an option's key.

    Attributes:
        key: key of the option.
        read: reader of its value.
        help, metavar: texts of the flag.
    """

    key: str
    read: Read
    help: str
    metavar: str


SHORT_FLAGS = {
    "stage_batch_sizes": ShortFlag(
        "arch.stage_batch_sizes",
        batch_sizes,
        "Images in a batch while growing networks are at these sizes (longer side in pixels); at others "
        "--batch-size. Short for --set arch.stage_batch_sizes=…",
        "SIDE:N,…",
    ),
    "fade_kimg": ShortFlag(
        "arch.fade_kimg",
        finite_number(above=0.0),
        "Fade-in of each new size in growing networks, in kimg. Short for --set arch.fade_kimg=…",
        "K",
    ),
    "stable_kimg": ShortFlag(
        "arch.stable_kimg",
        finite_number(above=0.0),
        "Time at each size after its fade-in, in kimg. Short for --set arch.stable_kimg=…",
        "K",
    ),
    "style_mixing": ShortFlag(
        "arch.style_mixing",
        finite_number(at_least=0.0, at_most=1.0),
        "Probability that a training batch mixes the styles of two latents. Short for --set "
        "arch.style_mixing=…",
        "P",
    ),
    "betas": ShortFlag(
        "optimizer.betas",
        beta_pair,
        "Betas of Adam, each in [0, 1). Short for --set optimizer.betas=…",
        "B1,B2",
    ),
    "weight_decay": ShortFlag(
        "optimizer.weight_decay",
        finite_number(at_least=0.0, at_most=1.0),
        "Weight decay of both networks: decoupled (AdamW) for adam, an L2 term for the others. Short for "
        "--set "
        "optimizer.weight_decay=…",
        "RATE",
    ),
    "term_weights": ShortFlag(
        "arch.*_weight",
        strengths,
        "Weights of the generator's other terms, such as cycle and identity; those not named stay. Short for "
        "--set arch.cycle_weight=…",
        "TERM=WEIGHT,…",
    ),
}
