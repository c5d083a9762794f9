"""`gans sweep`: members that fail, are cut off, are skipped and resumed; halving and refining."""

import json
import signal
import time
from pathlib import Path

import pytest

from experiments.analysis.comparison.read import read_record
from experiments.commands import sweep
from experiments.runs.folder import RunFolder, lock_folder, run_folders
from experiments.runs.scores import read_evaluation_scores
from experiments.sweeps.queue import describe_end
from experiments.sweeps.stages import successive_halving
from experiments.sweeps.worker import EVALUATION_FILE

POINTS = "--arch mlp --data ring8 --batch-size 16 --width 8 --track local --evaluate-samples 50"
TINY = f"{POINTS} --kimg 0.096 --seeds 2 --jobs 2"


def generators(folder):
    return {run.path.name: run.generator_file.read_bytes() for run in run_folders(folder)}


def test_a_sweep_its_table_and_the_same_command_again(gans, here, tmp_path):
    line = f"sweep {TINY} --loss bce,wgan-gp"
    first = gans(f"{line} --json --out", tmp_path / "sweep")
    found = json.loads(first.out)
    assert first.status == 0, first
    assert [member["state"] for member in found["members"]] == ["finished"] * 4
    rows = found["comparison"]["rows"]
    assert {row["group"]["settings"]["loss"] for row in rows} == {"bce", "wgan-gp"}
    assert len(here[0].started) == 4
    again = gans(f"{line} --out", tmp_path / "sweep")
    assert again.status == 0 and here[1].started == []
    assert "minimum detectable effect" in again.out and again.out.splitlines()[-1] == str(tmp_path / "sweep")
    more = gans(f"{line.replace('--seeds 2', '--seeds 3')} --out", tmp_path / "sweep")
    assert more.status == 0 and [name for name, _ in here[2].started] == ["bce-seed-2", "wgan-gp-seed-2"]


def test_every_member_is_the_run_that_its_flags_make(gans, here, tmp_path):
    gans(f"sweep {TINY} --loss bce --set lr_generator=1e-3 --out", tmp_path / "sweep")
    alone = (
        f"run {POINTS.rpartition('--evaluate')[0]} --kimg 0.096 --loss bce --lr-generator 1e-3 --seed 1 --out"
    )
    assert gans(alone, tmp_path / "alone").status == 0
    own = RunFolder(tmp_path / "sweep" / "seed-1")
    assert own.generator_file.read_bytes() == RunFolder(tmp_path / "alone").generator_file.read_bytes()
    assert own.settings().group == "sweep"


def test_the_better_half_goes_on_and_each_rung_costs_the_same(gans, here, tmp_path):
    rates = "lr_generator=1e-6,1e-5,1e-4,1e-3"
    line = f"sweep {POINTS} --steps 60 --seeds 1 --jobs 1 --set {rates} --early-stop fid"
    first = gans(f"{line} --evaluate-metrics fid --out", tmp_path / "sweep")
    assert first.status == 0 and ", at 0.96 kimg" in first.out, first
    rungs = [until and round(until, 3) for _, until in here[0].started]
    # 0.96 kimg in all: a seventh of it, then two sevenths more, then four.
    assert rungs == [0.137] * 4 + [0.411] * 2 + [None]
    states = sorted(folder.state.partition(":")[0] for folder in run_folders(tmp_path / "sweep"))
    assert states == ["finished", "stopped early", "stopped early", "stopped early"]
    shown = {run.path.name: read_record(run).lines[-1]["kimg"] for run in run_folders(tmp_path / "sweep")}
    assert sorted(shown.values()) == pytest.approx([0.144, 0.144, 0.416, 0.96])
    again = gans(f"{line} --evaluate-metrics fid --out", tmp_path / "sweep")
    assert again.status == 0 and here[1].started == []
    for words in ("fid,kl", "fid --evaluate-samples 60"):
        other = gans(
            f"{line} --evaluate-metrics {words} --out", tmp_path / "sweep"
        )  # whose runs would be scored where they ended
        assert other.status == 2 and "was scored by another evaluation" in other.err, other
    (tmp_path / "sweep" / next(iter(shown)) / EVALUATION_FILE).write_text("null")  # killed as it scored
    assert gans(f"{line} --evaluate-metrics fid --out", tmp_path / "sweep").status == 0


@pytest.mark.long
def test_a_paused_member_ends_with_the_bits_of_one_that_never_paused(gans, here, tmp_path):
    line = f"sweep {POINTS} --steps 60 --seeds 1 --jobs 1 --set lr_generator=1e-4,1e-3 --evaluate-metrics fid"
    assert gans(f"{line} --early-stop fid --out", tmp_path / "halved").status == 0
    assert gans(f"{line} --out", tmp_path / "whole").status == 0
    (name,) = (run.path.name for run in run_folders(tmp_path / "halved") if run.is_finished)
    whole = generators(tmp_path / "whole")[name]
    assert RunFolder(tmp_path / "halved" / name).generator_file.read_bytes() == whole


def test_a_finer_round_around_the_best(gans, here, tmp_path):
    line = f"sweep {POINTS} --steps 6 --seeds 1 --jobs 1 --random 3 --log-uniform lr_generator=1e-6:1e-2"
    outcome = gans(f"{line} --refine 1 --evaluate-metrics fid --json --out", tmp_path / "sweep")
    assert outcome.status == 0, outcome
    rows = json.loads(outcome.out)["comparison"]["rows"]
    assert len(here[0].started) == len(rows) == 6
    coarse = [float(name.split("=")[1].rpartition("-seed")[0]) for name, _ in here[0].started[:3]]
    finer = [float(name.split("=")[1].rpartition("-seed")[0]) for name, _ in here[0].started[3:]]
    scores = {row["group"]["settings"]["lr_generator"]: row["mean"] for row in rows}
    best = min(coarse, key=lambda rate: scores[rate])
    assert all(10**-0.51 < rate / best < 10**0.51 for rate in finer)


def test_impossible_members_are_listed_before_anything_runs(gans, here, tmp_path):
    line = f"sweep {TINY.replace('mlp', 'mlp,dcgan')} --loss bce --out"
    refused = gans(line, tmp_path / "sweep")
    assert refused.status == 2 and here == [] and not (tmp_path / "sweep").exists()
    assert "dcgan-seed-0: architecture dcgan makes images" in refused.err
    assert "2 of 4 sweep runs are impossible" in refused.err and "--skip-impossible" in refused.err
    assert gans(f"{line} {tmp_path / 'sweep'} --skip-impossible").status == 0
    assert len(here[0].started) == 2


@pytest.mark.parametrize(
    ("words", "mentions"),
    [
        ("--loss nonsense", "unknown loss"),
        ("--set colour=red", "unknown setting"),
        ("--set width=4 --width 8", "exclude each other"),
        ("--set seed=1,2", "--seeds"),
        ("--log-uniform lr_generator=1e-4:1e-3", "--random"),
        ("--random 2 --grid", "exclude each other"),
        ("--refine 2", "--log-uniform"),
        ("--no-evaluate --early-stop fid", "--no-evaluate"),
        ("--no-evaluate --metric fid", "--no-evaluate"),
        ("--early-stop fid", "fid is none of the scores of the sweep runs (modes/covered"),
        ("--metric fid", "fid is none of the scores of the sweep runs (modes/covered"),
        ("--evaluate-metrics kids", "unknown metric 'kids'; did you mean kid"),
        ("--extractor random-vgg", "--extractor random-vgg sees images"),
        ("--early-stop kl --refine 2 --random 2 --log-uniform lr_critic=1e-4:1e-3", "exclude each other"),
        ("--wandb-config --early-stop kl", "--early-stop with --wandb-config"),
        ("--wandb-config --metric modes", "not one number"),
        ("--set width", "SETTING=VALUE"),
        ("--uniform lr_decay_from=0:0.5", "--uniform has no end"),
        ("--random 3 --uniform width=9:4", "--uniform width=9:4: give SETTING=LOW:HIGH, LOW < HIGH,"),
        ("--random 3 --uniform width=4:9 --log-uniform width=4:9", "one range of each setting"),
        ("--devices-per-run 2 --device mps", "no such device"),
    ],
)
def test_refused(gans, here, words, mentions):
    outcome = gans(f"sweep --arch mlp --data ring8 --steps 2 {words}")
    assert outcome.status == 2 and mentions in outcome.err, outcome
    assert len([line for line in outcome.err.splitlines() if line.startswith("gans: ")]) == 1


def test_a_folder_with_other_things_is_left_alone(refused, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    for name in ("notes", "notes/a.txt"):
        refused(2, (name, "not the folder of a sweep"), f"sweep {TINY} --out", tmp_path / name)


def test_a_sweep_that_was_killed_in_its_first_file_begins_again(gans, here, tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / ".sweep.json.1a52946c.partial").write_text('{"form')
    assert gans(f"sweep {POINTS} --steps 2 --seeds 1 --jobs 1 --out s").status == 0
    assert not [*(tmp_path / "s").glob(".*.partial")] and len(run_folders(tmp_path / "s")) == 1


def test_runs_of_other_lengths_are_told_before_they_train(gans):
    """Of a number of steps, losses with more updates of the critic see more images."""
    line = f"sweep {POINTS} --loss bce,wgan-gp --seeds 1 --dry-run"
    told = gans(f"{line} --steps 8").err
    assert "bce-seed-0 trains for 0.128 kimg and wgan-gp-seed-0 for 0.64" in told and "--kimg" in told
    for equal in (
        "--kimg 2",
        "--steps 8 --set n_critic=2",
        "--steps 8 --no-evaluate",
        "--steps 8 --evaluate-kimg 1",
        "--steps 8 --set evaluate_kimg=1",
        "--set steps=8,16",
    ):
        assert "compared" not in gans(f"{line} {equal}").err


@pytest.mark.long
def test_the_remedy_of_a_metric_that_needs_more_images_works(gans, here, pictures, tmp_path):
    """Options of metrics are those of the evaluation at the end, also where nothing is scored on the way."""
    line = (
        "sweep --arch dcgan --loss bce --data folder:pictures --image-size 8 --fit crop --width 2 --seeds 1"
    )
    line += (
        " --steps 2 --batch-size 4 --track local --extractor random-vgg --evaluate-metrics fid,kid --jobs 1"
    )
    asked = gans(f"{line} --out cut")
    assert asked.status == 2 and "--set kid.subset_size=12" in asked.err, asked.err
    done = gans(f"{line} --set kid.subset_size=12 --out cut")
    assert done.status == 0, done.err
    (run,) = run_folders(tmp_path / "cut")
    ((_, scores),) = read_evaluation_scores(run)
    assert scores["kid"]["options"]["subset_size"] == 12
    assert "evaluating 5,000 samples against 12 training images" in done.err


@pytest.mark.long
def test_scores_of_another_evaluation_are_computed_anew(gans, here, pictures, tmp_path):
    """An option of a metric is another one; runs that do not say how they were scored are left alone."""
    line = "sweep --arch dcgan --loss bce --data folder:pictures --image-size 8 --fit crop --width 2"
    line += " --steps 2 --batch-size 4 --track local --extractor random-vgg --evaluate-metrics kid --jobs 1"
    line += " --seeds 1"
    for size in (12, 12, 6):
        assert gans(f"{line} --set kid.subset_size={size} --out cut").status == 0
    (run,) = run_folders(tmp_path / "cut")
    weights = run.generator_file.read_bytes()
    sizes = [scores["kid"]["options"]["subset_size"] for _, scores in read_evaluation_scores(run)]
    assert sizes[-1] == 6 and [len(engine.started) for engine in here] == [1, 0, 1]
    (run.path / EVALUATION_FILE).unlink()
    assert gans(f"{line} --set kid.subset_size=9 --out cut").status == 0
    assert here[-1].started == [] and run.generator_file.read_bytes() == weights


@pytest.mark.parametrize("words", [[], ["evaluate_kimg=0.01"], ["--no-evaluate"]])
def test_options_of_metrics_go_where_they_are_used(words, monkeypatch, tmp_path):
    """To the evaluation at the end, and to the runs where these are scored on the way."""
    (tmp_path / "own.toml").write_text("evaluate_kimg = 0.01\n")
    of_file = [["--config", str(tmp_path / "own.toml")]] if words == [] else []
    for own in [[f"--set={word}" if "=" in word else word for word in words], *of_file]:
        read = sweep.sweep.make_context("sweep", [*own, "--set=precision_recall.k=2"]).params
        plan = sweep.read_sweep(read)
        is_of_runs = bool(own)
        assert ("precision-recall.k" in plan.choices) == is_of_runs, own
        assert sweep.evaluation_of(read, plan).options == {"precision-recall.k": "2"}


def test_dry_run_looks_at_the_folder(gans, tmp_path):
    (tmp_path / "losses").mkdir()
    line = f"sweep {TINY} --loss bce --dry-run --out losses"
    assert gans(line).status == 0
    (tmp_path / "losses" / "bce.py").touch()
    refused = gans(line)
    assert refused.status == 2 and "losses is not the folder of a sweep" in refused.err


def test_dry_run_lists_members(gans):
    assert gans(f"sweep {TINY} --loss nonsense --dry-run").status == 2
    outcome = gans(f"sweep {TINY} --loss bce,hinge --dry-run")
    names = ["bce-seed-0", "bce-seed-1", "hinge-seed-0", "hinge-seed-1"]
    assert outcome.out.split() == names
    assert json.loads(gans(f"sweep {TINY} --loss bce,hinge --dry-run --json").out) == {"members": names}
    ranges = "--log-uniform lr_generator=1e-4:1e-2"
    drawn = gans(f"sweep {TINY} --loss bce {ranges} --random 10 --dry-run").out
    same = gans(f"sweep {TINY} --loss bce {ranges} --search random --trials 10 --dry-run").out
    searched = gans(f"sweep {TINY} --loss bce {ranges} --search tpe --trials 30 --dry-run")
    assert drawn == same == searched.out and "the first 10 of 30 trials" in searched.err


def test_one_failing_member_does_not_stop_the_rest(gans, here, moody, tmp_path):
    line = f"sweep {TINY} --loss moody,bce --plugin moody.py --out sweep"
    moody("nan 5")
    failing = gans(f"{line} --json")
    states = {Path(one["folder"]).name: one["state"] for one in json.loads(failing.out)["members"]}
    assert failing.status == 1 and "2 of 4 sweep runs failed" in failing.err.splitlines()[-1], failing
    assert states["bce-seed-0"] == states["bce-seed-1"] == "finished"
    assert "not finite" in states["moody-seed-0"] and states["moody-seed-0"].startswith("failed: step")
    moody("calm")
    assert gans(line).status == 0
    assert [name for name, _ in here[1].started] == ["moody-seed-0", "moody-seed-1"]
    assert {run.state for run in run_folders(tmp_path / "sweep")} == {"finished"}


def test_why_a_process_of_a_member_died_stands_in_its_folder(scored):
    laboratory, (member,) = scored((0.5,))
    for status, reason in ((3, "exit status 3"), (-signal.SIGKILL, "ended by signal SIGKILL")):
        assert describe_end(laboratory.task(member), status).startswith(f"failed: {reason}; see ")
        assert laboratory.folder(member).state.endswith("log.txt")


def test_a_setting_that_fails_in_the_first_rung_is_told_at_the_end_and_tried_again(
    gans, here, moody, tmp_path
):
    line = f"sweep {POINTS} --steps 60 --seeds 1 --jobs 1 --loss moody,bce --plugin moody.py --early-stop kl"
    moody("nan 5")
    failing = gans(f"{line} --json --out sweep")
    states = {Path(one["folder"]).name: one["state"] for one in json.loads(failing.out)["members"]}
    assert failing.status == 1 and "1 of 2 sweep runs failed (moody-seed-0" in failing.err, failing
    assert states.pop("bce-seed-0") == "finished" and states["moody-seed-0"].startswith("failed: step")
    moody("calm")
    assert gans(f"{line} --out sweep").status == 0
    assert [name for name, _ in here[1].started][:1] == ["moody-seed-0"]


def test_what_an_earlier_sweep_finished_is_not_said_to_be_stopped(scored):
    laboratory, members = scored((0.5,), (0.1,))
    assert (
        successive_halving(laboratory, members, "kid", {member.name: 8.0 for member in members})
        == members[1:]
    )
    assert [laboratory.folder(member).state for member in members] == ["finished"] * 2


def test_a_folder_takes_one_sweep_at_a_time(gans, here, refused, tmp_path):
    line = f"sweep {TINY} --loss bce --seeds 1 --out"
    assert gans(line, tmp_path / "sweep").status == 0
    with lock_folder(tmp_path / "sweep", "sweep"):
        outcome = gans(line, tmp_path / "sweep")
    assert outcome.status == 1 and "another process is working on this sweep" in outcome.err
    assert here[1].started == []


def test_members_that_were_made_with_other_settings_are_not_taken_for_these(gans, here, tmp_path):
    line = f"sweep {TINY} --loss bce --seeds 1 --no-evaluate --out"
    assert gans(line, tmp_path / "sweep").status == 0
    changed = gans(f"{line} {tmp_path / 'sweep'} --width 16")
    assert changed.status == 2 and "seed-0: made with other settings (width: 8 → 16)" in changed.err
    (tmp_path / "sweep").rename(tmp_path / "moved")
    assert gans(line, tmp_path / "moved").status == 0 and here[1].started == []


def test_a_config_file_holds_for_all_members(gans, here, refused, tmp_path):
    content = {"arch": "mlp", "data": "ring8", "loss": "hinge", "width": 12, "steps": 2, "batch_size": 8}
    (tmp_path / "c.json").write_text(json.dumps(content))
    line = f"sweep --config {tmp_path / 'c.json'} --seeds 1 --no-evaluate --track local"
    assert gans(f"{line} --out sweep").status == 0
    own = RunFolder(tmp_path / "sweep" / "seed-0")
    settings = own.settings()
    assert (settings.arch, settings.loss, settings.width) == ("mlp", "hinge", 12)
    # A run's own config is resolved for its loss, and holds no other's penalty and rates.
    refused_line = gans(f"sweep --config {own.config_file} --loss hinge,bce --dry-run")
    assert refused_line.status == 2 and "bce-seed-0: --loss bce with the config" in refused_line.err


@pytest.mark.long
def test_a_killed_sweep_loses_nothing_and_runs_nothing_twice(gans, here, fork, moody, tmp_path):
    line = f"sweep {POINTS} --kimg 2 --checkpoint-kimg 0.5 --seeds 1 --jobs 1 --loss bce,moody,lsgan"
    line += " --plugin moody.py --out"
    hold = tmp_path / "hold"
    hold.touch()
    moody(f"hold 100 {hold}")
    cut = fork(f"{line} {tmp_path / 'cut'}")
    # In the middle: one member has ended, one is at work, and one was not begun.
    member = tmp_path / "cut" / "moody-seed-0"
    deadline = time.monotonic() + 120
    while not RunFolder(member).checkpoints().paths():
        assert cut.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    cut.kill()
    cut.wait()
    hold.unlink()
    ended = RunFolder(tmp_path / "cut" / "bce-seed-0")
    stamp = ended.generator_file.stat().st_mtime_ns
    again = gans(line, tmp_path / "cut")
    assert again.status == 0, again.err
    assert [name for name, _ in here[0].started] == ["moody-seed-0", "lsgan-seed-0"]
    assert ended.generator_file.stat().st_mtime_ns == stamp, "run twice"
    assert gans(line, tmp_path / "whole").status == 0
    assert generators(tmp_path / "cut") == generators(tmp_path / "whole")
    assert f"resuming {member}" in again.err
    counts = [len(read_record(run).evaluations) for run in run_folders(tmp_path / "cut")]
    assert counts == [1] * 3, "each is evaluated once"


@pytest.mark.long
def test_ctrl_c_saves_and_stops_all(fork, tmp_path):
    line = f"sweep {POINTS} --steps 100000 --seeds 2 --jobs 2 --loss bce --out"
    process = fork(f"{line} {tmp_path / 'sweep'}")
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "sweep").glob("*/scores.jsonl"))) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and err.splitlines()[-1] == "gans: interrupted"
    for run in run_folders(tmp_path / "sweep"):
        assert run.checkpoints().paths() and run.state == "unfinished"


def test_threads_stay_what_they_were(gans, here, tmp_path):
    gans(f"sweep {TINY} --loss bce --out", tmp_path / "sweep")
    content = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
    assert sweep.threads_of_sweep(tmp_path / "sweep", 1) == content["threads"]
    (tmp_path / "sweep" / "sweep.json").write_text("{}")
    assert gans(f"sweep {TINY} --loss bce --out", tmp_path / "sweep").status == 2
