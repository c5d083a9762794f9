"""View of a run on a page: its newest picture, first as a draft, then exactly as `gans sample` makes it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from experiments.core.console import describe_error
from experiments.exploration.generators import GeneratorPool
from experiments.exploration.newest_only import NewestOnly
from experiments.exploration.rendering import Rendering, check_renderable, render
from experiments.exploration.saved_names import SavedNames
from experiments.exploration.scene import Scene

REST_SECONDS = 0.3  # without a move, before a draft is replaced by the exact picture
LONGEST_DRAFT_SECONDS = 1.5  # for which that is done by itself: a whole batch takes about 25 times as long


@dataclass(frozen=True)
class Picture:
    """A picture that a view shows.

    Attributes:
        number: of the request that it answers.
        rendering: None where there is none.
        is_exact: whether it is that of `gans sample` to the bit, else a draft.
        message: why there is none; empty where there is one.
        milliseconds: that it took to render.
    """

    number: int
    rendering: Rendering | None = None
    is_exact: bool = False
    message: str = ""
    milliseconds: float = 0.0


@dataclass
class Workbench:
    """Workbench of all views: open generators, and threads that work for them.

    Drafts and exact pictures have a thread each, and so have searches among real images, which take minutes:
    translations and galleries, the chores, would wait for them.
    """

    pool: GeneratorPool
    drafts: NewestOnly = field(default_factory=lambda: NewestOnly("drafts"))
    exact: NewestOnly = field(default_factory=lambda: NewestOnly("exact pictures", REST_SECONDS))
    chores: NewestOnly = field(default_factory=lambda: NewestOnly("chores"))
    searches: NewestOnly = field(default_factory=lambda: NewestOnly("searches"))

    @property
    def lanes(self) -> tuple[NewestOnly, ...]:
        """All threads."""
        return self.drafts, self.exact, self.chores, self.searches

    @property
    def waiting(self) -> int:
        """Number of requests that have not begun."""
        return sum(lane.waiting for lane in self.lanes)

    def close(self) -> None:
        """Ends the threads."""
        for lane in self.lanes:
            lane.close()


class RunView:
    """A picture of one generator that follows what is asked of it.

    Args:
        workbench: where pictures are made.
        deliver: is handed every picture, in the order of the requests, by a thread of the workbench.
        names: of the files in the pictures' commands.
    """

    def __init__(
        self, workbench: Workbench, deliver: Callable[[Picture], None], names: SavedNames | None = None
    ) -> None:
        self.workbench, self.deliver, self.names = workbench, deliver, names or SavedNames()
        self.number = 0

    def show(self, path: Path, scene: Scene) -> int:
        """Asks for the picture of a scene; what was asked before is superseded. Returns its number."""
        self.number += 1
        self.workbench.exact.forget(self)
        self.workbench.drafts.submit(self, partial(self._draft, self.number, path, scene))
        return self.number

    def close(self) -> None:
        """Drops what has not begun."""
        self.number += 1
        for lane in self.workbench.lanes:
            lane.forget(self)

    def _draft(self, number: int, path: Path, scene: Scene) -> None:
        try:
            opened = self.workbench.pool.open(path)
            check_renderable(opened)
            opened.space(scene.label, scene.has_noise)  # made once
            began = time.perf_counter()
            rendering = render(opened, scene, batch=1, names=self.names)
        except Exception as error:
            self.deliver(Picture(number, message=describe_error(error)))
            return
        seconds = time.perf_counter() - began
        self.deliver(Picture(number, rendering, milliseconds=1000 * seconds))
        if number == self.number and seconds <= LONGEST_DRAFT_SECONDS:
            self.workbench.exact.submit(self, partial(self._exactly, number, path, scene))

    def _exactly(self, number: int, path: Path, scene: Scene) -> None:
        began = time.perf_counter()
        try:
            rendering = render(self.workbench.pool.open(path), scene, names=self.names)
            picture = Picture(number, rendering, is_exact=True)
        except Exception as error:
            picture = Picture(number, message=describe_error(error))
        if number == self.number:
            took = 1000 * (time.perf_counter() - began)
            self.deliver(Picture(number, picture.rendering, picture.is_exact, picture.message, took))
