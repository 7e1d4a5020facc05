"""Reads the lines of a Markdown text and divides it into parts, each of which is parsed when it is complete."""

import re
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from tui_agent.tui.widgets.transcript.blocks import OpenFence, items_of, label_of
from tui_agent.tui.widgets.transcript.code import CodeLine, Fence
from tui_agent.tui.widgets.transcript.items import GAP, Flow, Item
from tui_agent.tui.widgets.transcript.lines import Range, Spans

_FENCE = re.compile(r"^( {0,3})(`{3,}(?=[^`]*$)|~{3,})(.*)$")
_HEADING = re.compile(r"^#{1,6}(?:[ \t]|$)")
_RULE = re.compile(r"^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$")
_LIST_ITEM = re.compile(r"^( {0,3})(?:[-+*]|(\d{1,9})([.)]))(?:[ \t]+(?=\S)|[ \t]*$)")
# The beginning of a marker says nothing yet: a lone `-` under a paragraph would make it a heading for a moment.
_UNDECIDED = re.compile(r"^\s*(?:[-=*_+#>~`|]+|\d+[.)]?)\s*$")

_TABLE_RULE = re.compile(r"^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-*:?[ \t]*)*$")

# A part without any boundary is cut here (characters), so that the cost of a frame stays bounded whatever arrives. A
# list item gets more room, because after the cut it goes on as if it were none.
_LONGEST_PART = 8_192
_LONGEST_ITEM = 16_384


@dataclass(slots=True)
class _Open:
    """The fence that the next line is in; `prefix` stands before each of its rows."""

    mark: str
    column: int
    code: Fence
    prefix: Spans = ()

    def closes(self, line: str) -> bool:
        bare = line.strip()
        lead = len(line) - len(line.lstrip(" "))
        return (
            lead < 4 + (self.column if self.prefix else 0)
            and len(bare) >= len(self.mark)
            and bare == self.mark[0] * len(bare)
        )

    def might_close(self, line: str) -> bool:
        bare = line.strip()
        return not bare or bare == self.mark[0] * len(bare)

    def leaves(self, line: str) -> bool:
        """A fence within a list item ends with the item."""
        return bool(self.prefix) and bool(line.strip()) and line[0] not in " \t"

    def line(self, text: str, place: Range) -> CodeLine:
        lead = len(text) - len(text.lstrip(" "))
        shown = text[min(lead, self.column) :].expandtabs(4)
        return CodeLine(self.prefix, self.prefix, shown, place, self.code, len(self.code))


@dataclass(slots=True)
class Reader:
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
    fence: _Open | None = None
    roomy: bool = False  # what was put out last keeps a distance from what follows
    fences: list[Fence] = field(default_factory=list)  # of the open part, to colour each line once
    ahead: bool = False  # only looks ahead: what is the last line now may grow
    references: dict[str, Any] = field(default_factory=dict)

    def line(self, text: str, place: Range) -> None:
        """Take the next line, sanitised; `place` is where it stands in the text as fed."""
        if self.fence is not None and self.fence.leaves(text):
            self.fence = None
        if self.fence is not None:
            if self.fence.closes(text):
                self.fence = None
            else:
                code = self.fence.line(text, place)
                self.fence.code.add(code.text)
                self.out.append(code)
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
            if open_fence := self.close():
                self.fence = _Open(open_fence.mark, open_fence.column, open_fence.code, open_fence.prefix)
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
        label = label_of(match[3])
        shown = Flow((), (), ((label, "faint"),), hard=True, band="code", source=place)
        self._put([shown] if label else [], gap=self.started)
        self.gap = False
        self.is_list = False
        self.ordinal = None
        self.roomy = True
        self.started = True
        self.fence = _Open(match[2], len(match[1]), Fence(label))

    def close(self) -> OpenFence | None:
        """The open part is complete; returns the fence that it ends within."""
        if not self.places:
            # Nothing, or a head that was repeated for rows that did not come.
            self.part = []
            return None
        first = None
        if self.is_list and (item := _LIST_ITEM.match(self.part[0])) and item[2]:
            same = self.ordinal is not None and self.ordinal[0] == item[3]
            first = self.ordinal[1] + 1 if same and self.ordinal else int(item[2])
        known = len(self.references)
        repeated = [(self.places[0][0],) * 2] * (len(self.part) - len(self.places))
        parsed = items_of(self.part, repeated + self.places, self.references, first, self.fences)
        if not self.ahead:
            for fence in self.fences:
                fence.settle()
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
        return parsed.fence

    def _put(self, items: list[Item], gap: bool) -> None:
        if gap and self.started:
            self.out.append(GAP)
        self.out.extend(items)
        self.started = self.started or bool(items)

    def fork(self) -> "Reader":
        """A copy to look ahead with; it shares nothing that changes but the fences, which remember their colours."""
        other = copy(self)
        other.out = []
        other.ahead = True
        other.part = list(self.part)
        other.places = list(self.places)
        other.blanks = list(self.blanks)
        other.references = dict(self.references)
        return other
