"""Conventions of evaluation: which real samples, and how many generated ones, are compared."""

from dataclasses import dataclass

MOST_SAMPLES = 50_000  # on each side, where nobody asks for another number
TRAIN, HELD_OUT, BOTH = REFERENCES = "train", "held-out", "both"
SPLITS = {TRAIN: "training", HELD_OUT: "held-out"}  # as records of scores call them


@dataclass(frozen=True)
class Protocol:
    """A published convention: a fixed number of generated samples against all real ones of the training.

    Where images are held out, it compares with these, too, unless one reference is asked for.

    Attributes:
        samples: number of generated samples.
        metrics: the metrics that are published so.
    """

    samples: int
    metrics: tuple[str, ...]


# As Karras et al. 2020 (StyleGAN2-ADA, arXiv:2006.06676) report it; their code calls it fid50k_full.
PROTOCOLS = {"fid50k-full": Protocol(50_000, ("fid",))}


@dataclass(frozen=True)
class ReferenceChoice:
    """Choice of the real samples that generated ones are compared with.

    Attributes:
        reference: one of `REFERENCES`; None for the usual one of a kind of run: the training samples for
            generators from noise, held-out images for those that translate.
        protocol: name of a published convention; None without.
        prefers_held_out: whether held-out samples are the usual ones of all runs, where there are some.
        with_training: whether a metric compares with all training samples, whatever the others do.
    """

    reference: str | None = None
    protocol: str | None = None
    prefers_held_out: bool = False
    with_training: bool = False


USUAL_REFERENCE = ReferenceChoice()
