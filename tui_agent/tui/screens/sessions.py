"""The list of earlier sessions: find one by typing, open it with a key."""

import time
from collections.abc import Hashable, Sequence
from functools import partial

from msgspec import Struct
from textual.content import Content

from tui_agent.text.sanitize import one_line
from tui_agent.tui.bindings import bindings_for
from tui_agent.tui.screens.filtered import FilteredScreen, matches
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.choices import Row, columns

_WIDEST = 110


class SessionRow(Struct, frozen=True):
    """One session: `title` is its first prompt, `when` the time of its last event in Unix seconds."""

    id: str
    title: str
    when: float
    turns: int
    model: str
    directory: str


def ago(seconds: float) -> str:
    """A span of time for people, in its largest unit: `just now`, `12 min ago`, `yesterday`, `3 weeks ago`."""
    minutes = int(seconds // 60)
    hours, days = minutes // 60, minutes // (24 * 60)
    if minutes < 1:
        return "just now"
    if hours < 1:
        return f"{minutes} min ago"
    if days < 1:
        return f"{hours} h ago"
    if days == 1:
        return "yesterday"
    if days < 14:
        return f"{days} days ago"
    if days < 60:
        return f"{days // 7} weeks ago"
    return f"{days // 30} months ago" if days < 730 else f"{days // 365} years ago"


class SessionsScreen(FilteredScreen[str | None]):
    """Dismisses with the id of the session to open, or None."""

    BINDINGS = bindings_for("sessions")
    HEADING = "sessions"
    PLACEHOLDER = "filter by prompt, model or folder"

    def __init__(
        self,
        sessions: Sequence[SessionRow],
        *,
        current: str = "",
        now: float | None = None,
        symbols: Symbols = UNICODE,
    ) -> None:
        """`sessions`, latest first; `current` is the id of the one that is open; `now` in Unix seconds."""
        super().__init__(symbols)
        self._now = time.time() if now is None else now
        self._sessions = tuple(sessions)
        self._current = current

    def on_mount(self) -> None:
        """Show them."""
        self.rebuild()

    def rows(self, words: str) -> Sequence[Row]:
        """The sessions that fit the filter."""
        fitting = [row for row in self._sessions if matches(f"{row.title} {row.model} {row.directory}", words)]
        if fitting:
            return [Row(row.id, partial(self._draw, row)) for row in fitting]
        empty = "nothing fits the filter" if self._sessions else "no session yet: what you send first begins one"
        return [Row(None, lambda width: Content.styled(empty, "$tui-faint"))]

    def heading(self) -> tuple[Content, Content]:
        """How many there are."""
        return super().heading()[0], Content.styled(str(len(self._sessions)) if self._sessions else "", "$tui-muted")

    def note(self, key: Hashable) -> Content:
        """Folder and model of the highlighted session."""
        row = next((row for row in self._sessions if row.id == key), None)
        return Content("  ".join([one_line(row.model), one_line(row.directory)]) if row else "")

    def choose(self, key: Hashable) -> None:
        """Open it."""
        if isinstance(key, str):
            self.dismiss(key)

    def action_open(self) -> None:
        """Open the highlighted session."""
        self.choose_selected()

    def _draw(self, row: SessionRow, width: int) -> Content:
        width = min(width, _WIDEST)
        open_now = row.id == self._current
        title = Content.assemble(
            (one_line(row.title) or "(no prompt)", "bold $accent" if open_now else "$text"),
            ("  open" if open_now else "", "$accent"),
        )
        when = Content.styled(ago(self._now - row.when), "$tui-muted")
        if width < 56:
            return columns(width, (title, width - 12), (when, -12))
        turns = Content.styled(f"{row.turns} turn" + ("" if row.turns == 1 else "s"), "$tui-faint")
        model = Content.styled(one_line(row.model), "$tui-faint")
        if width < 90:
            return columns(width, (title, width - 26), (turns, -10), (when, -16))
        return columns(width, (title, width - 52), (Content("  "), 2), (model, 24), (turns, -10), (when, -16))
