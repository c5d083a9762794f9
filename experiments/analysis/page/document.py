"""Documents of HTML from templates of Jinja, which escape every value; style and script are in the file."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from experiments.analysis.page.line_chart import COLOURS, dash_of
from experiments.analysis.page.scale import short_number
from experiments.core.errors import RunError
from experiments.core.files import write_atomically

HERE = Path(__file__).parent
BREAKS = re.compile(r"(?<=[_./:=])(?=\w)")  # places where a name of a setting, or a path, may break
ZERO_WIDTH_SPACE = "\u200b"


def render_page(template: str, values: dict[str, Any]) -> str:
    """Renders a template of the folder `templates/` to a document that asks nobody for anything.

    Its policy lets the browser load no address and run no script but the one of this room, whatever the names
    of runs contain.
    """
    script, style = ((HERE / name).read_text(encoding="utf-8") for name in ("page.js", "page.css"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(colours=COLOURS, dash_of=dash_of)
    environment.filters.update(short=short_number, breakable=breakable, breakable_label=breakable_label)
    own = {"script": Markup(script), "style": Markup(style), "script_hash": digest}
    return environment.get_template(template).render({**values, **own})


def breakable(text: str) -> Markup:
    """Escapes a text that may break after underscores, dots, slashes, colons and equals signs.

    >>> breakable("penalty_weight")
    Markup('penalty_<wbr>weight')
    """
    return Markup("<wbr>").join(map(escape, BREAKS.split(text)))


def breakable_label(text: str) -> str:
    """The text for an attribute that a style sheet shows; it may break where `breakable` does."""
    return ZERO_WIDTH_SPACE.join(BREAKS.split(text))


def write_page(file: Path, page: str) -> None:
    """Writes a document to a file. Raises RunError where the file cannot be written."""
    try:
        write_atomically(file, page.encode(errors="replace"))  # names may hold what is no text
    except OSError as error:
        raise RunError(f"cannot write {file}: {error.strerror or error}") from error
