"""Pane of a run on the explorer's page: its picture, its moments, what is saved of it, its curves."""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from html import escape
from operator import attrgetter
from pathlib import Path
from typing import Any

from nicegui import run, ui

from experiments.core.console import describe_error
from experiments.exploration.curves import draw_curves
from experiments.exploration.generators import Abilities, OpenGenerator
from experiments.exploration.moments import Moment
from experiments.exploration.neighbours import Neighbours
from experiments.exploration.rendering import Rendering, check_renderable, render
from experiments.exploration.run_watch import RunStatus, RunWatch
from experiments.exploration.saved_names import SavedNames
from experiments.exploration.scene import Scene
from experiments.exploration.server import Exploration
from experiments.exploration.translation_panel import TranslationPanel
from experiments.exploration.view import Picture, RunView
from experiments.exploration.widgets import CommandRow, NamedSlider


class Pane:
    """A run on a page.

    Args:
        watch: of its folder.
        title: by which the page names it.
        names: of the files that are saved of it.

    Attributes:
        abilities: what its generator can be asked for; None until it was loaded.
    """

    def __init__(self, exploration: Exploration, watch: RunWatch, title: str, names: SavedNames) -> None:
        self.exploration, self.watch, self.title, self.names = exploration, watch, title, names
        self.abilities: Abilities | None = None
        self.scene = Scene()
        self.status = RunStatus()
        self.step: int | None = None  # of the moment that is shown; None: always the newest
        self.name = secrets.token_urlsafe(9)
        self.view = RunView(exploration.workbench, self._deliver, names)
        self._loop = asyncio.get_running_loop()
        self._is_closed = False
        self._translations: TranslationPanel | None = None
        self._curves_drawn, self._refusal = "", ""
        self._build()

    def _build(self) -> None:
        with ui.element("article").classes("pane") as self._article:
            self._article.props["aria-label"] = self.title  # as a value: never read as a language of props
            with ui.element("div").classes("pane-head"):
                ui.html(escape(self.title), sanitize=False, tag="h2")
                self._state = ui.label("").classes("hint")
            self._message = ui.label("").classes("message").props("role=alert")
            self._message.visible = False
            with ui.element("div").classes("of-latents") as self._of_latents:
                self._image = ui.element("img").classes("picture").props('alt="sample" draggable=false')
                self._quality = ui.label("").classes("hint quality").props("role=status")
            self._of_images = ui.element("div").classes("of-images")
            self._time = NamedSlider("Time", 0, 1, 1, 0, self._set_moment, self._moment_words)
            self._time.row.visible = False
            with ui.element("div").classes("of-latents") as self._of_savings:
                self._build_savings()
            self._curves = ui.element("div").classes("curves")
            self._scores = ui.element("ul").classes("scores")
        self._of_latents.visible = self._of_savings.visible = False

    def _build_savings(self) -> None:
        with ui.element("div").classes("buttons"):
            save_picture = partial(self._save, self.names.picture, attrgetter("png"))
            save_latent = partial(self._save, self.names.latent, attrgetter("latent_file"))
            ui.button("Save picture", icon="image", on_click=save_picture)
            ui.button("Save latent", icon="tune", on_click=save_latent).props("outline color=link")
            ui.button("Nearest real", icon="search", on_click=self._find_neighbours).props(
                "outline color=link"
            )
        self._command = CommandRow()
        self._neighbours = ui.element("div").classes("neighbours")

    @property
    def index(self) -> int:
        """Place of the moment that is shown: the nearest to the step that was chosen, or the newest."""
        moments, step = self.status.moments, self.step
        if step is None:
            return len(moments) - 1
        return min(range(len(moments)), key=lambda place: abs((moments[place].step or 0) - step), default=-1)

    @property
    def moment(self) -> Moment | None:
        """The moment of the run that is shown; None where it has none."""
        return self.status.moments[self.index] if self.status.moments else None

    def follow(self, status: RunStatus) -> bool:
        """Shows a new state of the run; returns whether another generator is to be shown."""
        before, self.status = self.moment, status
        self._state.text = status.words
        self._show_message()
        count = len(status.moments)
        self._time.row.visible = count > 1
        if count > 1:
            self._time.set_range(0, count - 1)
            self._time.set(self.index)
        self._show_curves()
        now = self.moment
        if now is None:  # the run was deleted
            self._image.classes(add="stale")
        return now is not None and (before is None or now.path != before.path or now.step != before.step)

    async def open(self) -> None:
        """Loads the generator, and shows what it can be asked for."""
        moment = self.moment
        if self.abilities is not None or moment is None:
            return
        try:
            found = await run.io_bound(self._open_generator, moment.path)
            if found is not None:  # the server is not being closed
                opened, self.abilities = found
                self._show_task(opened)
        except Exception as error:
            self.tell(describe_error(error))

    def _open_generator(self, path: Path) -> tuple[OpenGenerator, Abilities]:
        """Opens a generator; returns it and its abilities. Once for a run: its data are looked at."""
        opened = self.exploration.workbench.pool.open(path)
        return opened, opened.named_abilities()

    def show(self, scene: Scene) -> None:
        """Asks for the picture of a scene."""
        self.scene, moment = scene, self.moment
        if moment is not None and self.abilities is not None and self.abilities.task == "noise":
            self.view.show(moment.path, scene)

    def show_moment(self) -> None:
        """Asks for what the page shows of another moment of the run."""
        self.show(self.scene)
        if self._translations is not None:
            self._translations.translate_again()

    def close(self) -> None:
        """Lets go of pictures and requests."""
        self._is_closed = True
        self.view.close()
        for name in [name for name in self.exploration.pictures if name.startswith(self.name)]:
            del self.exploration.pictures[name]

    def _show_task(self, opened: OpenGenerator) -> None:
        """Builds what a generator of this kind is asked by."""
        self._of_latents.visible = self._of_savings.visible = opened.abilities.task == "noise"
        if opened.abilities.task == "translation":
            with self._of_images:
                self._translations = TranslationPanel(self, self._article)
        elif opened.abilities.task == "points":
            try:
                check_renderable(opened)
            except Exception as error:
                self.tell(describe_error(error))

    def put_picture(self, part: str, png: bytes) -> str:
        """Makes a picture of the page reachable, and returns its address, another one each time."""
        name = f"{self.name}-{part}"
        self.exploration.pictures[name] = png
        return f"/picture/{name}.png?{secrets.token_urlsafe(4)}"

    def deliver_on_page(self, show: Callable[..., None], *arguments: Any) -> None:
        """Calls a function of the page from another thread; after the server's end, nothing."""
        with suppress(RuntimeError):  # the loop is closed, and this thread was not waited for
            self._loop.call_soon_threadsafe(self._call_while_open, show, *arguments)

    def _call_while_open(self, show: Callable[..., None], *arguments: Any) -> None:
        if not self._is_closed:
            show(*arguments)

    def _deliver(self, picture: Picture) -> None:
        self.deliver_on_page(self._present, picture)

    def _present(self, picture: Picture) -> None:
        """Shows a picture, or the message why there is none."""
        self.tell(picture.message)
        if picture.rendering is None:
            self._image.classes(add="stale")
            return
        if picture.rendering.png != self.exploration.pictures.get(f"{self.name}-sample"):
            address = self.put_picture("sample", picture.rendering.png)
            self._image.props["src"] = address
        self._image.classes(remove="stale")
        self._image.props(f"data-number={picture.number} data-exact={int(picture.is_exact)}")
        kind = "exactly as gans sample makes it" if picture.is_exact else "draft"
        self._quality.text = f"{kind} · {picture.milliseconds:.0f} ms"
        self._command.set(picture.rendering.command)
        if not picture.is_exact:  # the same sample, else
            self._neighbours.classes(add="stale")

    def tell(self, message: str) -> None:
        """Shows a message above the picture until the next picture; an empty one takes it away."""
        self._refusal = message
        self._show_message()

    def _show_message(self) -> None:
        """Shows what is wrong with the run, or else with its picture."""
        self._message.text = self.status.message or self._refusal
        self._message.visible = bool(self._message.text)

    def _set_moment(self, index: float) -> None:
        moments = self.status.moments
        self.step = moments[int(index)].step if index < len(moments) - 1 else None
        self._show_curves()
        self.show_moment()

    def _moment_words(self, index: float) -> str:
        moments = self.status.moments
        return moments[min(int(index), len(moments) - 1)].words if moments else ""

    async def _rendered(self) -> Rendering | None:
        """The exact picture of what is shown; None, with a message, where it cannot be made."""
        moment, pool = self.moment, self.exploration.workbench.pool
        if moment is None:
            return None
        try:
            return await run.io_bound(lambda: render(pool.open(moment.path), self.scene))
        except Exception as error:
            self.tell(describe_error(error))
            return None

    async def _save(self, name: str, content: Callable[[Rendering], bytes]) -> None:
        """Lets the browser save a part of what is shown."""
        rendering = await self._rendered()
        if rendering is not None:
            ui.download.content(content(rendering), name)

    def _find_neighbours(self) -> None:
        moment, scene, workbench = self.moment, self.scene, self.exploration.workbench
        if moment is None:
            return
        self._show_words("searching …")
        tell = partial(self.deliver_on_page, self._show_words)

        def search() -> None:
            try:
                opened = workbench.pool.open(moment.path)
                sample = render(opened, scene, batch=1).samples[0]
                found = self.exploration.search.nearest(opened.settings, sample, tell, moment.path)
            except Exception as error:
                self.deliver_on_page(self._show_words, describe_error(error))
                return
            self.deliver_on_page(self._show_neighbours, found)

        workbench.searches.submit(self.view, search)

    def _show_words(self, words: str) -> None:
        self._neighbours.clear()
        self._neighbours.classes(remove="stale")
        with self._neighbours:
            ui.label(words).classes("hint").props("role=status")

    def _show_neighbours(self, found: Neighbours) -> None:
        self._neighbours.clear()
        self._neighbours.classes(remove="stale")
        with self._neighbours:
            ui.label(found.describe()).classes("hint")
            with ui.element("div").classes("thumbs"):
                for rank, neighbour in enumerate(found.found):
                    with ui.element("figure"):
                        address = self.put_picture(f"neighbour-{rank}", neighbour.png)
                        image = ui.element("img").classes("thumb")
                        image.props.update({"src": address, "alt": f"real image {neighbour.index}"})
                        ui.html(f"{neighbour.distance:.3g}", sanitize=False, tag="figcaption")

    def _show_curves(self) -> None:
        """Shows curves up to now, with a line at the moment that is shown, and its scores."""
        is_newest, moment = self.step is None, self.moment
        plots = draw_curves(self.status.curves, None if is_newest or moment is None else moment.kimg)
        scores = self.status.scores_at(None if is_newest or moment is None else moment.step)
        drawn = "".join((*plots, *scores))
        if drawn == self._curves_drawn:
            return
        self._curves_drawn = drawn
        self._curves.clear()
        with self._curves:
            for plot in plots:
                ui.html(plot, sanitize=False)
        self._scores.clear()
        with self._scores:
            for line in scores:
                ui.html(escape(line), sanitize=False, tag="li")
