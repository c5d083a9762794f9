"""Pictures of scenes are those of the command line, byte for byte."""

import shutil
from pathlib import Path

import pytest
import torch

from experiments.core.errors import UsageError
from experiments.exploration.moments import list_moments
from experiments.exploration.rendering import render
from experiments.exploration.scene import Scene, latent_of
from experiments.inference.latent_space import latent_from_seed
from experiments.runs.folder import RunFolder

SCENES = [
    ("small", Scene(seed=3)),
    ("small", Scene(seed=3, dims={2: 1.5}, share=0.3, other=7, moves={0: 2.0, 1: -1.0})),
    ("styled", Scene(seed=1, label=2)),
    ("styled", Scene(seed=1, label=2, truncation=0.5, has_noise=False, dims={0: 2.0})),
    ("styled", Scene(seed=1, label=1, share=0.5, moves={0: 1.0}, fine=5, crossover=2, truncation=0.7)),
]


@pytest.mark.parametrize(("name", "scene"), SCENES)
def test_a_picture_is_that_of_its_command(name, scene, explored, pool, gans, workplace):
    shown = render(pool.open(explored / name), scene)
    (workplace / "latent.npy").write_bytes(shown.latent_file)
    outcome = gans(f"{shown.command.removeprefix('gans ')} --device cpu")
    assert outcome.status == 0, outcome
    assert (workplace / "sample.png").read_bytes() == shown.png


@pytest.mark.parametrize("name", ["small", "styled"])
def test_a_draft_is_the_picture_but_for_the_last_bits(name, explored, pool):
    opened, scene = pool.open(explored / name), Scene(seed=4, share=0.5)
    exact, draft = render(opened, scene), render(opened, scene, batch=1)
    torch.testing.assert_close(draft.samples, exact.samples, rtol=0, atol=1e-4)
    assert torch.equal(draft.latent, exact.latent)


def test_interpolation_ends_at_the_other_sample(explored, pool):
    for name in ("small", "styled"):
        opened = pool.open(explored / name)
        there = render(opened, Scene(seed=2, share=1.0, other=9))
        # In w the way there is the one from the synthesis network on.
        torch.testing.assert_close(there.samples, render(opened, Scene(seed=9)).samples, rtol=0, atol=1e-5)


def test_scenes_change_what_they_name(explored, pool):
    opened = pool.open(explored / "styled")
    space = opened.space(0, True)
    z = latent_of(space, Scene(seed=6, dims={3: -2.0}), None).latents[0]
    expected = latent_from_seed(6, 8)
    expected[3] = -2.0
    assert torch.equal(z, expected)
    found = opened.directions(0)
    moved = latent_of(space, Scene(seed=6, moves={1: 2.0}), found)
    way = moved.latents[0] - space.of_seeds([6])[0]
    torch.testing.assert_close(way, 2 * found.strides[1] * found.vectors[1], rtol=1e-4, atol=1e-5)
    mixed = latent_of(space, Scene(seed=6, fine=7, crossover=2), None).latents[0]
    coarse, fine = space.of_seeds([6])[0], space.of_seeds([7])[0]
    assert torch.equal(mixed[1], coarse) and torch.equal(mixed[2], fine)


def test_what_a_generator_has_not_is_passed_over(explored, pool):
    """One scene is shown by generators of different kinds side by side."""
    opened = pool.open(explored / "small")
    scene = Scene(seed=1, label=3, truncation=0.5, fine=4, crossover=2, has_noise=False, dims={500: 1.0})
    assert render(opened, scene).png == render(opened, Scene(seed=1)).png


def test_moments_are_the_generators_of_a_run(explored, pool, gans, workplace):
    folder = RunFolder(explored / "small")
    moments = list_moments(folder.path, folder.scores())
    assert [moment.step for moment in moments] == [10, 15, 20]
    assert [moment.kimg for moment in moments] == pytest.approx([0.04, 0.06, 0.08])
    assert moments[-1].path == folder.path  # the export, which is the generator of step 20
    pictures = [render(pool.open(moment.path), Scene(seed=2)) for moment in moments]
    assert len({picture.png for picture in pictures}) == 3, "one latent, as it learned"
    assert gans(f"{pictures[0].command.removeprefix('gans ')} --device cpu").status == 0
    assert (workplace / "sample.png").read_bytes() == pictures[0].png


def test_a_file_is_loaded_once_and_anew_when_it_has_changed(explored, tmp_path, pool):
    run, loads = tmp_path / "run", list[Path]()
    shutil.copytree(explored / "small", run)
    pool.opened = loads.append
    first = pool.open(run)
    assert pool.open(run) is first and len(loads) == 1
    shutil.copy(explored / "small" / "generator.safetensors", run)
    assert pool.open(run) is not first


@pytest.mark.parametrize(("name", "words"), [("points", "-n 1000"), ("cycle", "give it a picture")])
def test_generators_without_pictures_of_latents_are_refused(name, words, explored, pool):
    with pytest.raises(UsageError, match=words):
        render(pool.open(explored / name), Scene())
