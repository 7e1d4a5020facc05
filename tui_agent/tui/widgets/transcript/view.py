"""The transcript as the user works with it: move, fold, select, copy, open."""

from bisect import bisect_right
from typing import NamedTuple

from textual.events import Click, Key
from textual.message import Message

from tui_agent.text.sanitize import sanitize
from tui_agent.tui.bindings import bindings_for
from tui_agent.tui.opening import SCHEMES
from tui_agent.tui.widgets.transcript.document import (
    AgentBlock,
    Block,
    NoticeBlock,
    SwitchBlock,
    ThoughtBlock,
    ToolBlock,
    TurnBlock,
    UserBlock,
)
from tui_agent.tui.widgets.transcript.finding import FindingPane
from tui_agent.tui.widgets.transcript.links import links_in
from tui_agent.tui.widgets.transcript.places import Place
from tui_agent.tui.widgets.transcript.selection import Span, fences, row_number, span_at

_NAMES: dict[type[Block], str] = {
    UserBlock: "prompt",
    AgentBlock: "answer",
    ThoughtBlock: "thought",
    ToolBlock: "tool call",
    NoticeBlock: "notice",
    SwitchBlock: "model",
    TurnBlock: "counts",
}


# Lines of a block, above and below the first in view, in which links are looked for.
_LINES = 1_000


class Link(NamedTuple):
    """A link in the transcript."""

    span: Span
    url: str


class TranscriptView(FindingPane):
    """A document on the screen, for mouse and keys."""

    BINDINGS = bindings_for("transcript")

    class Copied(Message):
        """The user copied something: the source, and in a word what it is (empty for a selection)."""

        def __init__(self, text: str, what: str) -> None:
            super().__init__()
            self.text = text
            self.what = what

    class LinkOpened(Message):
        """The user wants to open a link (http, https or mailto)."""

        def __init__(self, url: str) -> None:
            super().__init__()
            self.url = url

    class FoldToggled(Message):
        """The user folded or unfolded a block."""

        def __init__(self, block_id: int, folded: bool) -> None:
            super().__init__()
            self.block_id = block_id
            self.folded = folded

    _code: tuple[Place, int] | None = None
    """Where the code begins that was copied last, and where the view stood then."""
    _link: Link | None = None
    """The link that was gone to; enter opens it."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Some keys work only while something is selected, others only while nothing is."""
        match action:
            case "unselect":
                return self.selecting or self.finding is not None
            case "fold":
                return not self.selecting
            case "select":
                return self._caret is None
        return super().check_action(action, parameters)

    def on_key(self, event: Key) -> None:
        """Enter opens the link that was gone to, or copies what is selected."""
        link = self._link
        active = self.screen.active_bindings.get(event.key)
        if link is not None and (active is None or active.binding.action != "open_link"):
            self._go_to_link(None)
        if event.key == "enter" and (link is not None or self.selecting):
            event.stop()
            event.prevent_default()
            if link is not None:
                self.post_message(self.LinkOpened(link.url))
            else:
                self._copy_or_say()

    def action_fold(self) -> None:
        """Fold or unfold the block under the cursor."""
        if len(self._port):
            self._toggle(self._cursor_index())

    def _toggle(self, index: int) -> None:
        block = self.document.blocks[index]
        if block.foldable and isinstance(block, ThoughtBlock | ToolBlock):
            self.document.set_folded(block, not block.folded)
            self._port.hold()
            self._sync()
            self.post_message(self.FoldToggled(block.id, block.folded))

    def on_click(self, event: Click) -> None:
        """A click puts the cursor on a block; on the first row of one that folds it also toggles it.

        With ctrl it opens the link that it hits.
        """
        row = self._port.row(self._port.top + event.y)
        if row is None or self.selecting or event.button != 1:
            return
        self._set_cursor(row.place)
        if event.ctrl:
            hit = span_at(self._port, self._port.top + event.y, event.x - self._gutter)
            for link in self._links(row.block, hit.start.item, 1) if hit is not None and hit.start != hit.end else ():
                if hit is not None and link.span.start <= hit.start < link.span.end:
                    self.post_message(self.LinkOpened(link.url))
        elif row.row == 0:
            self._toggle(row.place)

    # ---- copying ----

    def action_copy(self) -> None:
        """Copy what is selected and leave it, else the source of the block under the cursor."""
        if self.selecting:
            self._copy_or_say()
            return
        if not len(self._port):
            return
        block = self.document.blocks[self._cursor_index()]
        if text := sanitize(block.source):
            self.post_message(self.Copied(text, _NAMES.get(type(block), "text")))

    def copy_selection(self) -> bool:
        """Copy what is selected and leave it; False when that is nothing."""
        text = self._selection.text(self._port) if self._selection else ""
        if text:
            self.post_message(self.Copied(text, ""))
            self._select(None)
        return bool(text)

    def _copy_or_say(self) -> None:
        if not self.copy_selection():
            self.notify("nothing is selected yet", timeout=2, markup=False)

    def action_copy_code(self) -> None:
        """Copy the code of the block under the cursor that is in view, or nearest; once more, the next one."""
        if not len(self._port):
            return
        block = self.document.blocks[self._cursor_index()]
        found = list(fences(self._port, block)) if isinstance(block, AgentBlock) else []
        if not found:
            self.notify("no code in the block under the cursor", timeout=2, markup=False)
            return
        begins = [span.start for span, _ in found]
        if self._code is not None and self._code[0] in begins and self._code[1] == self._port.top:
            number = (begins.index(self._code[0]) + 1) % len(found)
        else:
            number = self._nearest([span for span, _ in found])
        span, text = found[number]
        self._flash(span)
        self._code = span.start, self._port.top
        self.post_message(self.Copied(text, "code"))

    def _nearest(self, spans: list[Span]) -> int:
        """The first of some spans of a block that is in view, else the one that is least far away."""
        top, bottom = self._port.top, self._port.top + self._area.height

        def away(span: Span) -> int:
            first, last = (row_number(self._port, place) or (0, 0) for place in span)
            return max(0, top - last[0], first[0] - bottom + 1)

        return min(range(len(spans)), key=lambda number: away(spans[number]))

    # ---- links ----

    def action_open_link(self) -> None:
        """Open the link of the block under the cursor; of several, go to one after the other for enter to open."""
        if not len(self._port):
            return
        index = self._cursor_index()
        block = self.document.blocks[index]
        above = bisect_right(self._port.rows_of(block).firsts, self._port.top - self._port.first_row(index))
        links = self._links(block, max(0, above - _LINES), 2 * _LINES)
        if len(links) == 1:
            self.post_message(self.LinkOpened(links[0].url))
        elif not links:
            self.notify("no link in the block under the cursor", timeout=2, markup=False)
        elif self._link in links:
            self._go_to_link(links[(links.index(self._link) + 1) % len(links)])
        else:
            self._go_to_link(links[self._nearest([link.span for link in links])])
            self.notify(f"{len(links)} links: enter opens this one, o goes on", timeout=3, markup=False)

    def _go_to_link(self, link: Link | None) -> None:
        self._link = link
        self._flash(link.span if link else None, lasting=True)

    def _links(self, block: Block, first: int, count: int) -> list[Link]:
        """The links in some items of a block that may be opened."""
        rows = self._port.rows_of(block)
        links = []
        for number in range(first, min(first + count, len(rows.firsts))):
            item = rows.lines[rows.firsts[number]].item
            for start, end, url in links_in(item) if item is not None else ():
                if url.lower().startswith(SCHEMES):
                    span = Span(Place(block.id, number, start), Place(block.id, number, end))
                    links.append(Link(span, sanitize(url)))
        return links
