"""Highlight the lines of a file that somebody looks at, a block at a time, away from the event loop."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from pygments.lexer import Lexer
    from pygments.token import _TokenType

Version = Literal["old", "new"]

BLOCK = 200
"""Lines highlighted at once."""

LEAD = 200
"""Lines read before a block, so that strings and comments that began earlier are known."""

LONGEST = 4_000
"""Longer lines (characters) are data, not code: they stay plain."""


class Token(NamedTuple):
    """A stretch of one line and what it is."""

    start: int
    end: int
    kind: "_TokenType"


class Syntax:
    """The highlighting of one file before and after; asking never waits, `work` may run in a thread."""

    def __init__(self, name: str, old: Sequence[str], new: Sequence[str]) -> None:
        self._name = name
        self._lines: dict[Version, Sequence[str]] = {"old": old, "new": new}
        self._blocks: dict[tuple[Version, int], list[list[Token]]] = {}
        self._wanted: dict[tuple[Version, int], None] = {}
        self._lexer: Lexer | None = None
        self._known = True

    def line(self, version: Version, number: int) -> Sequence[Token]:
        """The tokens of a line (1-based) when they are known; else none, and its block is wanted."""
        key = version, (number - 1) // BLOCK
        block = self._blocks.get(key)
        if block is not None:
            return block[(number - 1) % BLOCK]
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

    def work(self, key: tuple[Version, int]) -> list[list[Token]] | None:
        """Highlight a block; None when the file's name tells no language. Changes nothing but the lexer kept."""
        if self._lexer is None:
            self._lexer = _lexer(self._name)
        if self._lexer is None:
            return None
        version, index = key
        first = index * BLOCK
        start = max(0, first - LEAD)
        lines = [line.rstrip("\r\n") for line in self._lines[version][start : first + BLOCK]]
        lines = [line if len(line) <= LONGEST else "" for line in lines]
        return _tokens(self._lexer, lines)[first - start :]

    def done(self, key: tuple[Version, int], block: list[list[Token]] | None) -> None:
        """Keep what `work` returned."""
        if block is None:
            self._known = False
            self._wanted.clear()
        else:
            self._blocks[key] = block


def _lexer(name: str) -> "Lexer | None":
    from pygments.lexers import get_lexer_for_filename
    from pygments.util import ClassNotFound

    try:
        return get_lexer_for_filename(name, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def _tokens(lexer: "Lexer", lines: Sequence[str]) -> list[list[Token]]:
    from pygments.token import Text, Whitespace

    out: list[list[Token]] = [[] for _ in lines]
    row = column = 0
    for _, kind, text in lexer.get_tokens_unprocessed("\n".join(lines)):
        for index, part in enumerate(text.split("\n")):
            if index:
                row, column = row + 1, 0
            if part and kind is not Text and kind is not Whitespace:
                out[row].append(Token(column, column + len(part), kind))
            column += len(part)
    return out
