"""Audit of a run's generator, from opening its data to the report and the picture of the closest pairs."""

import logging
from pathlib import Path
from shlex import quote

import torch
from PIL import Image

from experiments.core.errors import UsageError
from experiments.core.images import from_uint8, to_uint8
from experiments.core.labelled_sheets import SheetRow, draw_sheet
from experiments.evaluation.audit.copying import CopyingAudit
from experiments.evaluation.audit.report import AuditReport
from experiments.evaluation.audit.sides import AuditSides, describe_more, open_data, open_sides
from experiments.evaluation.audit.variety import VarietyAudit
from experiments.evaluation.candidates import Candidate
from experiments.evaluation.extraction import Meter
from experiments.evaluation.features import ExtractorOptions, open_extractor
from experiments.evaluation.sample_sets import DataSamples, training_command
from metrics.extractors.core.extractor import Extractor
from metrics.extractors.core.rgb import RGB_OF

log = logging.getLogger("gans")

PAIRS, COLUMNS = 24, 6  # in the picture; beside each other
PICTURE = "closest-pairs"


def audit(
    candidate: Candidate, options: ExtractorOptions, count: int | None, seed: int, meter: Meter
) -> tuple[AuditReport, Image.Image]:
    """Audits a generator; returns the report, and the picture of its closest pairs.

    Args:
        count: largest number of training images; None: 50,000.
        seed: of the samples, of the parts of the data, and of what is planted.

    Raises UsageError for a generator without held-out images, of points, or that translates.
    """
    training, held_out = open_data(candidate, count, seed)
    extractor = _open_extractor(candidate, training, options)
    if len(training) < len(training.data):
        log.info(
            f"{len(training):,} of {len(training.data):,} training images: copies of others are not seen"
        )
    sides = open_sides(candidate, training, held_out, extractor, seed, options.device, meter)
    copying = CopyingAudit(sides, seed)
    rows = torch.cat([copying.rows["honest"], copying.rows["generated"]])
    variety = VarietyAudit(sides, seed, copying.table.nearest_index[rows])
    kind = "classes" if variety.are_classes else "clusters"
    report = AuditReport(
        run=candidate.name,
        step=candidate.step,
        counts={
            "training images": len(sides.training),
            "held-out ones to compare with": len(sides.reference),
            "honest samples": len(sides.honest),
            "generated": len(sides.generated),
        },
        record={**extractor.description(), "seed": seed},
        copying=copying.calibrated(),
        variety=variety.calibrated(),
        modes=f"{variety.modes} {kind}",
        remedy=describe_more(candidate, training, len(held_out)),
    )
    return report, closest_pairs(sides, copying)


def _open_extractor(candidate: Candidate, training: DataSamples, options: ExtractorOptions) -> Extractor:
    """Opens the extractor. Raises UsageError where it does not see the channels of the data."""
    channels = training.shape[0]
    name, sees = "", tuple(RGB_OF)
    if options.extractor is not None or channels in RGB_OF:
        extractor = open_extractor(options, True, candidate.settings.data)
        if extractor.channels is None or channels in extractor.channels:
            return extractor
        name, sees = f" {extractor.name}", extractor.channels
    classifier = f"; or make one: {training_command(training)}" if len(training.data.classes) > 1 else ""
    raise UsageError(
        f"an audit compares features, and extractor{name or 's'} see{'s' if name else ''} images of "
        f"{', '.join(map(str, sees))} channels, not {channels}; what needs none: gans evaluate "
        f"{quote(candidate.name)} --metrics power-spectrum{classifier}"
    )


def closest_pairs(sides: AuditSides, copying: CopyingAudit) -> Image.Image:
    """Draws the generated images that are nearest to a training image, each beside that."""
    rows = copying.rows["generated"]
    distances = copying.table.nearest_distance[rows]
    chosen = distances.argsort(stable=True)[:PAIRS]
    originals = sides.training_images(copying.table.nearest_index[rows][chosen])
    pairs = torch.stack([sides.generated_images[chosen], originals], dim=1)
    pairs = to_uint8(from_uint8(pairs))  # those with units are not rounded
    sheet = []
    for start in range(0, len(pairs), COLUMNS):
        part = pairs[start : start + COLUMNS]
        captions = [
            word
            for value in distances[chosen][start : start + COLUMNS]
            for word in ("generated", f"real {value:.3g}")
        ]
        sheet.append(SheetRow("", part.flatten(0, 1), captions))
    return draw_sheet(
        sheet,
        f"The {len(pairs)} generated images nearest to a training image, each beside it\n"
        "Numbers: distance between their features; equal pictures are copies",
    )


def picture_of(folder: Path, step: int | None) -> Path:
    """The file of the picture in a run folder."""
    return folder / "plots" / f"step-{step or 0:08d}-{PICTURE}.png"
