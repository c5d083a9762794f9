"""Files that stand whole in pages: a comment `<!-- file: PATH -->`, and the file in a fenced block below it.

python -m tests.pages.embedding     writes the files into the pages anew
"""

import re
from collections.abc import Iterator

from tests.pages.reading import PAGES, ROOT

LANGUAGES = {".py": "python", ".sh": "sh", ".yaml": "yaml", ".toml": "toml"}
EMBEDDED = re.compile(r"<!-- file: (?P<path>\S+) -->\n(?:\n*```\w+\n(?P<content>.*?)^```$\n?)?", re.S | re.M)


def embedded(text: str) -> Iterator[tuple[str, str]]:
    """Paths of the files that stand in a page, and what stands there of each."""
    for match in EMBEDDED.finditer(text):
        yield match["path"], match["content"] or ""


def embed(text: str) -> str:
    """A page with its files as they are now."""
    return EMBEDDED.sub(_block, text)


def _block(match: re.Match[str]) -> str:
    file = ROOT / match["path"]
    content = file.read_text(encoding="utf-8")
    return f"<!-- file: {match['path']} -->\n\n```{LANGUAGES[file.suffix]}\n{content}```\n"


if __name__ == "__main__":
    for page in PAGES:
        before = page.read_text(encoding="utf-8")
        if (after := embed(before)) != before:
            page.write_text(after, encoding="utf-8")
            print(f"{page.relative_to(ROOT)} has the files as they are now")
