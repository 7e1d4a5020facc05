"""Highlight the lines of a file that somebody looks at, a block at a time, away from the event loop."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from pygments.lexer import Lexer
    from pygments.token import _TokenType

Version = Literal["old", "new"]

BLOCK = 100
"""Lines highlighted at once."""

LEAD = 100
"""Lines read before a block, so that strings and comments that began earlier are known."""

BREATH = 5
"""After this many lines the thread rests, so that scrolling does not wait for it (both need the interpreter)."""

REST = 0.001
"""Seconds of such a rest."""

LONGEST = 1_000
"""Longer lines (characters) are data, not code: they stay plain."""

PATIENCE = 0.5
"""Seconds of work on one block before the file is given up: some lexers take quadratic time on some texts."""


class Token(NamedTuple):
    """A stretch of one line and what it is."""

    start: int
    end: int
    kind: "_TokenType"


Block = list[tuple[tuple[int, int, int], ...]]
"""For each line: start, end, and which of `Syntax`'s kinds. Plain numbers, so that the collector need not visit them:
thousands of lines would make it stop the program for longer than a frame."""


class Syntax:
    """The highlighting of one file before and after; asking never waits, `work` may run in a thread."""

    def __init__(self, name: str, old: Sequence[str], new: Sequence[str]) -> None:
        self._name = name
        self._lines: dict[Version, Sequence[str]] = {"old": old, "new": new}
        self._blocks: dict[tuple[Version, int], Block] = {}
        self._kinds: dict[_TokenType, int] = {}
        self._kind_of: list[_TokenType] = []
        self._wanted: dict[tuple[Version, int], None] = {}
        self._lexer: Lexer | None = None
        self._known = True

    def line(self, version: Version, number: int) -> Sequence[Token]:
        """The tokens of a line (1-based) when they are known; else none, and its block is wanted."""
        key = version, (number - 1) // BLOCK
        block = self._blocks.get(key)
        if block is not None:
            line = block[(number - 1) % BLOCK]
            return [Token(start, end, self._kind_of[kind]) for start, end, kind in line]
        if self._known:
            self._wanted[key] = None
        return ()

    @property
    def wanted(self) -> bool:
        """True when lines were asked for that are not highlighted yet."""
        return bool(self._wanted)

    def next_block(self) -> tuple[Version, int] | None:
        """The block asked for last, which is the one in view, or None."""
        return self._wanted.popitem()[0] if self._wanted else None

    def work(self, key: tuple[Version, int]) -> Block | None:
        """Highlight a block; None when the file's name tells no language or its lexer takes too long for it.

        One call at a time.
        """
        if self._lexer is None:
            self._lexer = _lexer(self._name)
        if self._lexer is None:
            return None
        version, index = key
        first = index * BLOCK
        start = max(0, first - LEAD)
        lines = [line.rstrip("\r\n") for line in self._lines[version][start : first + BLOCK]]
        lines = [line if len(line) <= LONGEST else "" for line in lines]
        tokens = self._tokens(lines)
        return None if tokens is None else tokens[first - start :]

    def done(self, key: tuple[Version, int], block: Block | None) -> None:
        """Keep what `work` returned."""
        if block is None:
            self._known = False
            self._wanted.clear()
        else:
            self._blocks[key] = block

    def _tokens(self, lines: Sequence[str]) -> Block | None:
        from pygments.token import Text, Whitespace

        assert self._lexer is not None
        out: list[list[tuple[int, int, int]]] = [[] for _ in lines]
        row = column = 0
        until = time.thread_time() + PATIENCE
        for _, kind, text in self._lexer.get_tokens_unprocessed("\n".join(lines)):
            if kind not in self._kinds:
                self._kinds[kind] = len(self._kinds)
                self._kind_of.append(kind)
            if time.thread_time() > until:
                return None
            for index, part in enumerate(text.split("\n")):
                if index:
                    row, column = row + 1, 0
                    if row % BREATH == 0:
                        time.sleep(REST)
                if part and kind is not Text and kind is not Whitespace:
                    out[row].append((column, column + len(part), self._kinds[kind]))
                column += len(part)
        return [tuple(line) for line in out]


def _lexer(name: str) -> "Lexer | None":
    from pygments.lexers import get_lexer_for_filename
    from pygments.util import ClassNotFound

    try:
        return get_lexer_for_filename(name, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None
