"""The text that the rows of a block show when it is unfolded, whatever the width: what can be found in it."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tui_agent.tui.widgets.transcript.document import (
    AgentBlock,
    Block,
    NoticeBlock,
    SwitchBlock,
    ThoughtBlock,
    ToolBlock,
    TurnBlock,
    UserBlock,
    WelcomeBlock,
)
from tui_agent.tui.widgets.transcript.items import Framed, Item
from tui_agent.tui.widgets.transcript.lines import text_of
from tui_agent.tui.widgets.transcript.long_text import LIMIT, clean_lines, ends_of
from tui_agent.tui.widgets.transcript.markdown import MarkdownText
from tui_agent.tui.widgets.transcript.text_rows import first_line

PIECE = 1 << 14
"""Characters of a source, about, that are read at once; a longer line is."""

_MARKDOWN_PIECE = 1 << 12
_HEADERS = ("--- ", "+++ ", "diff ", "index ")
_NEWLINE = re.compile("\n")

_Numbered = tuple[int, str]
"""Lines of text, and the number of the first one."""


class Spot(NamedTuple):
    """Where a line stands: in which part, and from which of its characters to which."""

    part: int
    start: int
    end: int


class Shown:
    """The lines of a block as its items have them, before they are wrapped.

    Their numbers are those of the source that the items of rows tell (`lines.Item.source`), but in answers, where items
    with text are counted. Lines are kept in `parts`, texts of some whole lines each, and read step by step (`read`), so
    that no step takes longer than a frame. What a growing text has shown is not read again.
    """

    def __init__(self, block: Block) -> None:
        self.block = block
        self.parts: list[str] = []
        self.complete = False
        """Whether all was read; until then the last part may get more lines."""
        self._firsts: list[int] = []  # the number of the first line of each part
        self._version = -1
        self._facts: tuple[object, ...] = ()
        self._loose = False  # the last part may be shown differently next time
        self._fed = 0  # characters of a growing text that were read
        self._next = 0  # the number of the next line of a growing text
        self._taken = 0
        self._epoch = -1
        self._markdown = MarkdownText()
        self._pieces: Iterator[_Numbered] = iter(())
        self._split: tuple[int, list[int]] = (-1, [])

    def is_current(self) -> bool:
        """Whether the block still shows what `update` saw; folding changes nothing."""
        if self._version != self.block.version and self._facts == _facts_of(self.block):
            self._version = self.block.version
        return self._version == self.block.version

    def update(self) -> int:
        """Begin to take over the block's changes; returns how many parts are as they were. Then `read`."""
        block = self.block
        self._version = block.version
        self._facts = _facts_of(block)
        self._split = (-1, [])
        self.complete = False
        if isinstance(block, AgentBlock | ThoughtBlock):
            if block.text.epoch == self._epoch and not (self._markdown.finished and self._fed < block.text.length):
                if self._loose:
                    self._drop_last()
                return max(0, len(self.parts) - 1)
            self._epoch = block.text.epoch
            self._fed = self._next = self._taken = 0
            self._markdown = MarkdownText()
        else:
            self._pieces = _pieces_of(block)
        self.parts.clear()
        self._firsts.clear()
        self._loose = False
        return 0

    def read(self) -> None:
        """Read on."""
        if isinstance(self.block, AgentBlock):
            self.complete = not self._read_answer(self.block)
        elif isinstance(self.block, ThoughtBlock):
            self.complete = not self._read_thought(self.block)
        elif (piece := next(self._pieces, None)) is not None:
            number, text = piece
            self._add(number, "\n".join(clean_lines(text)))
        else:
            self.complete = True

    def line_of(self, part: int, offset: int) -> tuple[int, int]:
        """The number of the line that has a character of a part, and where the line begins in the part."""
        text = self.parts[part]
        return self._firsts[part] + text.count("\n", 0, offset), text.rfind("\n", 0, offset) + 1

    def spot(self, line: int) -> Spot | None:
        """Where a line stands; None when there is none of this number, or not yet."""
        part = bisect_right(self._firsts, line) - 1
        if part < 0:
            return None
        if self._split[0] != part:
            text = self.parts[part]
            self._split = part, [0, *(match.end() for match in _NEWLINE.finditer(text)), len(text) + 1]
        starts = self._split[1]
        index = line - self._firsts[part]
        return Spot(part, starts[index], starts[index + 1] - 1) if index + 1 < len(starts) else None

    def at_or_after(self, line: int) -> tuple[int, int]:
        """The part, and the character of it, where a line begins, or the first of those with higher numbers."""
        spot = self.spot(line)
        return (spot.part, spot.start) if spot else (bisect_right(self._firsts, line), 0)

    def text(self, line: int) -> str:
        """A line; empty when there is none of this number."""
        spot = self.spot(line)
        return self.parts[spot.part][spot.start : spot.end] if spot else ""

    def _read_answer(self, block: AgentBlock) -> bool:
        markdown = self._markdown
        if self._fed < block.text.length:
            piece = str(block.text)[self._fed : self._fed + _MARKDOWN_PIECE]
            markdown.feed(piece)
            self._fed += len(piece)
        elif block.streaming:
            self._take_items()
            self._add(self._next, _texts(markdown.tail()), loose=True)
            return False
        else:
            markdown.finish()
        self._take_items()
        if markdown.finished:
            # Its items are worth ten times their text.
            self._markdown = MarkdownText()
            self._markdown.finish()
            self._taken = 0
        return not markdown.finished

    def _take_items(self) -> None:
        items = self._markdown.items
        if text := _texts(items[self._taken :]):
            self._add(self._next, text)
            self._next += text.count("\n") + 1
        self._taken = len(items)

    def _read_thought(self, block: ThoughtBlock) -> bool:
        text = str(block.text)
        end = text.find("\n", self._fed + PIECE)
        if end < 0:
            end = text.rfind("\n", self._fed)
        loose = end < 0
        if loose:
            end = len(text)
        self._add(self._next, "\n".join(clean_lines(text[self._fed : end])), loose)
        if not loose:
            self._next += text.count("\n", self._fed, end + 1)
            self._fed = end + 1
        return not loose

    def _add(self, number: int, text: str, loose: bool = False) -> None:
        self._split = (-1, [])
        parts = self.parts
        small = not loose and parts and len(parts[-1]) + len(text) < PIECE
        if small and number == self._firsts[-1] + parts[-1].count("\n") + 1:
            parts[-1] += "\n" + text
        elif text or not loose:
            self._firsts.append(number)
            parts.append(text)
            self._loose = loose

    def _drop_last(self) -> None:
        self.parts.pop()
        self._firsts.pop()
        self._loose = False


def _facts_of(block: Block) -> tuple[object, ...]:
    """What the shown text depends on; strings that are the same objects are compared at once."""
    match block:
        case AgentBlock():
            return block.text.epoch, block.text.length, block.streaming
        case ThoughtBlock():
            return block.text.epoch, block.text.length
        case ToolBlock():
            return block.name, block.title, block.content, block.files, block.tail
    return (block.version,)


def _texts(items: Iterable[Item]) -> str:
    """The lines of items; a row of a table is one, whatever has no text is none."""
    lines: list[str] = []
    for item in items:
        if isinstance(item, Framed):
            lines += (text_of(row.spans) for row in item.rows)
        else:
            lines.append(text_of(item.spans))
    return "\n".join(filter(None, lines))


def _pieces_of(block: Block) -> Iterator[_Numbered]:
    """Foreign text, some lines at once."""
    match block:
        case UserBlock():
            yield from _cut(block.text, 0)
        case ToolBlock():
            yield 0, "  ".join(filter(None, (first_line(block.name) or "tool", first_line(block.title))))
            yield from _result_of(block)
        case NoticeBlock():
            yield from _cut(block.text, 0)
            yield from _cut(block.hint, block.text.count("\n") + 1)
        case TurnBlock():
            yield 0, block.source
        case SwitchBlock():
            yield 0, " · ".join(filter(None, (first_line(block.provider), first_line(block.model))))
        case WelcomeBlock():
            for number, line in enumerate(block.lines):
                yield number, "".join(text for text, _ in line).replace("\n", " ")


def _result_of(block: ToolBlock) -> Iterator[_Numbered]:
    head = f"{block.name} {block.title}".strip()
    number = head.count("\n") + 1 if head else 0
    diffs = [file.diff for file in block.files if file.diff]
    for diff in diffs:
        yield from _diff(diff.rstrip("\n"), number)
        number += diff.count("\n") + 1
    if not diffs:
        for text, below in _in_view((block.content or block.tail).rstrip("\n")):
            yield from _cut(text, number + below)


def _diff(diff: str, number: int) -> Iterator[_Numbered]:
    for text, below in _in_view(diff):
        at = 0
        # File headers come before the first hunk and are not shown.
        while not below and at < len(text) and not text.startswith("@@", at):
            end = text.find("\n", at)
            line = text[at:] if end < 0 else text[at:end]
            if not line.startswith(_HEADERS):
                yield number, line[1:]
            number += 1
            at += len(line) + 1
        for first, piece in _cut(text[at:], number + below):
            lines = piece.split("\n")
            yield first, "\n".join([line if line.startswith("@@") else _body(line) for line in lines])


def _body(line: str) -> str:
    return line[1:].lstrip() if line.startswith("\\") else line[1:]


def _in_view(text: str) -> Iterator[tuple[str, int]]:
    """What is shown of a text, which may be huge, and how many of its lines stand above that."""
    head, tail, said = ends_of(text) if len(text) > LIMIT else (text, "", "")
    yield head, 0
    if said:
        yield tail, text.count("\n", 0, len(text) - len(tail))


def _cut(text: str, number: int) -> Iterator[_Numbered]:
    """A text in pieces of whole lines, the first of which has the number."""
    at = 0
    while at < len(text):
        end = text.find("\n", at + PIECE)
        if end < 0:
            end = len(text)
        yield number, text[at:end]
        number += text.count("\n", at, end + 1)
        at = end + 1
