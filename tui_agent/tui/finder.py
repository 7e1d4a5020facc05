"""Finding in the transcript: between the bar, the search and the view."""

from asyncio import TimerHandle
from collections.abc import Callable, Sequence
from time import monotonic

from textual.screen import Screen
from textual.widget import Widget

from tui_agent.tui.bindings import KEEPS_KEYS
from tui_agent.tui.later import later
from tui_agent.tui.theming import Symbols
from tui_agent.tui.widgets.find_bar import FindBar
from tui_agent.tui.widgets.transcript.find import BadPattern, Pattern
from tui_agent.tui.widgets.transcript.found import MOST, Found, Hit, View
from tui_agent.tui.widgets.transcript.lookup import Lookup, extent, stretches
from tui_agent.tui.widgets.transcript.overlay import Mark
from tui_agent.tui.widgets.transcript.shown import Shown
from tui_agent.tui.widgets.transcript.view import TranscriptView
from tui_agent.tui.widgets.transcript.viewport import Standing

SLICE = 0.008
"""Seconds of searching before keys and painting have their turn."""

PAUSE = 0.1
"""Seconds between two looks at text that streams, and between two paintings while a search goes on."""

_LOOKUPS = 100
"""Blocks of which the rows are remembered line by line."""

_NOWHERE = View(Hit(0, 0, 0, 0), 0)


class Finder:
    """One search at a time. `on` is true from the first key in the bar until the marks are taken off."""

    def __init__(self, screen: Screen[None], view: TranscriptView, symbols: Symbols, left: Callable[[], None]) -> None:
        """`left` is called whenever the focus moves: a question may have waited for that."""
        self._screen = screen
        self._view = view
        self._document = view.document
        self._symbols = symbols
        self._left = left
        self._bar = FindBar(self)
        self._found: Found | None = None
        self._texts: dict[int, Shown] = {}
        self._lookups: dict[int, Lookup] = {}
        self._home: Standing | None = None  # where the view stood
        self._came_from: Widget | None = None
        self._begin = _NOWHERE  # where to look first
        self._wanted = ("", False)
        self._problem = ""
        self._unfolded: int | None = None  # the block that was unfolded for the present hit
        self._shown: Hit | None = None
        self._near: int | None = None  # a block that was gone to, and is not read to its end
        self._timer: TimerHandle | None = None
        self._painted = 0.0
        self._working = False
        self._question = False

    @property
    def question(self) -> bool:
        """Whether a question waits for an answer, which it gets when the bar is closed."""
        return self._question

    @question.setter
    def question(self, waits: bool) -> None:
        if waits != self._question:
            self._question = waits
            self._say()

    @property
    def on(self) -> bool:
        """Whether the bar is there."""
        return self._bar.display

    # ---- the bar ----

    async def open(self, place: Widget, above: Widget) -> None:
        """Show the bar in `place`, `above` another widget; what was looked for last is offered again."""
        if not self._bar.is_attached:
            await place.mount(self._bar, before=above)
            self._screen.watch(self._screen, "focused", self._left, init=False)
        if not self.on:
            self._document_changed = self._document.on_change
            self._document.on_change = self._changed
            self._view.finding = self
            self._view.marks = self._marks
            self._view.add_class(KEEPS_KEYS)
            self._came_from = self._screen.focused
        if not self._bar.has_keys:
            self._home = self._view.place
            self._begin = self._reader()
        self._bar.open()
        self._wanted = ("", False)
        self.look_for(self._bar.text, self._bar.regular)
        self._screen.refresh_bindings()

    def look_for(self, text: str, regular: bool) -> None:
        """As `Finding`."""
        if (text, regular) == self._wanted:
            return
        self._wanted = text, regular
        self._found = None
        self._lookups.clear()
        self._problem = ""
        if text:
            try:
                pattern = Pattern(text, regular)
            except BadPattern as error:
                self._problem = f"no expression: {error}"
            else:
                self._found = Found(self._document, self._texts, pattern, self._begin)
        self._work()

    def step(self, ways: int) -> None:
        """As `Finding`."""
        if self._found is not None:
            self._found.step(ways)
            self._work()
            self._begin = self._reader()

    def keep(self) -> None:
        """As `Finding`; where nothing was found there is nothing to stay at."""
        if not self._bar.text:
            self.give_up()
        if self._found is None or not self._found.count:
            return
        self._unfolded = None
        self._view.focus(scroll_visible=False)
        if self._found.present is not None:
            self._view.point_at(self._found.present.block_id)

    def give_up(self) -> None:
        """As `Finding`: fold and scroll back."""
        self._fold_back()
        if self._home is not None:
            self._view.place = self._home
        self._close()

    def stop(self) -> None:
        """As `Steps`: take the marks off and stay."""
        self._unfolded = None
        self._view.let_go()
        self._close()

    def resized(self) -> None:
        """As `Steps`: the present hit stays in view."""
        if self._shown is not None and (row := self._row_of(self._shown)) is not None:
            self._view.show_row(self._shown.block_id, row)
            self._view.stay()

    def keep_fold(self, block_id: int) -> None:
        """The user folded or unfolded a block, which settles it."""
        if block_id == self._unfolded:
            self._unfolded = None

    def _close(self) -> None:
        if not self.on:
            return
        had_keys = self._bar.has_keys
        self._bar.close()
        if self._timer is not None:
            self._timer.cancel()
        self._document.on_change = self._document_changed
        self._found = self._timer = self._shown = None
        self._texts.clear()
        self._lookups.clear()
        self._view.finding = None
        self._view.marks = None
        self._view.remove_class(KEEPS_KEYS)
        if had_keys:
            there = self._came_from
            self._screen.set_focus(there if there is not None and there.focusable else None, scroll_visible=False)
        self._screen.refresh_bindings()

    # ---- the search ----

    def _changed(self, block_id: int | None) -> None:
        self._document_changed(block_id)
        if self._found is not None:
            self._found.changed(block_id)
            if self._timer is None:
                self._timer = later(self._view, PAUSE, self._work)

    def _reader(self) -> View:
        """What is before the user's eyes, from the hit they went to on, if they did."""
        reading = self._view.reading
        if reading is None:
            return _NOWHERE
        block_id, row, bottom = reading
        if self._found is not None and self._found.present is not None:
            return View(self._found.present, bottom)
        rows, lookup, line = self._view.rows_of(block_id), self._lookup(block_id), -1
        while rows is not None and lookup is not None and line < 0 and row < len(rows.lines):
            line = lookup.line_at(rows, row)
            row += 1
        return View(Hit(block_id, max(0, line), 0, 0), bottom)

    def _work(self) -> None:
        """Search for a slice, show what is new, and go on when others had their turn."""
        if self._timer is not None:
            self._timer.cancel()
        found, self._timer = self._found, None
        self._working = found is not None and found.work(SLICE)
        if self._working:
            self._timer = later(self._view, 0, self._work)
        if found is not None and found.present != self._shown:
            self._show(found.present)
        now = monotonic()
        if not self._working or now - self._painted > PAUSE:
            self._painted = now
            self._view.refresh()
            self._say()

    def _say(self) -> None:
        """How it stands with the search."""
        found, warning = self._found, True
        waits = ["a question waits: esc"] if self._question else []
        if self._problem or found is None:
            self._bar.say("  ".join([*waits, self._problem]), warning=True)
            return
        more = self._symbols.ellipsis if self._working else "+" if found.count >= MOST else ""
        if found.count:
            said, warning = f"{found.number():,} of {found.count:,}{more}", False
        elif self._working:
            said, warning = f"searching{more}", False
        else:
            said = "not found"
        if found.given_up:
            lines = "1 line took" if found.given_up == 1 else f"{found.given_up} lines took"
            said, warning = f"{said}, {lines} too long", True
        kinds = [kind for kind, on in (("regex", found.pattern.regular), ("case", found.pattern.exact)) if on]
        self._bar.say("  ".join([*waits, *kinds, said]), warning or self._question)

    # ---- the view ----

    def _lookup(self, block_id: int) -> Lookup | None:
        block, lookup = self._document.get(block_id), self._lookups.get(block_id)
        if lookup is None and block is not None:
            if len(self._lookups) > _LOOKUPS:
                self._lookups.clear()
            lookup = self._lookups[block_id] = Lookup(block, self._texts.setdefault(block_id, Shown(block)))
        return lookup

    def _marks(self, block_id: int, row: int) -> Sequence[Mark]:
        """What is to be marked in a row."""
        found, rows, lookup = self._found, self._view.rows_of(block_id), self._lookup(block_id)
        if found is None or rows is None or lookup is None or row >= len(rows.lines):
            return ()
        number, line = lookup.line_at(rows, row), rows.lines[row]
        marks: list[Mark] = []
        for start, end in found.on_line(block_id, number, *extent(line)):
            present = found.present == (block_id, number, start, end)
            marks += (Mark(first, last, present) for first, last in stretches(line, start, end))
        return marks

    def _show(self, hit: Hit | None) -> None:
        """Bring the present hit into view."""
        before, self._shown = self._shown, hit
        if hit is None or (before is not None and hit[:3] == before[:3]):
            return
        block, row = self._document.get(hit.block_id), self._row_of(hit)
        rows = self._view.rows_of(hit.block_id)
        if rows is not None and not rows.complete:
            # A view reads a long answer bit by bit, and only where it stands.
            if self._near != hit.block_id:
                self._near = hit.block_id
                self._view.show_row(hit.block_id, 0)
                self._view.stay()
            if self._view.shows(hit.block_id):
                self._shown = None
                self._timer = self._timer or later(self._view, PAUSE, self._work)
            return
        self._near = None
        if hit.block_id != self._unfolded:
            self._fold_back()
        if row is None and block is not None and block.foldable:
            self._document.set_folded(block, False)
            self._unfolded = hit.block_id
            row = self._row_of(hit)
        self._view.show_row(hit.block_id, row or 0)
        self._view.stay()
        if self._view.has_focus:
            self._view.point_at(hit.block_id)

    def _row_of(self, hit: Hit) -> int | None:
        rows, lookup = self._view.rows_of(hit.block_id), self._lookup(hit.block_id)
        return lookup.row_of(rows, hit.line, hit.start) if rows is not None and lookup is not None else None

    def _fold_back(self) -> None:
        """The block of the hit that is left has nothing to show any more."""
        if self._unfolded is not None and (block := self._document.get(self._unfolded)) is not None:
            self._document.set_folded(block, True)
        self._unfolded = None
