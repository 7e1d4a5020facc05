"""Choose a theme: the one under the cursor is shown at once, Esc brings the earlier one back."""

from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct
from textual.app import ComposeResult
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_agent.text.sanitize import one_line
from tui_agent.tui.bindings import bindings_for
from tui_agent.tui.screens.closing import ClosingScreen
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.choices import ChoiceList, Row, columns
from tui_agent.tui.widgets.key_footer import KeyFooter


class ThemeRow(Struct, frozen=True):
    """A theme by name."""

    name: str
    dark: bool


class ThemesScreen(ClosingScreen[str | None], ModalScreen[str | None]):
    """Lies over the lower part of the screen, so that the preview is the real screen; dismisses with the name kept."""

    BINDINGS = bindings_for("themes")
    AUTO_FOCUS = ""

    DEFAULT_CSS = """
    ThemesScreen {
        align: left bottom;
        #themes { height: auto; width: 1fr; background: $background; border-top: solid $tui-line; }
        &.-ascii #themes { border-top: ascii $tui-line; }
        #title { height: 1; padding: 0 1 0 2; color: $text; text-style: bold; }
        KeyFooter { dock: none; }
    }
    """

    def __init__(
        self, themes: Sequence[ThemeRow], current: str, apply: Callable[[str], None], symbols: Symbols = UNICODE
    ) -> None:
        """`apply` shows a theme; it is called with `current` again when the user goes back."""
        super().__init__()
        self._themes = tuple(themes)
        self._current = current
        self._shown = current
        self._apply = apply
        self._list = ChoiceList(marker=symbols.prompt)
        self.set_class(symbols.rule.isascii(), "-ascii")

    def compose(self) -> ComposeResult:
        """Title, list, keys."""
        from textual.containers import Vertical

        with Vertical(id="themes"):
            yield Static("theme", id="title", markup=False)
            yield self._list
            yield KeyFooter()

    def on_mount(self) -> None:
        """Begin at the theme in use."""
        self.styles.background = "transparent"  # inline: the app's rule for screens would win over ours
        self._list.show([Row(row.name, partial(self._draw, row)) for row in self._themes], self._current)

    def on_resize(self) -> None:
        """As many rows as leave some of the screen to look at."""
        self._list.styles.height = max(1, min(len(self._themes), self.size.height // 2))

    def on_choice_list_highlighted(self, event: ChoiceList.Highlighted) -> None:
        """Show it."""
        if isinstance(event.key, str):
            self._show(event.key)

    def on_choice_list_clicked(self) -> None:
        """A click on the shown theme keeps it."""
        self.action_keep()

    def action_up(self) -> None:
        """The theme above."""
        self._list.move(-1)

    def action_down(self) -> None:
        """The theme below."""
        self._list.move(1)

    def action_keep(self) -> None:
        """Keep what is shown."""
        chosen = self._list.selected
        if isinstance(chosen, str):
            self._show(chosen)
            self.dismiss(chosen)

    def action_close(self) -> None:
        """Back to the theme from before."""
        self._show(self._current)
        self.dismiss(None)

    def _show(self, name: str) -> None:
        if name != self._shown:
            self._shown = name
            self._apply(name)

    def _draw(self, row: ThemeRow, width: int) -> Content:
        width = min(width, 48)
        kind = Content.styled("dark" if row.dark else "light", "$tui-muted")
        in_use = row.name == self._current
        name = Content.assemble((one_line(row.name), "bold $text"), ("  in use" if in_use else "", "$accent"))
        return columns(width, (name, width - 8), (kind, -8))
