"""What each mode permits here and now, and the choice of one."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from tui_agent.conversation.events import Mode
from tui_agent.permissions.permitted import Outcome, Permit
from tui_agent.text.sanitize import one_line
from tui_agent.tui.bindings import bindings_for
from tui_agent.tui.screens.closing import ClosingScreen
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.choices import ChoiceList, Row, columns
from tui_agent.tui.widgets.diff_cells import Item, Note, Role, notes
from tui_agent.tui.widgets.diff_items import Laid
from tui_agent.tui.widgets.diff_lines import LineView
from tui_agent.tui.widgets.key_footer import KeyFooter

_OUTCOMES: Mapping[Outcome, tuple[str, Role]] = {
    "runs": ("runs unasked", "accent"),
    "asks": ("asks first", "text"),
    "refused": ("is refused", "text"),
}
_NAME = 14
_STATE = 10
_LONGEST = 2_000


class ModeRow(Struct, frozen=True):
    """A mode: in a sentence what it lets happen, all of it, and why it cannot be chosen (or "")."""

    mode: Mode
    summary: str
    permits: Sequence[Permit]
    problem: str = ""


class ModesScreen(ClosingScreen[Mode | None]):
    """Dismisses with the mode that was chosen, None when it stays as it is."""

    BINDINGS = bindings_for("modes")
    AUTO_FOCUS = ""

    DEFAULT_CSS = """
    ModesScreen {
        background: $background;
        #title { height: 1; padding: 0 1 0 2; background: $surface; }
        ChoiceList { height: 4; }
        #about { height: 1; padding: 0 1 0 2; background: $surface; }
        LineView { height: 1fr; padding: 0 0 0 2; }
    }
    """

    def __init__(
        self, rows: Sequence[ModeRow], current: Mode, surroundings: Sequence[str], *, symbols: Symbols = UNICODE
    ) -> None:
        """`surroundings` says where commands run, a sentence each."""
        super().__init__()
        self._rows = {row.mode: row for row in rows}
        self._current: Mode = current
        self._surroundings = tuple(surroundings)
        self._symbols = symbols
        self._title = Static(Content.styled("modes", "bold $text"), id="title", markup=False)
        self._list = ChoiceList(marker=symbols.prompt)
        self._about = Static(id="about", markup=False)
        self._view = LineView(symbols=symbols)
        self._view.can_focus = False

    def compose(self) -> ComposeResult:
        """Modes, and what the highlighted one permits."""
        yield self._title
        yield self._list
        yield self._about
        yield self._view
        yield KeyFooter()

    def on_mount(self) -> None:
        """Begin with the mode in force."""
        rows = [Row(row.mode, lambda width, row=row: self._line(row, width)) for row in self._rows.values()]  # type: ignore[misc]
        self._list.show(rows, self._current)
        self._draw()

    def _line(self, row: ModeRow, width: int) -> Content:
        """Name, whether it is in force, and in a sentence what it lets happen or why it cannot be chosen."""
        name = Content.styled(row.mode, "bold $text" if row.mode == self._current else "$text")
        state = "in force" if row.mode == self._current else ""
        said = Content.styled(one_line(row.problem), "$warning") if row.problem else Content(row.summary)
        return columns(
            width, (name, _NAME), (Content.styled(state, "$success"), _STATE), (said, max(0, width - _NAME - _STATE))
        )

    @property
    def _row(self) -> ModeRow:
        return self._rows[self._selected]

    @property
    def _selected(self) -> Mode:
        return next((mode for mode in self._rows if mode == self._list.selected), self._current)

    def _draw(self) -> None:
        self._view.show(lambda width: Laid([list(self._items(self._row))]))
        self._tell()
        self.refresh_bindings()

    def _items(self, row: ModeRow) -> Iterator[Item]:
        if row.problem:
            yield Note(row.problem, "warning")
        for outcome, (head, role) in _OUTCOMES.items():
            if some := [permit for permit in row.permits if permit.outcome == outcome]:
                yield Note(head, role)
                yield from self._listed(some)
        if any(permit.kind == "rule" for permit in row.permits):
            yield Note("rules go before the mode: first deny, then ask, then allow", "faint")
        for sentence in self._surroundings:
            yield Note(sentence, "faint")

    def _listed(self, permits: Sequence[Permit]) -> Iterator[Item]:
        bullet = self._symbols.separator
        for permit in permits:
            if permit.kind not in ("rule", "grant"):
                yield Note(f"  {bullet} {permit.what}", "muted")
        for kind, head in (("rule", "your rules"), ("grant", "allowed for this session")):
            some = [permit for permit in permits if permit.kind == kind]
            if some:
                yield Note(f"  {bullet} {head} ({len(some)}):", "muted")
                for permit in some:
                    yield from notes(f"      {permit.what[:_LONGEST]}", "text")

    def _tell(self) -> None:
        """Which mode is told about, and how much of it is out of sight."""
        below = self._view.lines - self._view.scroll_offset.y - self._view.size.height
        left = Content.styled(f"{self._selected}, here and now", "$text")
        right = Content.styled(f"{self._symbols.down} {below:,} more" if below > 0 else "", "$accent")
        gap = max(1, self.size.width - 3 - left.cell_length - right.cell_length)
        self._about.update(Content.assemble(left, " " * gap, right))

    # ---- keys ----

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A mode that cannot be had here cannot be chosen."""
        return action != "choose" or not self._row.problem

    def action_choose(self) -> None:
        """Go to the highlighted mode."""
        self.dismiss(None if self._selected == self._current else self._selected)

    def action_up(self) -> None:
        """A mode up."""
        self._list.move(-1)

    def action_down(self) -> None:
        """A mode down."""
        self._list.move(1)

    def action_page_up(self) -> None:
        """A page of what it permits up."""
        self._view.action_page_up()

    def action_page_down(self) -> None:
        """A page of what it permits down."""
        self._view.action_page_down()

    def action_close(self) -> None:
        """Back to the chat, the mode as it was."""
        self.dismiss(None)

    def on_choice_list_highlighted(self) -> None:
        """Another mode is looked at."""
        self._draw()

    def on_choice_list_clicked(self) -> None:
        """A second click chooses, where it can be chosen."""
        if not self._row.problem:
            self.action_choose()

    def on_line_view_scrolled(self) -> None:
        """Say how much is below."""
        self._tell()

    def on_resize(self) -> None:
        """The right end of the line moves."""
        self._list.styles.height = min(len(self._rows), max(1, self.size.height - 6))
        self._tell()
