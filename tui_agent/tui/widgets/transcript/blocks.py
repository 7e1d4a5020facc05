"""A part of a Markdown text as items, by way of the block tokens of a parser."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tui_agent.text.sanitize import sanitize
from tui_agent.tui.widgets.transcript.code import CodeLine, Fence
from tui_agent.tui.widgets.transcript.inline import inline_spans, split_lines
from tui_agent.tui.widgets.transcript.items import GAP, Flow, Framed, Item, Rule, TableRow
from tui_agent.tui.widgets.transcript.lines import Range, Spans, text_of
from tui_agent.tui.widgets.transcript.links import Link
from tui_agent.tui.widgets.transcript.table import GAP_WIDTH, Table, beside

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.token import Token

_HEADINGS = {
    "h1": "heading1+b",
    "h2": "heading2+b",
    "h3": "heading1+i",
    "h4": "heading2+i",
    "h5": "muted+b",
    "h6": "muted+i",
}
# Deeper than this nothing is to be gained from indenting further.
_DEEPEST = 12
# The parser drops what is nested deeper; such a part is shown as it is written.
_NESTING = 60
# Every bracket that opens no link costs a look at all that follows.
_BRACKETS = 300
# No screen has room for a table of so many columns; each costs as much as a paragraph.
_PIPES = 300
_BOXES = {"[ ] ": ("☐ ", "accent"), "[x] ": ("☑ ", "success"), "[X] ": ("☑ ", "success")}


class OpenFence(NamedTuple):
    """A fence that a part ends within: its mark, the column where its lines begin, and what stands before its rows."""

    mark: str
    column: int
    prefix: Spans
    code: Fence


class Parsed(NamedTuple):
    """Items of a part, and whether it keeps a distance from its neighbours; `last_number` of an ordered list."""

    items: list[Item]
    roomy_before: bool
    roomy_after: bool
    last_number: int
    fence: OpenFence | None = None


def items_of(
    lines: list[str],
    places: list[Range],
    references: dict[str, Any],
    first_number: int | None,
    fences: list[Fence],
) -> Parsed:
    """Parse the sanitised lines of a part. Link definitions are read from and added to `references`.

    `places` says where in the text as fed each of them stands (an empty range for a repeated one).
    `first_number` numbers the first top-level ordered list, whatever it says itself. `fences` holds
    those that were met when the beginning of the same part was parsed before, so that no line is coloured twice.
    """
    source = "\n".join(lines)
    brackets = source.count("[")
    links = brackets < _BRACKETS or source.count("](") * 2 > brackets
    tables = all(line.count("|") < _PIPES for line in lines)
    tokens = _parser(links, tables).parse(source, {"references": references})
    if any(token.level > _NESTING - 4 for token in tokens):
        plain: list[Item] = [
            Flow((), (), ((line.expandtabs(4), "text"),), source=place)
            for line, place in zip(lines, places, strict=True)
        ]
        return Parsed(plain, False, False, first_number or 0)
    walker = _Walker(lines, places, first_number, fences)
    walker.walk(tokens)
    return Parsed(walker.items, walker.roomy_before, walker.roomy_after, walker.last_number, walker.open_fence)


@lru_cache(4)
def _parser(links: bool, tables: bool) -> "MarkdownIt":
    # 40 ms that the first paint need not pay.
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import reference

    def no_footnote(state: "StateBlock", start: int, end: int, silent: bool) -> bool:
        # The text of a footnote that is one word would be taken for the target of a link, and vanish.
        at = state.bMarks[start] + state.tShift[start]
        return not state.src.startswith("[^", at) and reference(state, start, end, silent)

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _NESTING}).enable("strikethrough")
    parser.block.ruler.at("reference", no_footnote)
    if tables:
        parser.enable("table")
    return parser if links else parser.disable(["link", "image"])


class _Walker:
    """Turns block tokens into items, keeping the prefixes of the containers it is in."""

    def __init__(self, lines: list[str], places: list[Range], first_number: int | None, fences: list[Fence]) -> None:
        self.items: list[Item] = []
        self.roomy_before = False
        self.roomy_after = False
        self.last_number = first_number or 0
        self.open_fence: OpenFence | None = None
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
                heading = _HEADINGS[token.tag]
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
        children = token.children or []
        box = self._take_box(children) if self._marker and not heading else ()
        spans, links = inline_spans(children, base)
        first, rest = self._take_prefix(), self._prefix()
        if box:
            # A box stands in the place of a bullet, or behind a number.
            bullet = first[-1][0] == "• "
            first = (*first[:-1], *box) if bullet else (*first, *box)
            rest = rest if bullet else (*rest, (" " * len(box[0][0]), "text"))
        shown = split_lines(spans, links)
        begin, end = token.map or (0, 0)
        whole = (self._places[begin][0], max(self._places[end - 1][1], self._heading[1] if heading else 0))
        exact = len(shown) == end - begin
        for index, (line, targets) in enumerate(shown):
            source = whole
            if exact:
                source = self._places[begin + index]
                if index == len(shown) - 1:
                    source = (source[0], whole[1])
            self.items.append(Flow(first, rest, line, source=source, links=targets))
            first = rest

    def _take_box(self, children: "list[Token]") -> Spans:
        """The sign of a task, taken off the text that begins a list item."""
        if self._containers[-1][0] != "item" or not children or children[0].type != "text":
            return ()
        box = _BOXES.get(children[0].content[:4])
        if box is None:
            return ()
        children[0].content = children[0].content[4:]
        return (box,)

    def _code(self, token: "Token") -> None:
        self._space(token, roomy=not self._containers)
        language = label_of(sanitize(token.info))
        if self._fence == len(self._fences) or self._fences[self._fence].language != language:
            self._fences[self._fence :] = [Fence(language)]
        fence = self._fences[self._fence]
        self._fence += 1
        begin, end = token.map or (0, 0)
        at = begin + 1 if token.type == "fence" else begin
        if language:
            first, rest = self._take_prefix(), self._prefix()
            label = ((language, "faint"),)
            self.items.append(Flow(first, rest, label, hard=True, band="code", source=self._places[begin]))
        rest = self._prefix()
        nested = all(kind == "item" for kind, _ in self._containers)
        content = token.content.removesuffix("\n").split("\n") if token.content else []
        if nested and token.type == "fence" and at + len(content) == end == len(self._lines):
            self.open_fence = OpenFence(token.markup, self._lines[begin].find(token.markup), rest, fence)
        if not content:
            return
        first = self._take_prefix()
        lines = [line.expandtabs(4) for line in content]
        fence.reread(lines)
        for index, line in enumerate(lines):
            self.items.append(CodeLine(first, rest, line, self._places[at + index], fence, index))
            first = rest

    def _table(self, token: "Token", tokens: "list[Token]") -> None:
        self._space(token, roomy=not self._containers)
        rows: list[tuple[Spans, ...]] = []
        items: list[TableRow] = []
        aligns: list[str] = []
        row: list[Spans] = []
        links: list[Link] = []
        at = 0
        source: Range = (0, 0)
        for cell in tokens:
            if cell.type == "inline":
                spans, targets = inline_spans(cell.children or [], "text" if rows else "text+b")
                row.append(spans)
                links += ((start + at, end + at, target) for start, end, target in targets)
                at += len(text_of(spans)) + GAP_WIDTH
            elif cell.type == "th_open":
                style = str(cell.attrGet("style") or "")
                aligns.append(style.removeprefix("text-align:"))
            elif cell.type == "tr_open":
                source = self._place(cell)
            elif cell.type == "tr_close":
                rows.append(tuple(row))
                items.append(TableRow(beside(row), source, tuple(links)))
                row, links, at = [], [], 0
        first, rest = self._take_prefix(), self._prefix()
        self.items.append(Framed(first, rest, Table(tuple(rows), tuple(aligns)), tuple(items), self._place(token)))

    def _place(self, token: "Token") -> Range:
        """The lines of a block."""
        begin, end = token.map or (0, 0)
        return self._places[begin][0], self._places[end - 1][1]


def label_of(info: str) -> str:
    """What the line that opens a fence says first: the language."""
    return info.strip().split(" ")[0].split("\t")[0]
