"""Page of the explorer: the runs side by side, and the controls that all of them follow."""

from dataclasses import replace
from typing import Any

from nicegui import run, ui

from experiments.exploration.controls import Controls
from experiments.exploration.generators import Abilities
from experiments.exploration.pane import Pane
from experiments.exploration.saved_names import name_files
from experiments.exploration.scene import Scene
from experiments.exploration.server import Exploration

BLUE = "#2459b8"  # of controls: dark enough for white letters
POLL_SECONDS = 2.0  # between looks at the run folders


class ExplorerPage:
    """One page, of one tab: its scene is its own."""

    def __init__(self, exploration: Exploration) -> None:
        self.exploration, self.scene = exploration, Scene()
        self._abilities: list[Abilities] = []
        self._is_looking = False

    def build(self) -> None:
        """Builds the page; pictures and controls come as soon as the generators are loaded."""
        ui.add_head_html('<link rel="stylesheet" href="/explore/explorer.css">')
        ui.colors(primary=BLUE)
        with ui.element("header").classes("page-head"):
            ui.html("gans explore", sanitize=False, tag="h1")
            self._words = ui.label("loading …").classes("hint").props("role=status")
            ui.dark_mode(value=None)
            button = ui.button(icon="contrast").props(
                'flat round dense color=link aria-label="light or dark"'
            )
            # Only the browser knows which of the two its system asks for.
            button.classes("head-button").on("click", js_handler="() => Quasar.Dark.toggle()")
        with ui.element("main").classes("page-main") as main:
            # Beside a pane that takes it, the browser would leave the page.
            for event in ("dragover", "drop"):
                main.on(event, js_handler="event => event.preventDefault()")
            with ui.element("div").classes("stage"):
                watches = self.exploration.watches
                names = [watch.path.name for watch in watches]
                titles = names if len(set(names)) == len(names) else [str(watch.path) for watch in watches]
                parts = zip(watches, titles, name_files(titles), strict=True)
                self.panes = [Pane(self.exploration, *each) for each in parts]
            self._aside = ui.element("aside").classes("controls")
        client = ui.context.client
        client.on_delete(self.close)
        ui.timer(0.05, self.look, once=True)
        ui.timer(POLL_SECONDS, self.look)

    def ask(self, **changes: Any) -> None:
        """Changes the scene, and asks every run for its picture."""
        self.scene = replace(self.scene, **changes)
        for pane in self.panes:
            pane.show(self.scene)

    async def look(self) -> None:
        """Looks at the run folders, and shows what is new in them."""
        if self._is_looking:
            return
        self._is_looking = True
        try:
            for pane in self.panes:
                status = await run.io_bound(pane.watch.poll)
                if status is not None and pane.follow(status):
                    await pane.open()
                    pane.scene = self.scene
                    pane.show_moment()
            self._build_controls()
        finally:
            self._words.text, self._is_looking = "", False

    def close(self) -> None:
        """Lets go of what the page holds."""
        self.exploration.workbench.chores.forget(self)
        for pane in self.panes:
            pane.close()

    def _build_controls(self) -> None:
        """Builds the controls of what the generators can be asked for, once these are known."""
        abilities = [pane.abilities for pane in self.panes if pane.abilities]
        if abilities != self._abilities:
            self._abilities = abilities
            self._aside.clear()
            with self._aside:
                Controls(self, abilities).build()
