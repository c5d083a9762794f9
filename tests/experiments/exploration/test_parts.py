"""Parts of the explorer without a browser: its queue, its gate, its watch, translations, neighbours."""

import asyncio
import json
import math
import re
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import pytest
import torch
from PIL import Image

import cli
from experiments.core.errors import UsageError
from experiments.core.images import from_uint8
from experiments.data.shapes import CLASSES
from experiments.data.shapes_attributes import GROUPS
from experiments.evaluation.sample_sets import data_of_run
from experiments.exploration import neighbours, server
from experiments.exploration.controls import shared_class_names
from experiments.exploration.curves import draw_curves
from experiments.exploration.neighbours import NeighbourSearch
from experiments.exploration.newest_only import NewestOnly
from experiments.exploration.run_watch import RunStatus, RunWatch, read_curves
from experiments.exploration.saved_names import SavedNames, name_files
from experiments.exploration.token_gate import TokenGate
from experiments.exploration.translations import file_name_of, translate_upload


def until(holds, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_of_many_requests_the_first_and_the_newest_are_done():
    worker, started, goes_on, done = NewestOnly("test"), threading.Event(), threading.Event(), []

    def first():
        started.set()
        goes_on.wait(10)
        done.append("first")

    worker.submit("a", first)
    started.wait(10)
    for number in range(200):
        worker.submit("a", lambda number=number: done.append(number))
        worker.submit("b", lambda number=number: done.append(-number))
    assert worker.waiting == 2, "one for each client"
    goes_on.set()
    until(lambda: len(done) == 3)
    assert done == ["first", 199, -199] and worker.dropped == 398
    worker.close()


def test_rest_comes_before_an_exact_picture():
    worker, done = NewestOnly("test", rest_seconds=0.2), []
    for number in range(5):
        worker.submit("a", lambda number=number: done.append(number))
        time.sleep(0.02)
    assert not done
    until(lambda: done)
    assert done == [4]
    worker.close()


def test_a_failed_request_does_not_end_the_worker():
    worker, done = NewestOnly("test"), []
    worker.submit("a", lambda: 1 / 0)
    until(lambda: worker.done == 1)
    worker.submit("a", lambda: done.append(1))
    until(lambda: done)
    worker.close()


def answer(kind="http", query="", host="127.0.0.1:80", **headers):
    """The status of a request, 200 where the gate let it through, and the cookie that was set."""
    sent = []

    async def behind(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    fields = {"host": host, **headers}
    scope = {"type": kind, "query_string": query.encode()}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in fields.items()]
    asyncio.run(TokenGate(behind, "right", 80)(scope, receive, send))
    if sent[0]["type"] == "websocket.close":
        return 403, ""
    return sent[0]["status"], dict(sent[0]["headers"]).get(b"set-cookie", b"").decode()


def test_the_gate_opens_for_the_token_alone():
    status, cookie = answer(query="token=right")
    assert status == 200 and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    own = cookie.partition(";")[0]
    assert answer(cookie=own) == (200, "") == answer("websocket", cookie=own, origin="http://127.0.0.1:80")
    wrong = own.replace("right", "wrong")
    for refused in (
        answer(),
        answer(query="token=wrong"),
        answer(query="token="),
        answer(query="token=wrong", cookie=own),  # the address counts
        answer(query="token=right&token=wrong"),
        answer(cookie=wrong),
        answer(cookie="\x00;;="),
        answer(host="evil.example", cookie=own),  # a name that was made to lead to this machine
        answer(cookie=own, origin="http://evil.example"),
        answer("websocket"),
        answer("websocket", cookie=wrong),
        answer("websocket", cookie=own, origin="http://evil.example"),
    ):
        assert refused == (403, "")


def test_a_run_that_trains_is_followed(tmp_path, explored):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_bytes((explored / "small" / "config.json").read_bytes())
    watch = RunWatch(run)
    assert "no checkpoint yet" in watch.poll().message
    line = {"step": 1, "kimg": 1.0, "critic/adversarial": 0.5, "metric/fid": 9.0, "critic/real": 1.0}
    (run / "scores.jsonl").write_text(json.dumps(line) + "\n")
    assert watch.poll().curves == {"metric/fid": [(1.0, 9.0)], "critic/adversarial": [(1.0, 0.5)]}
    with (run / "scores.jsonl").open("a") as file:
        file.write(json.dumps({"step": 2, "kimg": 2.0, "critic/adversarial": 0.25}) + "\n")
    assert watch.poll().curves["critic/adversarial"] == [(1.0, 0.5), (2.0, 0.25)]
    assert watch.poll() is watch.poll(), "nothing new is not read again"
    (run / "config.json").unlink()
    (run / "scores.jsonl").unlink()
    run.rmdir()
    assert "is gone" in watch.poll().message


def test_a_file_that_goes_while_it_is_looked_at_is_no_error(tmp_path, monkeypatch):
    watch = RunWatch(tmp_path / "run")
    monkeypatch.setattr(Path, "exists", lambda self, **_: True)  # a moment before it was deleted
    assert set(watch._fingerprint()) == {0}


def test_curves_have_ends_and_no_markup_of_strangers():
    plots = draw_curves({"metric/<b>": [(0.0, 2.0), (4.0, 1.0)], "critic/adversarial": [(1.0, 1.0)] * 2})
    assert len(plots) == 2
    assert "<b>" not in plots[0] and "4 kimg" in plots[0] and "46.0,24.0 310.0,126.0" in plots[0]
    long = draw_curves({"metric/fid": [(float(x), float(x)) for x in range(5000)]})[0]
    assert long.count(",") < 400 and "4999" in long


def test_one_evaluation_stands_where_it_was_made_with_its_value_alone():
    curves = {"metric/fid": [(2.0, 80.0)], "critic/adversarial": [(0.0, 1.0), (4.0, 3.0)]}
    score, losses = draw_curves(curves)
    assert 'cx="178.0"' in score and ">0</text>" in score and ">4 kimg</text>" in score
    assert score.count("<text") == 4 and ">80</text>" in score and "120" not in score
    assert 'cy="75.0"' in score, "half way up"
    nothing = draw_curves({"metric/unknown": [(2.0, 0.0)]})[0]
    assert 'cy="75.0"' in nothing and ">0</text>" in nothing
    ticks = re.findall(r'y="([\d.]+)" text-anchor="end">(-?[\d.]+)<', losses)
    assert ticks == [("129.5", "1"), ("78.5", "2"), ("27.5", "3")]
    alone = draw_curves({"metric/fid": [(2.0, 80.0)]})[0]
    assert ">0</text>" in alone and ">2 kimg</text>" in alone


def test_a_moment_has_a_line_and_its_own_values():
    """Between two points of a curve it is the one before that is known; bounded scores stay within bounds."""
    curves = {
        "metric/precision-recall/recall": [(1.0, 0.0), (3.0, 0.0)],
        "metric/fid": [(1.0, 9.0), (3.0, 5.0)],
    }
    recall, distance = draw_curves(curves, 2.0)
    assert ">0</text>" in recall and ">1</text>" in recall and "-0.5" not in recall
    assert 'class="moment" x1="178.0" x2="178.0"' in distance and "> 9</tspan>" in distance
    before = draw_curves({"metric/fid": [(2.0, 9.0)], "critic/adversarial": [(0.5, 1.0), (2.0, 3.0)]}, 1.0)
    assert all("> 9</tspan>" not in plot and 'x1="134.0"' in plot for plot in before)
    newest = draw_curves(curves)[1]
    assert "moment" not in newest and "> 5</tspan>" in newest


def test_scores_are_those_of_the_moment():
    status = RunStatus(evaluations=[(4, ["fid 9"]), (8, ["fid 5"])])
    assert status.scores_at(7) == ["fid 9", "at step 4"]
    assert status.scores_at(None) == status.scores_at(8) == ["fid 5", "at step 8"]
    assert status.scores_at(3) == []


def test_curves_leave_out_what_is_not_finite_and_go_forwards():
    values = ((2.0, 0.5), (3.0, float("nan")), (4.0, float("-inf")), (float("nan"), 1.0), (1.0, 0.25))
    lines = [
        {"step": 1, "kimg": kimg, "critic/adversarial": value, "metric/fid": math.nan}
        for kimg, value in values
    ]
    curves = read_curves(lines)
    assert curves == {"critic/adversarial": [(1.0, 0.25), (2.0, 0.5)]}
    huge = draw_curves({"metric/fid": [(0.0, -1.7e308), (1.0, 1.7e308)], **curves})
    assert not any(word in plot for plot in huge for word in ("nan", "inf"))


def test_no_list_of_processes_shows_the_token(explored, monkeypatch, capsys):
    opened = []

    def look(url):
        file = Path(url2pathname(urlsplit(url).path))
        opened.append((url, file, file.stat().st_mode & 0o777, file.read_text()))

    monkeypatch.setattr("webbrowser.open", look)
    address = "http://127.0.0.1:8080/?token=abc"
    monkeypatch.setattr(server, "serve", lambda *args: args[-1](address))
    cli.main(["explore", str(explored / "small")])
    ((url, file, mode, text),) = opened
    assert address in capsys.readouterr().out
    assert "abc" not in url and mode == 0o600 and f"url={address}" in text
    assert not file.exists()


@pytest.fixture
def upload(tmp_path):
    """A file of noise, 20 high and 24 wide, with transparency."""
    pixels = np.random.default_rng(0).integers(256, size=(20, 24, 4), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "my picture.png")
    return tmp_path / "my picture.png"


@pytest.mark.parametrize(
    "run, words, distinct",
    [
        ("cycle", ["A", "B"], 2),
        # Of each attribute one value is that of the picture, as the critic sees it: these change nothing.
        ("star", [f"{group.name}={value}" for group in GROUPS for value in group.values], 5),
    ],
)
def test_translations_are_those_of_their_commands(
    run, words, distinct, upload, explored, pool, gans, workplace
):
    opened = pool.open(explored / run)
    first, *others = translate_upload(opened, upload.read_bytes(), upload.name)
    assert first.words == "input" and [each.words for each in others] == words
    assert len({each.png for each in others}) == distinct
    (workplace / "my-picture.png").write_bytes(upload.read_bytes())
    for each in others:
        outcome = gans(f"{each.command.removeprefix('gans ')} --device cpu")  # none stands in another's way
        assert outcome.status == 0, outcome
        (folder,) = workplace.glob(f"translated-{each.words}")
        assert (folder / "my-picture.png").read_bytes() == each.png


def test_classes_are_named_by_the_data_of_the_run(explored, pool, monkeypatch):
    opened = pool.open(explored / "styled")
    assert opened.named_abilities().class_names == tuple(CLASSES)
    assert pool.open(explored / "small").named_abilities().class_names == ()
    opened.settings = replace(opened.settings, data="folder:/nowhere")
    assert opened.named_abilities().class_names == tuple(f"class {label}" for label in range(6))
    assert shared_class_names([("a", "b", "c"), (), ("a", "d")]) == ["a", "class 1", "c"]


def test_files_of_several_runs_have_their_names():
    assert [each.picture for each in name_files(["small"])] == ["sample.png"]
    several = name_files(["runs/1 a", "runs/b"])
    assert [each.picture for each in several] == ["sample-runs-1-a.png", "sample-runs-b.png"]
    assert [each.latent for each in name_files(["a/b", "A-b"])] == ["latent-1-a-b.npy", "latent-2-A-b.npy"]
    assert SavedNames("-b").folder_of("hair colour=red/gold") == "translated-b-hair-colour=red-gold"


def test_a_broken_upload_is_named(explored, pool):
    with pytest.raises(UsageError) as caught:
        list(translate_upload(pool.open(explored / "cycle"), b"no picture", "my photo.jpg"))
    assert str(caught.value).startswith("my photo.jpg ") and "skip-bad" not in str(caught.value)


def test_names_of_uploads_are_tame():
    assert file_name_of("../../etc/pass wd.PNG") == "pass-wd.PNG"
    assert file_name_of("C:\\pictures\\a&b;.jpeg") == "a-b-.jpeg"
    assert file_name_of("..") == file_name_of("") == "upload.png"
    assert len(file_name_of("x" * 5000 + ".png")) <= 80


def test_a_training_image_is_nearest_to_itself(explored, pool):
    settings = pool.open(explored / "small").settings
    image = data_of_run(settings, None, 0).data.fetch(torch.tensor([17]))[0]
    found = NeighbourSearch("cpu", "random-vgg").nearest(settings, from_uint8(image))
    assert found.found[0].index == 17 and found.found[0].distance == pytest.approx(0, abs=1e-3)
    assert found.found[1].distance > found.found[0].distance
    assert (found.searched, found.total) == (640, 640)


def test_runs_that_hold_out_other_images_are_searched_apart(explored, pool, monkeypatch):
    opened = []
    monkeypatch.setattr(neighbours, "data_of_run", lambda settings, *_: opened.append(settings))
    monkeypatch.setattr(neighbours, "open_extractor", lambda *_: None)
    monkeypatch.setattr(neighbours, "ReferenceFeatures", lambda *_: SimpleNamespace(vectors=None))
    search, settings = NeighbourSearch("cpu"), pool.open(explored / "small").settings
    changes = ({}, {"holdout": 0.5}, {"holdout": 0.5, "holdout_seed": 1}, {"data_root": "elsewhere"})
    for change in (*changes, *changes):
        search._side(replace(settings, **change), lambda words: None)
    assert len(opened) == len(changes)


def test_what_cannot_be_explored_is_refused(refused, explored, monkeypatch):
    refused(2, ("nowhere does not exist",), "explore nowhere")
    monkeypatch.setattr(server, "find_spec", lambda name: None)
    refused(2, ('pip install "gans[explore]"',), "explore", explored / "small")


def test_a_folder_of_runs_stands_for_its_runs(explored, monkeypatch):
    assert [path.name for path in server.find_runs([explored])] == [
        "cycle",
        "points",
        "small",
        "star",
        "styled",
    ]
    monkeypatch.setattr(server, "MOST_RUNS", 3)
    with pytest.raises(UsageError, match="do not fit"):
        server.find_runs([explored])
