"""HTML page of a diagnosis: the findings with their remedies, samples beside real images, and curves.

It has the parts and the form of the report of a comparison. Its template is
experiments/analysis/page/templates/doctor.html.
"""

from collections.abc import Sequence

from experiments.analysis.doctor.finding import Finding
from experiments.analysis.doctor.history import History
from experiments.analysis.page.curves import RunCurves, curves_of, diagnostic_charts
from experiments.analysis.page.document import render_page
from experiments.analysis.page.pictures import Timeline, real_images, sample_grids
from experiments.analysis.page.score_names import METRICS
from experiments.runs.folder import RunFolder


def render_diagnosis(folder: RunFolder, history: History, findings: Sequence[Finding], summary: str) -> str:
    """Renders the page of a diagnosis.

    Args:
        findings: the serious ones first.
        summary: the result in a line.
    """
    settings, name = history.settings, folder.path.absolute().name
    curves = RunCurves(settings.loss, curves_of(history.lines))
    charts = diagnostic_charts([(name, [curves])])
    values = {
        "title": f"{settings.arch} with {settings.loss} on {settings.data}",
        "name": name,
        "path": str(folder.path),
        "state": folder.state,
        "headline": f"{_headline(findings)} in {name}" if findings else f"{name}: {summary}",
        "findings": findings,
        "serious": sum(finding.is_serious for finding in findings),
        "history": history,
        "metric_charts": charts.pop(METRICS, []),
        "diagnostics_of": charts,
        "timeline_of": Timeline(name, "", 0, sample_grids(folder.path)),
        "real": real_images(folder.path),
    }
    return render_page("doctor.html", values)


def _headline(findings: Sequence[Finding]) -> str:
    """The first findings by name, and the number of the others."""
    names = [finding.rule for finding in findings]
    if len(names) < 3:
        return " and ".join(names).capitalize()
    return f"{names[0].capitalize()} and {len(names) - 1} more findings"
