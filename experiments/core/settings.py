"""The settings of a run: one table for the command line, config files, recipes and the run itself.

A field's metadata carries how its value is read (from the words of a flag or from JSON) and its help. Options
that only some components have are no fields: they stand in `Settings.options` by key
(experiments/core/options.py). This file imports nothing heavy, because `gans --help` is made from it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from experiments.core.named_values import SettingValues
from experiments.core.short_flags import SHORT_FLAGS
from experiments.core.value_readers import (
    LARGEST_SIDE,
    Read,
    Size,
    augmentations,
    boolean,
    channel_count,
    choice,
    critic_augmentation,
    device_name,
    file_paths,
    finite_number,
    folder_path,
    height_and_width,
    micro_batch_size,
    path_words,
    penalty_points,
    scheduled_values,
    strengths,
    text,
    whole_number,
    words,
)


def setting(
    read: Read,
    help: str,
    metavar: str = "",
    default: Any = None,
    *,
    bare_value: str | None = None,
    affects_results: bool = True,
    derived: bool = False,
) -> Any:
    """Declares a field of Settings: its reader, its help and its default; None stands for "not set".

    Recipes, files and flags may set it.

    `bare_value` is the value of its flag given alone. `affects_results=False` marks settings without an
    effect on the numbers, which a resumed run may change. `derived` marks settings that follow from others,
    and have no flag.
    """
    metavar = metavar or getattr(read, "metavar", "")
    metadata = {"read": read, "help": help, "metavar": metavar, "bare_value": bare_value}
    return field(
        default=default, metadata=metadata | {"affects_results": affects_results, "derived": derived}
    )


PRECISIONS = ("fp32", "tf32", "bf16", "fp64")
FP16 = "its smallest numbers halve or lose small gradient penalties; take bf16"

SCHEDULABLE = (
    *("lr_generator", "lr_critic", "beta2", "penalty_weight", "critic_dropout"),
    *("ema_kimg", "critic_ema_kimg"),
)


def describe_schedule(names: Iterable[str]) -> str:
    """Help of `--schedule`, for a command in which it may drive these settings."""
    return (
        f"Settings that change over the run, from BEGIN to END by a schedule: {', '.join(names)}, strengths "
        "of augmentations and regularizers by name, and options such as arch.cycle_weight (gans list NAME)."
    )


@dataclass(frozen=True)
class Settings:
    """Every setting of a run. A value of None has no meaning in this run (no penalty, no image size)."""

    arch: str = setting(
        text, "Architecture: generator, critic and game (gans list architectures).", "NAME", "dcgan"
    )
    loss: str = setting(text, "Loss (gans list losses).", "NAME", "")
    data: str = setting(text, "Data set (gans list data), or folder:PATH.", "SPEC", "")
    preset: str = setting(
        text,
        "Default settings: paper (the published scale), laptop (minutes on two cores), auto (laptop on a "
        "CPU, else paper), or NAME, a published configuration of the architecture (gans list ARCH).",
        "auto|paper|laptop|NAME",
        "auto",
    )
    device: str = setting(
        device_name, "Device to compute on; cuda:N is one of several GPUs.", "auto|cpu|cuda[:N]|mps", "auto"
    )
    precision: str = setting(
        choice(*PRECISIONS, refused={"fp16": FP16}),
        "Precision of training; bf16: networks multiply in bfloat16, weights and losses are float32; tf32 "
        "rounds what a GPU multiplies to 10 bits; fp64 is for proofs.",
        default="fp32",
    )
    deterministic: bool = setting(
        boolean,
        "On a GPU: the same command gives the same bits; --no-deterministic takes the fastest algorithms.",
        default=True,
    )
    seed: int = setting(whole_number(0), "Seed of all randomness.", "N", 0)
    init_from: str | None = setting(
        path_words,
        "Begin from the weights of a run, an import, a checkpoint or an exported generator. Settings of its "
        "networks are taken over unless set here; layers whose shapes fit are copied, others start anew.",
        "RUN|FILE",
        affects_results=False,  # but init_hash does, of what stands there
    )
    init_hash: str | None = setting(text, "SHA-256 of the weights that it began from.", derived=True)
    init_strict: bool = setting(
        boolean,
        "With --init-from: refuse weights of which any layer does not fit.",
        default=False,
        affects_results=False,
    )
    freeze_critic: int = setting(
        whole_number(0),
        "With --init-from: do not train the critic's N layers nearest the image (Freeze-D).",
        "N",
        0,
    )
    freeze_mapping: bool = setting(
        boolean, "With --init-from: do not train the mapping network.", default=False
    )
    plugin: tuple[str, ...] = setting(file_paths, "Python files with further plug-ins.", "FILE.py,…", ())
    steps: int | None = setting(whole_number(1), "Length of the run in steps (generator updates).", "N")
    kimg: float | None = setting(
        finite_number(above=0.0), "Length of the run in thousands of real images shown to the critic.", "K"
    )
    schedule_steps: int | None = setting(
        whole_number(1), "Length of the schedules in steps, of a run that was made longer.", derived=True
    )
    schedule_kimg: float | None = setting(
        finite_number(above=0.0),
        "Length of the schedules in kimg, of a run that was made longer.",
        derived=True,
    )
    batch_size: int = setting(whole_number(1), "Images in a batch, of all processes together.", "N", 64)
    micro_batch_size: int | str | None = setting(
        micro_batch_size,
        "Images that a process computes at once. An update takes a larger batch in parts, whose gradients "
        "add up, so that it needs less memory; auto: as many as fit.",
        "N|auto",
        affects_results=False,
    )
    activation_checkpointing: bool = setting(
        boolean,
        "Keep less for the backward pass, which computes activations again: less memory, more time.",
        default=False,
        affects_results=False,
    )
    compile: bool = setting(
        boolean,
        "Compile the networks by torch.compile: slow to start, then faster where many small operations "
        "follow each other; equal but for rounding.",
        default=False,
    )
    image_size: Size | None = setting(
        height_and_width, f"Image size in pixels, at most {LARGEST_SIDE} a side.", "S|HxW"
    )
    channels: int | None = setting(
        channel_count, "Image channels: 1 (grey), 3 (RGB), 4 (RGBA), or those of data with others.", "N"
    )
    fit: str | None = setting(
        choice("auto", "crop", "pad", "stretch", "error"),
        "Fit of images of another size: crop cuts off, pad adds a border, stretch distorts; auto crops, but "
        "refuses a set of mixed sizes.",
    )
    data_root: str | None = setting(
        folder_path,
        "Folder where data sets are looked for first and downloaded to.",
        "DIR",
        affects_results=False,
    )
    download: bool = setting(
        boolean, "Download a data set that is not on this machine.", default=False, affects_results=False
    )
    skip_bad: bool = setting(boolean, "Leave out and count files that cannot be read.", default=False)
    stream: bool = setting(
        boolean,
        "Read image files as they are needed; sets that do not fit into memory are read so anyway.",
        default=False,
        affects_results=False,
    )
    holdout: float | None = setting(
        finite_number(above=0.0, below=1.0),
        "Share of the data that is kept out of training, at random, and is --reference held-out of "
        "evaluations.",
        "SHARE",
    )
    holdout_seed: int = setting(
        whole_number(0), "Seed of the choice of these; it is not --seed, so that runs compare.", "N", 0
    )
    augment: tuple[tuple[str, float], ...] = setting(
        augmentations,
        "Random changes of the data (gans list augmentations), with strengths in (0, 1]: they leak, samples "
        "show them, too.",
        "NAME[=STRENGTH],…",
        (),
    )
    critic_augment: str = setting(
        critic_augmentation,
        "Random changes of all that the critic sees, real and generated, which do not leak into samples "
        "(gans list critic-augmentations): ada follows overfitting, ada:P has a fixed probability.",
        "none|NAME[:P]",
        "none",
    )
    conditional: bool = setting(boolean, "Give both networks the class labels of the data.", default=False)
    class_balance: bool = setting(
        boolean,
        "Show images of each class equally often, however few it has.",
        default=False,
    )
    classes: int | None = setting(whole_number(1), "Number of classes.", derived=True)
    attributes: tuple[str, ...] = setting(words, "Attributes that the generator changes.", "NAME,…", ())
    z_dim: int | None = setting(whole_number(1), "Length of the latent vector z.", "N")
    width: int = setting(
        whole_number(1), "Base number of channels (or hidden units) of both networks.", "N", 64
    )
    critic_norm: str | None = setting(
        text,
        "Normalization in the critic (gans list norms).",
        "NAME",
    )
    critic_dropout: float = setting(
        finite_number(at_least=0.0, at_most=0.95),
        "Probability with which the critic drops a hidden feature.",
        "P",
        0.0,
    )
    minibatch_statistic: str | None = setting(
        text,
        "Minibatch statistic that the critic sees (gans list batch-statistics); deviation is the minibatch "
        "standard deviation.",
        "NAME",
    )
    optimizer: str = setting(text, "Optimizer of both networks (gans list optimizers).", "NAME", "adam")
    lr_generator: float = setting(
        finite_number(above=0.0, at_most=10.0), "Learning rate of the generator.", "RATE", 2e-4
    )
    lr_critic: float = setting(
        finite_number(above=0.0, at_most=10.0), "Learning rate of the critic.", "RATE", 2e-4
    )
    ttur: float | None = setting(
        finite_number(above=0.0, at_most=1000.0),
        "Critic's learning rate as a multiple of the generator's (two time-scale update rule); without "
        "RATIO: 2.",
        "RATIO",
        bare_value="2",
    )
    lr_schedule: str = setting(
        text, "Schedule by which both learning rates fall (gans list schedules).", "NAME", "constant"
    )
    lr_decay_from: float | None = setting(
        finite_number(at_least=0.0, at_most=0.999),
        "Share of the run after which the learning rates fall.",
        "SHARE",
    )
    lr_warmup_kimg: float = setting(
        finite_number(at_least=0.0), "Length of the linear warm-up of the learning rates.", "K", 0.0
    )
    n_critic: int = setting(whole_number(1), "Critic updates per generator update.", "N", 1)
    penalty: tuple[str, ...] = setting(
        penalty_points,
        "Points at which the critic's gradients are penalized (gans list penalties).",
        "none|NAME,…",
        (),
    )
    penalty_norm: str | None = setting(
        text, "Target of the penalized gradient norms (gans list penalty-norms).", "NAME"
    )
    penalty_weight: float | None = setting(finite_number(above=0.0), "Weight of the gradient penalty.", "W")
    penalty_every: int | None = setting(whole_number(1), "Take the penalty at every N-th critic update.", "N")
    penalty_anneal: float | None = setting(
        finite_number(at_least=0.0, at_most=1.0),
        "Share of the penalty's weight that is left at the end.",
        "SHARE",
    )
    regularizers: tuple[tuple[str, float], ...] = setting(
        strengths,
        "All regularizers (gans list regularizers), instead of the loss's own; one more is --NAME STRENGTH.",
        "NAME=STRENGTH,…",
        (),
    )
    schedule: tuple[tuple[str, str, float, float], ...] = setting(
        scheduled_values,
        describe_schedule(SCHEDULABLE),
        "KEY=NAME:BEGIN:END,…",
        (),
    )
    ema_kimg: float = setting(
        finite_number(at_least=0.0), "Half-life of the generator's EMA in kimg; 0: no EMA.", "K", 10.0
    )
    critic_ema_kimg: float = setting(
        finite_number(at_least=0.0),
        "Half-life of the critic's EMA in kimg, which is exported beside the generator; 0: no EMA.",
        "K",
        0.0,
    )
    checkpoint_kimg: float | None = setting(
        finite_number(above=0.0),
        "Interval between checkpoints. Between two, one more is saved every 15 minutes.",
        "K",
    )
    sample_kimg: float | None = setting(finite_number(above=0.0), "Interval between sample grids.", "K")
    on_collapse: str = setting(
        choice("warn", "stop", "rollback"),
        "Action when samples become alike or losses explode: warn, stop the run, or go back to before it "
        "with half the learning rates.",
        default="warn",
    )
    evaluate_kimg: float | None = setting(
        finite_number(above=0.0),
        "Interval between evaluations of the generator's EMA.",
        "K",
        affects_results=False,
    )
    evaluate_metrics: tuple[str, ...] = setting(
        words,
        "Metrics of these evaluations (gans list metrics).",
        "NAME,…",
        (),
        affects_results=False,
    )
    evaluate_samples: int = setting(
        whole_number(2),
        "Number of generated samples in these evaluations, and largest number of real ones.",
        "N",
        5000,
        affects_results=False,
    )
    evaluate_reference: str | None = setting(
        choice("train", "held-out", "both"),
        "Real samples of these evaluations.",
        affects_results=False,
    )
    extractor: str | None = setting(
        text,
        "Feature extractor of these evaluations (gans list extractors).",
        "NAME",
        affects_results=False,
    )
    best_metric: str | None = setting(
        text,
        "Metric whose best generator is kept in RUN/best.",
        "NAME",
        affects_results=False,
    )
    patience: int | None = setting(
        whole_number(1),
        "End the run when the best metric has not improved for K evaluations, on held-out data where there "
        "is some; the best generator is kept in RUN/best.",
        "K",
    )
    keep: int = setting(
        whole_number(1), "Number of newest checkpoints that are kept.", "N", 2, affects_results=False
    )
    track: tuple[str, ...] = setting(
        words,
        "Trackers beside the local one (gans list trackers); auto: wandb where you are logged in; "
        "local: no other.",
        "auto|NAME,…",
        ("auto",),
        affects_results=False,
    )
    project: str = setting(
        text, "Project in which trackers gather runs.", "NAME", default="gans", affects_results=False
    )
    group: str | None = setting(
        text, "Group within which trackers compare this run.", "NAME", affects_results=False
    )
    tags: tuple[str, ...] = setting(
        words, "Tags by which trackers find this run.", "WORD,…", (), affects_results=False
    )
    options: SettingValues = field(default_factory=dict, hash=False)  # of components, by key

    def to_dict(self) -> SettingValues:
        """Returns every value by its name, and every option by its key."""
        return {name: getattr(self, name) for name in FIELDS} | dict(self.options)


FIELDS = {f.name: f for f in fields(Settings) if f.name != "options"}


def flag(name: str) -> str:
    """The flag of a setting or option: `--lr-critic`; `--set arch.mapping_layers`."""
    return f"--set {name}" if "." in name else "--" + name.replace("_", "-")


def read_setting(name: str, value: object) -> Any:
    """Reads a setting's value from a flag's words or from JSON. Raises ValueError for a bad value.

    Its line does not name the setting.
    """
    if name in SHORT_FLAGS:
        return SHORT_FLAGS[name].read(value)
    return None if value is None and FIELDS[name].default is None else FIELDS[name].metadata["read"](value)
