"""Markdown that arrives in pieces, read once: what a safe boundary closed is never parsed again."""

import re
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from tui_agent.text.sanitize import sanitize
from tui_agent.tui.widgets.transcript.highlight import LineHighlighter
from tui_agent.tui.widgets.transcript.inline import GAP, FenceMemory, Flow, Item, Range, items_of
from tui_agent.tui.widgets.transcript.lines import Line

_FENCE = re.compile(r"^( {0,3})(`{3,}(?=[^`]*$)|~{3,})(.*)$")
_HEADING = re.compile(r"^#{1,6}(?:[ \t]|$)")
_RULE = re.compile(r"^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$")
_LIST_ITEM = re.compile(r"^( {0,3})(?:[-+*]|(\d{1,9})([.)]))(?:[ \t]+(?=\S)|[ \t]*$)")
# The beginning of a marker says nothing yet: a lone `-` under a paragraph would make it a heading for a moment.
_UNDECIDED = re.compile(r"^\s*(?:[-=*_+#>~`|]+|\d+[.)]?)\s*$")

_TABLE_RULE = re.compile(r"^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-*:?[ \t]*)*$")

# A part without any boundary is cut here (characters), so that the cost of a frame stays bounded whatever arrives. A
# list item gets more room, because a fence within it would not survive the cut.
_LONGEST_PART = 8_192
_LONGEST_ITEM = 32_768
_LONGEST_LINE = 8_192


@dataclass(slots=True)
class _Fence:
    mark: str
    indent: int
    highlighter: LineHighlighter

    def closes(self, line: str) -> bool:
        bare = line.strip()
        return (
            len(line) - len(line.lstrip(" ")) < 4 and len(bare) >= len(self.mark) and bare == self.mark[0] * len(bare)
        )

    def might_close(self, line: str) -> bool:
        bare = line.strip()
        return not bare or bare == self.mark[0] * len(bare)

    def strip(self, line: str) -> str:
        lead = len(line) - len(line.lstrip(" "))
        return line[min(lead, self.indent) :]


@dataclass(slots=True)
class _Reader:
    """Takes whole lines, puts out items when a part is closed."""

    out: list[Item] = field(default_factory=list)
    started: bool = False  # something was put out already
    part: list[str] = field(default_factory=list)  # lines of the open part
    places: list[Range] = field(default_factory=list)  # where they stand; a repeated head comes before them
    size: int = 0
    is_list: bool = False
    ordinal: tuple[str, int] | None = None  # delimiter and number of the last top-level item
    gap: bool = False  # a blank line stood before the open part
    blanks: list[Range] = field(default_factory=list)  # blank lines since the last other line
    fence: _Fence | None = None
    roomy: bool = False  # what was put out last keeps a distance from what follows
    fences: list[FenceMemory] = field(default_factory=list)  # of the open part, to highlight each line once
    references: dict[str, Any] = field(default_factory=dict)

    def line(self, text: str, place: Range) -> None:
        if self.fence is not None:
            if self.fence.closes(text):
                self.fence = None
            else:
                self.out.append(_code(self.fence.highlighter.line(self.fence.strip(text).expandtabs(4)), place))
            return
        if not text.strip(" \t"):
            self.blanks.append(place)
            return
        if self.part and self._begins_part(text):
            self.close()
        if not self.part:
            self.gap = self.gap or bool(self.blanks)
            self.blanks = []
            if fence := _FENCE.match(text):
                self._open_fence(fence, place)
                return
            item = _LIST_ITEM.match(text)
            self.is_list = bool(item) and not _RULE.match(text)
        self.part += [""] * len(self.blanks)
        self.places += self.blanks
        self.blanks = []
        self.part.append(text)
        self.places.append(place)
        self.size += len(text)
        if _HEADING.match(text) and len(self.part) == 1:
            self.close()
        elif self.size > (_LONGEST_ITEM if self.is_list else _LONGEST_PART):
            head = self._table_head()
            self.close()
            self.part = head

    def _table_head(self) -> list[str]:
        """Header and rule of the table that the open part ends with, for the rest of it."""
        for index in range(len(self.part) - 1, 0, -1):
            line, above = self.part[index], self.part[index - 1]
            if "|" not in line:
                break
            if "|" in above and _TABLE_RULE.match(line):
                return [above, line]
        return []

    def _begins_part(self, text: str) -> bool:
        """True when what came before is complete, whatever follows this line."""
        flush = text[0] not in " \t"
        if flush and (self.blanks or _HEADING.match(text)):
            return True
        if _FENCE.match(text) and (flush or not self.is_list):
            # Indented code of four and more is no fence; inside an indented part of a list it may be one of the item.
            return True
        if not flush or _RULE.match(text):
            return False
        item = _LIST_ITEM.match(text)
        # In running text only a bullet or a `1.` with something behind it begins a list (CommonMark 5.3).
        return bool(item) and (self.is_list or (item is not None and item[2] in (None, "1") and item.end() < len(text)))

    def _open_fence(self, match: re.Match[str], place: Range) -> None:
        label = match[3].strip().split(" ")[0].split("\t")[0]
        self._put([_label(label, place)] if label else [], gap=self.started)
        self.gap = False
        self.is_list = False
        self.ordinal = None
        self.roomy = True
        self.started = True
        self.fence = _Fence(match[2], len(match[1]), LineHighlighter(label))

    def close(self) -> None:
        """The open part is complete."""
        if not self.places:
            # Nothing, or a head that was repeated for rows that did not come.
            self.part = []
            return
        first = None
        if self.is_list and (item := _LIST_ITEM.match(self.part[0])) and item[2]:
            same = self.ordinal is not None and self.ordinal[0] == item[3]
            first = self.ordinal[1] + 1 if same and self.ordinal else int(item[2])
        known = len(self.references)
        repeated = [(self.places[0][0],) * 2] * (len(self.part) - len(self.places))
        parsed = items_of(self.part, repeated + self.places, self.references, first, self.fences)
        self.ordinal = (item[3], parsed.last_number) if first is not None and item else None
        self.part = []
        self.places = []
        self.size = 0
        self.fences = []
        if parsed.items:
            self._put(parsed.items, gap=self.gap or self.roomy or parsed.roomy_before)
            self.roomy = parsed.roomy_after
            self.gap = False
        elif known == len(self.references):
            self.gap = True

    def _put(self, items: list[Item], gap: bool) -> None:
        if gap and self.started:
            self.out.append(GAP)
        self.out.extend(items)
        self.started = self.started or bool(items)

    def fork(self) -> "_Reader":
        """A copy to look ahead with; it shares nothing that changes but the memory of fences, which is for that."""
        other = copy(self)
        other.out = []
        other.part = list(self.part)
        other.places = list(self.places)
        other.blanks = list(self.blanks)
        other.references = dict(self.references)
        return other


class MarkdownText:
    """A text that grows.

    `items` holds what is complete and only ever gets longer; `tail()` gives what the rest looks like at the moment.
    Boundaries depend on the text alone, never on how it was cut into pieces: a blank line before an unindented line, a
    heading, a fence, an item of a top-level list. A link definition is known to the parts after it.

    Every item knows the lines of the text as fed that it came from (`source`); those of items one after another rise.
    """

    def __init__(self) -> None:
        self._reader = _Reader()
        self._pieces: list[str] = []
        self._waiting = 0
        self._number = 0  # of the line that is being fed
        self.finished = False

    @property
    def items(self) -> list[Item]:
        """What is complete."""
        return self._reader.out

    def feed(self, text: str) -> None:
        """Take the next piece."""
        if not text:
            return
        self._pieces.append(text)
        self._waiting += len(text)
        if "\n" not in text and self._waiting <= _LONGEST_LINE:
            return
        *lines, rest = "".join(self._pieces).split("\n")
        for line in lines:
            for part in _cut(line, final=True):
                self._line(part)
            self._number += 1
        *parts, rest = _cut(rest, final=False)
        for part in parts:
            self._line(part)
        self._pieces = [rest]
        self._waiting = len(rest)

    def finish(self) -> None:
        """No more will come."""
        if not self.finished:
            rest = "".join(self._pieces)
            self._pieces = []
            if rest:
                self._line(rest)
            self._reader.close()
            self.finished = True

    def tail(self) -> list[Item]:
        """The items of what is not complete yet, parsed anew at every call."""
        if self.finished:
            return []
        reader = self._reader
        rest = sanitize("".join(self._pieces))
        if reader.fence is not None:
            fence = reader.fence
            return [] if fence.might_close(rest) else [self._growing_code(fence.strip(rest).expandtabs(4))]
        if not reader.part and not rest:
            return []
        ahead = reader.fork()
        if rest and not _UNDECIDED.match(rest):
            ahead.line(rest, self._place)
        ahead.close()
        return ahead.out

    @property
    def _place(self) -> Range:
        return self._number, self._number + 1

    def _growing_code(self, line: str) -> Flow:
        return _code(((line, "code"),), self._place)

    def _line(self, line: str) -> None:
        self._reader.line(sanitize(line), self._place)


def parse(text: str) -> list[Item]:
    """The items of a whole text."""
    markdown = MarkdownText()
    markdown.feed(text)
    markdown.finish()
    return markdown.items


class WrappedMarkdown:
    """The rows of a Markdown text at one width; rows of complete items are made once."""

    def __init__(self, markdown: MarkdownText, width: int) -> None:
        self._markdown = markdown
        self._width = width
        self._done = 0
        self.frozen = 0
        self.lines: list[Line] = []

    def update(self) -> None:
        """Take over what came since the last call."""
        lines = self.lines
        del lines[self.frozen :]
        items = self._markdown.items
        for index in range(self._done, len(items)):
            lines.extend(items[index].lines(self._width))
        self._done = len(items)
        self.frozen = len(lines)
        for item in self._markdown.tail():
            lines.extend(item.lines(self._width))


def _cut(line: str, final: bool) -> list[str]:
    """A line in parts of bounded length, cut after a space where there is one; the last may still grow if not final."""
    parts = []
    while len(line) > _LONGEST_LINE:
        at = line.rfind(" ", 0, _LONGEST_LINE) + 1 or _LONGEST_LINE
        parts.append(line[:at])
        line = line[at:]
    return [*parts, line] if line or not parts or not final else parts


def _code(spans: tuple[tuple[str, str], ...], place: Range) -> Flow:
    return Flow((), (), spans, hard=True, band="code", source=place)


def _label(language: str, place: Range) -> Flow:
    return Flow((), (), ((language, "faint"),), hard=True, band="code", source=place)
