"""Turn one line of foreign text into what is painted: nothing hidden, tabs expanded, cut to the width of a column."""

import itertools
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Literal, NamedTuple

from rich.cells import get_character_cell_size
from rich.segment import Segment
from rich.style import Style

from tui_agent.text.sanitize import sanitize

TAB = 4
_PLAIN = re.compile(r"[ -~]*")
_PLAIN_TEXT = re.compile(r"[ -~\n]*")
_LONG_BLANK = " " * 32
_CODE = re.compile(r"<U\+([0-9A-F]{4,6})(?: ×(\d+))?>")
_ONE_CELL = re.compile("[ -~¡-¬®-ʯ‐-―‘-‧→⇥–—…×]*")


class Piece(NamedTuple):
    """Characters `raw` to `raw_end` of the source appear as `shown` to `shown_end`.

    `mark` says what they became: nothing else, an expanded tab, or a code like `<U+202E>`.
    """

    raw: int
    raw_end: int
    shown: int
    shown_end: int
    mark: Literal["", "tab", "code"] = ""


@dataclass(frozen=True)
class Shown:
    """A line as it is painted, and where each character of the source went."""

    text: str
    pieces: tuple[Piece, ...]

    @cached_property
    def _starts(self) -> list[int]:
        return [piece.raw for piece in self.pieces]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where the source characters `start` to `end` are painted."""
        if not self.pieces:
            return min(start, len(self.text)), min(end, len(self.text))
        return self._place(start), self._place(end)

    def _place(self, raw: int) -> int:
        index = bisect_right(self._starts, raw) - 1
        if index < 0:
            return 0
        piece = self.pieces[index]
        if raw >= piece.raw_end:
            return piece.shown_end
        return piece.shown if piece.mark else piece.shown + raw - piece.raw

    @cached_property
    def _marks(self) -> tuple[list[Piece], list[int]]:
        marks = [piece for piece in self.pieces if piece.mark]
        return marks, [piece.shown_end for piece in marks]

    def marks(self, start: int, end: int) -> Iterator[Piece]:
        """What stands for something else than itself, in a stretch of what is painted."""
        marks, ends = self._marks
        for piece in islice(marks, bisect_right(ends, start), None):
            if piece.shown >= end:
                break
            yield piece

    @cached_property
    def breaks(self) -> "Breaks":
        """Where the painted text is cut to a width: anywhere, so that columns stay columns."""
        return Breaks(self.text)


def is_plain(line: str) -> bool:
    """True when a line is painted as it is, one cell a character."""
    return _PLAIN.fullmatch(line) is not None and _LONG_BLANK not in line


def is_plain_text(text: str) -> bool:
    """True when every line of a text is plain."""
    return _PLAIN_TEXT.fullmatch(text) is not None and _LONG_BLANK not in text


def show(line: str, tab: str = "→", *, inside: bool = False) -> Shown:
    """How to paint one line without its LF; `tab` is the one-cell mark at the beginning of an expanded tab.

    `inside`: it is the rest of a line, so that blanks at its beginning do not indent.
    """
    if is_plain(line):
        return Shown(line, ())
    parts: list[str] = []
    pieces: list[Piece] = []
    raw = shown = column = 0
    for index, part in enumerate(line.split("\t")):
        if index:
            width = TAB - column % TAB
            parts.append(tab + " " * (width - 1))
            pieces.append(Piece(raw, raw + 1, shown, shown + width, "tab"))
            raw, shown, column = raw + 1, shown + width, column + width
        # The character before tells the sanitiser that blanks here do not indent.
        text = sanitize("." + part, "approval")[1:] if index or inside else sanitize(part, "approval")
        text = text.replace("\n", "<U+000A>")
        pieces += _pieces(part, text, raw, shown)
        parts.append(text)
        raw, shown, column = raw + len(part), shown + len(text), column + cells(text)
    return Shown("".join(parts), tuple(pieces))


def _pieces(source: str, text: str, raw: int, shown: int) -> list[Piece]:
    """Match a sanitised text to its source: a code stands for its characters unless the source spells it itself."""
    if source == text:
        return [Piece(raw, raw + len(source), shown, shown + len(text))] if source else []
    pieces: list[Piece] = []
    i = k = 0
    for match in _CODE.finditer(text):
        plain = match.start() - k
        at = i + plain
        if source.startswith(match[0], at):
            continue
        if plain:
            pieces.append(Piece(raw + i, raw + at, shown + k, shown + match.start()))
        i, k = at + int(match[2] or 1), match.end()
        pieces.append(Piece(raw + at, raw + i, shown + match.start(), shown + k, "code"))
    if k < len(text):
        pieces.append(Piece(raw + i, raw + len(source), shown + k, shown + len(text)))
    return pieces


def one_line(text: str) -> str:
    """A foreign name or title for a place that has one line, everything in it visible."""
    return sanitize(text, "approval").replace("\n", "<U+000A>").replace("\t", "<U+0009>")


def cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return len(text) if _ONE_CELL.fullmatch(text) else sum(map(get_character_cell_size, text))


def shortened(name: str, room: int, ellipsis: str = "…") -> str:
    """A name that fits into `room` cells; it loses its beginning, which says least of a path."""
    if cells(name) <= room:
        return name
    while name and cells(name) + cells(ellipsis) > room:
        name = name[1:]
    return ellipsis + name


class Breaks:
    """Where a text is cut when it is painted in a width, after a space if `words`; the last width is kept."""

    def __init__(self, text: str, words: bool = False) -> None:
        self._text = text
        self._words = words
        self._narrow = not words and _ONE_CELL.fullmatch(text) is not None
        self._width = 0
        self._starts: list[int] = []

    def count(self, width: int) -> int:
        """How many columns the text fills; at least one."""
        if self._narrow:
            return max(1, -(-len(self._text) // width))
        return len(self._cut(width))

    def piece(self, width: int, index: int) -> tuple[int, int]:
        """The character span of one column."""
        if self._narrow:
            return index * width, min(len(self._text), (index + 1) * width)
        starts = self._cut(width)
        return starts[index], starts[index + 1] if index + 1 < len(starts) else len(self._text)

    def _cut(self, width: int) -> list[int]:
        if self._width != width:
            self._width, self._starts = width, [0]
            used = 0
            for index, character in enumerate(self._text):
                size = get_character_cell_size(character)
                if used + size > width and index:
                    space = self._text.rfind(" ", self._starts[-1], index) + 1 if self._words else 0
                    self._starts.append(space or index)
                    used = cells(self._text[space:index]) if space else 0
                used += size
        return self._starts


class Layer(NamedTuple):
    """A style over a span of characters."""

    start: int
    end: int
    style: Style


def segments(text: str, start: int, end: int, base: Style, layers: Sequence[Layer]) -> list[Segment]:
    """The characters `start` to `end` of a text, later layers over earlier ones over `base`."""
    inside = [layer for layer in layers if layer.start < end and layer.end > start]
    if not inside:
        return [Segment(text[start:end], base)] if end > start else []
    edges = {edge for layer in inside for edge in (max(start, layer.start), min(end, layer.end))}
    cuts = sorted(edges | {start, end})
    place = {cut: index for index, cut in enumerate(cuts)}
    styles = [base] * (len(cuts) - 1)
    for layer in inside:
        for index in range(place[max(start, layer.start)], place[min(end, layer.end)]):
            styles[index] += layer.style
    return [
        Segment(text[left:right], style) for (left, right), style in zip(itertools.pairwise(cuts), styles, strict=True)
    ]
