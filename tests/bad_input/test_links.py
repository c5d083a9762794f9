"""Run folders of strangers, which hold links and pipes where a run writes."""

import os
from pathlib import Path

import pytest

from tests.commands.helpers import POINTS, Gans, Refused


@pytest.fixture
def victim(workplace: Path) -> Path:
    file = workplace / "victim"
    file.write_text("precious\n")
    return file


@pytest.mark.parametrize(
    "name",
    [".scores.jsonl.partial", ".lock", "scores.jsonl", "evaluation.jsonl", "config.json", "wandb/run-id"],
)
def test_resuming_writes_through_no_link(name: str, gans: Gans, unfinished: Path, victim: Path) -> None:
    link = unfinished / name
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(victim)
    outcome = gans("run --resume", unfinished)
    assert victim.read_text() == "precious\n"
    assert outcome.status == 0 if "partial" in name else name in outcome.err


def test_the_config_of_a_run_is_read_through_no_link(
    refused: Refused, unfinished: Path, victim: Path
) -> None:
    (unfinished / "config.json").unlink()
    (unfinished / "config.json").symlink_to(victim)
    for line in ("run --resume run --dry-run", "sample run --out s.npy", "doctor run"):
        refused(1, ("run/config.json is a link",), line)


@pytest.mark.parametrize("name", ["scores.jsonl", "evaluation.jsonl"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_scores_are_appended_to_files_only(
    name: str, kind: str, gans: Gans, finished: Path, victim: Path
) -> None:
    (finished / name).unlink(missing_ok=True)
    (finished / name).symlink_to(victim) if kind == "link" else os.mkfifo(finished / name)
    outcome = gans("evaluate -n 64", finished)
    assert outcome.status == 1 and name in outcome.err and "remove it" in outcome.err
    scores = finished / "scores.jsonl"
    assert name == "scores.jsonl" or "metric/" not in scores.read_text(), "nothing is written by halves"
    assert victim.read_text() == "precious\n"


@pytest.mark.parametrize("name", ["samples", "checkpoints", "best", "healthy"])
def test_folders_that_are_links_are_refused(
    name: str, refused: Refused, unfinished: Path, workplace: Path
) -> None:
    elsewhere = workplace / "elsewhere"
    folder = unfinished / name
    if folder.exists():
        folder.rename(elsewhere)
    elsewhere.mkdir(exist_ok=True)
    before = sorted(elsewhere.iterdir())
    folder.symlink_to(elsewhere)
    refused(1, (name, "is a link"), "run --resume", unfinished)
    assert sorted(elsewhere.iterdir()) == before


@pytest.mark.parametrize(
    "name",
    [
        "mlflow/run.json",
        "mlflow/mlflow.db",
        "mlflow/artifacts",
        "wandb/run-id",
        "wandb/cache",
        "wandb/a/files/b",
        "tensorboard/events.out.tfevents.1",
        "tensorboard/a",
    ],
)
def test_links_within_what_trackers_wrote_are_refused(
    name: str, refused: Refused, unfinished: Path, workplace: Path
) -> None:
    """Their libraries would follow them."""
    link = unfinished / name
    link.parent.mkdir(parents=True)
    link.symlink_to(workplace / "elsewhere")
    refused(1, (name, "is a link"), "run --resume", unfinished)
    assert not (workplace / "elsewhere").exists()


@pytest.mark.parametrize("name", ["generator.safetensors", "generator.safetensors.sha256"])
@pytest.mark.parametrize("line", ["sample run --out s.npy", "evaluate run -n 64", "export run --out e.onnx"])
def test_exports_are_read_through_no_link(name: str, line: str, gans: Gans, finished: Path) -> None:
    """Not even to the right content, which others could change: the checkpoint of the run takes its place."""
    there, content = finished / name, (finished / name).read_bytes()
    there.rename("elsewhere")
    there.symlink_to(Path("elsewhere").absolute())
    outcome = gans(line)
    assert outcome.status == 0
    assert f"{there} is a link" in outcome.err and "replaced by the generator of step-" in outcome.err
    assert not there.is_symlink() and there.read_bytes() == content
    assert Path("elsewhere").read_bytes() == content


@pytest.mark.parametrize("ending", ["", ".sha256"])
def test_checkpoints_are_read_through_no_link(
    ending: str, gans: Gans, refused: Refused, unfinished: Path
) -> None:
    """Of a run, the one before is taken; one that is named by itself is refused."""
    newest = unfinished / "checkpoints/step-00000004.pt"
    file = newest.with_name(newest.name + ending)
    file.rename("elsewhere")
    file.symlink_to(Path("elsewhere").absolute())
    refused(1, (f"{file} is a link", "remove it"), "sample", newest, "--out", "s.npy")
    outcome = gans("sample run --out s.npy")
    assert outcome.status == 0 and f"{file} is a link" in outcome.err
    outcome = gans("run --resume run")
    assert outcome.status == 0 and "resuming run at step 3" in outcome.err


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_file_that_is_named_by_itself_is_a_file(
    kind: str, refused: Refused, finished: Path, workplace: Path
) -> None:
    export = Path("alone.safetensors")
    export.symlink_to(finished / "generator.safetensors") if kind == "link" else os.mkfifo(export)
    refused(2, ("alone.safetensors is a link",), "sample", export, "--out", "s.npy")
    checkpoint = finished / "checkpoints/step-00000009.pt"
    checkpoint.symlink_to((finished / "config.json").absolute()) if kind == "link" else os.mkfifo(checkpoint)
    os.link(finished / "checkpoints/step-00000004.pt.sha256", f"{checkpoint}.sha256")
    (finished / "generator.safetensors").unlink()
    refused(1, ("step-00000009.pt",), "sample", checkpoint, "--out", "s.npy")


def test_checkpoints_in_a_linked_folder_are_refused(refused: Refused, finished: Path) -> None:
    (finished / "checkpoints").rename("elsewhere")
    (finished / "checkpoints").symlink_to(Path("elsewhere").absolute())
    refused(1, ("run/checkpoints is a link",), "sample run/checkpoints/step-00000004.pt --out s.npy")


def test_parts_of_wandb_are_uploaded_through_no_link(refused: Refused, finished: Path) -> None:
    part = Path("elsewhere/run-1.wandb")
    part.parent.mkdir()
    part.touch()
    (finished / "wandb").mkdir()
    (finished / "wandb/offline-run-1").symlink_to(part.parent.absolute())
    refused(1, ("run/wandb/offline-run-1 is a link",), "sync run")
    (finished / "wandb/offline-run-1").unlink()
    (finished / "wandb/offline-run-1").mkdir()
    (finished / "wandb/offline-run-1/run-1.wandb").symlink_to(part.absolute())
    refused(1, ("run-1.wandb is a link",), "sync run")


def test_a_run_on_another_disk_is_reached_through_a_link(gans: Gans, unfinished: Path) -> None:
    Path("elsewhere").symlink_to(unfinished)
    assert gans("run --resume elsewhere").status == 0
    assert gans("evaluate -n 64 elsewhere").status == 0


def test_a_torn_line_swallows_no_other(gans: Gans, finished: Path) -> None:
    for name, torn in (
        ("scores.jsonl", '{"step": 31, "kimg": 0.4'),
        ("evaluation.jsonl", '{"step": 31, "sc'),
    ):
        with (finished / name).open("a") as file:
            file.write(torn)
    assert gans("evaluate -n 64", finished).status == 0
    assert '"metric/' in (finished / "scores.jsonl").read_text().splitlines()[-1]
    assert gans("compare", finished).status == 0


def test_what_a_killed_process_was_writing_is_removed(gans: Gans, unfinished: Path) -> None:
    left = [
        unfinished / ".scores.jsonl.0a.partial",
        unfinished / "checkpoints" / ".step-00000009.pt.0a.partial",
    ]
    for file in left:
        file.touch()
    assert gans("run --resume", unfinished).status == 0
    assert not [file for file in left if file.exists()]


def test_a_folder_left_before_its_config_was_whole_is_free(gans: Gans) -> None:
    Path("killed").mkdir()
    Path("killed/.config.json.0a1b2c3d.partial").touch()
    assert gans(f"run {POINTS} --out killed").status == 0


@pytest.mark.parametrize(
    "content", ["[" * 100_000, '{"threads": 1e999}', '{"threads": true}', '{"threads": -1}']
)
def test_a_sweep_whose_file_is_bad(content: str, refused: Refused) -> None:
    Path("sweep").mkdir()
    Path("sweep/sweep.json").write_text(content)
    refused(2, ("sweep.json", "--out"), "sweep --arch mlp --data ring8 --seeds 1 --no-evaluate --out sweep")
