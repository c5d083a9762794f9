"""The cache of references: whatever is wrong with a file in it, it is made anew."""

from pathlib import Path

import numpy as np
import pytest

from experiments.evaluation.features import ExtractorOptions, ReferenceFeatures, open_extractor
from experiments.evaluation.sample_sets import DataSamples, ImageFormat, open_data_as
from metrics.core.statistics import Moments, frechet_distance
from tests.experiments.evaluation.helpers import Gans

RUN = "run --arch mlp --data ring8 --loss bce --steps 3 --batch-size 8 --width 4 --track local --out run"
EVALUATE = "evaluate run -n 60 --metrics fid,precision-recall --json"


def damage_method(content: bytearray) -> None:
    """Names a method of compression that does not exist, in the archive's directory."""
    content[content.find(b"PK\x01\x02") + 10] = 99


def damage_bits(content: bytearray) -> None:
    random = np.random.default_rng(len(content))
    for index in random.integers(len(content), size=40):
        content[index] ^= 1 << int(random.integers(8))


@pytest.mark.parametrize("damage", [damage_method, damage_bits, bytearray.clear, bytearray.reverse])
def test_a_damaged_file_is_made_anew(damage: object, gans: Gans, workplace: Path) -> None:
    assert gans(RUN).status == 0
    first = gans(EVALUATE)
    assert first.status == 0, first.err
    kept = {path: path.read_bytes() for path in (workplace / "cache" / "references").glob("*.npz")}
    assert len(kept) == 2, "statistics and vectors"
    for path, whole in kept.items():
        content = bytearray(whole)
        damage(content)  # type: ignore[operator]
        path.write_bytes(content)
    again = gans(EVALUATE)
    assert (again.status, again.out) == (0, first.out), again.err
    assert {path: path.read_bytes() for path in kept} == kept


def test_a_distance_is_the_same_to_the_last_digit_with_a_kept_reference(workplace: Path) -> None:
    """Of fewer images than features, whose vectors would otherwise stand in for their covariance."""
    extractor = open_extractor(ExtractorOptions("random-vgg", device="cpu"), True, "shapes")
    drawn = open_data_as("shapes", ImageFormat((16, 16)))
    reals, others = (
        ReferenceFeatures(DataSamples("shapes", drawn, 40, seed), extractor, lambda *_: lambda _: None)
        for seed in (0, 1)
    )
    moments = Moments()
    moments.update(others.vectors)
    ours = moments.statistics()
    again = ReferenceFeatures(reals.samples, extractor, reals.meter)
    distance = frechet_distance(ours, reals.statistics)
    assert distance > 0 and frechet_distance(ours, again.statistics) == distance
