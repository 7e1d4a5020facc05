"""Find the one place an edit means and replace it: exactly, else in spite of whitespace or look-alike characters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Final

from tui_agent.conversation.errors import WorkspaceError
from tui_agent.workspace.quoting import quote_lines
from tui_agent.workspace.rewrites import Reading, rewritten

EXACT: Final = ""
WHITESPACE: Final = "whitespace differences ignored"
UNICODE: Final = "Unicode look-alikes ignored"

MAX_READINGS: Final = 8
"""How many other readings of an edit are tried."""
PLACES_NAMED: Final = 8
"""How many of several matching places an error names."""
LINES_QUOTED: Final = 12
"""How many lines of the file an error quotes."""
QUOTED_CHARACTERS: Final = 1_500
"""How many characters of the file an error about old text that is not there quotes."""
ENDS_CHARACTERS: Final = 120
NAME_CHARACTERS: Final = 80
HINT_CHARACTERS: Final = 400
"""How long the error about an edit that changes nothing may be."""

_LOOK_ALIKES: Final = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4\u02bc", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u00ad", "-"),
        **dict.fromkeys(
            "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "
        ),
    }
)
_TAB_WIDTHS: Final = (4, 2, 8)


@dataclass(frozen=True, slots=True)
class Edited:
    """The text after an edit, how the place was found, and how many were replaced.

    `how` is EXACT, WHITESPACE or UNICODE, behind what had to be done to the old text first (`rewrites`).
    """

    text: str
    how: str
    count: int


@dataclass(frozen=True, slots=True)
class _Place:
    """Lines `start` to `end` (exclusive) of the file, and what they become."""

    start: int
    end: int
    lines: list[str]


class _Searched:
    """A text, and the same with look-alike characters made equal, worked out when first needed."""

    def __init__(self, text: str) -> None:
        self.itself = text

    @cached_property
    def _plain(self) -> str:
        return self.itself.translate(_LOOK_ALIKES)

    def forms(self, old: str) -> Iterator[tuple[str, str, str]]:
        """How it is searched, in which text, for what."""
        yield EXACT, self.itself, old
        yield UNICODE, self._plain, old.translate(_LOOK_ALIKES)


def find_and_replace(text: str, old: str, new: str, replace_all: bool = False, name: str = "the file") -> Edited:
    """Replace `old` by `new` in `text`, all with LF line ends; `name` is the file's, for messages.

    An exact match wins. Else whole lines match when they differ only by a common shift of indentation, tabs for spaces
    in it, or trailing blanks; else the same with look-alike quotes, dashes and spaces taken as equal; else the same
    for other readings of what was quoted (`rewrites`). What the edit does not change keeps its own characters. A place
    must be unique unless `replace_all`.

    Raises:
        WorkspaceError: nothing or more than one place found, or nothing would change; the message helps to correct it.
    """
    name = name if len(name) <= NAME_CHARACTERS else "…" + name[-NAME_CHARACTERS:]
    if not old:
        raise _empty(text, name)
    if old == new:
        raise _nothing_changes("old_string and new_string are the same", text, old, name)
    searched = _Searched(text)
    for reading in (Reading(old, new), *islice(rewritten(old, new), MAX_READINGS)):
        edited = _found(searched, reading, replace_all)
        if edited is None:
            continue
        if edited.text == text:
            raise _nothing_changes("the file already reads so", text, reading.new, name)
        return edited
    raise _not_found(text, old, new, name)


def _found(text: _Searched, reading: Reading, replace_all: bool) -> Edited | None:
    old, new = reading.old, reading.new
    for how, searched, wanted in text.forms(old):
        edited = None if reading.whole_lines else _exact(text.itself, searched, wanted, new, replace_all, how)
        if edited is None:
            # What was cut down to whole lines may stand there just so; then nothing was ignored.
            exactly = reading.whole_lines and "\n" + wanted.rstrip("\n") + "\n" in f"\n{searched}\n"
            edited = _by_lines(text.itself, searched, wanted, new, replace_all, how if exactly else how or WHITESPACE)
        if edited is not None:
            return replace(edited, how="; ".join(filter(None, (reading.how, edited.how))))
    return None


def _exact(text: str, searched: str, old: str, new: str, replace_all: bool, how: str) -> Edited | None:
    """`searched` is `text` character by character, so a place in one is the same place in the other."""
    starts = list(_starts(searched, old, overlapping=not replace_all))
    if not starts:
        return None
    if len(starts) > 1 and not replace_all:
        raise _several([searched.count("\n", 0, start) + 1 for start in starts])
    pieces, position = [], 0
    for start in starts:
        pieces += [text[position:start], new]
        position = start + len(old)
    return Edited("".join(pieces) + text[position:], how, len(starts))


def _starts(text: str, old: str, *, overlapping: bool) -> Iterator[int]:
    step = 1 if overlapping else len(old)
    start = text.find(old)
    while start >= 0:
        yield start
        start = text.find(old, start + step)


def _by_lines(text: str, searched: str, old: str, new: str, replace_all: bool, how: str) -> Edited | None:
    lines, searched_lines = text.split("\n"), searched.split("\n")
    for old_lines, new_lines in _indentations(*_block(old, new)):
        places = list(_places(lines, searched_lines, old_lines, new_lines))
        if len(places) > 1 and not replace_all:
            raise _several([place.start + 1 for place in places])
        if places:
            for place in reversed(places):
                lines[place.start : place.end] = place.lines
            return Edited("\n".join(lines), how, len(places))
    return None


def _block(old: str, new: str) -> tuple[list[str], list[str]]:
    """Both as whole lines; a line end that both have belongs to the last line, not to a further empty one."""
    if not old.endswith("\n"):
        return old.split("\n"), new.split("\n")
    return old[:-1].split("\n"), new.removesuffix("\n").split("\n") if new else []


def _indentations(old: list[str], new: list[str]) -> Iterator[tuple[list[str], list[str]]]:
    """The block as it is, then with its indentation in tabs, then in spaces."""
    yield old, new
    if any(line.startswith(" ") for line in old):
        for width in _TAB_WIDTHS:
            yield [_tabbed(line, width) for line in old], [_tabbed(line, width) for line in new]
    if any(line.startswith("\t") for line in old):
        for width in _TAB_WIDTHS:
            yield [_spaced(line, width) for line in old], [_spaced(line, width) for line in new]


def _tabbed(line: str, width: int) -> str:
    body = line.lstrip(" ")
    tabs, rest = divmod(len(line) - len(body), width)
    return "\t" * tabs + " " * rest + body


def _spaced(line: str, width: int) -> str:
    body = line.lstrip("\t")
    return " " * width * (len(line) - len(body)) + body


def _places(lines: list[str], searched: list[str], old: list[str], new: list[str]) -> Iterator[_Place]:
    """The windows of `searched` that are `old` but for a common shift of indentation and trailing blanks."""
    margin = _margin(old)
    wanted = [line[len(margin) :].rstrip() for line in old]
    first = next((i for i, line in enumerate(wanted) if line), None)
    if first is None:
        return
    start, last = 0, len(searched) - len(old)
    while start <= last:
        if wanted[first].lstrip() == searched[start + first].strip():
            window = searched[start : start + len(old)]
            shift = _margin(window)
            if [line[len(shift) :].rstrip() for line in window] == wanted:
                end = start + len(old)
                yield _Place(start, end, _replacement(lines[start:end], old, new, margin, shift))
                start = end
                continue
        start += 1


def _replacement(kept: list[str], old: list[str], new: list[str], margin: str, shift: str) -> list[str]:
    """The new lines at the file's indentation; those that old and new begin or end with stay as they were."""
    limit = min(len(old), len(new))
    head = next((i for i in range(limit) if old[i] != new[i]), limit)
    tail = next((i for i in range(limit - head) if old[-1 - i] != new[-1 - i]), limit - head)
    changed = [_shifted(line, margin, shift) for line in new[head : len(new) - tail]]
    return kept[:head] + changed + kept[len(kept) - tail :]


def _shifted(line: str, margin: str, shift: str) -> str:
    if not line.strip():
        return line.strip(" \t")
    if line.startswith(margin):
        return shift + line[len(margin) :]
    indentation = len(line) - len(line.lstrip(" \t"))
    return shift[: max(0, len(shift) - (len(margin) - indentation))] + line.lstrip(" \t")


def _margin(lines: Sequence[str]) -> str:
    """The blanks that every non-blank line begins with."""
    filled = [line for line in lines if line.strip()]
    if not filled:
        return ""
    low, high = min(filled), max(filled)
    size = next((i for i, character in enumerate(low) if character not in " \t" or high[i] != character), len(low))
    return low[:size]


def _several(numbers: list[int]) -> WorkspaceError:
    shown = ", ".join(map(str, numbers[:PLACES_NAMED])) + (", …" if len(numbers) > PLACES_NAMED else "")
    return WorkspaceError(
        f"old_string matches {len(numbers)} places (lines {shown})",
        "Quote more lines around the one you mean, or set replace_all to true.",
    )


def _empty(text: str, name: str) -> WorkspaceError:
    if not text:
        return WorkspaceError(f"{name} is empty: write_file gives it its content")
    lines = text.removesuffix("\n").split("\n")
    quoted = quote_lines(lines, 0, 1, ENDS_CHARACTERS)
    if len(lines) > 1:
        quoted += "\n" + quote_lines(lines, len(lines) - 1, len(lines), ENDS_CHARACTERS)
    return WorkspaceError(
        "old_string is empty, so it does not say where. To add text, put a line that is there into old_string, and "
        "into new_string the same line with the addition before or behind it. "
        f"{'It begins and ends with' if len(lines) > 1 else 'It holds'}:\n{quoted}"
    )


def _nothing_changes(reason: str, text: str, held: str, name: str) -> WorkspaceError:
    """Says what the file holds there, briefly, to a model that wrote the old text twice."""
    lead, advice = f"nothing would change: {reason}.", "Put the corrected text into new_string."
    room = HINT_CHARACTERS - len(lead) - len(name) - len(advice) - 80
    place = _place_of(text, held)
    if place is None:
        return WorkspaceError(f"{lead} {_nearest_lines(text, held, room)}")
    return WorkspaceError(f"{lead} {name} holds:\n{quote_lines(text.split(chr(10)), *place, room)}\n{advice}")


def _not_found(text: str, old: str, new: str, name: str) -> WorkspaceError:
    # As whole lines only: a short word is somewhere in every file, and a model believes what it is told.
    there = f"\n{text}\n".find("\n" + new.strip("\n") + "\n") if new.strip() else -1
    if there >= 0:
        number = text.count("\n", 0, there) + 1
        return WorkspaceError(
            f"nothing to do: {name} already holds new_string, at line {number}, and does not hold old_string"
        )
    return WorkspaceError(f"old_string was not found in {name}. {_nearest_lines(text, old)}")


def _nearest_lines(text: str, old: str, room: int = QUOTED_CHARACTERS) -> str:
    """The lines of the file that are most like `old`, to be copied."""
    lines = text.removesuffix("\n").split("\n")
    height = min(old.strip("\n").count("\n") + 1, LINES_QUOTED)
    copy = "Copy from it exactly, without the line numbers."
    number = _nearest(lines, old, height)
    if number is not None:
        return f"The nearest lines are:\n{quote_lines(lines, number, number + height, room)}\n{copy}"
    if len(lines) <= LINES_QUOTED and 0 < len(text) <= room:
        return f"It holds:\n{quote_lines(lines, 0, len(lines), room)}\n{copy}"
    return "Nothing in the file is like it: read the file again and copy from it exactly."


def _place_of(text: str, held: str) -> tuple[int, int] | None:
    """Indices of the lines that hold a text, or None."""
    start = text.find(held) if held else -1
    if start < 0:
        return None
    first = text.count("\n", 0, start + len(held) - len(held.lstrip("\n")))
    return first, first + held.strip("\n").count("\n") + 1


def _nearest(lines: list[str], old: str, height: int) -> int | None:
    """Index of the line at which the most similar block of `height` lines begins."""
    from rapidfuzz import fuzz, process

    wanted = "\n".join(line.strip() for line in old.strip("\n").split("\n")[:height])
    bare = [line.strip()[:300] for line in lines[:50_000]]
    blocks = ("\n".join(bare[i : i + height]) for i in range(max(1, len(bare) - height + 1)))
    best = process.extractOne(wanted[:4_000], blocks, scorer=fuzz.ratio, score_cutoff=50)
    return None if best is None else int(best[2])
