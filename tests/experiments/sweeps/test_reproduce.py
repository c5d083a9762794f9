"""`gans reproduce`: published rows, verdicts on made-up numbers, and a real row that is cut short."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy import stats

from experiments.config.resolve import resolve
from experiments.core.errors import UsageError
from experiments.runs.folder import RunFolder
from experiments.runs.scores import read_evaluation_scores
from experiments.sweeps.reproduction import modes_touched, pacgan_mlp
from experiments.sweeps.reproduction.published_rows import ROWS, PublishedRow
from experiments.sweeps.reproduction.verdict import protocol_changes, summarize, verdict_of
from gans.core.architecture import Blueprint

Gans = Callable[..., Any]
TINY = {"arch": "mlp", "loss": "bce", "data": "ring8", "width": 8, "batch_size": 16, "steps": 4}


def row(**more: Any) -> PublishedRow:
    return PublishedRow(
        **{
            "paper": "P",
            "target": 6.0,
            "flags": TINY,
            "metric": "modes",
            "number": "kl",
            "samples": 50,
            **more,
        }
    )


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`tiny(target=0)`: a row of two runs of four steps, named `tiny`; on a machine with one core."""
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    return lambda **more: monkeypatch.setitem(ROWS, "tiny", row(seeds=2, **more))


def test_the_interval_is_scipys() -> None:
    values = [5.0, 6.0, 8.0, 7.5]
    found = summarize(values)
    low, high = stats.t.interval(0.95, 3, loc=found.mean, scale=stats.sem(values))
    assert found.mean == 6.625
    assert (found.mean - found.margin, found.mean + found.margin) == pytest.approx((low, high))
    assert summarize([3.0]).margin is None and summarize([3.0]).interval is None
    assert summarize([0.0, 8.0], (0.0, 8.0)).interval == (0.0, 8.0)
    assert summarize([5.0, 6.0, 8.0, 7.5], (5.5, 7.0)).interval == pytest.approx((5.0, 8.0)), "not within"


@pytest.mark.parametrize(
    ("goal", "spread", "values", "verdict"),
    [
        ("equal", 0.5, [6.4, 6.4], "reproduced"),
        ("equal", 0.5, [6.6, 6.6], "not reproduced"),
        ("equal", 0.5, [6.5, 6.7], "reproduced"),  # 6.6 ± 1.3
        ("equal", 0.5, [5.4], "not reproduced"),
        ("at least", 0.0, [6.0, 6.0], "reproduced"),
        ("at least", 0.0, [6.0, 5.0], "not reproduced"),
        ("at most", 0.0, [5.0, 6.0], "reproduced"),
        ("at most", 0.0, [7.0, 6.0], "not reproduced"),
    ],
)
def test_verdicts(goal: Any, spread: float, values: list[float], verdict: str) -> None:
    assert verdict_of(row(goal=goal, spread=spread), summarize(values), ()) == verdict


def test_another_protocol_never_passes() -> None:
    """However well it does."""
    of_search = row(seeds=3, search=100, departures=("another network",))
    assert protocol_changes(row(seeds=3), 3, None) == protocol_changes(row(seeds=3), 5, None) == ()
    assert protocol_changes(of_search, 2, 20.0) == (
        "another network",
        "the paper reports the best of 100 settings, and this is one",
        "2 of 3 seeds",
        "--kimg 20",
    )
    assert verdict_of(of_search, summarize([6.0]), ("--kimg 20",)) == "not the same protocol"


@pytest.mark.parametrize("name", ROWS)
def test_every_row_names_settings_that_there_are(name: str, workplace: Path) -> None:
    """A row that is wrong would fail on the machine with the GPU, after somebody has waited for it."""
    try:
        resolve(ROWS[name].flags)
    except UsageError as error:
        assert "--download" in str(error), "data may be missing, and nothing else"
    assert "arXiv:" in ROWS[name].paper or "README" in ROWS[name].paper
    assert ROWS[name].seeds > 1 or ROWS[name].departures, "one run is no verdict"


def test_a_row_is_run_judged_and_not_run_again(gans: Gans, tiny: Callable[..., None]) -> None:
    tiny(target=0.0, goal="at least")
    outcome = gans("reproduce tiny --json --out out")
    assert outcome.status == 0, outcome.err
    found = json.loads(outcome.out)
    kept = [read_evaluation_scores(RunFolder(Path("out", f"seed-{seed}"))) for seed in (0, 1)]
    assert [step for ((step, _),) in kept] == [4, 4]
    assert found["values"] == [scores["modes"]["kl"] for ((_, scores),) in kept]
    assert found["values"][0] != found["values"][1]
    assert (found["verdict"], found["changes"]) == ("reproduced", [])
    before = Path("out/seed-0/scores.jsonl").read_bytes()
    assert json.loads(gans("reproduce tiny --json --out out").out) == found
    assert Path("out/seed-0/scores.jsonl").read_bytes() == before
    file = Path("out/seed-0/evaluation.jsonl")
    other = file.read_text().replace('"weights": "none"', '"weights": "others"').replace('"kl"', '"was_kl"')
    file.write_text(other)
    assert json.loads(gans("reproduce tiny --json --out out").out) == found, "scored anew by its own weights"


def test_seeds_that_are_trained_at_once_are_those_of_the_row(
    gans: Gans, here: list[Any], tiny: Callable[..., None], moody: Callable[[str], None], workplace: Path
) -> None:
    """A seed that fails says why, and is tried again."""
    plugin = str(workplace / "moody.py")
    tiny(target=0.0, goal="at least", flags={**TINY, "loss": "moody", "plugin": (plugin,)})
    moody("nan 3")
    failed = gans("reproduce tiny --jobs 2 --out out")
    assert failed.status == 1 and "seed-0 failed: step 3" in failed.err, failed.err
    moody("calm")
    alone = json.loads(gans("reproduce tiny --json --out alone").out)
    together = gans("reproduce tiny --jobs 2 --json --out out")
    assert json.loads(together.out)["values"] == alone["values"], together.err
    assert [[name for name, _ in engine.started] for engine in here] == [["seed-0", "seed-1"]] * 2


def test_a_shorter_run_is_not_the_same_protocol(gans: Gans, tiny: Callable[..., None]) -> None:
    tiny(target=0.0, goal="at least")
    outcome = gans("reproduce tiny --kimg 0.032 --seeds 1")
    target, found, verdict = outcome.out.splitlines()
    assert target == "target   modes kl at least 0  P"
    assert "(one seed: no interval) over 1 of 2 seeds" in found
    assert verdict == "verdict  not the same protocol: 1 of 2 seeds; --kimg 0.032"
    assert Path("runs/reproduce-tiny-kimg-0.032/seed-0/generator.safetensors").is_file()


def test_a_folder_of_another_row(gans: Gans, refused: Gans, tiny: Callable[..., None]) -> None:
    """Named with what helps here, and before the seeds that are missing run."""
    tiny(target=0.0)
    gans("reproduce tiny --out out")
    shutil.rmtree("out/seed-0")
    line = refused(2, ("out/seed-1 holds", "kimg", "--out"), "reproduce tiny --kimg 0.048 --out out")
    assert "--force" not in line and not Path("out/seed-0").exists()


def test_an_interrupted_row_goes_on(
    gans: Gans, tiny: Callable[..., None], moody: Callable[[str], None]
) -> None:
    tiny(target=0.0, flags={**TINY, "loss": "moody", "plugin": (str(Path("moody.py").absolute()),)})
    moody("SIGINT 3")
    assert gans("reproduce tiny --out out").status == 130
    moody("calm")
    outcome = gans("reproduce tiny --out out")
    assert outcome.status == 0 and "resuming out/seed-0 at step 3 of 4" in outcome.err


@pytest.mark.parametrize(
    ("name", "mentions"),
    [
        ("fashion-mnist-ns --kimg 1", ("fashion-mnist-ns cannot run here", "inception", "weights")),
        ("fashion-mnist-ns --kimg 1 --weights w.pth", ("cannot run here", "w.pth")),
        ("cifar10-dcgan --data-root data", ("cifar10-dcgan cannot run here", "--data-root", "data")),
        ("cifar10-dcgan", ("cifar10-dcgan cannot run here", "cifar10", "--download")),
        ("stacked-mnist-r3gan", ("stacked-mnist-r3gan cannot run here", "mnist", "--download")),
    ],
)
def test_what_is_missing_is_said_before_anything_runs(
    name: str, mentions: tuple[str, ...], refused: Gans, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(workplace / "torch"))
    if name.startswith("fashion") and not Path("/usr/share/datasets/fashion-mnist").exists():
        pytest.skip("needs Debian's dataset-fashion-mnist")
    refused(1, mentions, f"reproduce {name}")
    assert not Path("runs").exists()


def test_a_gpu_is_missing(refused: Gans, tiny: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    tiny(needs_gpu=True)
    refused(1, ("tiny cannot run here: needs a GPU", "--kimg"), "reproduce tiny")


def test_the_list_and_bad_words(gans: Gans, refused: Gans) -> None:
    lines = gans("reproduce --list").out.splitlines()
    assert [line.split()[0] for line in lines] == list(ROWS)
    assert "6.3 ± 0.5" in lines[0] and "1712.04086" in lines[0]
    assert json.loads(gans("reproduce --list --json").out)["fashion-mnist-ns"]["search"] == 100
    refused(2, ("unknown row 'ring8-wgan-pg'", "did you mean ring8-wgan-gp"), "reproduce ring8-wgan-pg")
    refused(2, ("NAME", "--list"), "reproduce")
    refused(2, ("--seeds",), "reproduce ring8-wgan-gp --seeds 0")


# --- PacGAN's networks and count ---------------------------------------------------------------------


def test_pacgans_networks_are_those_of_the_authors_code() -> None:
    settings = resolve(ROWS["pacgan-ring8-gan"].flags).settings
    assert (settings.kimg, settings.batch_size) == (40_000.0, 100)
    assert settings.options["optimizer.betas"] == (0.8, 0.999)
    assert (settings.lr_generator, settings.lr_critic, settings.ema_kimg) == (1e-4, 1e-4, 0.0)
    blueprint = Blueprint((2,), z_dim=settings.z_dim or 0, width=settings.width)
    generator, critic = pacgan_mlp.PacganGenerator(blueprint), pacgan_mlp.critic(blueprint)
    layers = 2 * 400 + 3 * 400 * 400 + 4 * 2 * 400 + 400 * 2 + 2  # linear without bias, batch norm, the last
    assert sum(p.numel() for p in generator.parameters()) == layers
    pieces = 3 * 1000 + 2 * 201 * 1000 + 201
    assert sum(p.numel() for p in critic.parameters()) == pieces
    assert generator(torch.randn(3, 2)).shape == (3, 2) and critic(torch.randn(3, 2)).shape == (3,)
    weights = torch.cat([p.flatten() for p in critic.parameters() if p.dim() == 2])
    assert weights.std().item() == pytest.approx(0.02, rel=0.02)


def test_maxout_takes_the_largest_piece() -> None:
    layer = pacgan_mlp.Maxout(1, 2)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor([1.0, 2, 3, 4, 5, -1, -2, -3, -4, -5]).view(10, 1))
        layer.linear.bias.zero_()
    assert layer(torch.tensor([[2.0], [-2.0]])).tolist() == [[10.0, -2.0], [-2.0, 10.0]]


def test_one_sample_touches_a_mode() -> None:
    centres = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    metric = modes_touched.ModesTouched(centres, 0.01)
    metric.update(torch.cat([torch.zeros(999, 2), torch.tensor([[1.02, 0.0]])]))
    assert metric.compute()["covered"] == 2.0
    metric.reset()
    metric.update(torch.cat([torch.zeros(999, 2), torch.tensor([[1.04, 0.0]])]))
    assert metric.compute()["covered"] == 1.0
