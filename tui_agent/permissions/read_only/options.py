"""Options of a program that are known to be harmless; any other word that looks like one is not."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from tui_agent.permissions.read_only.verdict import Unproven

_NUMBER: Final = re.compile(r"-[0-9]{1,9}")

Given = Callable[[str, str], None]


class Options(Struct, frozen=True):
    """`flags`: letters without a value; `valued`: letters with one; `long` and `long_valued` the same for `--words`.

    A long option may be given its value with `=`; in `long` that is right where GNU has an optional one. Of an
    `optional` letter the value, if there is one, is the rest of its word. Abbreviated long options are not understood,
    on purpose. With `numbers`, `-5` is an option too. `ordered`: an option behind an operand is not known to be one.
    `apart`: a value is always a word of its own, and what stands behind its letter are more letters. `free`: letters of
    `valued` that take any word for their value, one that looks like an option too.
    """

    flags: str = ""
    valued: str = ""
    long: frozenset[str] = frozenset()
    long_valued: frozenset[str] = frozenset()
    numbers: bool = False
    optional: str = ""
    ordered: bool = False
    apart: bool = False
    free: str = ""


def options(
    flags: str = "",
    valued: str = "",
    long: str = "",
    long_valued: str = "",
    numbers: bool = False,
    optional: str = "",
    ordered: bool = False,
    apart: bool = False,
    free: str = "",
) -> Options:
    """Options from strings; long ones by their names, with blanks between."""
    wholes = frozenset(long.split())
    valued_wholes = frozenset(long_valued.split()) - wholes
    return Options(flags, valued, wholes, valued_wholes, numbers, optional, ordered, apart, free)


def operands(program: str, words: Sequence[str], known: Options, given: Given | None = None) -> list[str]:
    """The words that are no options, as GNU programs see them: options count after operands too, until `--`.

    `given` is told each option, with its value or "".

    Raises:
        Unproven: there is an option that is not known to be harmless.
    """
    found: list[str] = []
    waiting = list(reversed(words))
    while waiting:
        word = waiting.pop()
        if word == "--":
            return [*found, *reversed(waiting)]
        if not word.startswith("-") or word == "-":
            found.append(word)
        elif found and known.ordered:
            raise Unproven(f"`{program} … {word}` can be read in two ways")
        elif word.startswith("--"):
            name, has_value, value = word[2:].partition("=")
            if name in known.long_valued:
                value = value if has_value else _next(program, f"--{name}", waiting)
            elif name not in known.long:
                raise Unproven(f"`{program} --{name}` is not known to be harmless")
            if given:
                given(f"--{name}", value)
        elif not (known.numbers and _NUMBER.fullmatch(word)):
            _letters(program, word[1:], known, waiting, given)
    return found


def _letters(program: str, letters: str, known: Options, waiting: list[str], given: Given | None) -> None:
    for index, letter in enumerate(letters):
        rest = letters[index + 1 :]
        value = ""
        if letter in known.valued:
            if rest and known.apart:
                raise Unproven(f"`{program} -{letters}` can be read in two ways")
            value = rest or _next(program, f"-{letter}", waiting, any_word=letter in known.free)
        elif letter in known.optional:
            value = rest
        elif letter not in known.flags:
            raise Unproven(f"`{program} -{letter}` is not known to be harmless")
        if given:
            given(f"-{letter}", value)
        if letter in known.valued or letter in known.optional:
            return


def _next(program: str, option: str, waiting: list[str], any_word: bool = False) -> str:
    """The value of an option that stands in the next word; without `any_word` never what could be an option itself."""
    if not waiting:
        raise Unproven(f"`{program} {option}` has no value")
    value = waiting.pop()
    if any_word and value != "--":
        return value
    if value.startswith("-") and value != "-" and not _NUMBER.fullmatch(value):
        raise Unproven(f"`{program} {option} {value}` can be read in two ways")
    return value
