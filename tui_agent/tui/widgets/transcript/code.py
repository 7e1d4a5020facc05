"""Code is laid out without its colours: they are worked out when a line is painted, in order, each line once."""

from collections.abc import Iterable
from time import monotonic

from tui_agent.tui.widgets.transcript.highlight import LineHighlighter
from tui_agent.tui.widgets.transcript.lines import Line, Range, Span, Spans, flowed, text_of

SHARE = 0.012
"""Seconds of a frame that colouring may take."""

# How long each stretch of a line is and its role, one after the other: a fraction of what spans take.
_Stretches = tuple[int | str, ...]


class Fence:
    """The lines of one piece of code, as they come, and the colours of as many of them as were asked for."""

    __slots__ = ("_highlighter", "_lines", "_settled", "_stretches", "language")

    def __init__(self, language: str) -> None:
        self.language = language
        self._lines: list[str] = []
        self._settled = 0  # lines that will not change any more
        self._stretches: list[_Stretches] = []
        self._highlighter: LineHighlighter | None = None

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, line: str) -> None:
        """One more line, complete."""
        self._lines.append(line)
        self._settled = len(self._lines)

    def reread(self, lines: list[str]) -> None:
        """All lines anew, because what the fence is in was parsed again; the last may still be growing."""
        kept = self._settled
        if kept >= len(lines) or lines[:kept] != self._lines[:kept]:
            self._stretches = []
            self._highlighter = None
        self._lines = lines
        self._settled = len(lines) - 1

    def settle(self) -> None:
        """The last line is complete, too."""
        self._settled = len(self._lines)

    def colour(self, index: int, until: float) -> bool:
        """Colour the lines up to this one; False when `until` (monotonic seconds) came before it was done."""
        if self._highlighter is None:
            self._highlighter = LineHighlighter(self.language)
        end = min(index + 1, self._settled)
        done = self._stretches
        while len(done) < end:
            if monotonic() >= until:
                return False
            done.append(_stretches_of(self._highlighter.line(self._lines[len(done)])))
        return True

    def spans(self, index: int, text: str) -> Spans:
        """The spans of a line of this text, in colours; those before it have to be coloured."""
        if index >= self._settled and self._highlighter is not None:
            return self._highlighter.fork().line(text)
        return _spans_of(text, self._stretches[index])


class CodeLine:
    """A line of code, to be wrapped; `first` stands before its first row, `rest` before the others.

    Its spans are plain; see `coloured`. Two are equal when they show the same, whatever is known of their colours.
    """

    __slots__ = ("fence", "first", "index", "rest", "source", "text")

    band = "code"

    def __init__(self, first: Spans, rest: Spans, text: str, source: Range, fence: Fence, index: int) -> None:
        self.first = first
        self.rest = rest
        self.text = text
        self.source = source
        self.fence = fence
        self.index = index

    @property
    def spans(self) -> Spans:
        """The line in the one role `code`, without prefix, tabs expanded."""
        return ((self.text, "code"),) if self.text else ()

    def lines(self, width: int) -> list[Line]:
        """Rows of at most `width` cells."""
        return flowed(self, self.first, self.rest, self.spans, width, hard=True, band="code")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CodeLine) and self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash((self.text, self.source))

    def __repr__(self) -> str:
        return f"CodeLine{self._facts()}"

    def _facts(self) -> tuple[object, ...]:
        return self.first, self.rest, self.text, self.source, self.fence.language, self.index


def coloured(line: Line, until: float) -> Line | None:
    """A row as it is to be painted: code in its colours, all else as it is.

    None when `until` (monotonic seconds) comes before the colours are known, which depend on all lines above: then
    paint the row as it is and give it to `colour` in idle slices of at most `SHARE`, until that is True.
    """
    item = line.item
    if not isinstance(item, CodeLine) or line.start < 0 or not item.text:
        return line
    if not item.fence.colour(item.index, until):
        return None
    spans = item.fence.spans(item.index, item.text)
    before = line.lead
    prefix: list[Span] = []
    for span in line.spans:
        if before <= 0:
            break
        prefix.append(span)
        before -= len(span[0])
    shown = text_of(line.spans)[line.lead :]
    if shown != item.text:
        spans = _part(spans, line.start, line.start + len(shown))
        if shown != text_of(spans):
            # So narrow that a wide character is a dot.
            return line
    return line._replace(spans=(*prefix, *spans))


def colour(lines: Iterable[Line], until: float) -> bool:
    """Go on with the colours of these rows; True when all of them are known."""
    return all(line.item.fence.colour(line.item.index, until) for line in lines if isinstance(line.item, CodeLine))


def _stretches_of(spans: Spans) -> _Stretches:
    return tuple(value for text, role in spans for value in (len(text), role))


def _spans_of(text: str, stretches: _Stretches) -> Spans:
    spans: list[Span] = []
    at = 0
    values = iter(stretches)
    for length, role in zip(values, values, strict=True):
        assert isinstance(length, int) and isinstance(role, str)
        spans.append((text[at : at + length], role))
        at += length
    return tuple(spans)


def _part(spans: Spans, start: int, end: int) -> Spans:
    """The spans of characters `start` to `end`."""
    part: list[Span] = []
    at = 0
    for text, role in spans:
        if piece := text[max(0, start - at) : max(0, end - at)]:
            part.append((piece, role))
        at += len(text)
    return tuple(part)
