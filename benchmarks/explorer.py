"""Milliseconds from a moved slider to its picture on the explorer's page, measured in the browser.

    python benchmarks/explorer.py [--image-size 64] [--moves 100]

Trains dcgan at its default width for one step, opens `gans explore` in headless Chromium, and moves the
slider of the seed: from its input event to the frame after the image has loaded the new picture. Then come
200 moves without a pause, by the keyboard, and the growth of the server's memory is measured. Goals: a median
under 150 ms on two idle cores, and under 50 MB. The status is 1 where one is missed.
"""

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST_MILLISECONDS, MOST_BYTES = 150.0, 50 * 2**20
QUICK_MOVES = 200
# Moves the slider, and waits for the image of a later request.
MOVE = """step => new Promise(resolve => {
    const image = document.querySelector('img.picture'), before = Number(image.dataset.number)
    const slider = document.querySelector('input[type=range][aria-label=Seed]')
    const loaded = () => {
        if (Number(image.dataset.number) > before) {
            image.removeEventListener('load', loaded)
            requestAnimationFrame(() => resolve(performance.now() - began))
        }
    }
    image.addEventListener('load', loaded)
    const began = performance.now()
    slider.value = Number(slider.value) + step
    slider.dispatchEvent(new Event('input', {bubbles: true}))
})"""
READY = "document.querySelector('aside h2') && document.querySelector('img.picture')?.dataset.exact === '1'"


def memory_of(process: int) -> int:
    """Bytes of a process that are in memory."""
    status = Path(f"/proc/{process}/status").read_text()
    return 1024 * int(re.findall(r"VmRSS:\s+(\d+)", status)[0])


def measure(address: str, process: int, moves: int) -> bool:
    """Moves the slider, prints what was measured, and returns whether the goals were met."""
    from playwright.sync_api import sync_playwright

    browser_file = (
        shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    )
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=browser_file, args=["--no-sandbox"])
        tab = browser.new_page()
        tab.goto(address)
        tab.wait_for_function(READY, timeout=120_000)
        milliseconds = []
        for number in range(moves):
            milliseconds.append(tab.evaluate(MOVE, 1 if number % 2 == 0 else 2))
            time.sleep(0.05)
        before = memory_of(process)
        last = int(tab.locator("img.picture").get_attribute("data-number") or 0)
        began = time.perf_counter()
        tab.get_by_role("slider", name="Seed", exact=True).focus()
        for _ in range(QUICK_MOVES // 2):
            tab.keyboard.press("ArrowRight")
            tab.keyboard.press("ArrowLeft")
        pressed = time.perf_counter() - began
        tab.wait_for_timeout(200)
        newest = int(tab.locator("img.picture").get_attribute("data-number") or 0)
        tab.wait_for_function(READY, timeout=60_000)
        growth = memory_of(process) - before
        browser.close()
    median = statistics.median(milliseconds)
    slowest = statistics.quantiles(milliseconds, n=20)[-1]
    print(f"{moves} moves: median {median:.0f} ms, 95th percentile {slowest:.0f} ms")
    print(
        f"{QUICK_MOVES} quick moves in {pressed:.1f} s asked for {newest - last} pictures; "
        f"memory {growth / 2**20:+.1f} MB"
    )
    return median < MOST_MILLISECONDS and growth < MOST_BYTES


def main() -> int:
    """Trains, serves and measures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--image-size", default="64")
    parser.add_argument("--moves", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command, run = [sys.executable, str(ROOT / "cli.py")], str(Path(folder, "run"))
        flags = "--arch dcgan --loss bce --data shapes --steps 1 --track local --image-size"
        words = [*flags.split(), arguments.image_size, "--out", run]
        subprocess.run([*command, "run", *words], check=True, capture_output=True)
        server = subprocess.Popen(
            [*command, "explore", run, "--no-browser"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert server.stdout is not None
            return 0 if measure(server.stdout.readline().strip(), server.pid, arguments.moves) else 1
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    sys.exit(main())
