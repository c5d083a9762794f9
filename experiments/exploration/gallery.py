"""Gallery of the explorer's page: samples of neighbouring seeds, of which one is picked by eye."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from experiments.core.console import describe_error
from experiments.exploration.rendering import render

if TYPE_CHECKING:
    from experiments.exploration.page import ExplorerPage

SHOWN = 8
ROLES = {"start": "Start", "end": "End"}  # what a picked sample becomes


class Gallery:
    """Small samples of `SHOWN` seeds; a click picks one as the start or the end of an interpolation.

    Args:
        page: whose first run makes the samples.
        pick: is called with the role and the seed.
    """

    def __init__(self, page: "ExplorerPage", pick: Callable[[str, int], None]) -> None:
        self.page, self.pick, self.first = page, pick, 0
        with ui.expansion("Pick by eye", on_value_change=self._on_open).classes("gallery").props("dense"):
            with ui.element("div").classes("gallery-head"):
                ui.label("Click sets").classes("hint")
                self._role = ui.toggle(ROLES, value="end").props("dense no-caps unelevated")
                self._step("chevron_left", "seeds before", -SHOWN)
                self._step("chevron_right", "next seeds", SHOWN)
            self._thumbs = ui.element("div").classes("thumbs")

    def _step(self, icon: str, words: str, count: int) -> None:
        button = ui.button(icon=icon, on_click=lambda: self.show_from(self.first + count))
        button.props("flat dense round color=link").props["aria-label"] = words

    def _on_open(self, event: ValueChangeEventArguments[bool]) -> None:
        if event.value:  # not when it is folded up
            self.show_from(self.first)

    def show_from(self, first: int) -> None:
        """Asks for the samples of the seeds from `first` on."""
        self.first = max(0, first)
        pane = next(each for each in self.page.panes if each.abilities and each.abilities.task == "noise")
        moment, workbench = pane.moment, pane.exploration.workbench
        if moment is None:
            return
        seeds = range(self.first, self.first + SHOWN)
        scene = replace(self.page.scene, dims={}, share=0.0, moves={}, fine=None)

        def make() -> None:
            try:
                opened = workbench.pool.open(moment.path)
                found = [render(opened, replace(scene, seed=seed), batch=1).png for seed in seeds]
            except Exception as error:
                pane.deliver_on_page(pane.tell, describe_error(error))
                return
            pane.deliver_on_page(show, found)

        def show(found: list[bytes]) -> None:
            if self._thumbs.is_deleted:  # the controls were built anew meanwhile
                return
            self._thumbs.clear()
            with self._thumbs:
                for place, (seed, png) in enumerate(zip(seeds, found, strict=True)):
                    with ui.element("button").classes("pick") as button:
                        button.props["aria-label"] = f"seed {seed}"
                        address = pane.put_picture(f"gallery-{place}", png)
                        ui.element("img").classes("thumb").props.update({"src": address, "alt": ""})
                        ui.label(str(seed)).classes("caption")
                    button.on("click", lambda seed=seed: self.pick(str(self._role.value), seed))

        workbench.chores.submit(self.page, make)
