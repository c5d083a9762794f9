"""Command line `gans`: the group of commands, and `main`. Nothing heavy is imported at the top."""

import os
import sys
import traceback
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import click
from click.shell_completion import CompletionItem

from experiments.commands.command_table import COMMANDS, CommandTable
from experiments.commands.shell_scripts import add_shell_scripts
from experiments.core.console import describe_error, log_lines
from experiments.core.errors import UsageError
from experiments.core.synonyms import similar_commands, similar_settings

EXTRA_ARGUMENT = "Got unexpected extra argument"  # with which a line of Click begins
# Commands that several processes do together.
SHARED_COMMANDS = ("run", "sample", "evaluate", "fid", "stats", "translate")


class Commands(click.Group):
    """Group of commands that offers what may be meant by an unknown command or flag."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Finds a command by its name. Raises click.UsageError with close matches."""
        if args and args[0] not in self.commands:
            close = similar_commands(args[0], self.commands)
            hint = (
                f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(self.commands)}"
            )
            raise click.UsageError(f"unknown command '{args[0]}'; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands under headings, in the order of use."""
        longest = max(map(len, self.commands))
        for title, lines in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:{longest}}", line) for name, line in lines.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Completes a command with its line of help, and a flag."""
        rows = [row for lines in COMMANDS.values() for row in lines.items()]
        items = [CompletionItem(name, help=line) for name, line in rows if name.startswith(incomplete)]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses what stands before the command. Raises click.UsageError for a flag of `gans run` there."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if any(error.option_name in each.opts for each in self.commands["run"].params):
                raise click.UsageError(
                    f"{error.option_name} stands after the command: gans run … {error.option_name}"
                ) from error
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command that is asked for. Raises click.UsageError with what an unknown flag may mean."""
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            command = error.ctx.command if error.ctx else self
            flags = {each.lstrip("-").replace("-", "_"): each for p in command.params for each in p.opts}
            close = [flags[name] for name in similar_settings(error.option_name.lstrip("-"), flags)]
            of = f"gans {command.name}".removesuffix(" gans")
            hint = f"did you mean {' or '.join(close)}?" if close else f"{of} --help lists all"
            raise click.UsageError(f"{of} has no option {error.option_name}; {hint}", error.ctx) from error
        except click.UsageError as error:
            if not error.message.startswith(EXTRA_ARGUMENT):
                raise
            hint = "if a name has blanks, put it into quotes"
            raise click.UsageError(f"{error.message.rstrip('.')}; {hint}", error.ctx) from error


@click.group(
    cls=Commands,
    commands=CommandTable(),
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="gans")
@click.pass_context
def gans(ctx: click.Context) -> None:
    """Train, evaluate and compare generative adversarial networks.

    \b
    gans run --arch dcgan --loss wgan-gp     train on embedded data
    gans list                                list architectures, losses and data
    gans sample RUN --out grid.png           draw samples of a run
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


add_shell_scripts()


def main(arguments: list[str] | None = None) -> None:
    """Runs a command. One line for an error; exit status 2 for usage, 1 at run time, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    with log_lines() as log:
        try:
            with _processes(arguments):
                gans.main(arguments, prog_name="gans", standalone_mode=False)
            return
        except (click.exceptions.Abort, KeyboardInterrupt):
            line, status = "interrupted", 130
        except Exception as error:
            if "--debug" in arguments:
                traceback.print_exc()
            line, status = describe_error(error), 2 if isinstance(error, click.UsageError | UsageError) else 1
        if _may_print_error(line):
            log.error(f"gans: {line}")
        if _has_others():
            from experiments.core.processes import await_claims

            await_claims()
        sys.exit(status)


def _processes(arguments: list[str]) -> AbstractContextManager[None]:
    """Context in which a command runs: by itself, or together with others that torchrun has started."""
    if not _has_others():
        return nullcontext()
    name = next((each for each in arguments if not each.startswith("-")), "")
    if name not in SHARED_COMMANDS:
        raise UsageError(f"gans {name} is the work of one process; start it without torchrun")
    from experiments.core.processes import joined_processes

    return joined_processes()


def _has_others() -> bool:
    """Whether torchrun, or whoever sets its variables, has started several processes."""
    return all(name in os.environ for name in ("RANK", "MASTER_ADDR")) and os.environ.get(
        "WORLD_SIZE", "1"
    ) not in ("", "1")


def _may_print_error(line: str) -> bool:
    """Whether an error is told by this process: of several that fail alike, one does."""
    if not _has_others():
        return True
    from experiments.core.processes import claim_error_line

    return claim_error_line(line)


if __name__ == "__main__":
    main()
