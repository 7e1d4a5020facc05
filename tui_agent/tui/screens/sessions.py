"""The list of earlier sessions: find one by typing; open it, look at it, copy, name, write or delete it by a key."""

import time
from asyncio import TimerHandle
from collections.abc import Awaitable, Hashable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec import Struct
from textual import work
from textual.content import Content
from textual.widgets import Input

from tui_agent.conversation.errors import StoreError, TuiAgentError
from tui_agent.text.sanitize import one_line
from tui_agent.tui.actions import ACTIONS, Action
from tui_agent.tui.bindings import bindings_for, key_name, keys_of
from tui_agent.tui.later import later
from tui_agent.tui.screens.filtered import FilteredScreen, matches
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.choices import Row, columns

if TYPE_CHECKING:
    from tui_agent.store.log import Hit, SessionSummary
    from tui_agent.tui.host import Archive

CONFIRM, LOOK = (next(action for action in ACTIONS if action.id == f"sessions.{name}") for name in ("confirm", "look"))

_WIDEST = 110
_SETTLING = 0.15
"""Seconds without a key before the texts are searched."""
_LEAST = 2
"""Characters that are searched for in texts."""


class SessionRow(Struct, frozen=True):
    """One session: `title` is its name or first prompt, `when` the time of its last event in Unix seconds.

    `size` in bytes of what is logged.
    """

    id: str
    title: str
    when: float
    turns: int
    model: str
    directory: str
    events: int = 0
    size: int = 0

    @classmethod
    def of(cls, row: "SessionSummary") -> "SessionRow":
        """A row of the log's own list."""
        return cls(row.id, row.title, row.updated, row.turns, row.model, row.working_directory, row.events, row.size)


class Wanted(NamedTuple):
    """What to do with a session."""

    what: Literal["open", "look", "fork"]
    session: str


def size_of(size: int) -> str:
    """Bytes for people: `812 B`, `12 kB`, `3.4 MB`."""
    if size < 1_000:
        return f"{size} B"
    return f"{size / 1_000:.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"


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


class SessionsScreen(FilteredScreen[Wanted | None]):
    """Dismisses with what to do with which session, or None; what needs no other screen is done here."""

    BINDINGS = bindings_for("sessions")
    HEADING = "sessions"
    PLACEHOLDER = "find by name, model or text"

    def __init__(
        self,
        sessions: Sequence[SessionRow],
        archive: "Archive | None" = None,
        *,
        current: str = "",
        now: float | None = None,
        symbols: Symbols = UNICODE,
    ) -> None:
        """`sessions`, latest first; `current` is the id of the one that is open; `now` in Unix seconds.

        Without an `archive` they are there to be opened, and no more.
        """
        super().__init__(symbols)
        self._now = time.time() if now is None else now
        self._sessions = tuple(sessions)
        self._here = frozenset(row.id for row in sessions)
        self._archive = archive
        self._current = current
        self._everywhere = False
        self._hits: dict[str, Hit] = {}
        self._searched = ""  # the words that these were found for
        self._unread = 0
        self._waiting: TimerHandle | None = None
        self._doomed = ""

    def on_mount(self) -> None:
        """Show them."""
        self.rebuild()

    # ---- what is shown ----

    def rows(self, words: str) -> Sequence[Row]:
        """The sessions that fit the filter, each with the line that was found in it."""
        # While one goes on typing, what was found for the beginning stays until there is better.
        hits = self._hits if self._searched and words.startswith(self._searched) else {}
        rows: list[Row] = []
        for row in self._sessions:
            if matches(f"{row.title} {row.model} {row.directory}", words):
                rows.append(Row(row.id, partial(self._draw, row)))
            elif row.id in hits:
                rows.append(Row(row.id, partial(self._draw, row)))
                rows.append(Row(None, partial(self._draw_hit, hits[row.id])))
        if rows:
            return rows
        empty = "nothing fits the filter" if self._sessions else "no session yet: what you send first begins one"
        return [Row(None, lambda width: Content.styled(empty, "$tui-faint"))]

    def heading(self) -> tuple[Content, Content]:
        """How many there are, and of which folders."""
        where = "all folders  " if self._everywhere else ""
        reading = f"{self._unread:,} events still to read  " if self._unread else ""
        count = str(len(self._sessions)) if self._sessions else ""
        return super().heading()[0], Content.styled(f"{reading}{where}{count}", "$tui-muted")

    def note(self, key: Hashable) -> Content:
        """Model, folder and size of the highlighted session."""
        row = self._row(key)
        if row is None:
            return Content("")
        size = f"{row.events:,} events, {size_of(row.size)}" if row.events else ""
        return Content("  ".join(filter(None, (one_line(row.model), one_line(row.directory), size))))

    def _row(self, key: Hashable) -> SessionRow | None:
        return next((row for row in self._sessions if row.id == key), None)

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
        folder = Path(row.directory).name or row.directory
        model = Content.styled(one_line(folder if self._everywhere else row.model), "$tui-faint")
        if width < 90:
            return columns(width, (title, width - 26), (turns, -10), (when, -16))
        return columns(width, (title, width - 52), (Content("  "), 2), (model, 24), (turns, -10), (when, -16))

    def _draw_hit(self, hit: "Hit", width: int) -> Content:
        width = min(width, _WIDEST)
        line = Content.assemble((f"  {hit.kind}  ", "$tui-faint"), (one_line(hit.line), "$tui-muted"))
        return line.truncate(width, ellipsis=True)

    # ---- searching the texts ----

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter at once, and search the texts when the typing pauses."""
        super().on_input_changed(event)
        self._unread = 0
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = later(self, _SETTLING, self._search)
        self.refresh_bindings()

    def _search(self) -> None:
        words = self._filtered_by.value
        if self._archive is not None and len(words.strip()) >= _LEAST:
            self._search_texts(self._archive, words)

    @work(exclusive=True, group="search", exit_on_error=False)
    async def _search_texts(self, archive: "Archive", words: str) -> None:
        while words == self._filtered_by.value:
            try:
                found = await archive.search(words, everywhere=self._everywhere)
            except TuiAgentError as error:
                self.warn(error.message)
                return
            if words != self._filtered_by.value:
                return
            self._hits, self._searched = {hit.session: hit for hit in found.hits}, words
            self._unread = found.unread
            self.rebuild()
            if not found.unread:
                return

    # ---- keys ----

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Deleting is confirmed only right after it was asked for."""
        if action == "confirm":
            return self._asks
        return self._archive is not None or action not in ("rename", "look", "fork", "export", "delete", "everywhere")

    @property
    def _asks(self) -> bool:
        return bool(self._doomed) and self._warned == (self._doomed,) == (self._list.selected,)

    def on_choice_list_highlighted(self) -> None:
        """Another one: what was asked about the one before is forgotten."""
        super().on_choice_list_highlighted()
        self.refresh_bindings()

    def choose(self, key: Hashable) -> None:
        """Open it."""
        self._leave("open", key)

    def action_open(self) -> None:
        """Open the highlighted session."""
        self.choose_selected()

    def action_look(self) -> None:
        """Look at the highlighted session."""
        self._leave("look", self._list.selected)

    def action_fork(self) -> None:
        """Go on in a copy of the highlighted session."""
        self._leave("fork", self._list.selected)

    def _leave(self, what: Literal["open", "look", "fork"], key: Hashable) -> None:
        if not isinstance(key, str):
            return
        if what != "look" and key not in self._here:
            # Its paths are those of another project.
            look = self._key(LOOK)
            self.warn(f"of another folder: {look} looks at it; `tui-agent sessions resume {key}` opens it there")
            return
        self.dismiss(Wanted(what, key))

    @work(exit_on_error=False)
    async def action_rename(self) -> None:
        """Give the highlighted session a name."""
        row = self._row(self._list.selected)
        if self._archive is None or row is None:
            return
        from tui_agent.tui.screens.choosing import NamingScreen

        name = await self.app.push_screen_wait(NamingScreen(row.title, symbols=self._symbols))
        if name is not None:
            await self._do(self._archive.rename(row.id, name))

    @work(exit_on_error=False)
    async def action_export(self) -> None:
        """Write the highlighted session to a file."""
        row = self._row(self._list.selected)
        if self._archive is None or row is None:
            return
        from tui_agent.tui.archiving import choose_form

        form = await self.app.push_screen_wait(choose_form(self._symbols))
        if form is None:
            return
        try:
            path = await self._archive.export(row.id, form)
        except TuiAgentError as error:
            self.warn(error.message)
        else:
            self.app.notify(f"written without keys: {path}", timeout=6, markup=False)

    def action_delete(self) -> None:
        """Ask whether to delete the highlighted session."""
        row = self._row(self._list.selected)
        if row is None:
            return
        if row.id == self._current:
            self.warn("this is the session that is open: open another one or a new one first")
            return
        self._doomed = row.id
        self.warn(
            f"{self._key(CONFIRM)} deletes it for good, which cannot be undone: {one_line(row.title) or '(no prompt)'}"
        )
        self.refresh_bindings()

    def _key(self, action: Action) -> str:
        return key_name(keys_of(action, self.app._keymap)[0])

    @work(exit_on_error=False)
    async def action_confirm(self) -> None:
        """Delete the session that was asked about."""
        if self._archive is not None and self._asks:
            doomed, self._doomed = self._doomed, ""
            await self._do(self._archive.delete(doomed))

    @work(exit_on_error=False)
    async def action_everywhere(self) -> None:
        """Show the sessions of all folders, or of this one."""
        self._everywhere = not self._everywhere
        await self._reload()
        self._search()

    async def _do(self, change: Awaitable[None]) -> None:
        """Change something and show how it is now."""
        try:
            await change
        except TuiAgentError as error:
            self.warn(error.message)
            return
        await self._reload()

    async def _reload(self) -> None:
        if self._archive is None:
            return
        try:
            rows = [SessionRow.of(row) for row in await self._archive.sessions(everywhere=self._everywhere)]
        except StoreError as error:
            self.warn(error.message)
            return
        self._sessions = tuple(rows)
        if not self._everywhere:
            self._here = frozenset(row.id for row in rows)
        self._warned = None
        self.rebuild()
        self.refresh_bindings()
