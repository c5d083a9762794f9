"""Widgets of the explorer's page: named sliders, fields of seeds, sections of the controls."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nicegui import ui

LARGEST_SEED = 2**32 - 1
SEEDS_ON_SLIDER = 255
THROTTLE_SECONDS = 0.03  # between two values of a slider that moves


class RangeInput(ui.element, component="assets/range_input.js"):
    """The browser's own slider: a keyboard moves it, and a screen reader names it."""

    def __init__(self, low: float, high: float, step: float, value: float, label: str) -> None:
        super().__init__()
        self._props.update({"min": low, "max": high, "step": step, "value": value, "label": label})


class NamedSlider:
    """A slider with its name and its value above.

    Args:
        changed: called with every value that a person gives, not with those that the page sets.
        show: formats the value.

    Attributes:
        value: as it stands.
    """

    def __init__(
        self,
        name: str,
        low: float,
        high: float,
        step: float,
        value: float,
        changed: Callable[[float], None],
        show: Callable[[float], str] = "{:g}".format,
    ) -> None:
        self.value, self._changed, self._show = value, changed, show
        with ui.element("div").classes("named-slider") as self.row:
            with ui.element("div").classes("slider-head"):
                self.name = ui.label(name)
                self._build_value()
            self._range = RangeInput(low, high, step, value, name)
            self._range.props["words"] = show(value)
            self._range.on("moved", lambda event: self._moved(event.args), throttle=THROTTLE_SECONDS)

    def set(self, value: float) -> None:
        """Sets the value without telling anybody."""
        if value != self.value:
            self._range.run_method("set", value)
        self._hold(value)

    def set_range(self, low: float, high: float) -> None:
        """Sets the ends of the slider."""
        if (self._range.props["min"], self._range.props["max"]) != (low, high):
            self._range.props.update({"min": low, "max": high})
            self._range.update()

    def rename(self, name: str) -> None:
        """Sets the name."""
        self.name.text = name
        self._range.props["label"] = name
        self._range.update()

    def _hold(self, value: float) -> None:
        """Takes a value over, and shows it."""
        self.value = value
        self._range.props["words"] = self._show(value)
        self._range.update()
        self._show_value()

    def _moved(self, value: Any) -> None:
        if isinstance(value, int | float):
            self._hold(value)
            self._changed(value)

    def _build_value(self) -> None:
        self._words = ui.label(self._show(self.value)).classes("slider-value")

    def _show_value(self) -> None:
        self._words.text = self._show(self.value)


class SeedSlider(NamedSlider):
    """A slider of seeds with a field for any other seed."""

    def __init__(self, name: str, value: int, changed: Callable[[int], None]) -> None:
        self._field_label = f"{name}, as a number"
        super().__init__(name, 0, SEEDS_ON_SLIDER, 1, value, lambda seed: changed(int(seed)), "{:.0f}".format)

    def _build_value(self) -> None:
        self._field = ui.number(value=self.value, min=0, max=LARGEST_SEED, precision=0, format="%.0f")
        self._field.props("dense borderless").classes("seed-field")
        self._field.props["aria-label"] = self._field_label
        self._field.on_value_change(lambda event: self._typed(event.value))

    def _typed(self, value: float | None) -> None:
        if value is not None and 0 <= value <= LARGEST_SEED and value != self.value:
            self.set(value)
            self._changed(value)

    def _show_value(self) -> None:
        self._field.value = self.value


@contextmanager
def section(title: str, hint: str = "") -> Iterator[None]:
    """A part of the controls under a heading."""
    with ui.element("section").classes("controls-section"):
        ui.html(title, sanitize=False, tag="h2")
        if hint:
            ui.label(hint).classes("hint")
        yield


class CommandRow:
    """A command that can be copied.

    Args:
        name: of the row, for a screen reader.
    """

    def __init__(self, name: str = "command") -> None:
        with ui.element("div").classes("command-row"):
            command = ui.element("code").classes("command").props("tabindex=0")
            with command:
                self._text = ui.label("")
            copy = ui.button(icon="content_copy", on_click=lambda: ui.clipboard.write(self._text.text))
            copy.props("flat dense round color=link")
            copy.props["aria-label"] = f"copy the {name}"

    def set(self, command: str) -> None:
        """Shows a command."""
        self._text.text = command
