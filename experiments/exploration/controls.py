"""Controls of the explorer's page: what is asked of all runs, in the order of use."""

import secrets
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from nicegui import ui

from experiments.exploration.gallery import Gallery
from experiments.exploration.generators import DIRECTIONS, Abilities
from experiments.exploration.scene import Scene
from experiments.exploration.widgets import SEEDS_ON_SLIDER, NamedSlider, SeedSlider, section
from experiments.inference.latent_space import latent_from_seed

if TYPE_CHECKING:
    from experiments.exploration.page import ExplorerPage

DIMS = 6  # of the latent that have a slider at a time
FINE = 2  # seed of the fine styles, until another is chosen
MOST_UNTYPED = 20  # classes in a list without a field that searches it
REACH = 3.0  # of sliders, in standard deviations


def shared_class_names(of_runs: Iterable[Sequence[str]]) -> list[str]:
    """Names by which all runs know their classes; numbers where they differ."""
    names: list[str] = []
    for label, found in enumerate(zip_longest(*of_runs)):
        distinct = set(found) - {None}
        names.append(distinct.pop() if len(distinct) == 1 else f"class {label}")
    return names


class Controls:
    """The controls; each shows itself only where a run can follow it, and begins at the scene's value.

    Args:
        page: asked for pictures.
        abilities: of the runs that there are.
    """

    def __init__(self, page: "ExplorerPage", abilities: Sequence[Abilities]) -> None:
        self.page = page
        self.of_images = [each for each in abilities if each.task == "noise"]
        self.classes = shared_class_names(each.class_names for each in self.of_images)
        self.styles = max((each.styles for each in self.of_images), default=0)
        self.has_noise = any(each.has_noise for each in self.of_images)
        self.z_dim = max((each.z_dim for each in self.of_images), default=0)
        self.first_dim = 0

    def build(self) -> None:
        """Builds the controls."""
        if not self.of_images:
            return
        self._build_sample()
        self._build_interpolation()
        self._build_directions()
        if self.styles > 1:
            self._build_mixing()
        self._build_latent()

    @property
    def scene(self) -> Scene:
        """The scene that is asked for now."""
        return self.page.scene

    def _build_sample(self) -> None:
        with section("Sample"):
            self.seed = SeedSlider("Seed", self.scene.seed, self._set_seed)
            with ui.element("div").classes("buttons"):
                ui.button("Random", on_click=lambda: self._give_seed(secrets.randbelow(SEEDS_ON_SLIDER + 1)))
                ui.button("Reset all", on_click=self._reset).props("flat color=link")
            if self.classes:
                names = dict(enumerate(self.classes))
                is_long = len(names) > MOST_UNTYPED
                self.label = ui.select(
                    names,
                    value=self.scene.label,
                    label="Class",
                    on_change=self._set_label,
                    with_input=is_long,
                ).props("dense outlined")
            if self.styles:
                self.truncation = NamedSlider(
                    "Truncation ψ",
                    0,
                    1.5,
                    0.05,
                    self.scene.truncation,
                    lambda psi: self.page.ask(truncation=psi),
                    "{:.2f}".format,
                )
            if self.has_noise:
                self.noise = ui.switch(
                    "Noise in the layers",
                    value=self.scene.has_noise,
                    on_change=lambda e: self.page.ask(has_noise=e.value),
                )

    def _build_interpolation(self) -> None:
        with section("Interpolate", "From the sample above to another."):
            Gallery(self.page, self._pick)
            self.other = SeedSlider("To seed", self.scene.other, lambda seed: self.page.ask(other=seed))
            self.share = NamedSlider(
                "Way",
                0,
                1,
                0.01,
                self.scene.share,
                lambda share: self.page.ask(share=share),
                "{:.0%}".format,
            )

    def _pick(self, role: str, seed: int) -> None:
        """Takes a sample as the start or the end of the interpolation."""
        if role == "start":
            self._give_seed(seed)
        else:
            self.other.set(seed)
            self.page.ask(other=seed)

    def _build_directions(self) -> None:
        hint = "Found without labels; the first changes most. In standard deviations."
        with section("Directions", hint):
            self.moves = [
                NamedSlider(
                    f"Direction {rank + 1}",
                    -REACH,
                    REACH,
                    0.1,
                    self.scene.moves.get(rank, 0),
                    self._mover(rank),
                    "{:+.1f}".format,
                )
                for rank in range(min(DIRECTIONS, self.z_dim))
            ]

    def _mover(self, rank: int) -> Any:
        return lambda length: self.page.ask(moves={**self.scene.moves, rank: length})

    def _build_mixing(self) -> None:
        fine = self.scene.fine
        begin = self.styles // 2 if fine is None else self.scene.crossover
        with section("Mix styles", "Fine layers from another sample."):
            self.mixes = ui.switch("Mix", value=fine is not None, on_change=self._set_mixing)
            self.fine = SeedSlider("Fine styles of seed", FINE if fine is None else fine, self._set_mixing)
            self.crossover = NamedSlider(
                "From layer", 1, self.styles - 1, 1, begin, self._set_mixing, "{:.0f}".format
            )

    def _set_mixing(self, _: Any) -> None:
        fine = int(self.fine.value) if self.mixes.value else None
        self.page.ask(fine=fine, crossover=int(self.crossover.value))

    def _build_latent(self) -> None:
        with section("Latent", f"Numbers of z, {self.z_dim} in all."):
            last = max(0, self.z_dim - DIMS)
            self.dims = [
                NamedSlider(f"z {number}", -REACH, REACH, 0.05, 0, self._dim_setter(number), "{:+.2f}".format)
                for number in range(min(DIMS, self.z_dim))
            ]
            if last:
                self.first = NamedSlider(
                    "First number shown", 0, last, 1, 0, self._show_dims_from, "{:.0f}".format
                )
            ui.button("Back to the seed's", on_click=self._forget_dims).props("flat color=link")
            self._show_dims()

    def _dim_setter(self, place: int) -> Any:
        def set_dim(value: float) -> None:
            self.page.ask(dims={**self.scene.dims, self.first_dim + place: value})

        return set_dim

    def _show_dims_from(self, first: float) -> None:
        self.first_dim = int(first)
        self._show_dims()

    def _show_dims(self) -> None:
        """Sets the sliders of the latent to its numbers."""
        z = latent_from_seed(self.scene.seed, self.z_dim).tolist()
        for place, slider in enumerate(self.dims):
            number = self.first_dim + place
            slider.rename(f"z {number}")
            slider.set(round(self.scene.dims.get(number, z[number]), 2))

    def _forget_dims(self) -> None:
        self.page.ask(dims={})
        self._show_dims()

    def _give_seed(self, seed: int) -> None:
        self.seed.set(seed)
        self._set_seed(seed)

    def _set_seed(self, seed: int) -> None:
        self.page.ask(seed=seed, dims={})
        self._show_dims()

    def _set_label(self, event: Any) -> None:
        self.page.ask(label=event.value)

    def _reset(self) -> None:
        """Goes back to the sample of the seed as it is, and every other control to its beginning."""
        scene = Scene(seed=self.scene.seed)
        for slider in (self.share, *self.moves):
            slider.set(0)
        self.other.set(scene.other)
        if self.classes:
            self.label.value = scene.label
        if self.styles:
            self.truncation.set(1)
        if self.styles > 1:
            self.mixes.value = False
            self.fine.set(FINE)
            self.crossover.set(self.styles // 2)
        if self.has_noise:
            self.noise.value = True
        self.page.scene = scene
        self.page.ask()
        if self.z_dim > DIMS:
            self.first.set(0)
        self._show_dims_from(0)
