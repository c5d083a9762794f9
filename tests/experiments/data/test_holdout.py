"""A share of any data kept out of training: the parts make up the whole, and every command finds the same."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from experiments.core import registry
from experiments.data.core.dataset import (
    USUAL,
    DataAccess,
    DataSet,
    DomainSource,
    InMemoryData,
    KnownChanges,
    load_into_memory,
)
from experiments.data.core.holdout import LEAST, Subset, describe_few, least_share, split_indices, take_part
from experiments.data.core.sources import open_source
from gans.core.attributes import AttributeGroup, Attributes
from tests.conftest import DATA, Gans

EMBEDDED = [name for name in registry.names("data") if registry.load("data", name).is_embedded]
SHARE = DataAccess(holdout=0.25)


# Attributes that describe a set, or each of its samples; the others are of how it is fetched.
OF_SAMPLES = {"labels", "attributes", "file_names"}
OF_SETS = sorted(set(DataSet.__annotations__) - OF_SAMPLES - {"sample_shape", "on_demand"})


def write_levels(folder: Path, levels: range) -> None:
    """Writes grey images, each of a level of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for level in levels:
        Image.new("L", (8, 8), level).save(folder / f"{level:03}.png")


def opened(spec: str, access: DataAccess) -> tuple[DataSet, DataSet]:
    """The samples for training and the held-out ones."""
    source = open_source(spec, access)
    size = (8, 8) if source.kind == "images" else None
    return tuple(open_at(size, None, "crop") for open_at in (source.open, source.open_held_out))  # type: ignore[return-value]


def every(data: DataSet) -> Tensor:
    return data.fetch(torch.arange(len(data)))


def whole(spec: str) -> DataSet:
    source = open_source(spec, USUAL)
    return source.open((8, 8) if source.kind == "images" else None, None, "crop")


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_parts_of_every_embedded_set_are_the_whole_and_share_nothing(name: str) -> None:
    """With the labels and attributes that belong to each sample."""
    every_index = torch.arange(len(all_of_it := whole(name)))
    training, held_out = opened(name, SHARE)
    own, others = split_indices(len(all_of_it), 0.25, 0)
    assert torch.equal(torch.cat([own, others]).sort().values, every_index)
    assert abs(len(others) - 0.25 * len(all_of_it)) <= 0.5
    assert training.held_out_count == len(others)
    for part, indices in ((training, own), (held_out, others)):
        assert torch.equal(every(part), all_of_it.fetch(indices))
        assert part.sample_shape == all_of_it.sample_shape
        for name in {*OF_SETS} - {"held_out_count", "training_fingerprint"}:
            assert getattr(part, name) == getattr(all_of_it, name)
        if all_of_it.labels is not None:
            assert part.labels is not None and torch.equal(part.labels, all_of_it.labels[indices])
        if all_of_it.attributes is not None:
            assert part.attributes is not None
            assert torch.equal(part.attributes.table, all_of_it.attributes.table[indices])


def test_the_choice_is_a_function_of_its_own_seed_and_mixes_the_order() -> None:
    first = split_indices(1000, 0.1, 0)
    assert torch.equal(first[1], split_indices(1000, 0.1, 0)[1])
    assert not torch.equal(first[1], split_indices(1000, 0.1, 1)[1])
    assert 300 < first[1].double().mean() < 700
    again, other = (opened("ring8", DataAccess(holdout=0.1, holdout_seed=seed))[1] for seed in (0, 1))
    assert torch.equal(every(again), every(opened("ring8", DataAccess(holdout=0.1))[1]))
    assert not torch.equal(every(again), every(other))


def test_a_set_that_knows_its_changes_knows_them_in_both_parts() -> None:
    training, held_out = opened("shapes-attributes", SHARE)
    assert isinstance(training, KnownChanges) and isinstance(held_out, KnownChanges)
    assert torch.equal(every(training.held_out()), every(held_out))
    index = torch.tensor([3])
    assert held_out.attributes is not None
    rows = held_out.attributes.table[index]
    assert torch.equal(held_out.fetch_with(index, rows), held_out.fetch(index))
    assert not torch.equal(held_out.fetch_with(index, held_out.attributes.table[5:6]), held_out.fetch(index))


@pytest.mark.parametrize(("name", "paired"), [("shapes-paired", True), ("shapes-styles", False)])
def test_partners_stay_together_and_domains_are_split_each(name: str, paired: bool) -> None:
    source, all_of_it = open_source(name, SHARE), open_source(name)
    assert isinstance(source, DomainSource) and isinstance(all_of_it, DomainSource)
    training, held_out = (source.open_domains((8, 8), 3, "crop", paired, held) for held in (False, True))
    whole = all_of_it.open_domains((8, 8), 3, "crop", paired)
    assert training.paired == held_out.paired == paired and training.names == whole.names
    for side, purpose in (("a", "A"), ("b", "B")):
        own, others = split_indices(len(whole.a), 0.25, 0, "" if paired else purpose)
        assert torch.equal(every(getattr(training, side)), getattr(whole, side).fetch(own))
        assert torch.equal(every(getattr(held_out, side)), getattr(whole, side).fetch(others))


def test_stacked_pictures_of_both_parts_have_no_grey_picture_in_common(tmp_path: Path) -> None:
    for label, start in enumerate((0, 40)):
        write_levels(tmp_path / f"class{label}", range(start, start + 40))
    training, held_out = opened(f"stacked:folder:{tmp_path}", SHARE)
    own, others = (set(every(part)[:, :, 0, 0].flatten().tolist()) for part in (training, held_out))
    assert not own & others and len(own | others) == 80
    assert training.held_out_count == 20, "of the grey pictures"


def test_a_part_and_a_copy_in_memory_know_all_that_is_known_of_the_set() -> None:
    """Each attribute has a value of its own here, so that none is left out or mistaken for another."""
    data = InMemoryData(torch.zeros(6, 1, 4, 4, dtype=torch.uint8), torch.arange(6))
    for name in OF_SETS:
        setattr(data, name, (f"some {name}",))
    rows = torch.tensor([4, 1])
    sizes = AttributeGroup("size", ("tiny", "small", "large"))
    data.attributes = Attributes((sizes,), sizes.encode(torch.arange(6) % 3))
    data.file_names = [*"abcdef"]
    for part, kept in (
        (Subset(data, rows), rows),
        (take_part(data, rows, torch.tensor([0, 2, 3, 5])), rows),
        (load_into_memory(Subset(data, torch.arange(6)), torch.device("cpu")), torch.arange(6)),
    ):
        assert [getattr(part, name) for name in OF_SETS] == [(f"some {name}",) for name in OF_SETS]
        assert part.labels is not None and part.labels.tolist() == kept.tolist()
        assert [*part.file_names] == ["abcdef"[index] for index in kept.tolist()]
        assert part.attributes is not None
        assert torch.equal(part.attributes.table, data.attributes.table[kept])


@pytest.mark.parametrize("stream", ["", " --stream"])
def test_held_out_pictures_of_16_bits_keep_their_range(stream: str, gans: Gans, workplace: Path) -> None:
    """In training, where a level of 3,000 between 1,000 and 5,000 is 0, and in scores."""
    (workplace / "scans").mkdir()
    for number in range(40):
        levels = np.full((8, 8), 3000, dtype=np.uint16)
        levels[0, :2] = 1000, 5000
        np.save(workplace / "scans" / f"{number:02}.npy", levels)
    data = "--data folder:scans --set data.range=1000,5000"
    line = (
        f"run --arch dcgan --loss bce {data} --holdout 0.25 --image-size 8 --width 2 --batch-size 4 --steps 1"
    )
    done = gans(f"{line} --track local{stream} --out run")
    assert done.status == 0, done.err
    with Image.open("run/samples/real.png") as picture:
        assert 126 <= np.median(np.asarray(picture)) <= 129
    scored = gans("evaluate run --reference held-out --metrics power-spectrum --json")
    assert scored.status == 0 and "reward copies" not in scored.err, scored.err
    assert "10 others are held out" in gans("evaluate run --metrics power-spectrum").err


@pytest.mark.parametrize("stream", [False, True])
def test_image_files_are_split_alike_held_or_read_again(stream: bool, tmp_path: Path) -> None:
    write_levels(tmp_path, range(40))
    training, held_out = opened(f"folder:{tmp_path}", DataAccess(stream=stream, holdout=0.25))
    own, others = split_indices(40, 0.25, 0)
    assert training.on_demand == held_out.on_demand == stream
    assert every(training)[:, 0, 0, 0].tolist() == own.tolist()
    assert every(held_out)[:, 0, 0, 0].tolist() == others.tolist()


@pytest.mark.parametrize(
    ("count", "share", "words"),
    [
        (1000, 0.0001, "holds 0 out, too few for a score: take --holdout 0.01 or more"),
        (18, 0.01, f"a score needs {LEAST}: give it at least {2 * LEAST} samples"),
        (40, 0.999, "leaves none to train on: take --holdout 0.5 or less"),
    ],
)
def test_parts_without_samples_are_refused(count: int, share: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        split_indices(count, share, 0)
    assert all(map(len, split_indices(40, 0.5, 0))) and len(split_indices(1000, 0.01, 0)[1]) == LEAST


def test_the_share_that_is_advised_holds_enough_out() -> None:
    """For every number of samples that has as many left to train on."""
    for wanted in (LEAST, 40):
        assert least_share(2 * wanted - 1, wanted) is None
        for count in range(2 * wanted, 3000):
            share = least_share(count, wanted)
            assert share is not None
            own, others = split_indices(count, share, 0)
            assert len(others) >= wanted and len(own) >= count - wanted - count // 1000 - 1
    assert describe_few(57, 0.1).endswith("holds 6 out, too few for a score: take --holdout 0.176 or more")
    assert not describe_few(57, 0.176)


FEW = "run --arch dcgan --data folder:data --image-size 16 --fit stretch --batch-size 4 --steps 1 --width 4"


def test_a_run_without_scores_holds_few_out_and_says_so(gans: Gans, refused: Any, workplace: Path) -> None:
    """Only what scores against the held-out images is refused, and the remedy works."""
    write_levels(Path("data"), range(57))
    scored = "--evaluate-kimg 1 --evaluate-metrics fid --extractor random-vgg"
    words = "--holdout 0.1 of 57 samples holds 6 out, too few for a score: take --holdout 0.176 or more"
    refused(2, (words,), f"{FEW} --holdout 0.1 {scored} --out run")
    outcome = gans(f"{FEW} --holdout 0.1 --out run")
    assert outcome.status == 0 and words in " ".join(outcome.err.split()), outcome.err
    evaluate = "evaluate run --metrics fid --extractor random-vgg -n 20"
    refused(2, (words, "or take --reference train"), f"{evaluate} --reference held-out")
    assert gans(f"{evaluate} --reference train").status == 0
    assert gans(f"{FEW} --holdout 0.176 --out run --force").status == 0
    assert gans(f"{evaluate} --reference held-out").status == 0


@pytest.mark.parametrize("share", ["0", "1", "-0.1", "nan", "some"])
def test_shares_outside_are_refused(share: str, gans: Gans, workplace: Path) -> None:
    outcome = gans(f"run --arch mlp --data ring8 --steps 1 --holdout {share}")
    assert outcome.status == 2 and "holdout" in outcome.err, outcome.err


def test_too_few_images_are_refused_in_one_line(gans: Gans, workplace: Path) -> None:
    write_levels(Path("data"), range(12))
    outcome = gans(f"{FEW} --holdout 0.01 --out run")
    assert outcome.status == 2 and "give it at least 20 samples" in outcome.err.splitlines()[-1]
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("task", "arch"), [("pairs", "pix2pix"), ("domains", "cyclegan"), ("attributes", "stargan")]
)
def test_translators_are_scored_on_what_is_held_out(
    task: str, arch: str, gans: Gans, workplace: Path
) -> None:
    """Of every task; the shares of the parts are in the records."""
    flags = "--image-size 16 --batch-size 2 --width 4 --steps 1 --holdout 0.25 --out run"
    outcome = gans(f"run --arch {arch} --data {DATA[task]} {flags}")
    assert outcome.status == 0, outcome.err
    outcome = gans("evaluate run --metrics fid --extractor random-vgg -n 30 --reference held-out --json")
    assert outcome.status == 0, outcome.err
    assert {score["split"] for score in json.loads(outcome.out).values()} == {"held-out"}


def test_a_run_keeps_its_share_and_another_one_is_another_run(
    gans: Gans, refused: Any, workplace: Path
) -> None:
    points = "run --arch mlp --loss bce --data ring8 --batch-size 16 --width 8 --steps 4 --out run"
    assert gans(f"{points} --holdout 0.2").status == 0
    setting = json.loads(Path("run/config.json").read_text())["settings"]["holdout"]
    assert setting == {"value": 0.2, "from": "flag"}
    refused(2, ("holdout: 0.2 → 0.3", "take another --out"), f"{points} --holdout 0.3")
    refused(2, ("holdout: 0.2 → None", "take another --out"), points)
    outcome = gans("evaluate run --metrics fid -n 200 --reference both --json")
    found = json.loads(outcome.out)
    _, held_out = opened("ring8", DataAccess(holdout=0.2))
    assert found["fd-points/held-out"]["n"][1] == min(200, len(held_out))
    assert gans("run --resume run --steps 6").status == 0


def test_configs_of_before_hold_nothing_out(gans: Gans, workplace: Path) -> None:
    points = "run --arch mlp --loss bce --data ring8 --batch-size 16 --width 8 --steps 2 --out run"
    assert gans(points).status == 0
    file = Path("run/config.json")
    content = json.loads(file.read_text())
    for name in ("holdout", "holdout_seed", "patience"):
        del content["settings"][name]
    file.write_text(json.dumps(content))
    assert "this run is finished" in gans(points).err
    assert gans("run --resume run --steps 4").status == 0
