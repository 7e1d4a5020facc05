"""A part of a Markdown text as items: pieces that know how to become rows of a given width."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tui_agent.text.sanitize import sanitize
from tui_agent.tui.widgets.transcript.highlight import LineHighlighter
from tui_agent.tui.widgets.transcript.lines import Line, Span, Spans, clip, text_of, width_of, wrap_at
from tui_agent.tui.widgets.transcript.table import Table

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_HEADINGS = {"h1": "heading1+b", "h2": "heading2+b"}
# Deeper than this nothing is to be gained from indenting further.
_DEEPEST = 12
# The parser drops what is nested deeper; such a part is shown as it is written.
_NESTING = 60


Range = tuple[int, int]
"""First line of the source and the one after the last, from 0; see `lines.Item.source`."""


class Flow(NamedTuple):
    """One logical line to be wrapped: `first` stands before its first row, `rest` before the others.

    Its source is its own line or lines: of a paragraph or heading of several lines each has its own, unless something
    inline goes on over a line's end; then all have those of the whole. The label of a fence has the opening line, the
    last line of a heading that is underlined also has the underline. Air has an empty range.
    """

    first: Spans
    rest: Spans
    spans: Spans
    hard: bool = False
    band: str = ""
    source: Range = (0, 0)

    def lines(self, width: int) -> list[Line]:
        """Rows of at most `width` cells."""
        first, rest = self.first, self.rest
        band = self.band
        if not rest and not first:
            if not self.spans:
                return [Line((), band, (), self if self.source[1] > self.source[0] else None)]
            rows, starts = wrap_at(self.spans, width, self.hard)
            return [Line(row, band, (), self, 0, start) for row, start in zip(rows, starts, strict=True)]
        first, rest = fit_prefix(first, width), fit_prefix(rest, width)
        lead = len(text_of(first))
        if not self.spans:
            return [Line(first, band, (), self if self.source[1] > self.source[0] else None, lead)]
        room = width - max(width_of(first), width_of(rest))
        rows, starts = wrap_at(self.spans, room, self.hard)
        lines = [Line((*first, *rows[0]), band, (), self, lead)]
        if len(rows) > 1:
            lead = len(text_of(rest))
            lines += [Line((*rest, *rows[at]), band, (), self, lead, starts[at]) for at in range(1, len(rows))]
        return lines


class Rule(NamedTuple):
    """A line across."""

    first: Spans
    source: Range = (0, 0)

    @property
    def spans(self) -> Spans:
        """It holds no text."""
        return ()

    def lines(self, width: int) -> list[Line]:
        """One row, all of it decoration."""
        first = fit_prefix(self.first, width)
        spans = (*first, ("─" * max(1, width - width_of(first)), "line"))
        return [Line(spans, "", (), self, len(text_of(spans)), -1)]


class TableRow(NamedTuple):
    """What rows on the screen that show one row of a table have as their item; the first is the header.

    The line under the header belongs to the source of none, so it has to be copied with both or not at all.
    """

    spans: Spans
    source: Range


class Framed(NamedTuple):
    """A table behind a prefix; `rows` has the source of each of its rows.

    Its own source are all its lines. A table so long that it was cut goes on under its header, which then has an empty
    range.
    """

    first: Spans
    rest: Spans
    table: Table
    rows: tuple[Range, ...]
    source: Range

    @property
    def spans(self) -> Spans:
        """Its rows are the items of its lines; itself it holds no text."""
        return ()

    def lines(self, width: int) -> list[Line]:
        """Rows of at most `width` cells."""
        first, rest = fit_prefix(self.first, width), fit_prefix(self.rest, width)
        items = [TableRow(self.table.row_spans(row), source) for row, source in enumerate(self.rows)]
        lines = []
        prefix = first
        for spans, row, pieces in self.table.rows(width - max(width_of(first), width_of(rest))):
            lead = len(text_of(prefix))
            if lead:
                pieces = tuple((at + lead, offset, length) for at, offset, length in pieces)
            item = items[row] if row >= 0 else None
            lines.append(Line((*prefix, *spans), "", (), item, lead, -1, pieces))
            prefix = rest
        return lines


Item = Flow | Rule | Framed
GAP = Flow((), (), ())


class FenceMemory:
    """The lines of one fence that were highlighted already, for a part that is parsed again and again as it grows."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._highlighter = LineHighlighter(language)
        self._lines: list[str] = []
        self._spans: list[Spans] = []

    def highlighted(self, lines: list[str]) -> list[Spans]:
        """The spans of all lines; the last one may still be growing and is not remembered."""
        kept = len(self._lines)
        if lines[:kept] != self._lines or kept >= len(lines):
            self._highlighter = LineHighlighter(self.language)
            self._lines, self._spans = [], []
            kept = 0
        for line in lines[kept:-1]:
            self._spans.append(self._highlighter.line(line.expandtabs(4)))
        self._lines = lines[:-1]
        return [*self._spans, self._highlighter.fork().line(lines[-1].expandtabs(4))]


class Parsed(NamedTuple):
    """Items of a part, and whether it keeps a distance from its neighbours; `last_number` of an ordered list."""

    items: list[Item]
    roomy_before: bool
    roomy_after: bool
    last_number: int


def fit_prefix(prefix: Spans, width: int) -> Spans:
    """A prefix that leaves at least half of the width to the text."""
    return clip(prefix, width // 2, mark="") if width_of(prefix) > width // 2 else prefix


def items_of(
    lines: list[str],
    places: list[Range],
    references: dict[str, Any],
    first_number: int | None,
    fences: list[FenceMemory],
) -> Parsed:
    """Parse the sanitised lines of a part. Link definitions are read from and added to `references`.

    `places` says where in the text as fed each of them stands (an empty range for a repeated one).
    `first_number` numbers the first top-level ordered list, whatever it says itself. `fences` remembers what was
    highlighted when the beginning of the same part was parsed before.
    """
    tokens = _parser().parse("\n".join(lines), {"references": references})
    if any(token.level > _NESTING - 4 for token in tokens):
        plain: list[Item] = [
            Flow((), (), ((line.expandtabs(4), "text"),), source=place)
            for line, place in zip(lines, places, strict=True)
        ]
        return Parsed(plain, False, False, first_number or 0)
    walker = _Walker(lines, places, first_number, fences)
    walker.walk(tokens)
    return Parsed(walker.items, walker.roomy_before, walker.roomy_after, walker.last_number)


@lru_cache(1)
def _parser() -> "MarkdownIt":
    # 40 ms that the first paint need not pay.
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False, "maxNesting": _NESTING}).enable(["table", "strikethrough"])


class _Walker:
    """Turns block tokens into items, keeping the prefixes of the containers it is in."""

    def __init__(
        self, lines: list[str], places: list[Range], first_number: int | None, fences: list[FenceMemory]
    ) -> None:
        self.items: list[Item] = []
        self.roomy_before = False
        self.roomy_after = False
        self.last_number = first_number or 0
        self._first_number = first_number
        self._lines = lines
        self._places = places
        self._fences = fences
        self._fence = 0  # how many were met
        self._containers: list[tuple[str, Spans]] = []  # kind and what stands before every row
        self._marker: Spans = ()  # stands before the next row instead of the last container's blank
        self._marked: Range = (0, 0)  # where the mark came from
        self._heading: Range = (0, 0)
        self._counters: list[int | None] = []

    def walk(self, tokens: "list[Token]") -> None:
        index = 0
        heading = ""
        while index < len(tokens):
            token = tokens[index]
            kind = token.type
            if kind == "inline":
                self._text(token, heading)
            elif kind == "heading_open":
                self._space(token, roomy=True)
                heading = _HEADINGS.get(token.tag, "heading3+b")
                self._heading = self._place(token)
            elif kind == "heading_close":
                heading = ""
            elif kind == "paragraph_open":
                self._space(token)
            elif kind in ("fence", "code_block"):
                self._code(token)
            elif kind == "hr":
                self._space(token)
                self.items.append(Rule(self._take_prefix(), self._place(token)))
            elif kind == "table_open":
                end = next(at for at in range(index, len(tokens)) if tokens[at].type == "table_close")
                self._table(token, tokens[index : end + 1])
                index = end
            elif kind.endswith("_open"):
                self._enter(token)
            elif kind.endswith("_close"):
                self._leave(token)
            index += 1

    def _enter(self, token: "Token") -> None:
        kind = token.type
        if kind in ("bullet_list_open", "ordered_list_open"):
            if kind == "bullet_list_open":
                self._counters.append(None)
            else:
                start = int(token.attrGet("start") or (0 if token.attrGet("start") == 0 else 1))
                outer = not self._containers and self._first_number is not None
                self._counters.append(self._first_number if outer else start)
        elif kind == "list_item_open":
            self._space(token)
            number = self._counters[-1]
            if number is None:
                marker = "• "
            else:
                marker = f"{number}{token.markup} "
                self._counters[-1] = number + 1
                if not self._containers:
                    self.last_number = number
            outer_marker = self._take_prefix() if self._marker else self._prefix()
            self._containers.append(("item", ((" " * len(marker), "text"),)))
            self._marker = (*outer_marker, (marker, "accent"))
            self._marked = self._place(token)
        elif kind == "blockquote_open":
            self._space(token)
            if self._marker:
                self._marker = (*self._marker, ("▏ ", "faint"))
            self._containers.append(("quote", (("▏ ", "faint"),)))

    def _leave(self, token: "Token") -> None:
        if token.type in ("bullet_list_close", "ordered_list_close"):
            self._counters.pop()
        elif token.type in ("list_item_close", "blockquote_close"):
            if self._marker and token.type == "list_item_close":
                # An empty item still shows its mark.
                self.items.append(Flow(self._take_prefix(), (), (), source=self._marked))
            self._containers.pop()
            self._marker = ()

    def _prefix(self) -> Spans:
        return tuple(span for _, spans in self._containers[:_DEEPEST] for span in spans)

    def _take_prefix(self) -> Spans:
        """What stands before the next row: a pending list mark once, else the containers' blanks and bars."""
        marker, self._marker = self._marker, ()
        return marker or self._prefix()

    def _space(self, token: "Token", roomy: bool = False) -> None:
        """An empty row before a block, where the source has one or the kind of block wants one."""
        self.roomy_after = roomy and token.type != "heading_open"
        if not self.items:
            self.roomy_before = roomy
            return
        if self._marker or not token.map:
            return
        line = token.map[0] - 1
        blank = 0 <= line < len(self._lines) and not self._lines[line].strip(" \t>")
        if (roomy or blank) and self.items[-1] != GAP:
            self.items.append(Flow(self._prefix(), (), ()))

    def _text(self, token: "Token", heading: str) -> None:
        quoted = any(kind == "quote" for kind, _ in self._containers)
        base = heading or ("muted" if quoted else "text")
        spans = inline_spans(token.children or [], base)
        first, rest = self._take_prefix(), self._prefix()
        shown = _split_lines(spans)
        begin, end = token.map or (0, 0)
        whole = (self._places[begin][0], max(self._places[end - 1][1], self._heading[1] if heading else 0))
        exact = len(shown) == end - begin
        for index, line in enumerate(shown):
            source = whole
            if exact:
                source = self._places[begin + index]
                if index == len(shown) - 1:
                    source = (source[0], whole[1])
            self.items.append(Flow(first, rest, line, source=source))
            first = rest

    def _code(self, token: "Token") -> None:
        self._space(token, roomy=not self._containers)
        language = sanitize(token.info).strip().split(" ")[0] if token.info else ""
        if self._fence == len(self._fences) or self._fences[self._fence].language != language:
            self._fences[self._fence :] = [FenceMemory(language)]
        memory = self._fences[self._fence]
        self._fence += 1
        at = token.map[0] if token.map else 0
        if token.type == "fence":
            at += 1
        if language:
            first, rest = self._take_prefix(), self._prefix()
            label = ((language, "faint"),)
            self.items.append(Flow(first, rest, label, hard=True, band="code", source=self._places[at - 1]))
        if not token.content:
            return
        first, rest = self._take_prefix(), self._prefix()
        for index, spans in enumerate(memory.highlighted(token.content.removesuffix("\n").split("\n"))):
            self.items.append(Flow(first, rest, spans, hard=True, band="code", source=self._places[at + index]))
            first = rest

    def _table(self, token: "Token", tokens: "list[Token]") -> None:
        self._space(token, roomy=not self._containers)
        rows: list[tuple[Spans, ...]] = []
        aligns: list[str] = []
        row: list[Spans] = []
        sources: list[Range] = []
        for cell in tokens:
            if cell.type == "inline":
                base = "text+b" if not rows else "text"
                row.append(inline_spans(cell.children or [], base))
            elif cell.type == "th_open":
                style = str(cell.attrGet("style") or "")
                aligns.append(style.removeprefix("text-align:"))
            elif cell.type == "tr_open":
                sources.append(self._place(cell))
            elif cell.type == "tr_close":
                rows.append(tuple(row))
                row = []
        first, rest = self._take_prefix(), self._prefix()
        table = Table(tuple(rows), tuple(aligns))
        self.items.append(Framed(first, rest, table, tuple(sources), self._place(token)))

    def _place(self, token: "Token") -> Range:
        """The lines of a block."""
        begin, end = token.map or (0, 0)
        return self._places[begin][0], self._places[end - 1][1]


def inline_spans(tokens: "list[Token]", base: str) -> Spans:
    """The spans of inline tokens; line breaks become newlines in the text."""
    spans: list[Span] = []
    role, _, letters = base.partition("+")
    flags = list(letters)
    links: list[tuple[str, int]] = []
    for token in tokens:
        kind = token.type
        if kind in ("strong_open", "em_open", "s_open"):
            flags.append(kind[0] if kind[0] != "s" or kind == "s_open" else "b")
            if kind == "em_open":
                flags[-1] = "i"
        elif kind in ("strong_close", "em_close", "s_close"):
            flags.pop()
        elif kind == "link_open":
            links.append((sanitize(str(token.attrGet("href") or "")), len(spans)))
        elif kind == "link_close":
            target, start = links.pop()
            shown = "".join(text for text, _ in spans[start:])
            if target and target.removeprefix("mailto:") != shown:
                spans.append((f" ({target})" if shown else target, "faint"))
        else:
            text = _text_of(token)
            if text:
                name = "code_inline" if kind == "code_inline" else "link" if links else role
                spans.append((text, _with_flags(name, flags)))
    return tuple(spans)


def _text_of(token: "Token") -> str:
    if token.type in ("softbreak", "hardbreak"):
        return "\n"
    text = token.content
    if token.type == "image":
        text = f"[{text or 'image'}] ({token.attrGet('src') or ''})"
    # Character references can spell what the sanitised source did not hold.
    return sanitize(text).replace("\n", " ").expandtabs(4)


def _with_flags(role: str, flags: list[str]) -> str:
    return f"{role}+{''.join(sorted(set(flags)))}" if flags else role


def _split_lines(spans: Spans) -> list[Spans]:
    lines: list[list[Span]] = [[]]
    for text, role in spans:
        for index, piece in enumerate(text.split("\n")):
            if index:
                lines.append([])
            if piece:
                lines[-1].append((piece, role))
    return [tuple(line) for line in lines]
