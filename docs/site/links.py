"""Links of the site's pages: to where their targets stand in the site, and from file names of documents."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Pages that stand elsewhere in the repository.
ELSEWHERE = {
    "contributing.md": "CONTRIBUTING.md",
    "changes.md": "CHANGELOG.md",
    "printed-results.md": "benchmarks/RESULTS.md",
    "notebook.md": "examples/notebook.ipynb",
}
PLACES = {source: page for page, source in ELSEWHERE.items()} | {"docs": "index.md"}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")
_SOURCES = "|".join(re.escape(source) for source in ELSEWHERE.values())
# Code and links are matched first, so that a name within them stays as it is.
DOCUMENT = re.compile(
    r"^(?P<fence>```+|~~~+).*?^(?P=fence)|(?P<ticks>`+)[^`].*?(?P=ticks)|!?\[[^\]]*\]\([^)]*\)"
    rf"|(?<![\w/.])(?P<file>docs/[\w/-]+\.md|{_SOURCES})",
    re.DOTALL | re.MULTILINE,
)


def move_link(link: re.Match[str], page: str) -> str:
    """Moves a link of a page to where its target stands in the site.

    A file of the sources, which has no page, becomes its name; a page's file name as the text of its link
    becomes the page's name.
    """
    mark, text, target, anchor = link.groups(default="")
    source = ROOT / ELSEWHERE.get(page, f"docs/{page}")
    file = (source.parent / target).resolve()
    if ":" in target or not file.is_relative_to(ROOT):
        return link[0]
    inside = file.relative_to(ROOT).as_posix()
    place = _place_of(inside)
    if place == inside and not inside.startswith("docs/"):
        return f"{text} (`{inside}`)" if text != inside else f"`{inside}`"
    words = _name_of(place) if text == inside else text
    return f"{mark}[{words}]({'../' * page.count('/')}{place}{anchor})"


def link_documents(text: str, page: str) -> str:
    """Links file names of documents that have a page, such as `docs/data.md`, outside of links and code."""

    def link(found: re.Match[str]) -> str:
        file = found["file"]
        if file is None or not (ROOT / file).is_file():
            return found[0]
        place = _place_of(file)
        return f"[{_name_of(place)}]({'../' * page.count('/')}{place})"

    return DOCUMENT.sub(link, text)


def _place_of(file: str) -> str:
    """Path in the site of a file of the repository."""
    return PLACES.get(file, file.removeprefix("docs/"))


def _name_of(place: str) -> str:
    """Name of a page in a sentence: `small-data.md` is "small data"."""
    return Path(place).stem.replace("-", " ")
