"""Elements of the explorer's page without a browser: what they show, ask for, and let go of."""

import asyncio
import threading
from dataclasses import replace
from types import SimpleNamespace

from nicegui import Client, ui

from experiments.exploration import translation_panel
from experiments.exploration.controls import Controls
from experiments.exploration.gallery import Gallery
from experiments.exploration.generators import Abilities
from experiments.exploration.newest_only import NewestOnly
from experiments.exploration.page import ExplorerPage
from experiments.exploration.pane import Pane
from experiments.exploration.scene import Scene
from experiments.exploration.translation_panel import TranslationPanel
from experiments.exploration.translations import TranslatedPicture


def test_words_of_a_run_are_no_language_of_props():
    words = 'eyes" :onerror="alert(1)'
    pane = SimpleNamespace(put_picture=lambda part, png: "/picture/a.png")
    with Client(ui.page("/words")) as client:
        panel = TranslationPanel(pane, ui.element())
        panel._show([TranslatedPicture(words, b"", f"gans translate '{words}'", "a.png")])
    (image,) = (each for each in client.elements.values() if each.tag == "img")
    assert dict(image.props) == {"src": "/picture/a.png", "alt": words}
    named = {each.props.get("aria-label") for each in client.elements.values()}
    assert {f"save {words}", f"copy the command for {words}"} <= named


def test_a_translation_keeps_loading_out(monkeypatch, pool):
    def can_load():
        free = []
        thread = threading.Thread(target=lambda: free.append(pool.lock.acquire(blocking=False)))
        thread.start()
        thread.join()
        return free[0]

    seen = []
    monkeypatch.setattr(pool, "open", lambda path: None)
    monkeypatch.setattr(translation_panel, "translate_upload", lambda *args: seen.append(can_load()) or ())
    chores = SimpleNamespace(submit=lambda client, work: work())
    workbench = SimpleNamespace(pool=pool, chores=chores)
    pane = SimpleNamespace(
        **{"exploration": SimpleNamespace(workbench=workbench), "moment": SimpleNamespace(path="run")},
        **{"view": None, "names": None, "deliver_on_page": lambda *args: None},
    )
    with Client(ui.page("/translation")):
        panel = TranslationPanel(pane, ui.element())
        panel._upload = b"", "a.png"
        panel.translate_again()
    assert seen == [False] and can_load()


CHANGED = Scene(
    **{"seed": 3, "other": 4, "share": 0.5, "moves": {1: 2.0}, "dims": {2: 1.5}, "fine": 7},
    **{"crossover": 3, "truncation": 0.7, "label": 1, "has_noise": False},
)
ABLE = Abilities("noise", z_dim=8, classes=2, class_names=("a", "b"), styles=4, has_noise=True)


def test_controls_begin_at_the_scene():
    scene = CHANGED
    asked = []
    page = SimpleNamespace(scene=scene, panes=[], ask=lambda **changes: asked.append(changes))
    with Client(ui.page("/controls")) as client:
        controls = Controls(page, [ABLE])
        controls.build()
    (select,) = (each for each in client.elements.values() if isinstance(each, ui.select))
    sliders = (controls.seed, controls.other, controls.share, controls.moves[1], controls.dims[2])
    assert [slider.value for slider in sliders] == [3, 4, 0.5, 2.0, 1.5]
    assert [slider.value for slider in (controls.fine, controls.crossover, controls.truncation)] == [
        7,
        3,
        0.7,
    ]
    assert (select.value, controls.noise.value, controls.mixes.value) == (1, False, True)
    assert not asked, "building asks for nothing"


def test_reset_leaves_the_seed_alone():
    """And every other control where it is on a new page."""
    pages = [SimpleNamespace(scene=scene, panes=[]) for scene in (CHANGED, Scene(seed=CHANGED.seed))]
    values = []
    with Client(ui.page("/reset")):
        for page in pages:
            page.ask = lambda page=page, **changes: setattr(page, "scene", replace(page.scene, **changes))
            controls = Controls(page, [ABLE])
            controls.build()
            if page.scene == CHANGED:
                controls.first.set(1)
                controls._show_dims_from(1)
                controls._reset()
            named = [each for each in vars(controls).values() if hasattr(each, "value")]
            values.append([each.value for each in [*named, *controls.moves, *controls.dims]])
    assert pages[0].scene == pages[1].scene
    assert len(values[0]) > 20 and values[0] == values[1]


def test_a_gallery_asks_when_it_is_opened_and_is_forgotten_with_the_page():
    chores = NewestOnly("chores", rest_seconds=60.0)
    workbench = SimpleNamespace(chores=chores)
    exploration = SimpleNamespace(workbench=workbench, watches=[])
    page = ExplorerPage(exploration)
    moment, abilities = SimpleNamespace(path="run"), Abilities("noise")
    page.panes = [
        SimpleNamespace(exploration=exploration, moment=moment, abilities=abilities, close=lambda: None)
    ]
    try:
        with Client(ui.page("/gallery")) as client:
            Gallery(page, lambda role, seed: None)
            (fold,) = (each for each in client.elements.values() if isinstance(each, ui.expansion))
            for is_open, waiting in ((True, 1), (False, 0)):
                chores.forget(page)
                fold.value = is_open
                assert chores.waiting == waiting
            fold.value = True
            page.close()
            assert chores.waiting == 0
    finally:
        chores.close()


def test_after_the_end_of_the_server_a_page_is_told_nothing():
    loop = asyncio.new_event_loop()
    loop.close()
    pane = Pane.__new__(Pane)
    pane._loop = loop
    pane.deliver_on_page(lambda: None)
