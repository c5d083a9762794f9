"""Scripts that switch completion on in bash and zsh: click's, and paths after `folder:` and open words.

Bash breaks words at `:` and `=` for itself, so that the line is read as it was typed, and only what stands
after the last of them is handed back. Within quotes it breaks none, and would look for a path that begins
with `folder:`, so that paths are found here. Neither shell puts a blank after a word that goes on, such as
`arch.`.
"""

import os
import shlex
from pathlib import Path
from typing import ClassVar

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

BREAKS = ":="


def is_in_quotes(line: str) -> bool:
    """Returns whether a quote is open at the end of a line."""
    reader = shlex.shlex(line, posix=True, punctuation_chars=False)
    reader.whitespace_split, reader.commenters = True, ""
    try:
        list(reader)
    except ValueError:
        return reader.state in ("'", '"')  # type: ignore[attr-defined]  # typeshed forgot it
    return False


def _changed(script: str, *changes: tuple[str, str]) -> str:
    """The script with changes, but for those of lines that another version of click has not."""
    for before, after in changes:
        script = script.replace(before, after)
    return script


class BashScript(BashComplete):
    """Completion in bash."""

    source_template: ClassVar[str] = _changed(
        BashComplete.source_template,
        ("$(env COMP_WORDS", '$(env COMP_LINE="${COMP_LINE:0:$COMP_POINT}" COMP_WORDS'),
        (
            "COMPREPLY+=($value)",
            "COMPREPLY+=($value)\n            [[ $value == *[=.:/] ]] && compopt -o nospace",
        ),
    )
    name: ClassVar[str] = "bash"

    def get_completion_args(self) -> tuple[list[str], str]:
        """Reads the line before the cursor: whole words before the last one, and that."""
        line = os.environ.get("COMP_LINE", "")
        words = split_arg_string(line)[1:]
        incomplete = words.pop() if words and not line[-1].isspace() else ""
        self.is_quoted = is_in_quotes(line)
        self.kept = 0 if self.is_quoted else max(incomplete.rfind(each) for each in BREAKS) + 1
        return words, incomplete

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """Finds what may stand in place of the last word; paths as well where bash would not find them."""
        found = super().get_completions(args, incomplete)
        source, colon, begun = incomplete.partition(":")
        if not (self.is_quoted and colon and any(item.type == "file" for item in found)):
            return found
        folder = begun.rpartition("/")[0] + "/" * ("/" in begun)
        paths = sorted(Path(folder).expanduser().glob("*")) if Path(folder).expanduser().is_dir() else []
        names = [folder + path.name + "/" * path.is_dir() for path in paths]
        return [CompletionItem(source + colon + name) for name in names if name.startswith(begun)]

    def format_completion(self, item: CompletionItem) -> str:
        """Writes type and value, without what stands before the last `:` or `=` of the word."""
        return f"{item.type},{item.value[self.kept :]}"


class ZshScript(ZshComplete):
    """Completion in zsh."""

    source_template: ClassVar[str] = _changed(
        ZshComplete.source_template,
        ("_path_files -f", 'compset -P "*:"\n            _path_files -f'),
        (
            "compadd -U -V unsorted -a completions",
            'if [[ "${completions[1]}" == *[=.:] ]]; then\n'
            "            compadd -S '' -U -V unsorted -a completions\n"
            "        else\n"
            "            compadd -U -V unsorted -a completions\n"
            "        fi",
        ),
    )
    name: ClassVar[str] = "zsh"


def add_shell_scripts() -> None:
    """Makes click use these scripts."""
    for script in (BashScript, ZshScript):
        add_completion_class(script)
