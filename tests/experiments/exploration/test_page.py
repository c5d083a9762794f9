"""The explorer's page in a real browser."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.browser import BROWSER, serious_faults
from tests.conftest import ROOT

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine"),
]
EXACT = 'img.picture[data-exact="1"]'
START = "document.querySelector('aside h2') && document.querySelector('img.picture')?.dataset.exact === '1'"

# The command, with few real images and a small extractor.
PROGRAM = """import sys, cli
from tests.shortcuts import take_shortcuts
take_shortcuts(setattr)
cli.main(["explore", *sys.argv[1:]])
"""
FLAGS = ("--no-browser", "--device", "cpu", "--extractor", "random-vgg")


class Server:
    """A server of its own process: where it is, and how much memory it takes."""

    def __init__(self, process, address):
        self.process, self.address = process, address
        self.port = int(re.search(r":(\d+)/", address)[1])

    @property
    def memory(self):
        """Bytes of the process that are in memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(re.search(r"VmRSS:\s+(\d+)", status)[1])


@pytest.fixture(scope="module")
def server(explored, tmp_path_factory):
    """A server of the tiny runs, of which `gone` may be deleted and `live` may be trained."""
    gone = tmp_path_factory.mktemp("runs") / "gone"
    shutil.copytree(explored / "small", gone)
    shutil.copytree(explored / "small", gone.with_name("live"))
    names = [explored / name for name in ("small", "styled", "cycle", "points")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    environment.pop("PYTEST_CURRENT_TEST", None)  # by which NiceGUI would take itself to be under test
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *names, gone, gone.with_name("live"), *FLAGS],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True},
        cwd=gone.parent,
        env=environment,
    )
    try:
        yield Server(process, process.stdout.readline().strip())
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=30)
        assert "Traceback" not in errors, errors


@pytest.fixture
def open_tab(browser, server):
    """Opens the page in a new tab, and waits for its pictures; at the end nothing may have gone wrong."""
    problems, asked, contexts = [], [], []

    def begin(width=1280):
        context = browser.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(server.address)
        tab.wait_for_function(START, timeout=60_000)
        return tab

    yield begin
    for context in contexts:
        context.close()
    assert not problems
    inside = (f"http://127.0.0.1:{server.port}/", f"ws://127.0.0.1:{server.port}/", "data:", "blob:")
    assert [url for url in asked if not url.startswith(inside)] == [], "nothing is asked of another machine"


def pane(tab, name):
    return tab.locator(f'article[aria-label="{name}"]')


def bytes_of(tab, locator):
    """The file that an image of the page shows."""
    script = "async image => Array.from(new Uint8Array(await (await fetch(image.src)).arrayBuffer()))"
    return bytes(locator.evaluate(script))


def press(tab, slider, *keys):
    """Moves a slider by its keyboard."""
    tab.get_by_role("slider", name=slider, exact=True).first.focus()
    for key in keys:
        tab.keyboard.press(key)


def shown(tab, name, mentions):
    """The exact picture of a run, and the command that makes it, once that mentions some words."""
    tab.wait_for_function(
        """([name, mentions]) => {
            const own = document.querySelector(`article[aria-label="${name}"]`)
            return own.querySelector('img.picture').dataset.exact === '1'
                && own.querySelector('code').innerText.includes(mentions)
        }""",
        arg=[name, mentions],
        timeout=30_000,
    )
    return bytes_of(tab, pane(tab, name).locator(EXACT)), pane(tab, name).locator("code").inner_text()


def made(gans, workplace, command):
    """The picture that a command makes, which no picture of another run stands in the way of."""
    outcome = gans(f"{command.removeprefix('gans ')} --device cpu --force")
    assert outcome.status == 0, outcome
    return (workplace / command.rpartition(" --out ")[2]).read_bytes()


def test_a_moved_slider_shows_what_gans_sample_makes(open_tab, gans, workplace):
    tab = open_tab()
    press(tab, "Seed", *["ArrowRight"] * 3)
    for name in ("small", "styled"):
        picture, command = shown(tab, name, "--seed 3")
        assert picture == made(gans, workplace, command)
    press(tab, "Direction 1", "ArrowRight", "ArrowRight")
    press(tab, "Truncation ψ", "ArrowLeft")
    words = "--latents latent-styled.npy --space w --label 0 --truncation 0.95"
    picture, command = shown(tab, "styled", words)
    with tab.expect_download() as download:
        pane(tab, "styled").get_by_role("button", name="Save latent").click()
    download.value.save_as(workplace / download.value.suggested_filename)
    assert picture == made(gans, workplace, command)
    with tab.expect_download() as download:
        pane(tab, "styled").get_by_role("button", name="Save picture").click()
    assert download.value.suggested_filename == "sample-styled.png"
    download.value.save_as(workplace / "saved.png")
    assert (workplace / "saved.png").read_bytes() == picture
    press(tab, "Time", "Home")
    picture, command = shown(tab, "small", "step-00000010.pt")
    with tab.expect_download() as download:
        pane(tab, "small").get_by_role("button", name="Save latent").click()
    download.value.save_as(workplace / download.value.suggested_filename)
    assert picture == made(gans, workplace, command)


def test_tabs_are_independent(open_tab):
    one, other = open_tab(), open_tab()
    press(one, "Seed", *["ArrowRight"] * 2)
    press(other, "Seed", *["ArrowRight"] * 5)
    ones, others = shown(one, "small", "--seed 2")[0], shown(other, "small", "--seed 5")[0]
    assert ones != others
    assert shown(one, "small", "--seed 2")[0] == ones


def test_quick_moves_leave_no_queue_and_no_memory(open_tab, server):
    tab = open_tab()
    press(tab, "Seed", *["ArrowRight"] * 20)  # what is loaded once is loaded
    shown(tab, "small", "--seed 20")
    before = server.memory
    press(tab, "Seed", *["ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft"] * 50)
    began = time.monotonic()
    shown(tab, "small", "--seed 120")
    shown(tab, "styled", "--seed 120")
    assert time.monotonic() - began < 10
    assert server.memory - before < 50 * 2**20


def test_a_translator_shows_every_domain(open_tab, tmp_path):
    tab = open_tab()
    field = pane(tab, "cycle").locator('input[type="file"]')
    broken = tmp_path / "broken photo.png"
    broken.write_bytes(b"\x89PNG no picture")
    field.set_input_files(broken)
    pane(tab, "cycle").get_by_text("broken photo.png").wait_for()
    shutil.copy(ROOT / "docs" / "mix.png", tmp_path / "good.png")
    field.set_input_files(tmp_path / "good.png")
    pane(tab, "cycle").locator("figure").nth(2).wait_for()
    assert pane(tab, "cycle").locator(".caption").all_inner_texts() == ["input", "A", "B"]


DROP = """([article, bytes]) => {
    const carried = new DataTransfer()
    carried.items.add(new File([new Uint8Array(bytes)], 'my photo.png', {type: 'image/png'}))
    const options = {dataTransfer: carried, bubbles: true, cancelable: true}
    return article.querySelector('.pane-head').dispatchEvent(new DragEvent('dragover', options))
        || article.querySelector('.pane-head').dispatchEvent(new DragEvent('drop', options))
}"""


def test_a_picture_is_dropped_anywhere_on_a_translator_and_its_translations_are_saved(
    open_tab, server, gans, workplace
):
    tab = open_tab()
    own = pane(tab, "cycle")
    own.locator('input[type="file"]').wait_for(state="attached")
    photo = (ROOT / "docs" / "mix.png").read_bytes()
    assert tab.evaluate(DROP, [own.element_handle(), list(photo)]) is False, "the browser would open it"
    own.locator("figure").nth(2).wait_for()
    own.get_by_text("Commands that make them again").click()
    commands = own.locator(".translation-commands code").all_inner_texts()
    (workplace / "my-photo.png").write_bytes(photo)
    for target, command in zip("AB", commands, strict=True):
        with tab.expect_download() as download:
            own.get_by_role("button", name=f"save {target}", exact=True).click()
        assert download.value.suggested_filename == f"my-photo-cycle-{target}.png"
        assert gans(f"{command.removeprefix('gans ')} --device cpu").status == 0, command
        (made,) = Path(command.rpartition(" --out ")[2]).iterdir()
        assert Path(download.value.path()).read_bytes() == made.read_bytes()
    with tab.expect_file_chooser():
        own.get_by_text("Drop a picture here").click()


def test_nearest_real_images_and_what_cannot_be_shown(open_tab):
    tab = open_tab()
    pane(tab, "small").get_by_role("button", name="Nearest real").click()
    pane(tab, "small").locator(".neighbours figure").nth(5).wait_for(timeout=60_000)
    assert "points in the plane" in pane(tab, "points").get_by_role("alert").inner_text()
    tab.get_by_text("Pick by eye").click()
    tab.get_by_role("button", name="seed 6", exact=True).click()
    press(tab, "Way", "End")
    shown(tab, "small", "--latents")


def test_new_scores_appear_and_a_deleted_run_is_a_message(open_tab, server):
    tab = open_tab(width=400)
    tab.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
    folder = Path(f"/proc/{server.process.pid}/cwd").resolve()
    with (folder / "gone" / "scores.jsonl").open("a") as file:
        file.write(json.dumps({"step": 20, "kimg": 0.08, "metric/fid": 12.5}) + "\n")
    pane(tab, "gone").locator('svg[aria-label="fid: 12.5"]').wait_for(timeout=15_000)
    shutil.rmtree(folder / "gone")
    alert = pane(tab, "gone").get_by_role("alert")
    alert.get_by_text("is gone").wait_for(timeout=15_000)
    press(tab, "Seed", "ArrowRight")
    shown(tab, "small", "--seed 1")
    assert alert.is_visible()


def test_a_run_that_trains_is_followed(open_tab, server, fork):
    """The newest moment is shown as it comes, an earlier one that was chosen stays."""
    tab, follower = open_tab(), open_tab(width=400)
    live = Path(f"/proc/{server.process.pid}/cwd").resolve() / "live"
    before, _ = shown(tab, "live", "live")
    pane(tab, "live").get_by_role("slider", name="Time").focus()
    tab.keyboard.press("Home")
    chosen, _ = shown(tab, "live", "step-00000010.pt")
    # It trains until it is interrupted; of its checkpoints it keeps more than come before that.
    training = fork(f"run --resume {live} --steps 1000000 --keep 500 --track local")
    state = pane(follower, "live").locator(".pane-head .hint")
    state.get_by_text("running").wait_for(timeout=60_000)
    follower.wait_for_function(
        """before => {
            const own = document.querySelector('article[aria-label="live"]')
            return own.querySelector('code').innerText.match(/step-(\\d+)/)?.[1] > before
                && own.querySelector('img.picture').dataset.exact === '1'
        }""",
        arg="00000040",
        timeout=60_000,
    )
    now = bytes_of(follower, pane(follower, "live").locator(EXACT))
    assert now not in (before, chosen)
    assert shown(tab, "live", "step-00000010.pt")[0] == chosen
    training.send_signal(signal.SIGINT)
    training.wait(60)
    state.get_by_text("unfinished").wait_for(timeout=30_000)


@pytest.mark.parametrize(("system", "other"), [("light", "dark"), ("dark", "light")])
def test_light_and_dark_change_at_the_first_click(open_tab, system, other):
    tab = open_tab()
    tab.emulate_media(color_scheme=system)
    for expected in (other, system):
        tab.get_by_role("button", name="light or dark").click()
        tab.wait_for_function(f"document.body.classList.contains('body--{expected}')", timeout=5_000)


@pytest.mark.parametrize("dark", [False, True])
def test_people_who_hear_or_type_can_use_it(open_tab, dark):
    tab = open_tab()
    tab.emulate_media(color_scheme="dark" if dark else "light")
    pane(tab, "small").get_by_role("button", name="Nearest real").click()
    pane(tab, "small").locator(".neighbours figure").nth(5).wait_for(timeout=60_000)
    tab.get_by_text("Pick by eye").click()
    tab.get_by_role("button", name="seed 6", exact=True).wait_for()
    # axe-core takes what stands in a sticky box to stand on the page's ground.
    tab.add_style_tag(content=".controls { position: static !important }")
    assert serious_faults(tab) == []


def status_of(port, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_without_the_token_nothing_is_seen(open_tab, server, browser):
    tab = open_tab()
    picture = pane(tab, "small").locator(EXACT).evaluate("image => new URL(image.src).pathname")
    asset = tab.evaluate("document.querySelector('script[src]').src").partition(f":{server.port}")[2]
    websocket = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    websocket["Sec-WebSocket-Key"] = "AAAAAAAAAAAAAAAAAAAAAA=="
    for path, headers in [
        ("/", {}),
        ("/?token=wrong", {}),
        (picture, {}),
        (picture, {"Cookie": f"gans-explore-{server.port}=wrong"}),
        (asset, {}),
        ("/_nicegui_ws/socket.io/?EIO=4&transport=polling", {}),
        ("/_nicegui_ws/socket.io/?EIO=4&transport=websocket", websocket),
    ]:
        status, body = status_of(server.port, path, **headers)
        assert status == 403 and b"gans-explore" not in body, path
    stranger = browser.new_page()
    assert stranger.goto(server.address[:-4]).status == 403
    assert stranger.locator("img").count() == 0
    stranger.close()
