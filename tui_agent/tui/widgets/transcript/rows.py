"""Which block a row of the whole transcript belongs to, when heights change and thousands of blocks are above."""

from bisect import bisect_right
from collections.abc import Iterable


class RowIndex:
    """Heights of blocks and their running sum; a change costs what is below it, at the end nothing."""

    def __init__(self) -> None:
        self._heights: list[int] = []
        self._ends: list[int] = []
        self._valid = 0  # how many of the ends are right

    def __len__(self) -> int:
        return len(self._heights)

    def reset(self, heights: Iterable[int]) -> None:
        """Take over all heights; the sums above the first difference stay."""
        new = list(heights)
        same = 0
        for old, height in zip(self._heights, new, strict=False):
            if old != height:
                break
            same += 1
        self._heights = new
        self._valid = min(self._valid, same)

    def append(self, height: int) -> None:
        """One more block at the end."""
        self._heights.append(height)

    def height(self, index: int) -> int:
        """Rows of a block."""
        return self._heights[index]

    def set(self, index: int, height: int) -> None:
        """Change the rows of a block."""
        if self._heights[index] != height:
            self._heights[index] = height
            self._valid = min(self._valid, index)

    def start(self, index: int) -> int:
        """The first row of a block; of the number of blocks, the number of rows."""
        self._sum()
        return self._ends[index - 1] if index else 0

    @property
    def total(self) -> int:
        """Rows in all."""
        return self.start(len(self._heights))

    def locate(self, row: int) -> tuple[int, int]:
        """Block and row within it; rows outside give the nearest. There has to be a block."""
        self._sum()
        row = min(max(row, 0), self._ends[-1] - 1)
        index = bisect_right(self._ends, row)
        return index, row - (self._ends[index - 1] if index else 0)

    def _sum(self) -> None:
        if self._valid == len(self._heights) and len(self._ends) == self._valid:
            return
        del self._ends[self._valid :]
        end = self._ends[-1] if self._ends else 0
        for height in self._heights[self._valid :]:
            end += height
            self._ends.append(end)
        self._valid = len(self._heights)
