"""Where a view stands in a document: which rows it shows, what is laid out, and why nothing jumps."""

from typing import NamedTuple

from tui_agent.tui.widgets.transcript.document import AgentBlock, Block, Document, ThoughtBlock, ToolBlock
from tui_agent.tui.widgets.transcript.heights import estimated_height
from tui_agent.tui.widgets.transcript.layout import BlockRows, gap_before
from tui_agent.tui.widgets.transcript.places import Place, place_at, row_of
from tui_agent.tui.widgets.transcript.rows import RowIndex

# Laid-out blocks and rows to keep, around the view; a row takes about a kilobyte. When there are more, half are kept.
_BLOCKS = 600
_ROWS = 8_000
# Only the last blocks can still be at work.
_AT_WORK = 20


class Row(NamedTuple):
    """A row of the transcript: its block, where that stands, and which of its rows it is (negative: the gap above)."""

    place: int
    block: Block
    row: int


class Standing(NamedTuple):
    """Where a view stands: whether it follows the end, else the block at the top and its row there with its gap."""

    follow: bool
    anchor: tuple[int, int] | None


class Viewport:
    """A window of `height` rows on the rows of all blocks at `width` cells.

    `follow` is changed by the user's scrolling only (`go`, `to_end`): going up clears it, reaching the end sets it.
    While it is not set, the place is remembered as a block and a row in it. Blocks in view and a page around have
    exact heights, the others estimated ones until they come near, so neither growth above nor a wrong estimate moves
    what is being read.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.width = 0
        self.height = 0
        self.follow = True
        self.top = 0
        self._anchor: tuple[int, int] | None = None  # block id and row in it (with its gap)
        # What the top row began with and the rows of air above it, since the width changed and until a move.
        self._reading: tuple[Place, int] | None = None
        self._index = RowIndex()
        self._place: dict[int, int] = {}
        self._rows: dict[int, BlockRows] = {}
        self._heights: dict[int, int] = {}  # exact ones at this width, without the gap above
        self._changed: set[int] = set()
        self.unread: set[int] = set()
        """Ids of blocks that were laid out and are too long to be read at once: `read_on`."""
        self._restructured = True

    # ---- what happened ----

    def changed(self, block_id: int | None) -> None:
        """As `Document.on_change`; nothing is done until `settle`."""
        if block_id is None:
            self._restructured = True
        else:
            self._changed.add(block_id)

    def resize(self, width: int, height: int) -> None:
        """The window has another size."""
        if width != self.width:
            if self._reading is None:
                self._reading = self._place_at_top()
            self._heights.clear()
            self._restructured = True
        self.width = width
        self.height = height

    def second_passed(self) -> None:
        """Blocks that count seconds are out of date."""
        for block in self.at_work():
            if rows := self._rows.get(block.id):
                rows.outdate()
            self._changed.add(block.id)

    def restyled(self) -> None:
        """Painted rows are worth nothing any more."""
        for rows in self._rows.values():
            rows.strips.clear()

    def forget_strip(self, block_id: int, key: tuple[int, bool]) -> None:
        """A painted row is not to be kept."""
        if rows := self._rows.get(block_id):
            rows.strips.pop(key, None)

    # ---- what is asked ----

    def __len__(self) -> int:
        return len(self._index)

    @property
    def unsettled(self) -> bool:
        """True between a change and `settle`."""
        return self._restructured or bool(self._changed)

    @property
    def total(self) -> int:
        """Rows in all, some of them estimated."""
        return self._index.total

    @property
    def last_top(self) -> int:
        """The top row when the end is in view."""
        return max(0, self.total - self.height)

    def at_work(self) -> list[Block]:
        """Blocks that count seconds."""
        return [
            block
            for block in self.document.blocks[-_AT_WORK:]
            if isinstance(block, ToolBlock | ThoughtBlock) and block.started is not None
        ]

    def place_of(self, block_id: int | None) -> int | None:
        """Position of a block."""
        return None if block_id is None else self._place.get(block_id)

    def gap(self, index: int) -> int:
        """Empty rows above a block."""
        blocks = self.document.blocks
        return gap_before(blocks[index - 1] if index else None, blocks[index])

    def first_row(self, index: int) -> int:
        """The row where a block's text begins."""
        return self._index.start(index) + self.gap(index)

    def end_row(self, index: int) -> int:
        """The row after a block."""
        return self._index.start(index + 1)

    def row(self, row: int) -> Row | None:
        """What stands on a row."""
        if not 0 <= row < self.total:
            return None
        index, within = self._index.locate(row)
        if index >= len(self.document.blocks):
            return None  # blocks went, and the next frame will know
        return Row(index, self.document.blocks[index], within - self.gap(index))

    def in_view(self) -> tuple[int, int]:
        """The first and the last block in view; there has to be a block."""
        return self._index.locate(self.top)[0], self._index.locate(self.top + self.height - 1)[0]

    def shown(self) -> tuple[object, ...]:
        """A value that differs whenever something else is to be painted."""
        if not len(self._index):
            return ()
        first, last = self.in_view()
        blocks = self.document.blocks[first : last + 1]
        return (self.width, self.height, self.top, self._index.start(first), *((b.id, b.version) for b in blocks))

    def rows_of(self, block: Block) -> BlockRows:
        """The rows of a block, laid out."""
        rows = self._rows.get(block.id)
        if rows is None:
            rows = self._rows[block.id] = BlockRows(block)
        rows.update(self.width, self.document.clock)
        if not rows.complete:
            self.unread.add(block.id)
        return rows

    def read_on(self, until: float) -> bool:
        """Go on with blocks that are not read to their end, until a moment (monotonic seconds).

        Returns whether one is complete now, which `settle` takes over.
        """
        done = set()
        for block_id in sorted(self.unread, reverse=True):
            rows = self._rows.get(block_id)
            if rows is None or rows.read_on(until):
                done.add(block_id)
        self.unread -= done
        self._changed |= done
        return bool(done)

    # ---- moving ----

    def settle(self) -> None:
        """Take over what happened, lay out what is in view and a page around it, and find the place."""
        if self.width < 1:
            return
        changed, self._changed = self._changed, set()
        for block_id in changed:
            self._heights.pop(block_id, None)
        if self._restructured:
            self._restructure()
        else:
            self._append()
        for block_id in changed:
            self._grew(block_id)
        count = len(self._index)
        if not count:
            self.top, self._anchor = 0, None
        elif self.follow or self._anchor is None:
            self._lay_out_up(count - 1, 2 * self.height)
            self.top = self.last_top
        else:
            index, row = self._place.get(self._anchor[0], count - 1), self._anchor[1]
            if self._reading is not None and self._reading[0].block == self._anchor[0]:
                rows = self.rows_of(self.document.blocks[index])
                row = self.gap(index) + row_of(self._reading[0], rows.lines, rows.firsts)[0] - self._reading[1]
            row = min(row, self._lay_out(index) - 1)
            found = self._lay_out_down(index, row + 2 * self.height)
            missing = max(0, row + self.height - found)
            self._lay_out_up(index - 1, self.height + missing)
            self.top = min(self._index.start(index) + row, self.last_top)
        if count:
            index, row = self._index.locate(self.top)
            self._anchor = self.document.blocks[index].id, row
        self._forget()

    def go(self, top: int) -> None:
        """The user wants this row at the top."""
        if not len(self._index):
            return
        self._reading = None
        top = max(0, min(top, self.last_top))
        self.follow = top >= self.last_top
        index, row = self._index.locate(top)
        self._anchor = self.document.blocks[index].id, row
        self.settle()

    def to_end(self) -> None:
        """The user wants to be at the end and stay there."""
        self._reading = None
        self.follow = True
        self.settle()

    def show(self, block_id: int, row: int, above: int) -> None:
        """The user wants a row of a block (0 is its first) with `above` rows over it, however far away that is."""
        self.settle()
        index = self._place.get(block_id)
        if index is None:
            return
        self._reading = None
        row += self.gap(index) - above
        while row < 0 and index:
            index -= 1
            row += self._lay_out(index)
        self.follow = False
        self._anchor = self.document.blocks[index].id, max(0, row)
        self.settle()
        self.follow = self.top >= self.last_top

    @property
    def standing(self) -> Standing:
        """The place, to come back to."""
        return Standing(self.follow, self._anchor)

    @standing.setter
    def standing(self, standing: Standing) -> None:
        self.follow, self._anchor = standing
        self._reading = None
        self.settle()

    def hold(self) -> None:
        """What is at the top stays there, whatever is folded or grows, unless all of it fits anyway."""
        self._reading = None
        self.follow = False
        self.settle()
        self.follow = self.top >= self.last_top

    # ---- inside ----

    def _place_at_top(self) -> tuple[Place, int] | None:
        """What the row at the top begins with, and the air above that; None while what is there needs no looking for:
        the end, and the beginning of a block."""
        if self.follow or self._anchor is None or (index := self._place.get(self._anchor[0])) is None:
            return None
        block, row = self.document.blocks[index], self._anchor[1] - self.gap(index)
        rows = self._rows.get(block.id)
        if row <= 0 or rows is None or row >= len(rows.lines):
            return None
        place = place_at(block.id, rows.lines, rows.firsts, row, 0)
        return place, max(0, row_of(place, rows.lines, rows.firsts)[0] - row)

    def _restructure(self) -> None:
        self._restructured = False
        blocks = self.document.blocks
        self._place = {block.id: index for index, block in enumerate(blocks)}
        heights = []
        previous: Block | None = None
        for block in blocks:
            height = self._heights.get(block.id) or estimated_height(block, self.width)
            heights.append(gap_before(previous, block) + height)
            previous = block
        self._index.reset(heights)
        for gone in self._rows.keys() - self._place.keys():
            del self._rows[gone]
        for gone in self._heights.keys() - self._place.keys():
            del self._heights[gone]

    def _append(self) -> None:
        """Take in new blocks at the end, the usual case: it costs nothing for those above."""
        blocks = self.document.blocks
        for index in range(len(self._index), len(blocks)):
            self._place[blocks[index].id] = index
            self._index.append(self.gap(index) + estimated_height(blocks[index], self.width))

    def _grew(self, block_id: int) -> None:
        """A changed block out of view needs no exact height; one in view gets it while settling."""
        index = self._place.get(block_id)
        if index is not None:
            block = self.document.blocks[index]
            self._index.set(index, self.gap(index) + estimated_height(block, self.width))

    def _lay_out(self, index: int) -> int:
        """Make a block's height exact; returns it with its gap."""
        block = self.document.blocks[index]
        if block.id not in self._heights:
            rows = self.rows_of(block)
            height = len(rows.lines)
            if not rows.complete and not (isinstance(block, AgentBlock) and block.streaming):
                # So that what is below stays where it is when the rest comes.
                height = max(height, estimated_height(block, self.width))
            self._heights[block.id] = height
            self._index.set(index, self.gap(index) + height)
        return self._index.height(index)

    def _lay_out_up(self, index: int, rows: int) -> None:
        while index >= 0 and rows > 0:
            rows -= self._lay_out(index)
            index -= 1

    def _lay_out_down(self, index: int, rows: int) -> int:
        found = 0
        while index < len(self._index) and found < rows:
            found += self._lay_out(index)
            index += 1
        return found

    def _forget(self) -> None:
        """Keep rows near the view only, up to a budget over all blocks; heights stay known."""
        if len(self._rows) <= _BLOCKS and sum(len(rows.lines) for rows in self._rows.values()) <= _ROWS:
            return
        first, last = self.in_view()
        middle = (first + last) // 2
        left = _ROWS // 2
        kept: dict[int, BlockRows] = {}
        for block_id in sorted(self._rows, key=lambda block_id: abs(self._place.get(block_id, -_BLOCKS) - middle)):
            rows = self._rows[block_id]
            left -= len(rows.lines)
            # One beside the view may be long; to lay it out again at every step to and fro would be felt.
            if first - 1 <= self._place.get(block_id, -2) <= last + 1 or (left > 0 and len(kept) < _BLOCKS // 2):
                kept[block_id] = rows
        self._rows = kept
