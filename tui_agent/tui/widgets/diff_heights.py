"""Which item a line of the screen belongs to, while most heights are only guessed."""

from array import array
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from time import perf_counter
from typing import Final

CHUNK: Final = 256
"""Items whose heights are summed up together."""


class Heights:
    """Heights of items, negative where guessed, and their sums; `measure` tells the true one."""

    def __init__(self, heights: "array[int]", measure: Callable[[int], int]) -> None:
        self._heights = heights
        self._measure = measure
        self._sums = [sum(map(abs, heights[at : at + CHUNK])) for at in range(0, len(heights), CHUNK)]
        self._ends: list[int] | None = None
        self._unsure = 0  # all before it are exact

    def __len__(self) -> int:
        return len(self._heights)

    def _chunk_ends(self) -> list[int]:
        if self._ends is None:
            self._ends = list(accumulate(self._sums))
        return self._ends

    @property
    def total(self) -> int:
        """Lines in all."""
        ends = self._chunk_ends()
        return ends[-1] if ends else 0

    def exact(self, item: int) -> int:
        """The height of an item, measured if need be."""
        height = self._heights[item]
        if height < 0:
            self._heights[item] = true = self._measure(item)
            if true + height:
                self._sums[item // CHUNK] += true + height
                self._ends = None
            height = true
        return height

    def start(self, item: int) -> int:
        """The first line of an item."""
        chunk = item // CHUNK
        above = self._chunk_ends()[chunk - 1] if chunk else 0
        return above + sum(map(abs, self._heights[chunk * CHUNK : item]))

    def locate(self, line: int) -> tuple[int, int]:
        """The item that a line belongs to, and the line's number in it; lines outside give the nearest."""
        ends = self._chunk_ends()
        line = max(0, min(line, self.total - 1))
        chunk = bisect_right(ends, line)
        line -= ends[chunk - 1] if chunk else 0
        item = chunk * CHUNK
        while line >= abs(self._heights[item]):
            line -= abs(self._heights[item])
            item += 1
        return item, line

    def window(self, line: int, count: int) -> list[tuple[int, int]]:
        """As `locate`, for lines one after another, as many as there are."""
        found: list[tuple[int, int]] = []
        if not 0 <= line < self.total:
            return found
        item, within = self.locate(line)
        while len(found) < count and item < len(self._heights):
            end = min(abs(self._heights[item]), within + count - len(found))
            found.extend((item, row) for row in range(within, end))
            item, within = item + 1, 0
        return found

    def measure_down(self, item: int, lines: int) -> int:
        """Make exact what stands on so many lines from the beginning of an item; returns how many are missing."""
        while lines > 0 and item < len(self._heights):
            lines -= self.exact(item)
            item += 1
        return max(0, lines)

    def measure_up(self, item: int, lines: int) -> None:
        """Make exact what stands on so many lines above an item."""
        while lines > 0 and item > 0:
            item -= 1
            lines -= self.exact(item)

    def refine(self, seconds: float) -> bool:
        """Measure for so long from the beginning on; returns whether there is more to do."""
        until = perf_counter() + seconds
        heights = self._heights
        while self._unsure < len(heights):
            if heights[self._unsure] < 0:
                self.exact(self._unsure)
                if perf_counter() > until:
                    return True
            self._unsure += 1
        return False
