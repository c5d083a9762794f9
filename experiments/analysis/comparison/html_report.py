"""HTML report of a comparison: table, curves, samples over time, settings, provenance and failures.

It opens without a network: the pictures and the script that draws the curves are in the file.
"""

import base64
import io
import json
import logging
import math
import warnings
from collections.abc import Iterable, Sequence
from html import escape
from itertools import starmap
from operator import itemgetter
from pathlib import Path
from sys import float_info

from PIL import Image

from experiments.analysis.comparison.curves import figures_of
from experiments.analysis.comparison.notes import notes_of
from experiments.analysis.comparison.record import Record
from experiments.analysis.comparison.result import Comparison, GroupRow
from experiments.analysis.comparison.terminal_table import (
    columns_of,
    differing_cells,
    format_value,
    row_cells,
)
from experiments.core.errors import RunError
from experiments.core.files import open_regular_file, refuse_link, write_atomically
from experiments.core.named_values import JsonObject
from experiments.runs.grid_names import kimg_of_grid
from experiments.runs.score_lines import is_number

log = logging.getLogger("gans")

PAGE = Path(__file__).with_name("page")
GRIDS = 12  # largest number of sample grids of a run, spread from the first to the last
MOST_PIXELS, SHOWN_PIXELS = 2**26, 2**23  # of a grid, and of its picture on the page, which is shrunk to it
QUALITY = 80  # of the grids' WebP compression, in percent


def render_report(records: Sequence[Record], comparison: Comparison | None, why_not: str = "") -> str:
    """Renders the HTML report of runs.

    Args:
        comparison: None for curves and samples without a comparison.
        why_not: the reason why there is no comparison.
    """
    from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]

    groups = _records_by_group(records, comparison)
    curves = "".join(starmap(_curve, enumerate(figures_of(groups).values())))
    title = escape(_title(records))
    parts = [
        f"<h1>{title}</h1>",
        f"<p class=note>{len(records)} runs</p>",
        "<h2>Comparison</h2>",
        _comparison(comparison) if comparison else f"<p class=note>{escape(why_not)}</p>",
        "<h2>Curves</h2>",
        "<p class=note>Means over the seeds that ended; bands from the lowest of these to the highest.</p>",
        f"<div class=curves>{curves}</div>",
        "<h2>Samples</h2>",
        f"<div class=runs>{''.join(map(_timeline, records))}</div>",
        "<h2>Settings that differ</h2>",
        _differences(comparison) if comparison else "",
        "<h2>How it was made</h2>",
        _provenance(records, comparison),
        "<h2>Runs</h2>",
        _runs(records),
    ]
    style, script = ((PAGE / f"report.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{title}</title>"
        f"<meta name=viewport content='width=device-width'><link rel=icon href='data:,'>"
        f"<style>{style}</style></head><body>{''.join(parts)}"
        f"<script>{get_plotlyjs()}</script><script>{script}</script></body></html>"
    )


def write_report(file: Path, page: str) -> None:
    """Writes an HTML report to a file. Raises RunError where the file cannot be written."""
    try:
        write_atomically(file, page.encode(errors="replace"))  # names may hold what is no text
    except OSError as error:
        raise RunError(f"cannot write {file}: {error.strerror or error}") from error


def _title(records: Sequence[Record]) -> str:
    """Title of the report: the architectures and data sets of the runs."""
    words = [
        dict.fromkeys(str(r.settings[name]) for r in records if name in r.settings)
        for name in ("arch", "data")
    ]
    return " · ".join(", ".join(each) for each in words if each) or "runs"


def _records_by_group(records: Sequence[Record], comparison: Comparison | None) -> dict[str, list[Record]]:
    """Records by the label of their group, the best group first; without a comparison, by their own name."""
    if comparison is None:
        return {record.name: [record] for record in records if record.lines}
    named = {record.name: record for record in records}
    return {row.group.label: [named[name] for name in row.group.names] for row in comparison.rows}


def _comparison(comparison: Comparison) -> str:
    """Section of the comparison: the metric, the table and the notes."""
    chosen = comparison.chosen
    which = "higher" if chosen.higher_is_better else "lower"
    at = "" if chosen.kimg is None else f" at {chosen.kimg:g} kimg"
    rows = [_cells(row, comparison) for row in comparison.rows]
    notes = "".join(f"<p class=note>{escape(note)}</p>" for note in notes_of(comparison))
    return (
        f"<p>{escape(chosen.metric)}{at}: {which} is better.</p>{_table(columns_of(comparison), rows)}{notes}"
    )


def _cells(row: GroupRow, comparison: Comparison) -> list[tuple[str, float | str]]:
    """Cells of a row, each as text and sort key; unknown values sort as the worst do, or last."""
    texts = row_cells(row, comparison.has_failures)
    worst = -float_info.max if comparison.chosen.higher_is_better else float_info.max
    keys = [row.failed_share] if comparison.has_failures else []
    keys.append(row.count)
    keys += [worst if number is None else number for number in (row.median, row.mean, row.low)]
    keys += [2.0 if row.p is None else row.p]
    keys += [float_info.max if number is None else number for number in (row.detectable, row.difference)]
    return list(zip(texts, [*texts[: len(row.group.settings)], *keys], strict=True))


def _table(head: Sequence[str], rows: Iterable[Sequence[tuple[str, float | str]]]) -> str:
    """HTML table whose columns can be sorted, from rows of text and sort keys."""
    top = "".join(f"<th>{escape(word)}</th>" for word in head)
    body = "".join(
        "<tr>"
        + "".join(f'<td data-value="{escape(str(v))}">{escape(text)}</td>' for text, v in row)
        + "</tr>"
        for row in rows
    )
    return f"<table class=sortable><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _plain(rows: Iterable[Sequence[str]]) -> list[list[tuple[str, float | str]]]:
    """Rows whose cells are sorted by their text."""
    return [[(cell, cell) for cell in row] for row in rows]


def _curve(number: int, figure: JsonObject) -> str:
    """HTML element with the Plotly figure of one score."""
    name = f"figure-{number}"
    content = json.dumps(figure, separators=(",", ":"), allow_nan=False)
    # Also <!-- and <script would change how the page goes on.
    content = content.replace("<", "\\u003c")
    return f"<div data-figure={name}></div><script type=application/json id={name}>{content}</script>"


def _timeline(record: Record) -> str:
    """HTML figure with the sample grids of a run and a slider over kimg."""
    pictures = [] if record.folder is None else sample_grids(record.folder)
    caption = f"<figcaption>{escape(record.name)} <span class=note>{escape(record.state)}</span></figcaption>"
    if not pictures:
        return f"<figure>{caption}<p class=note>no samples</p></figure>"
    last = len(pictures) - 1
    return (
        f'<figure data-pictures="{escape(json.dumps(pictures))}"><img alt="samples of {escape(record.name)}">'
        f'<input type=range min=0 max={last} value={last} aria-label="kimg"><output></output>'
        f"{caption}</figure>"
    )


def sample_grids(folder: Path) -> list[tuple[float, str]]:
    """Sample grids of a run folder: pairs of kimg and the picture as a data URL.

    A remark names each picture that is left out.
    """
    try:
        refuse_link(folder / "samples")
    except RunError as error:
        log.info(f"{folder} is shown without samples: {error}")
        return []
    pictures = sorted(file for file in (folder / "samples").glob("*.png") if file.name != "real.png")
    files = []
    for file in pictures:
        kimg = kimg_of_grid(file.name)
        if kimg is None:
            log.info(f"{file} is left out: grids of samples have names such as kimg-000012.png")
        else:
            files.append((kimg, file))
    files.sort(key=itemgetter(0))
    if len(files) > GRIDS:
        files = [files[round(i * (len(files) - 1) / (GRIDS - 1))] for i in range(GRIDS)]
    found = []
    for kimg, file in files:
        try:
            data = base64.b64encode(_compressed(file)).decode()
        except Exception as error:  # whatever a damaged file makes the reader stumble over
            log.info(f"{file} is left out: {str(error) or type(error).__name__}")
            continue
        found.append((kimg, f"data:image/webp;base64,{data}"))
    return found


def _compressed(file: Path) -> bytes:
    """Picture of a PNG file, compressed as WebP. Raises an exception of any kind where it is none."""
    content = io.BytesIO()
    with warnings.catch_warnings(), open_regular_file(file) as stream:
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(stream, formats=["PNG"]) as picture:
            pixels = picture.width * picture.height
            if pixels > MOST_PIXELS:
                raise ValueError(f"it has more than {MOST_PIXELS:,} pixels")
            shown = picture.reduce(max(1, math.ceil((pixels / SHOWN_PIXELS) ** 0.5)))
            shown.convert("RGB").save(content, "WEBP", quality=QUALITY)
    return content.getvalue()


def _differences(comparison: Comparison) -> str:
    """Section of the settings that differ, with their values."""
    rows = differing_cells(comparison)
    return _table(["setting", "values"], _plain(rows)) if rows else "<p class=note>none but the seed</p>"


def _provenance(records: Sequence[Record], comparison: Comparison | None) -> str:
    """Section of how the scores were computed, and on which versions and machines."""
    made = dict(comparison.chosen.provenance) if comparison else {}
    rows = [(key, format_value(value)) for key, value in made.items()]
    for key in dict.fromkeys(key for record in records for key in record.environment):
        values = dict.fromkeys(
            format_value(record.environment.get(key)) for record in records if record.environment
        )
        rows.append((key, ", ".join(values)))
    return _table(["what", "value"], _plain(rows))


def _runs(records: Sequence[Record]) -> str:
    """Section of the runs: seed, state, kimg and seconds of each."""
    head = ["run", "seed", "state", "kimg", "seconds"]
    rows: list[list[tuple[str, float | str]]] = []
    for record in records:
        timed = [line for line in record.lines if line.get("seconds") is not None]
        last = timed[-1] if timed else {}
        numbers = [record.settings.get("seed"), last.get("kimg"), last.get("seconds")]
        seed, kimg, seconds = (_number_cell(value) for value in numbers)
        rows.append([(record.name, record.name), seed, (record.state, record.state), kimg, seconds])
    return _table(head, rows)


def _number_cell(value: object) -> tuple[str, float | str]:
    """Cell of a number, which may be unknown: text and sort key."""
    return (f"{value:g}", float(value)) if is_number(value) else ("–", -1.0)
