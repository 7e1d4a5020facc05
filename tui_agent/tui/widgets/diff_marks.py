"""What changed within replaced lines, asked for as they are painted; long ones are compared in a thread."""

from functools import lru_cache
from typing import Final

from tui_agent.workspace.intraline import Span, intraline

AT_ONCE: Final = 4_000
"""Characters of a line that is compared while it is painted."""

Spans = tuple[tuple[Span, ...], tuple[Span, ...]]
"""What differs in the line before and in the one after."""

_short = lru_cache(maxsize=256)(intraline)


class Marks:
    """The marks of one diff; asking never waits, `work` may run in a thread."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], Spans] = {}
        self._wanted: dict[tuple[int, int], tuple[str, str]] = {}
        self._working: tuple[str, str] = "", ""

    def spans(self, old_number: int, new_number: int, old: str, new: str) -> Spans:
        """What differs in two lines; nothing as long as it is not known."""
        if max(len(old), len(new)) <= AT_ONCE:
            return _short(old, new)
        key = old_number, new_number
        if key not in self._known:
            self._wanted[key] = old, new
        return self._known.get(key, ((), ()))

    @property
    def wanted(self) -> bool:
        """True when lines were asked for that are not compared yet."""
        return bool(self._wanted)

    def next_block(self) -> tuple[int, int] | None:
        """The lines asked for last, or None."""
        if not self._wanted:
            return None
        key, self._working = self._wanted.popitem()
        return key

    def work(self, key: tuple[int, int]) -> Spans:
        """Compare the lines that `next_block` gave."""
        return intraline(*self._working)

    def done(self, key: tuple[int, int], spans: Spans) -> None:
        """Keep what `work` returned."""
        self._known[key] = spans
        self._wanted.pop(key, None)
