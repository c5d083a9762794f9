"""The settings of a run: one table for the command line, config files, recipes and the run itself.

A field's metadata carries how its value is read (from the words of a flag or from JSON) and its help.
This file imports nothing heavy, because `gans --help` is made from it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from experiments.paths import expanded

Size = tuple[int, int]
Read = Callable[[Any], Any]


def whole(minimum: int, maximum: int = 2**63 - 1) -> Read:
    def read(value: Any) -> int:
        try:
            number = int(value) if isinstance(value, str) else value
        except ValueError:
            number = None
        if not isinstance(number, int) or isinstance(number, bool) or not minimum <= number <= maximum:
            top = f" to {maximum}" if maximum < 2**63 - 1 else " or more, below 2^63"
            raise ValueError(f"'{value}' is not a whole number of {minimum}{top}")
        return number

    return read


def real(*, above: float = -math.inf, at_least: float = -math.inf, at_most: float = math.inf) -> Read:
    def read(value: Any) -> float:
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not (math.isfinite(number) and number > above and at_least <= number <= at_most):
            bounds = [f"above {above:g}"] * (above > -math.inf) + [f"at least {at_least:g}"] * (
                at_least > -math.inf
            )
            bounds += [f"at most {at_most:g}"] * (at_most < math.inf)
            raise ValueError(f"'{value}' is not a number {' and '.join(bounds)}".rstrip())
        return number

    return read


def text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"'{value}' is not a name")
    return value


def choice(*known: str) -> Read:
    def read(value: Any) -> str:
        if value not in known:
            raise ValueError(f"'{value}' is not one of: {', '.join(known)}")
        return str(value)

    return read


def words(value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise ValueError(f"'{value}' is not a list of names")
    found = tuple(text(part) for part in parts if part != "")
    if len(set(found)) < len(found):
        raise ValueError(f"'{','.join(found)}' names one twice")
    return found


def places(value: Any) -> tuple[str, ...]:
    """As `words`, where "none" takes away what a loss brings."""
    return () if value == "none" else words(value)


def files(value: Any) -> tuple[str, ...]:
    """Absolute, so that a run goes on from any folder and one file is one file by every name."""
    return words([str(Path(path).absolute().resolve()) for path in words(value)])


def height_and_width(value: Any) -> Size:
    """`S`, `HxW` or `[H, W]` → (height, width)."""
    parts = value.lower().split("x") if isinstance(value, str) else value
    parts = [parts] if isinstance(parts, int) else parts
    try:
        height, width = (whole(1, 16384)(part) for part in (parts * 2 if len(parts) == 1 else parts))
    except (TypeError, ValueError) as error:
        raise ValueError(f"'{value}' is not a size: S or HxW, from 1 to 16384 pixels") from error
    return height, width


def beta_pair(value: Any) -> tuple[float, float]:
    parts = value.split(",") if isinstance(value, str) else value
    try:
        first, second = (real(at_least=0.0, at_most=1.0)(part) for part in parts)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"'{value}' is not a pair of numbers from 0 to below 1, such as 0.5,0.999"
        ) from error
    if max(first, second) == 1.0:
        raise ValueError(f"'{value}': both must be below 1")
    return first, second


def strengths(value: Any) -> tuple[tuple[str, float], ...]:
    """`NAME=STRENGTH,…`, a mapping, or pairs → pairs of name and strength, sorted by name."""
    if isinstance(value, str):
        value = [part.partition("=")[::2] for part in value.split(",") if part]
    try:
        pairs = sorted((name, strength) for name, strength in (dict(value).items()))
    except (TypeError, ValueError) as error:
        raise ValueError(f"'{value}' is not a list of NAME=STRENGTH") from error
    if len(pairs) < len(value):
        raise ValueError(f"'{','.join(name for name, _ in value)}' names one twice")
    return tuple((text(name), _strength(name, strength)) for name, strength in pairs)


AUGMENTATIONS = {"flip": 0.5, "crop": 0.125, "jitter": 0.2}  # name → usual strength


def augmentations(value: Any) -> tuple[tuple[str, float], ...]:
    """As `strengths`, where a name alone has its usual strength."""
    if isinstance(value, str):
        value = value.split(",")
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        parts = [part.partition("=") for part in value if part]
        value = [(name, given if equals else AUGMENTATIONS.get(name, 0.0)) for name, equals, given in parts]
    pairs = strengths(value)
    for name, strength in pairs:
        if choice(*AUGMENTATIONS)(name) and not 0 < strength <= 1:
            raise ValueError(f"{name}={strength:g}: the strength must be above 0 and at most 1")
    return pairs


def _strength(name: str, value: Any) -> float:
    try:
        return real()(value)
    except ValueError as error:
        raise ValueError(f"{name}={value}: the strength must be a number") from error


def batch_sizes(value: Any) -> tuple[tuple[int, int], ...]:
    """`SIDE:N,…`, a mapping, or pairs → pairs of an image side and a batch size, sorted by side."""
    if isinstance(value, str):
        value = [part.partition(":")[::2] for part in value.split(",") if part]
    try:
        pairs = [(side, count) for side, count in (value.items() if isinstance(value, dict) else value)]
    except (TypeError, ValueError) as error:
        raise ValueError(f"'{value}' is not a list of SIDE:N, such as 4:64,8:32") from error
    found = sorted((whole(1)(side), whole(1)(count)) for side, count in pairs)
    if len({side for side, _ in found}) < len(found):
        raise ValueError(f"'{','.join(str(side) for side, _ in found)}' names one twice")
    return tuple(found)


def channel_count(value: Any) -> int:
    number: int = whole(1, 4)(value)
    if number == 2:
        raise ValueError("'2' is not 1 (grey), 3 (RGB) or 4 (RGBA)")
    return number


def switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"'{value}' is not true or false")
    return value


def folder(value: Any) -> str:
    return str(expanded(text(value)).absolute())


def setting(
    read: Read,
    help: str,
    metavar: str = "",
    default: Any = None,
    *,
    alone: str | None = None,
    changes_nothing: bool = False,
    derived: bool = False,
    merges: bool = False,
) -> Any:
    """A field of Settings. Recipes, files and flags may set it; None stands for "not set".

    `alone` is what its flag means without a value. `changes_nothing` marks what has no effect on the
    numbers, so that a resumed run may have it otherwise. `derived` marks what follows from others, and has
    no flag. `merges` marks pairs of which a later layer replaces only those that it names.
    """
    metadata = {"read": read, "help": help, "metavar": metavar, "alone": alone}
    return field(
        default=default,
        metadata=metadata | {"changes_nothing": changes_nothing, "derived": derived, "merges": merges},
    )


@dataclass(frozen=True)
class Settings:
    """Every setting of a run. A value of None has no meaning in this run (no penalty, no image size)."""

    arch: str = setting(text, "Architecture (gans list architectures).", "NAME", "dcgan")
    loss: str = setting(text, "Loss (gans list losses); default: the architecture's.", "NAME", "")
    data: str = setting(text, "Data (gans list data), folder:PATH; default: the architecture's.", "SPEC", "")
    preset: str = setting(
        choice("auto", "paper", "laptop"), "Scale: auto is laptop on a CPU, else paper.", "NAME", "auto"
    )
    device: str = setting(
        choice("auto", "cpu", "cuda", "mps"), "Where to compute.", "auto|cpu|cuda|mps", "auto"
    )
    seed: int = setting(whole(0), "All randomness is a function of it.", "N", 0)
    plugin: tuple[str, ...] = setting(files, "Files with further plug-ins.", "FILE.py,…", ())
    steps: int | None = setting(whole(1), "Length in rounds (generator updates).", "N")
    kimg: float | None = setting(
        real(above=0.0), "Length in thousands of real images shown to the critic.", "K"
    )
    batch_size: int = setting(whole(1), "Images in a batch.", "N", 64)
    stage_batch_sizes: tuple[tuple[int, int], ...] = setting(
        batch_sizes,
        "Images in a batch while growing networks are at these sizes (longer side in pixels); at others "
        "--batch-size.",
        "SIDE:N,…",
        (),
    )
    image_size: Size | None = setting(height_and_width, "Size in pixels.", "S|HxW")
    channels: int | None = setting(channel_count, "1 (grey), 3 (RGB) or 4 (RGBA).", "N")
    fit: str | None = setting(
        choice("auto", "crop", "stretch", "error"),
        "Images of another size; auto crops, but refuses a set of mixed sizes or channels.",
        "auto|crop|stretch|error",
    )
    data_root: str | None = setting(
        folder, "Where data sets are looked for first and downloaded to.", "DIR", changes_nothing=True
    )
    download: bool = setting(
        switch, "Fetch a data set that is not on this machine.", default=False, changes_nothing=True
    )
    skip_bad: bool = setting(switch, "Leave out and count files that cannot be read.", default=False)
    stream: bool = setting(
        switch,
        "Read image files when they are wanted; sets that fill the memory are read so anyway.",
        default=False,
        changes_nothing=True,
    )
    augment: tuple[tuple[str, float], ...] = setting(
        augmentations,
        "Change reals at random: flip (probability 0.5), crop (shift by up to 0.125 of a side), jitter "
        "(colours by up to 0.2).",
        "flip,crop,jitter[=STRENGTH]",
        (),
    )
    conditional: bool = setting(switch, "Tell both players the labels of the data.", default=False)
    classes: int | None = setting(whole(1), "How many classes they are told.", derived=True)
    attributes: tuple[str, ...] = setting(
        words, "Which attributes a generator changes; default: all that the data has.", "NAME,…", ()
    )
    z_dim: int | None = setting(whole(1), "Length of the latent vector.", "N")
    width: int = setting(whole(1), "Channels (or hidden units) of the networks.", "N", 64)
    critic_norm: str | None = setting(
        choice("none", "batch", "layer", "instance", "spectral"),
        "Normalization in the critic; default none with a penalty, else the loss's or the architecture's.",
        "none|batch|layer|instance|spectral",
    )
    critic_dropout: float = setting(
        real(at_least=0.0, at_most=0.95), "Share of hidden features that the critic drops.", "P", 0.0
    )
    minibatch_statistic: str | None = setting(
        choice("deviation", "discrimination", "none"),
        "What critics that look at whole batches are told of them; default: the architecture's.",
        "deviation|discrimination|none",
    )
    fade_kimg: float | None = setting(
        real(above=0.0),
        "Images over which growing networks fade to the next size; default: such that 60 % of the run are "
        "growth.",
        "K",
    )
    stable_kimg: float | None = setting(
        real(above=0.0), "Images for which they stay at each size; default: as long as they fade.", "K"
    )
    style_mixing: float | None = setting(
        real(at_least=0.0, at_most=1.0), "Probability of styles from two latents.", "P"
    )
    optimizer: str = setting(choice("adam", "rmsprop", "sgd"), "Of both players.", "adam|rmsprop|sgd", "adam")
    lr_generator: float = setting(
        real(above=0.0, at_most=10.0), "Learning rate of the generator.", "RATE", 2e-4
    )
    lr_critic: float = setting(real(above=0.0, at_most=10.0), "Learning rate of the critic.", "RATE", 2e-4)
    ttur: float | None = setting(
        real(above=0.0, at_most=1000.0),
        "Critic's learning rate as a multiple of the generator's (two time-scale update rule); alone: 2.",
        "RATIO",
        alone="2",
    )
    lr_schedule: str = setting(
        choice("constant", "linear", "cosine"), "Fall of both rates.", "constant|linear|cosine", "constant"
    )
    lr_decay_from: float | None = setting(
        real(at_least=0.0, at_most=0.999), "Share of the run after which they fall; default 0.", "SHARE"
    )
    lr_warmup_kimg: float = setting(real(at_least=0.0), "Length of their linear rise from 0.", "K", 0.0)
    betas: tuple[float, float] | None = setting(beta_pair, "Adam's betas.", "B1,B2")
    weight_decay: float = setting(
        real(at_least=0.0, at_most=1.0),
        "Of both players: decoupled (AdamW) for adam, an L2 term for the others.",
        "RATE",
        0.0,
    )
    n_critic: int = setting(whole(1), "Updates of the critic in a round.", "N", 1)
    penalty: tuple[str, ...] = setting(places, "Where gradients are penalized.", "none|PLACE,…", ())
    penalty_norm: str | None = setting(
        choice("one", "zero", "one-sided"), "What is asked of gradients.", "one|zero|one-sided"
    )
    penalty_weight: float | None = setting(real(above=0.0), "Weight of the gradient penalty.", "W")
    penalty_every: int | None = setting(whole(1), "Take the penalty at every n-th critic update.", "N")
    penalty_anneal: float | None = setting(
        real(at_least=0.0, at_most=1.0), "Share of the weight that is left at the end; default 1.", "SHARE"
    )
    regularizers: tuple[tuple[str, float], ...] = setting(
        strengths,
        "All of them (gans list regularizers), instead of the loss's own; one more is --NAME STRENGTH.",
        "NAME=STRENGTH,…",
        (),
    )
    term_weights: tuple[tuple[str, float], ...] = setting(
        strengths,
        "Weights of the generator's other terms, such as cycle and identity; those not named stay.",
        "TERM=WEIGHT,…",
        (),
        merges=True,
    )
    ema_kimg: float = setting(
        real(at_least=0.0), "Half-life of the generator's average in kimg; 0: none.", "K", 10.0
    )
    critic_ema_kimg: float = setting(
        real(at_least=0.0), "The same of the critic's, exported beside the generator; 0: none.", "K", 0.0
    )
    checkpoint_kimg: float | None = setting(
        real(above=0.0), "Between checkpoints; default: a tenth of the run.", "K"
    )
    sample_kimg: float | None = setting(
        real(above=0.0), "Between sample grids; default: an eighth of the run.", "K"
    )
    on_collapse: str = setting(
        choice("warn", "stop", "rollback"),
        "When samples become alike or terms explode: say so, end the run, or go back to before it, with half "
        "the rates.",
        "warn|stop|rollback",
        "warn",
    )
    evaluate_kimg: float | None = setting(
        real(above=0.0),
        "Between evaluations of the generator's average; default: none.",
        "K",
        changes_nothing=True,
    )
    evaluate_metrics: tuple[str, ...] = setting(
        words,
        "What they score (gans list metrics); default: as gans evaluate.",
        "NAME,…",
        (),
        changes_nothing=True,
    )
    evaluate_samples: int = setting(whole(2), "Samples on each side.", "N", 5000, changes_nothing=True)
    extractor: str | None = setting(
        text, "What sees features in them (gans list extractors).", "NAME", changes_nothing=True
    )
    best_metric: str | None = setting(
        text,
        "Whose best generator is kept in RUN/best; default: the first of --evaluate-metrics.",
        "NAME",
        changes_nothing=True,
    )
    keep: int = setting(whole(1), "Newest checkpoints that are kept.", "N", 2, changes_nothing=True)
    track: tuple[str, ...] = setting(
        words,
        "Trackers beside the local one (gans list trackers); auto: wandb where you are logged in.",
        "auto|NAME,…",
        ("auto",),
        changes_nothing=True,
    )
    project: str = setting(text, "Where trackers gather runs.", "NAME", default="gans", changes_nothing=True)
    group: str | None = setting(text, "What trackers compare this run within.", "NAME", changes_nothing=True)
    tags: tuple[str, ...] = setting(
        words, "Words that trackers find this run by.", "WORD,…", (), changes_nothing=True
    )


FIELDS = {f.name: f for f in fields(Settings)}


def flag(name: str) -> str:
    """`lr_critic` → `--lr-critic`."""
    return "--" + name.replace("_", "-")


def read_value(name: str, value: Any) -> Any:
    """A setting's value from a flag's words or from JSON. Raises ValueError without the setting's name."""
    return None if value is None and FIELDS[name].default is None else FIELDS[name].metadata["read"](value)
