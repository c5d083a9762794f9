"""Widgets of the explorer's page: named sliders, fields of seeds, sections of the controls."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nicegui import ui

LARGEST_SEED = 2**32 - 1
SEEDS_ON_SLIDER = 255


class NamedSlider:
    """A slider with its name and its value above.

    Args:
        changed: called with every value that a person gives, not with those that the page sets.
        show: formats the value.
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
        self._changed, self._show, self._is_set_by_page = changed, show, False
        with ui.element("div").classes("named-slider"):
            with ui.element("div").classes("slider-head"):
                self.name = ui.label(name)
                self._build_value(value)
            self.slider = ui.slider(min=low, max=high, step=step, value=value, on_change=self._on_change)
            self.slider.props(f'aria-label="{name}" dense')

    def set(self, value: float) -> None:
        """Sets the value without telling anybody."""
        self._is_set_by_page = True
        self.slider.value = value
        self._show_value(value)
        self._is_set_by_page = False

    def set_range(self, low: float, high: float) -> None:
        """Sets the ends of the slider."""
        self.slider.props(f"min={low:g} max={high:g}")

    def rename(self, name: str) -> None:
        """Sets the name."""
        self.name.text = name
        self.slider.props(f'aria-label="{name}"')

    def _build_value(self, value: float) -> None:
        self._value = ui.label(self._show(value)).classes("slider-value")

    def _show_value(self, value: float) -> None:
        self._value.text = self._show(value)

    def _on_change(self, event: Any) -> None:
        if event.value is None or self._is_set_by_page:
            return
        self.set(event.value)
        self._changed(event.value)


class SeedSlider(NamedSlider):
    """A slider of seeds with a field for any other seed."""

    def __init__(self, name: str, value: int, changed: Callable[[int], None]) -> None:
        self._field_name = name
        super().__init__(name, 0, SEEDS_ON_SLIDER, 1, value, lambda seed: changed(int(seed)))

    def _build_value(self, value: float) -> None:
        self._field = ui.number(
            value=value, min=0, max=LARGEST_SEED, precision=0, format="%.0f", on_change=self._on_change
        )
        self._field.props(f'dense borderless aria-label="{self._field_name}, as a number"').classes(
            "seed-field"
        )

    def _show_value(self, value: float) -> None:
        self._field.value = value


@contextmanager
def section(title: str, hint: str = "") -> Iterator[None]:
    """A part of the controls under a heading."""
    with ui.element("section").classes("controls-section"):
        ui.html(title, sanitize=False, tag="h2")
        if hint:
            ui.label(hint).classes("hint")
        yield
