"""A config and its estimate as tables on stdout, for `gans run --dry-run`."""

from rich.console import Console
from rich.table import Table

from experiments.config import Config
from experiments.dry_run import estimate
from experiments.settings import FIELDS


def print_plan(config: Config) -> None:
    """Every setting with where it came from, the parameter counts and the memory."""
    sizes = estimate(config)
    table = Table(box=None, pad_edge=False, show_edge=False)
    for heading in ("setting", "value", "from"):
        table.add_column(heading, overflow="fold")
    for name in FIELDS:
        table.add_row(name, show(getattr(config.settings, name)), config.sources[name])
    console = Console(soft_wrap=False, highlight=False)
    console.print(table)
    console.print()
    console.print(f"generator   {sizes.generator_parameters:>12,} parameters")
    console.print(f"critic      {sizes.critic_parameters:>12,} parameters")
    console.print(f"length      {sizes.steps:>12,} steps = {sizes.kimg:,.1f} kimg")
    console.print(f"memory      {sizes.memory_bytes / 2**20:>12,.0f} MiB on {config.settings.device}, about")


def show(value: object) -> str:
    """A value as its flag would take it; – for one without meaning."""
    if value is None or value == ():
        return "–"
    if isinstance(value, tuple):
        return ",".join(f"{v[0]}={v[1]:g}" if isinstance(v, tuple) else show(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
