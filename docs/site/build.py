"""Builds the documentation site: hand-written pages, and pages that are written from the code.

    python docs/site/build.py [--out site] [--sources DIR]

Every warning of MkDocs is an error: a page without a place in the navigation, a link or a heading that is not
there. `--sources` keeps the Markdown that the site is built from.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE)]

from catalogue import architecture_page, index_page, kind_page, kinds, loss_page  # noqa: E402
from links import ELSEWHERE, LINK, link_documents, move_link  # noqa: E402
from markdown_pages import link_papers  # noqa: E402
from notebook import notebook_page  # noqa: E402
from reference import command_index, command_page, python_page  # noqa: E402

from experiments.commands.command_table import COMMANDS  # noqa: E402
from experiments.core import registry  # noqa: E402

Navigation = list[dict[str, Any] | str]
# Hand-written pages by tab. A page that is missing here fails the build.
PAGES = {
    "Start": (
        "index.md",
        "paths/photos.md",
        "paths/two-losses.md",
        "paths/published-weights.md",
        "paths/gpus.md",
    ),
    "Train": (
        *("training.md", "results.md", "planning.md", "devices.md", "presets.md", "data.md", "small-data.md"),
        *("fine-tuning.md", "published.md", "translation.md", "translation-data.md", "troubleshooting.md"),
    ),
    "Judge": ("evaluation.md", "audit.md", "comparison.md", "doctor.md", "reproduction.md", "tracking.md"),
    "Look": ("explore.md", "latents.md"),
    "Extend": ("components.md", "adversary.md", "house.md", "correctness.md", "trust.md", "contributing.md"),
}
# Pages at the end of the reference.
REFERENCE = ("glossary.md", "printed-results.md", "changes.md")


def copy_pages(docs: Path) -> None:
    """Copies hand-written pages and pictures; links to what stands elsewhere in the repository follow it."""
    shutil.copytree(ROOT / "docs", docs, ignore=shutil.ignore_patterns("site", "__pycache__"))
    shutil.copy(HERE / "extra.css", docs)
    for name, source in ELSEWHERE.items():
        if source.endswith(".ipynb"):
            (docs / name).write_text(notebook_page(ROOT / source) + "\n", encoding="utf-8")
        else:
            shutil.copy(ROOT / source, docs / name)
    for page in docs.rglob("*.md"):
        name = page.relative_to(docs).as_posix()
        text = page.read_text(encoding="utf-8")
        text = LINK.sub(lambda found, name=name: move_link(found, name), text)
        page.write_text(link_documents(text, name), encoding="utf-8")


def write_pages(docs: Path) -> Navigation:
    """Writes the pages that are made from the code; returns their place in the navigation."""
    pages: dict[str, dict[str, str]] = {}
    for kind, folder, write in (
        ("architecture", "architectures", architecture_page),
        ("loss", "losses", loss_page),
    ):
        pages[folder] = {"index": index_page(kind)} | {
            name: write(name) for name in sorted(registry.built_in_names(kind))
        }
    pages["plugins"] = {registry.KINDS[kind].plural: kind_page(kind) for kind in kinds()}
    pages["commands"] = {"index": command_index()}
    pages["commands"] |= {name: command_page(name) for names in COMMANDS.values() for name in names}
    for folder, texts in pages.items():
        (docs / folder).mkdir()
        for name, text in texts.items():
            text = link_documents(link_papers(text), f"{folder}/{name}.md")
            (docs / folder / f"{name}.md").write_text(text + "\n", encoding="utf-8")
    (docs / "python.md").write_text(python_page() + "\n", encoding="utf-8")
    places = {folder: [f"{folder}/{name}.md" for name in texts] for folder, texts in pages.items()}
    reference = [
        {"Plug-ins": places["plugins"]},
        {"Commands": places["commands"]},
        "python.md",
        "notebook.md",
    ]
    return [
        {"Architectures": places["architectures"]},
        {"Losses": places["losses"]},
        {"Reference": [*reference, *REFERENCE]},
    ]


def build(out: Path, work: Path) -> None:
    """Builds the site into a folder. Raises SystemExit, with a line, where MkDocs finds fault."""
    if out.is_dir() and any(out.iterdir()) and not (out / "sitemap.xml").exists():
        raise SystemExit(f"{out} holds other files, which MkDocs would delete; take another --out")
    docs = work / "docs"
    shutil.rmtree(docs, ignore_errors=True)  # of an earlier call
    copy_pages(docs)
    written = write_pages(docs)
    hand_written: Navigation = [{tab: list(names)} for tab, names in PAGES.items()]
    settings = {
        "INHERIT": str(HERE / "mkdocs.yml"),
        "docs_dir": str(docs),
        "site_dir": str(out.resolve()),
        "nav": [*hand_written, *written],
    }
    (work / "mkdocs.yml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", "mkdocs.yml"]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}  # an advertisement of a successor
    # With --quiet MkDocs does not count its warnings.
    done = subprocess.run(words, cwd=work, env=environment, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if not line.startswith("INFO")]
        raise SystemExit("\n".join(lines))


def main() -> None:
    """Builds the site as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "site", help="folder of the site; default: build/site"
    )
    parser.add_argument("--sources", type=Path, help="folder for the Markdown that the site is built from")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = asked.sources or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        build(asked.out, work)
    print(asked.out / "index.html")
    print(f"with search: {sys.executable} -m http.server --bind 127.0.0.1 --directory {asked.out}")


if __name__ == "__main__":
    main()
