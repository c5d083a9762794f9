"""Scripts that switch completion on in bash and zsh: click's, and paths after `folder:` and open words.

Bash breaks words at `:` and `=` for itself, so that the line is read as it was typed, and only what stands
after the last of them is handed back. Neither shell puts a blank after a word that goes on, such as `arch.`.
"""

import os
from typing import ClassVar

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

BREAKS = ":="


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
            "COMPREPLY+=($value)\n            [[ $value == *[=.:] ]] && compopt -o nospace",
        ),
    )
    name: ClassVar[str] = "bash"

    def get_completion_args(self) -> tuple[list[str], str]:
        """Reads the line before the cursor: whole words before the last one, and that."""
        line = os.environ.get("COMP_LINE", "")
        words = split_arg_string(line)[1:]
        incomplete = words.pop() if words and not line[-1].isspace() else ""
        self.kept = max(incomplete.rfind(each) for each in BREAKS) + 1
        return words, incomplete

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
