"""Panel of a translator on the explorer's page: takes a picture, and shows it in every domain."""

from functools import partial
from typing import TYPE_CHECKING, Any

from nicegui import ui

from experiments.core.console import describe_error
from experiments.exploration.translations import MOST_UPLOAD_BYTES, TranslatedPicture, translate_upload
from experiments.exploration.widgets import CommandRow

if TYPE_CHECKING:
    from experiments.exploration.pane import Pane


# Quasar puts the browser's field, which nobody can reach by keyboard, into a button without a name.
NAME_THE_FIELD = """vnode => {
    const root = vnode.el.closest('.q-uploader') ?? vnode.el
    const field = root.querySelector?.('input[type=file]'), button = field?.closest('[role=button]')
    if (!button) return
    button.removeAttribute('role')
    button.removeAttribute('tabindex')
    field.removeAttribute('tabindex')
    field.setAttribute('aria-label', 'picture to translate')
}"""

# A click beside the field opens its dialogue, too.
CHOOSE_A_FILE = "event => event.target.closest('input') || getElement({id}).$refs.qRef.pickFiles()"
TAKE_DROPPED_FILES = """event => {{
    event.preventDefault()
    event.stopPropagation()
    getElement({id}).$refs.qRef.addFiles(event.dataTransfer.files)
}}"""


class TranslationPanel:
    """An upload, and the pictures that it is translated to.

    Args:
        area: the element of the page on which pictures may be dropped.
    """

    def __init__(self, pane: "Pane", area: ui.element) -> None:
        self.pane = pane
        self._upload: tuple[bytes, str] | None = None
        upload = ui.upload(
            label="Drop a picture here, or choose one",
            auto_upload=True,
            max_file_size=MOST_UPLOAD_BYTES,
            on_upload=self._on_upload,
            on_rejected=lambda: self._show_message("this file is refused: it is too large, or no picture"),
        )
        upload.props("flat bordered accept=image/* aria-label='picture to translate'").classes("upload")
        for moment in ("vnodeMounted", "vnodeUpdated"):  # the button is made anew after each upload
            upload.on(moment, js_handler=NAME_THE_FIELD)
        upload.on("click", js_handler=CHOOSE_A_FILE.format(id=upload.id))
        area.on("dragover", js_handler="event => event.preventDefault()")
        area.on("drop", js_handler=TAKE_DROPPED_FILES.format(id=upload.id))
        self._results = ui.element("div").classes("translations")
        self._commands = ui.expansion("Commands that make them again").classes("translation-commands")
        self._commands.visible = False

    def translate_again(self) -> None:
        """Translates what was uploaded last by the generator that is shown now."""
        if self._upload is None or self.pane.moment is None:
            return
        path, (content, name) = self.pane.moment.path, self._upload
        workbench, names = self.pane.exploration.workbench, self.pane.names

        def translate() -> None:
            try:
                with workbench.pool.lock:  # a translation is seeded, and loading draws numbers, too
                    found = list(translate_upload(workbench.pool.open(path), content, name, names))
            except Exception as error:
                self.pane.deliver_on_page(self._show_message, describe_error(error))
                return
            self.pane.deliver_on_page(self._show, found)

        workbench.chores.submit(self.pane.view, translate)

    async def _on_upload(self, event: Any) -> None:
        self._upload = await event.file.read(), event.file.name
        event.sender.reset()
        self._show_message("translating …")
        self.translate_again()

    def _show_message(self, words: str) -> None:
        self._results.clear()
        self._commands.visible = False
        with self._results:
            ui.label(words).classes("hint").props("role=status")

    def _show(self, pictures: list[TranslatedPicture]) -> None:
        """Shows the pictures, each of which can be saved, and the commands that make them again."""
        self._results.clear()
        self._commands.clear()
        self._commands.visible = True
        with self._results:
            for rank, picture in enumerate(pictures):
                self._show_picture(rank, picture)
        with self._commands:
            for picture in pictures:
                if picture.command:
                    CommandRow(f"command for {picture.words}").set(picture.command)

    def _show_picture(self, rank: int, picture: TranslatedPicture) -> None:
        with ui.element("figure"):
            address = self.pane.put_picture(f"translation-{rank}", picture.png)
            image = ui.element("img").classes("picture")
            # As values: the words of a run must never be read as NiceGUI's language of props.
            image.props.update({"src": address, "alt": picture.words})
            with ui.element("figcaption").classes("caption-row"):
                ui.label(picture.words).classes("caption")
                if picture.file:
                    save = ui.button(
                        icon="download", on_click=partial(ui.download.content, picture.png, picture.file)
                    )
                    save.props("flat dense round size=sm color=link")
                    save.props["aria-label"] = f"save {picture.words}"
