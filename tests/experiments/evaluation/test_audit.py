"""The audit: a generator that copies is flagged, an honest or a poor one is not, and lost modes are named."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from experiments.evaluation.audit.calibration import CountedSets
from experiments.evaluation.audit.copying import EXCHANGE, LARGEST_WEIGHT, CopyingAudit
from experiments.evaluation.audit.planting import KINDS, shifted
from experiments.evaluation.audit.report import COPIES, LOST, NO_COPIES, UNKNOWN, WHOLE, AuditReport
from experiments.evaluation.audit.sides import AuditSides
from experiments.evaluation.audit.variety import DROPPED, K, VarietyAudit
from metrics.core.memorization import exchange_probability
from metrics.core.statistics import Statistics, frechet_distance

WIDTH, COUNT = 12, 300
MODES = 6


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.evaluation.audit.calibration.RESAMPLES", 300)
    for module in ("copying", "variety"):
        monkeypatch.setattr(f"experiments.evaluation.audit.{module}.PLANTED", 60)


def drawn(count: int, seed: int, modes: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Vectors of a mixture of Gaussians, and the mode of each."""
    random = torch.Generator().manual_seed(seed)
    centres = 6 * torch.eye(WIDTH, dtype=torch.float64)
    labels = torch.randint(MODES, (count,), generator=random) if modes is None else modes
    return centres[labels] + torch.randn(count, WIDTH, generator=random, dtype=torch.float64), labels


def sides_of(generated: Tensor, training_count: int = 2000, with_labels: bool = True) -> AuditSides:
    """The sides of an audit of a generator of vectors, with planted copies."""
    training, labels = drawn(training_count, 1)
    reference, honest = drawn(COUNT, 2)[0], drawn(COUNT, 3)[0]
    chosen = training[torch.randperm(len(training), generator=torch.Generator().manual_seed(5))[:COUNT]]
    noise = torch.randn(chosen.shape, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    return AuditSides(
        training=training,
        labels=labels if with_labels else None,
        reference=reference,
        honest=honest,
        generated=generated,
        planted={"exact": chosen, "noised": chosen + 0.1 * noise, "blurred": chosen + 2 * noise},
        training_images=lambda indices: torch.zeros(len(indices), 1, 8, 8),
        generated_images=torch.zeros(len(generated), 1, 8, 8),
        training_count=training_count,
        held_out_count=2 * COUNT,
    )


def audited(generated: Tensor, training_count: int = 2000, with_labels: bool = True) -> AuditReport:
    """The report on a generator of vectors. Copies are planted as they are, and with noise."""
    sides = sides_of(generated, training_count, with_labels)
    copying, variety = CopyingAudit(sides, 0), VarietyAudit(sides, 0)
    kind = "classes" if variety.are_classes else "clusters"
    return AuditReport(
        "run", 1, {}, {}, copying.calibrated(), variety.calibrated(), f"{variety.modes} {kind}"
    )


def copier(share: float, seed: int = 4) -> Tensor:
    """Samples of which a share are training vectors."""
    training, honest = drawn(2000, 1)[0], drawn(COUNT, 10 + seed)[0]
    number = round(share * COUNT)
    return torch.cat([training[:: 2000 // COUNT][:number], honest[number:]])


def test_copies_are_flagged_and_the_words_say_how_many() -> None:
    report = audited(copier(0.5))
    assert report.copies == COPIES and report.is_flagged
    by_name = {each.name: each for each in report.copying}
    assert by_name[EXCHANGE].is_beyond and by_name["training ratio"].equivalent("exact") in (0.2, 0.5)
    assert "training images are nearer to the samples than held-out ones" in report.verdict()[0]


@pytest.mark.parametrize("seed", range(3))
def test_an_honest_generator_is_not_flagged(seed: int) -> None:
    report = audited(copier(0.0, seed))
    assert report.copies == NO_COPIES and report.lost == WHOLE
    assert "it would have found, of copies: 5% exact" in report.verdict()[0]


@pytest.mark.parametrize("fault", ["far", "narrow", "one point"])
def test_a_poor_generator_is_no_copier(fault: str) -> None:
    """It is near everything, or far from everything: training images as much as held-out ones."""
    vectors, labels = drawn(COUNT, 20)
    centres = 6 * torch.eye(WIDTH, dtype=torch.float64)[labels]
    made = {
        "far": vectors + 3,
        "narrow": centres + 0.4 * (vectors - centres),
        "one point": vectors[:1] + 0 * vectors,
    }
    report = audited(made[fault])
    assert not report.is_flagged, report.verdict()
    if fault == "narrow":  # nearer than honest samples to all images
        authenticity = report.copying[0]
        assert authenticity.name == "AuthPct" and authenticity.is_beyond


def test_balls_hold_copies_of_the_neighbour_that_they_reach_to() -> None:
    """However distances round: those of float32 far from the origin, of vectors wider than 128."""
    images = 30 + torch.randn(60, 200, generator=torch.Generator().manual_seed(7))
    sides = replace(sides_of(images.clone()), training=images, labels=None, reference=images, honest=images)
    in_balls = VarietyAudit(sides, 0).covers
    assert (in_balls.sum(dim=0) == 2 * (1 + K)).all(), "each image, its 5 neighbours, and the copies of these"


def test_the_table_says_what_each_statistic_would_have_found() -> None:
    """Exact copies lower authenticity; copies with more noise than the data has raise it."""
    report = audited(copier(0.0))
    by_name = {each.name: each for each in report.copying}
    assert by_name["neighbour ratio"].found["exact"] == 0.05
    assert by_name["AuthPct"].found["exact"] in (0.05, 0.1, 0.2)
    assert by_name["AuthPct"].found["blurred"] is None and "blurred" in by_name["AuthPct"].reversed
    assert by_name[EXCHANGE].found["exact"] is not None
    for each in report.copying:
        values = list(each.medians["exact"].values())
        assert values == sorted(values, reverse=True) or each.name == "distance gap"
    text = "\n".join(report.lines())
    assert "wrong way" in text and "never" in text
    assert json.loads(json.dumps(report.to_json()))["copying"]["AuthPct"]["wrong_way"] == ["blurred"]


def test_statistics_of_sets_are_those_of_their_samples_one_set_at_a_time() -> None:
    """Means, moments and tests over counted samples, against samples that are repeated."""
    audit = CopyingAudit(sides_of(copier(0.2)), 0)
    sets = torch.cat([audit.rows["honest"][:200], audit.rows["exact"][:100]]).repeat(4, 1)
    sets[1], sets[2, :150], sets[3] = audit.rows["generated"], sets[2, 150:].clone(), audit.rows["honest"]
    found = {
        name: CountedSets.of(sets).values(statistic) for name, (_, statistic) in audit.statistics().items()
    }
    table, gaps, exchanged = audit.table, [], []
    training, reference = (audit._project(side) for side in (audit.sides.training, audit.sides.reference))
    for rows in sets:
        own, *others = (
            (each.mean(0), each.T.cov()) for each in (table.components[rows], training, reference)
        )
        distances = [frechet_distance(*(Statistics(*pair, 0) for pair in (own, other))) for other in others]
        gaps.append(distances[0] - distances[1])
        weights = torch.zeros(2000 + COUNT, dtype=torch.float64)
        weights.index_add_(0, table.nearest_of_all[rows], table.weight[rows])
        exchanged.append(exchange_probability(weights[audit.hit][None], audit.hit < 2000, audit.labellings))
    assert torch.allclose(found["AuthPct"], table.authentic[sets].mean(dim=1))
    assert torch.allclose(found["neighbour ratio"], table.neighbour_ratio[sets].mean(dim=1))
    assert torch.allclose(found["distance gap"], torch.tensor(gaps, dtype=torch.float64), atol=1e-8)
    assert torch.allclose(found[EXCHANGE], torch.cat(exchanged)) and found[EXCHANGE][3] > 0.01


def test_the_nearest_of_all_images_are_found_side_by_side() -> None:
    sides = sides_of(copier(0.1), training_count=500)
    audit = CopyingAudit(sides, 0)
    every = torch.cat([sides.honest, sides.generated, *sides.planted.values()])
    distances = torch.cdist(every, torch.cat([sides.training, sides.reference]))
    nearest = distances.topk(2, largest=False)
    is_copy = nearest.values[:, 0] < 1e-5
    assert torch.equal(audit.table.nearest_of_all, nearest.indices[:, 0])
    expected = (nearest.values[:, 1] / nearest.values[:, 0]).log()
    assert torch.allclose(audit.table.weight[~is_copy], expected[~is_copy])
    assert (audit.table.weight[is_copy] == LARGEST_WEIGHT).all() and int(is_copy.sum()) == COUNT
    own = torch.cdist(sides.training, sides.training).fill_diagonal_(torch.inf).amin(dim=1)
    to_training = distances[:, :500].min(dim=1)
    assert torch.equal(audit.table.authentic.bool(), to_training.values > own[to_training.indices])


def test_few_training_images_are_planted_as_often_as_the_share_says() -> None:
    """Half of 300 samples are copies of 40 images, none of which comes five times."""
    sides = sides_of(copier(0.0), training_count=40)
    audit = CopyingAudit(sides, 0)
    for share in (0.05, 0.5):
        sets = audit.faults()["exact"](share)
        assert sets.shape[1] == COUNT
        planted = torch.isin(sets, audit.rows["exact"])
        assert (planted.sum(dim=1) == share * COUNT).all()
        most = max(int(rows[own].bincount().max()) for rows, own in zip(sets, planted, strict=True))
        assert most == -(-share * COUNT // 40)


@pytest.mark.parametrize("with_labels", [True, False])
def test_lost_modes_are_found(with_labels: bool) -> None:
    vectors, _ = drawn(COUNT, 30, modes=torch.arange(COUNT) % (MODES // 2))
    report = audited(vectors, with_labels=with_labels)
    assert report.lost == LOST and not report.is_flagged
    kind = "classes" if with_labels else "clusters"
    covered = report.variety[0]
    assert covered.name == f"{kind} covered" and covered.value < 0.7
    assert f"{kind} covered as with 50% dropped" in report.verdict()[1]


@pytest.mark.parametrize("generated", ["far", "honest"])
def test_where_no_lost_mode_would_be_found_none_is_called_present(generated: str) -> None:
    """As with few held-out images, where samples unlike the data do not show which modes they lack."""
    report = audited(copier(0.0) if generated == "honest" else drawn(COUNT, 20)[0] + 9)
    blind = replace(report, variety=[replace(each, found={DROPPED: None}) for each in report.variety])
    words = blind.verdict()[1]
    assert blind.lost == UNKNOWN and words.startswith("cannot tell whether modes are missing (6 classes)")
    assert ("samples are unlike the data" in words) == (generated == "far")


def test_planted_changes_are_what_they_say() -> None:
    images = torch.arange(2 * 3 * 4, dtype=torch.uint8).reshape(2, 1, 3, 4)
    random = torch.Generator().manual_seed(0)
    assert torch.equal(KINDS["exact"](images, random), images)
    assert torch.equal(KINDS["flipped"](images, random)[..., 0], images[..., -1])
    assert torch.equal(shifted(images, random)[:, :, 1:, 1:], images[:, :, :-1, :-1])
    grey = torch.full((1, 1, 64, 64), 128, dtype=torch.uint8)
    noise = KINDS["noised"](grey, random).double() - 128
    assert 3.5 < noise.std() < 4.5 and abs(noise.mean()) < 0.5


SMALL = "--image-size 16 --batch-size 8 --width 4 --steps 1"


@pytest.fixture
def pictures(workplace: Path) -> Path:
    """A folder of 120 images of noise."""
    Path("data").mkdir()
    random = torch.Generator().manual_seed(0)
    for number in range(120):
        pixels = torch.randint(256, (16, 16, 3), generator=random, dtype=torch.uint8)
        Image.fromarray(pixels.numpy()).save(f"data/{number:03}.png")
    return Path("data")


def test_the_command_prints_a_table_and_draws_the_closest_pairs(
    gans: Any, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = f"run --arch dcgan --loss bce --data folder:data {SMALL} --holdout 0.4 --out run"
    assert gans(command).status == 0
    outcome = gans("audit run --extractor random-vgg --json")
    assert outcome.status == 0, outcome.err
    found = json.loads(outcome.out)
    assert found["n"] == {
        "training images": 72,
        "held-out ones to compare with": 24,
        "honest samples": 24,
        "generated": 24,
    }
    assert list(found["copying"]) == [
        *("AuthPct", "C_T", "neighbour ratio", "training ratio", "distance gap", "exchange"),
    ]
    assert not found["flagged"] and found["extractor"] == "random-vgg"
    assert found["picture"] == "run/plots/step-00000001-closest-pairs.png"
    with Image.open(found["picture"]) as picture:
        assert picture.width > 12 * 16 and picture.height > 4 * 16
    # Features of training, held-out and planted images are kept; only the generated ones are new.
    monkeypatch.setattr("experiments.evaluation.features.extract", None)
    again = gans("audit run/checkpoints/step-00000001.pt --extractor random-vgg --out pairs.png")
    assert again.status == 0 and "statistic" in again.out, again.err
    kept = gans("audit run --extractor random-vgg --json --force")
    assert kept.status == 0 and json.loads(kept.out) == found, kept.err
    assert Path("pairs.png").read_bytes() == Path(found["picture"]).read_bytes()
    Path(found["picture"]).unlink()
    assert gans("audit run/checkpoints/step-00000001.pt --extractor random-vgg").status == 0
    assert Path("pairs.png").read_bytes() == Path(found["picture"]).read_bytes()


def test_what_cannot_be_audited(gans: Any, refused: Any, pictures: Path) -> None:
    assert gans(f"run --arch dcgan --loss bce --data folder:data {SMALL} --out run").status == 0
    again = "gans run --config run/config.json --holdout 0.334 --out run-held-out"
    refused(2, ("holds none out", again), "audit run")
    again = f"gans run --config {Path.cwd()}/run/config.json --holdout 0.334"
    refused(2, ("holds none out", again), "audit run/checkpoints/step-00000001.pt --out pairs.png")
    assert gans(f"run --arch dcgan --loss bce --data folder:data {SMALL} --holdout 0.1 --out few").status == 0
    told = refused(2, ("at least 40 held-out images, and data", "has 12;"), "audit few")
    advised = told.partition("train anew with gans ")[2]
    assert advised == "run --config few/config.json --holdout 0.334 --out few-held-out"
    assert gans(advised).status == 0
    outcome = gans("audit few-held-out --extractor random-vgg --json")
    assert outcome.status == 0 and json.loads(outcome.out)["n"]["honest samples"] == 20, outcome.err
    for number in range(57, 120):
        Path(f"data/{number:03}.png").unlink()
    for share in ("--holdout 0.1", "--holdout 0.2", ""):  # too few for a score, enough for one, none
        run = f"run --arch dcgan --loss bce --data folder:data {SMALL} {share} --out tiny --force"
        assert gans(run).status == 0
        told = refused(2, ("with 57 images that is not possible", "80 in all"), "audit tiny")
        assert told.count("--holdout") == 0
        advised = told.partition("what is: gans ")[2].partition(",")[0]
        assert advised == "evaluate tiny --metrics authenticity"
    outcome = gans(f"{advised} -n 20 --extractor random-vgg --json")
    assert outcome.status == 0 and "authenticity" in outcome.out, outcome.err
    points = "run --arch mlp --loss bce --data ring8 --batch-size 16 --width 8 --steps 1 --out points"
    assert gans(points).status == 0
    refused(2, ("points", "gans evaluate"), "audit points")
