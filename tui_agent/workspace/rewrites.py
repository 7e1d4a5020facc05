"""Other readings of the texts of an edit, for when a model did not quote the file as it is."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from tui_agent.text.fences import unfenced

FENCED: Final = "code fence left out"
BACKTICKS: Final = "backticks around it left out"
NUMBERED: Final = "line numbers left out"
ESCAPED: Final = "\\n, \\t and the like taken as the characters they stand for"
PADDED: Final = "empty lines around it left out"

_NUMBER: Final = re.compile(r"[ ]*(?P<number>\d{1,7})(?P<mark>\t|: ?| ?\| ?|→)(?P<line>.*)")
_FOUND: Final = re.compile(r"(?P<mark>[^\s:]+):(?P<number>\d{1,7}):(?P<line>.*)")
_ESCAPE: Final = re.compile(r"\\([nrt\"'\\])")
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}


class Reading(NamedTuple):
    """Old and new text of an edit as they may have been meant; `how` says what was done to them.

    With `whole_lines` the old text is some lines of the file, not a part of one.
    """

    old: str
    new: str
    how: str = ""
    whole_lines: bool = False


def rewritten(old: str, new: str) -> Iterator[Reading]:
    """Readings of old and new text, the simplest first; none of them is what was given."""
    readings = [Reading(old, new)]
    for change in (_without_fence, _without_backticks, _without_numbers, _unescaped, _without_padding):
        for reading in tuple(readings):
            changed = change(reading.old, reading.new)
            if changed is not None and changed.old:
                how = f"{reading.how}; {changed.how}" if reading.how else changed.how
                readings.append(changed._replace(how=how, whole_lines=reading.whole_lines or changed.whole_lines))
    yield from readings[1:]


def _without_fence(old: str, new: str) -> Reading | None:
    inner = unfenced(old)
    if inner is None:
        return None
    inner_new = unfenced(new)
    return Reading(inner, new if inner_new is None else inner_new, FENCED, whole_lines=True)


def _without_backticks(old: str, new: str) -> Reading | None:
    if not _in_backticks(old):
        return None
    return Reading(old[1:-1], new[1:-1] if _in_backticks(new) else new, BACKTICKS)


def _in_backticks(text: str) -> bool:
    return len(text) > 2 and text[0] == text[-1] == "`" and text.count("`") == 2


def _without_numbers(old: str, new: str) -> Reading | None:
    """Lines as `read_file` or `grep_search` print them; in the old text the numbers have to follow each other."""
    for pattern in (_NUMBER, _FOUND):
        lines = old.removesuffix("\n").split("\n")
        matches = [match for line in lines if (match := pattern.fullmatch(line))]
        if len(matches) < len(lines) or len({match["mark"].strip(" ") for match in matches}) > 1:
            continue
        if all(int(two["number"]) == int(one["number"]) + 1 for one, two in pairwise(matches)):
            end = "\n" if old.endswith("\n") else ""
            mark = matches[0]["mark"].strip(" ")
            inner = "\n".join(match["line"] for match in matches) + end
            return Reading(inner, _stripped(new, pattern, mark), NUMBERED, whole_lines=True)
    return None


def _stripped(new: str, pattern: re.Pattern[str], mark: str) -> str:
    """Without the numbers, where they surely are some: on every line, or before a tab."""
    lines = new.split("\n")
    matches = [pattern.fullmatch(line) for line in lines]
    numbered = [match is not None and match["mark"].strip(" ") == mark for match in matches]
    if mark != "\t" and not all(has or not line for has, line in zip(numbered, lines, strict=True)):
        return new
    return "\n".join(
        match["line"] if match and has else line for match, has, line in zip(matches, numbered, lines, strict=True)
    )


def _unescaped(old: str, new: str) -> Reading | None:
    if not _ESCAPE.search(old):
        return None
    return Reading(_ESCAPE.sub(_meant, old), _ESCAPE.sub(_meant, new), ESCAPED)


def _meant(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[1], match[1])


def _without_padding(old: str, new: str) -> Reading | None:
    inner = old.strip("\n")
    return None if inner == old else Reading(inner, new.strip("\n"), PADDED, whole_lines=True)
