"""Text that is held back because it may be a call: where it ends, and what it is then."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal, NamedTuple, Protocol

from tui_agent.providers.text_calls.heads import Head, judge
from tui_agent.providers.text_calls.names import Toolbox
from tui_agent.providers.text_calls.reader import read_calls
from tui_agent.providers.text_calls.shapes import MAX_CALLS, Call, stands_for_something

Place = Literal["anywhere", "edge", "last", "alone"]
"""Where in a reply a call of this form counts: anywhere, at its beginning or end, at its end, or as the whole of it."""

SHELLS: Final = frozenset({"bash", "sh", "shell", "zsh", "console", "terminal"})
PYTHONS: Final = frozenset({"python", "py", "python3"})
FENCES: Final = frozenset(
    {"", "json", "jsonc", "json5", "plaintext", "plain", "text", "txt", "xml", "html", "tool", "tools", "tool_call"}
    | {"tool_calls", "tool_use", "tool_code", "tool-call", "toolcall", "function", "function_call", "call", "action"}
    | SHELLS
    | PYTHONS
)
"""Words behind an opening fence that may stand before a call."""

TAGS: Final[Mapping[str, str]] = {
    "<tool_call>": "</tool_call>",
    "<tool_calls>": "</tool_calls>",
    "<function_call>": "</function_call>",
    "<function_calls>": "</function_calls>",
    "<tools>": "</tools>",
    "<function=": "</function>",
    "<function name=": "</function>",
    "<invoke name=": "</invoke>",
    "<｜tool▁calls▁begin｜>": "<｜tool▁calls▁end｜>",
    "<｜tool▁call▁begin｜>": "<｜tool▁call▁end｜>",
    "[TOOL_CALLS]": "",
    "<|python_tag|>": "",
    "<|tool_call|>": "",
    "<|channel|>commentary to=": "",
}
"""Signs that begin a call anywhere in a line, and what ends it; without an end, the values that follow do."""

_LEXEME = re.compile(r"\\.|[\"'(){}\[\]]", re.DOTALL)
_ITEM = re.compile(r"\s*(?:[{\[]|</|<\||Action:|Observation:\s*$|[\w.]+\()")
_LEFT_OVER = re.compile(r"\s*(?:</\w+>|<\|\w+\|>|Observation:|\s)+")
_UNFINISHED_ACTION = re.compile(r"\s*Action:[^\n]*\n\s*(?:Action Input:\s*)?")
_PYTHON = re.compile(r"\s*\[?\s*[A-Za-z_][\w.]*\(")
_FENCED = re.compile(r"\s*```\w*[ \t]*\n(.*)\n[ \t]*```\s*", re.DOTALL)
_PROMPT = re.compile(r"[$>%][ \t]+")


class Verdict(NamedTuple):
    """How a hold ended: its calls (none: it is no call), and how many characters of the last line belong to it.

    `echo` says that it only repeats the definitions of the tools, `inside` that the block goes on behind it.
    """

    calls: tuple[Call, ...]
    taken: int
    place: Place = "anywhere"
    echo: bool = False
    inside: bool = False


class Hold(Protocol):
    """Takes a held text line by line, the first without what opened it; a line ends with `delimiter`."""

    delimiter: str

    def judge(self, head: str) -> Head:
        """What the beginning of the text says."""
        ...

    def line(self, line: str) -> Verdict | None:
        """Take the next line; the verdict once the text has ended."""
        ...

    def end(self) -> Verdict:
        """The reply is over."""
        ...


class FenceHold:
    """A fenced block, from behind its opening line to its closing line."""

    delimiter = "\n"

    def __init__(self, fence: str, info: str, box: Toolbox) -> None:
        self._closing = closing_fence(fence)
        self._info = info
        self._box = box
        self._lines: list[str] = []

    def judge(self, head: str) -> Head:
        """Of shell everything is possible until it is whole."""
        return Head(None) if self._info in SHELLS else judge(head, self._box)

    def line(self, line: str) -> Verdict | None:
        """Ends with the closing line."""
        if self._closing.match(line):
            return self._verdict(len(line))
        self._lines.append(line)
        if self._info in SHELLS and sum(not held.isspace() for held in self._lines) > 1:
            return Verdict((), len(line), inside=True)
        return None

    def end(self) -> Verdict:
        """Models forget the closing line at the end."""
        return self._verdict(0)

    def _verdict(self, taken: int) -> Verdict:
        body = "".join(self._lines)
        if self._info in SHELLS:
            return Verdict(_command(body, self._box), taken, "alone")
        return _read(body, taken, self._box)


class TagHold:
    """Text between tags; an opening tag that names the tool is read with it."""

    delimiter = ">"

    def __init__(self, opening: str, closing: str, box: Toolbox) -> None:
        self._opening = opening if "=" in opening else ""
        self._closing = closing
        self._box = box
        self._lines: list[str] = []

    def judge(self, head: str) -> Head:
        """A tag that nothing fitting follows is only talked about."""
        return judge(self._opening + head, self._box)

    def line(self, line: str) -> Verdict | None:
        """Ends with the closing tag."""
        if not line.endswith(self._closing):
            self._lines.append(line)
            return None
        self._lines.append(line if self._opening else line.removesuffix(self._closing))
        return self._verdict(len(line))

    def end(self) -> Verdict:
        """Models forget the closing tag at the end."""
        return self._verdict(0)

    def _verdict(self, taken: int) -> Verdict:
        body = self._opening + "".join(self._lines)
        fenced = _FENCED.fullmatch(body)
        return _read(fenced[1] if fenced is not None else body, taken, self._box, self._closing == "</tools>")


class BareHold:
    """Values or Python-like calls with nothing around them, or behind a sign, each up to the end of a line."""

    delimiter = "\n"

    def __init__(self, sign: str, box: Toolbox) -> None:
        self._sign = sign
        self._box = box
        self._place: Place = "anywhere"
        self._item: list[str] = []
        self._calls: list[Call] = []
        self._depth = 0
        self._quote = ""

    def judge(self, head: str) -> Head:
        """What a line begins with that is no call is prose."""
        return judge(head, self._box, bare=not self._sign)

    def line(self, line: str) -> Verdict | None:
        """Ends before the first line that does not go on with calls."""
        if not self._item and self._calls and not _ITEM.match(line):
            return None if not line.strip() else Verdict(tuple(self._calls), 0, self._place)
        self._item.append(line)
        self._scan(line)
        if self._depth > 0 or self._quote or not (self._calls or line.strip()):
            return None
        item = "".join(self._item)
        return None if _UNFINISHED_ACTION.fullmatch(item) or self._take(item) else Verdict((), len(line))

    def end(self) -> Verdict:
        """What is not closed may lack its last brace."""
        if self._item and not self._take("".join(self._item)):
            return Verdict((), 0)
        return Verdict(tuple(self._calls), 0, self._place)

    def _take(self, item: str) -> bool:
        """Read one item; closing tags are what a server left of the tags around a call."""
        self._item, self._depth, self._quote = [], 0, ""
        if self._calls and _LEFT_OVER.fullmatch(item):
            return True
        calls = _read(item, 0, self._box).calls
        if not self._sign and not self._calls:
            self._place = _place(item)
        self._calls += calls
        return bool(calls) and len(self._calls) <= MAX_CALLS

    def _scan(self, line: str) -> None:
        for match in _LEXEME.finditer(line):
            sign = match[0]
            if self._quote:
                self._quote = "" if sign == self._quote else self._quote
            elif sign in "\"'":
                self._quote = sign
            elif sign in "({[":
                self._depth += 1
            elif sign in ")}]":
                self._depth -= 1


@lru_cache(maxsize=32)
def closing_fence(fence: str) -> re.Pattern[str]:
    """What a line looks like that closes a block opened with `fence`."""
    return re.compile(rf"[ \t]{{0,40}}{fence[0]}{{{len(fence)},60}}[ \t]{{0,40}}\r?\n?$")


def _read(text: str, taken: int, box: Toolbox, may_define: bool = False) -> Verdict:
    """The calls that a text consists of; definitions may stand before them, or alone, only where tools are listed."""
    found = read_calls(text, box) or []
    calls = tuple(call for call in found if isinstance(call, Call))
    if len(calls) < len(found) and not may_define:
        return Verdict((), taken)
    return Verdict(calls, taken, echo=bool(found) and not calls)


def _place(item: str) -> Place:
    if item.lstrip().startswith("Action:"):
        return "last"
    return "alone" if _PYTHON.match(item) and not item.lstrip(" [").startswith("functions.") else "edge"


def _command(body: str, box: Toolbox) -> tuple[Call, ...]:
    """The one command that a fence of shell holds. A tool's name is no program: `read_file a.py` is no call."""
    lines = [line.strip() for line in body.splitlines() if line.strip()]
    if len(lines) != 1 or box.command_tool is None:
        return ()
    command = _PROMPT.sub("", lines[0], count=1) if _PROMPT.match(lines[0]) else lines[0]
    if command.startswith("#") or box.find(command.split()[0]) or stands_for_something(command):
        return ()
    return (Call(box.command_tool, {"command": command}),)
