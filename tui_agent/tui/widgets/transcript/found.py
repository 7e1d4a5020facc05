"""All places of a document where something is found, searched in slices, what is nearest to the reader first."""

from array import array
from bisect import bisect_left, bisect_right
from time import perf_counter
from typing import NamedTuple

from tui_agent.tui.widgets.transcript.document import Document, ThoughtBlock, ToolBlock
from tui_agent.tui.widgets.transcript.find import Pattern
from tui_agent.tui.widgets.transcript.shown import Shown

MOST = 2_000_000
"""Hits after which the search ends: eight bytes each, and nobody reads them."""

PATIENT = 20
"""Lines that an expression may fail on for want of time before it is given up altogether."""


class Hit(NamedTuple):
    """A place in a document: block, line of its shown text, characters of the line."""

    block_id: int
    line: int
    start: int
    end: int


class View(NamedTuple):
    """What the reader has before them: the place at the top, and the block at the bottom."""

    top: Hit
    bottom: int


class _Block:
    """What is known of one block: hits by the parts of its shown text."""

    __slots__ = ("_at", "_ends", "_part", "_starts", "count", "done", "shown")

    def __init__(self, shown: Shown) -> None:
        self.shown = shown
        self.count = 0
        self.done = False
        self._starts: list[array[int]] = []
        self._ends: list[array[int]] = []
        self._part = self._at = 0  # where the search goes on

    def work(self, pattern: Pattern) -> bool:
        """A step of the search; True when a line took too long."""
        shown = self.shown
        if not shown.is_current():
            # What a growing text has shown before stays.
            kept = min(shown.update(), self._part)
            del self._starts[kept:], self._ends[kept:]
            self.count = sum(map(len, self._starts))
            self._part, self._at = kept, 0
            self.done = False
        elif self._part < len(shown.parts) - (not shown.complete):
            return self._search(pattern)
        elif not shown.complete:
            shown.read()
        else:
            self.done = True
        return False

    def _search(self, pattern: Pattern) -> bool:
        text = self.shown.parts[self._part]
        if self._part == len(self._starts):
            self._starts.append(array("I"))
            self._ends.append(array("I"))
        starts = self._starts[self._part]
        before = len(starts)
        self._at, given_up = pattern.scan(text, self._at, starts, self._ends[self._part])
        self.count += len(starts) - before
        if self._at >= len(text):
            self._part, self._at = self._part + 1, 0
        return given_up

    def on_line(self, line: int, low: int, high: int) -> list[tuple[int, int]]:
        """The hits on a line that touch its characters `low` to `high`."""
        spot = self.shown.spot(line)
        if spot is None or spot.part >= len(self._starts):
            return []
        part, start, end = spot
        starts, ends = self._starts[part], self._ends[part]
        first, last = bisect_right(ends, start + low), bisect_left(starts, min(end, start + high))
        return [(starts[index] - start, ends[index] - start) for index in range(first, last)]

    def before(self, place: Hit) -> int:
        """How many hits begin before a place."""
        part, index = self._index(place)
        return sum(map(len, self._starts[:part])) + index

    def hit(self, number: int) -> Hit | None:
        """The hit of a number, from 0."""
        if number >= 0:
            for part, starts in enumerate(self._starts):
                if number < len(starts):
                    line, start = self.shown.line_of(part, starts[number])
                    return Hit(self.shown.block.id, line, starts[number] - start, self._ends[part][number] - start)
                number -= len(starts)
        return None

    def _index(self, place: Hit) -> tuple[int, int]:
        """Part and index of the first hit that begins at or after a place."""
        part, start = self.shown.at_or_after(place.line)
        return part, bisect_left(self._starts[part], start + place.start) if part < len(self._starts) else 0


class Found:
    """The hits of a pattern in a document that may go on growing.

    `work` searches for a while; `changed` says that the document did. The present hit is the first one in view, else
    the nearest; `step` goes to another, as soon as it is known which that is.
    """

    def __init__(self, document: Document, texts: dict[int, Shown], pattern: Pattern, view: View) -> None:
        """`texts` keeps the texts that were read, for the next pattern; it is filled here."""
        self.pattern = pattern
        self.present: Hit | None = None
        self.count = 0
        """Hits so far."""
        self.given_up = 0
        """Lines that were left out because the expression takes too long on them."""
        self._document = document
        self._texts = texts
        self._view = view
        self._blocks: dict[int, _Block] = {}
        self._steps = 0
        self._order, self._in_view = self._nearest_first()
        self._next = 0  # what is to be searched of the order
        self._looked = 0  # what was looked through for the first present hit
        self._urgent: int | None = None
        self._changed: dict[int, None] = {}
        self._working: int | None = None

    @property
    def full(self) -> bool:
        """Whether the search ended early, because of `MOST` or `PATIENT`."""
        return self.count >= MOST or self.given_up >= PATIENT

    def number(self) -> int:
        """Which one the present hit is, from 1 in the order of the document, among those known; 0 without one."""
        number = 1
        for block in self._document.blocks if self.present else ():
            known = self._blocks.get(block.id)
            if self.present and block.id == self.present.block_id:
                return number + (known.before(self.present) if known else 0)
            number += known.count if known else 0
        return 0

    def on_line(self, block_id: int, line: int, low: int, high: int) -> list[tuple[int, int]]:
        """The hits on a line of a block's text that touch its characters `low` to `high`."""
        known = self._blocks.get(block_id)
        return known.on_line(line, low, high) if known is not None else []

    def shown(self, block_id: int) -> Shown | None:
        """The text of a block, if it was searched."""
        return self._texts.get(block_id)

    # ---- searching ----

    def changed(self, block_id: int | None) -> None:
        """As `Document.on_change`."""
        if block_id is not None:
            self._changed[block_id] = None
            return
        for gone in [known for known in self._blocks if self._document.get(known) is None]:
            self.count -= self._blocks.pop(gone).count
        for gone in [known for known in self._texts if self._document.get(known) is None]:
            del self._texts[gone]
        # New blocks between others are not in the order that was made at the beginning.
        self._changed.update((block.id, None) for block in self._document.blocks if block.id not in self._blocks)

    def work(self, seconds: float) -> bool:
        """Search for about as long; False when nothing is left to do."""
        until = perf_counter() + seconds
        while not self.full:
            if self._working is None:
                self._working = self._next_block()
            if self._working is None:
                break
            if not self._work_on(self._working):
                self._keep_present(self._working)
                self._working = None
                self._choose()
            if perf_counter() >= until:
                return True
        self._choose(last=True)
        self._steps = 0
        return False

    def step(self, ways: int) -> None:
        """Go to a hit further down (1) or up (-1), round the ends; it may first have to be found by `work`."""
        self._steps += ways
        self._choose()

    def _nearest_first(self) -> tuple[list[int], int]:
        """Ids of all blocks, those in view first and twice, and how many these are."""
        blocks = [block.id for block in self._document.blocks]
        places = {block_id: place for place, block_id in enumerate(blocks)}
        top = places.get(self._view.top.block_id, len(blocks) - 1)
        bottom = max(top, places.get(self._view.bottom, top))
        order = blocks[max(0, top) : bottom + 1] * 2
        for distance in range(1, len(blocks)):
            if bottom + distance < len(blocks):
                order.append(blocks[bottom + distance])
            if top - distance >= 0:
                order.append(blocks[top - distance])
        return order, bottom + 1 - top if blocks else 0

    def _next_block(self) -> int | None:
        urgent, self._urgent = self._urgent, None
        if urgent is not None:
            return urgent
        while self._next < len(self._order):
            block_id = self._order[self._next]
            self._next += 1
            if self._is_open(block_id):
                return block_id
        while self._changed:
            block_id = next(iter(self._changed))
            del self._changed[block_id]
            if self._is_open(block_id):
                return block_id
        return None

    def _is_open(self, block_id: int) -> bool:
        """Whether a block is there and not searched as it is now."""
        if self._document.get(block_id) is None:
            return False
        known = self._blocks.get(block_id)
        return known is None or not known.done or not known.shown.is_current()

    def _work_on(self, block_id: int) -> bool:
        """A step of the search of a block; False when it is done."""
        block = self._document.get(block_id)
        if block is None:
            return False
        known = self._blocks.get(block_id)
        if known is None:
            known = self._blocks[block_id] = _Block(self._texts.setdefault(block_id, Shown(block)))
        before = known.count
        self.given_up += known.work(self.pattern)
        self.count += known.count - before
        return self._is_open(block_id)

    # ---- the present hit ----

    def _keep_present(self, block_id: int) -> None:
        """A block was searched anew: the present hit may be a longer one now, or gone."""
        hit, known = self.present, self._blocks.get(block_id)
        if hit is None or hit.block_id != block_id or known is None:
            return
        number = known.before(hit)
        self.present = known.hit(number) or known.hit(number - 1)
        if self.present is None:
            self._choose_anew(hit)

    def _choose_anew(self, near: Hit) -> None:
        self._view = View(near, near.block_id)
        self._order, self._in_view = self._nearest_first()
        self._looked = 0

    def _choose(self, last: bool = False) -> None:
        hit = self.present
        if hit is not None and hit.block_id not in self._blocks:
            self.present = None
            self._choose_anew(hit)
        if self.present is None and last and self.count and self._looked >= len(self._order):
            self._choose_anew(self._view.top)  # it is in a block that came later
        while self.present is None and self._looked < len(self._order) and (last or not self._is_open(self._at_look())):
            self.present = self._first_of(self._looked)
            self._looked += 1
        while self._steps and self.present is not None:
            way = 1 if self._steps > 0 else -1
            beside = self._beside(self.present, way)
            if beside is None:
                break
            self.present = beside
            self._steps -= way

    def _at_look(self) -> int:
        return self._order[self._looked]

    def _first_of(self, look: int) -> Hit | None:
        """The hit to begin with, if it is to be the one in this block of the order."""
        top, block_id = self._view.top, self._order[look]
        known = self._blocks.get(block_id)
        hit = None
        if known is not None and known.count:
            if look >= 2 * self._in_view:
                return known.hit(known.count - 1 if self._is_above(block_id) else 0)
            hit = known.hit(known.before(top) if block_id == top.block_id else 0)
            # What can be seen comes before what is hidden in a folded block.
            if hit is not None and look < self._in_view and self._is_hidden(hit):
                hit = None
        if hit is None and look + 1 == 2 * self._in_view and (known := self._blocks.get(top.block_id)) is not None:
            # Nothing from the top of the view on: what is just above it is nearest.
            hit = known.hit(known.before(top) - 1)
        return hit

    def _is_hidden(self, hit: Hit) -> bool:
        block = self._document.get(hit.block_id)
        if isinstance(block, ToolBlock):
            return block.folded and hit.line > 0
        return isinstance(block, ThoughtBlock) and block.folded

    def _is_above(self, block_id: int) -> bool:
        return self._document.index(block_id) < self._document.index(self._order[0])

    def _beside(self, hit: Hit, way: int) -> Hit | None:
        """The hit after or before one, round the ends; None while it is not known."""
        blocks = self._document.blocks
        own = self._document.index(hit.block_id)
        known = self._blocks[hit.block_id]
        if known.done and (beside := known.hit(known.before(hit) + way)) is not None:
            return beside
        for distance in range(len(blocks) + 1):
            block_id = blocks[(own + way * distance) % len(blocks)].id
            if self._is_open(block_id) and not self.full:
                self._urgent = block_id
                return None
            other = self._blocks.get(block_id)
            if distance and other is not None and other.count:
                return other.hit(0 if way > 0 else other.count - 1)
        return None
