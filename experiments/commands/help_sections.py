"""Sections of help texts: settings of a run under headings."""

from typing import Any

import click

# Settings and short flags of a run by heading, in the order in which one thinks of them.
SECTIONS: dict[str, tuple[str, ...]] = {
    "Data": (
        *("data", "image_size", "channels", "fit", "augment", "holdout", "holdout_seed", "conditional"),
        *("class_balance", "attributes", "stream", "skip_bad", "data_root", "download"),
    ),
    "Networks": (
        *("arch", "preset", "width", "z_dim", "critic_norm", "critic_dropout", "minibatch_statistic"),
        *("fade_kimg", "stable_kimg", "style_mixing", "ema_kimg", "critic_ema_kimg"),
        *("init_from", "init_strict", "freeze_critic", "freeze_mapping"),
    ),
    "Loss and penalties": (
        *("loss", "penalty", "penalty_norm", "penalty_weight", "penalty_every", "penalty_anneal"),
        *("term_weights", "n_critic"),
    ),
    "Optimizer": (
        *("optimizer", "lr_generator", "lr_critic", "ttur", "betas", "weight_decay"),
        *("lr_schedule", "lr_decay_from", "lr_warmup_kimg", "schedule"),
    ),
    "Regularizers of the critic": ("critic_augment", "regularizers"),
    "Length, checkpoints and samples": (
        *("steps", "kimg", "batch_size", "stage_batch_sizes", "seed", "checkpoint_kimg", "keep"),
        *("sample_kimg", "on_collapse", "patience"),
    ),
    "Evaluation on the way": (
        *("evaluate_kimg", "evaluate_metrics", "evaluate_samples", "evaluate_reference", "extractor"),
        "best_metric",
    ),
    "Tracking": ("track", "project", "group", "tags"),
    "Machine": (
        *("device", "precision", "deterministic", "compile", "micro_batch_size"),
        *("activation_checkpointing", "plugin"),
    ),
}
SECTION_OF = {name: title for title, names in SECTIONS.items() for name in names}
OWN = "Options"  # heading of what is no setting
# Where a command takes the settings of a run, and does not list them again.
REFERRED = "Settings of a run"
REFERENCE = (
    "All flags of gans run for data, networks, losses, optimizers and regularizers; gans run --help lists "
    "them."
)


class SectionedOption(click.Option):
    """Option that stands under a heading of the help."""

    def __init__(self, *names: Any, section: str = OWN, **more: Any) -> None:
        super().__init__(*names, **more)
        self.section = section


def records_by_section(command: click.Command, context: click.Context) -> dict[str, list[tuple[str, str]]]:
    """Options of a command with their help by heading, each in its order."""
    rows: dict[str, list[tuple[int, tuple[str, str]]]] = {}
    for parameter in command.get_params(context):
        if (record := parameter.get_help_record(context)) is not None:
            title = getattr(parameter, "section", OWN)
            order = SECTIONS.get(title, ())
            place = order.index(parameter.name) if parameter.name in order else len(order)
            rows.setdefault(title, []).append((place, record))
    return {
        title: [record for _, record in sorted(own, key=lambda each: each[0])] for title, own in rows.items()
    }


def write_sections(
    command: click.Command, context: click.Context, formatter: click.HelpFormatter, is_whole: bool
) -> None:
    """Writes the options of a command under headings.

    Args:
        is_whole: also settings of a run; else a line says where they are listed.
    """
    rows = records_by_section(command, context)
    for title in (OWN, *(SECTIONS if is_whole else ())):
        with formatter.section(title):
            formatter.write_dl(rows[title])
    if not is_whole:
        with formatter.section(REFERRED):
            formatter.write_text(REFERENCE)
