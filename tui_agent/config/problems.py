"""What is wrong in a settings or theme file, said so that a person finds the place at once."""

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from tui_agent.config.model import SECRET_KEYS
from tui_agent.conversation.errors import ConfigError

_SHOWN = 60
_URL_USER = re.compile(r"//[^/@\s]*@")


class Problem(Struct, frozen=True):
    """One mistake.

    `source` is a file's path, or "environment NAME", or "flag"; `line` counts from 1 and is 0 when there is none.
    """

    source: str
    line: int
    key: str
    text: str

    def __str__(self) -> str:
        place = f"{printable(self.source)}:{self.line}" if self.line else printable(self.source)
        return f"{place}: {printable(self.key)}: {self.text}" if self.key else f"{place}: {self.text}"


class InvalidConfig(ConfigError):
    """One or more problems; the message has a line for each, the first is the one to mend first."""

    def __init__(self, problems: Iterable[Problem], hint: str = "") -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)), hint)


def printable(text: str) -> str:
    """`text` with everything that a terminal might act on or hide (control, bidirectional, surrogate) escaped."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def shown(value: object, key: str = "", limit: int | None = _SHOWN) -> str:
    """A settings value on one line of at most `limit` characters; secret keys and users in addresses are hidden."""
    if key.rpartition(".")[2] in SECRET_KEYS:
        return "(hidden)" if value else '""'
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int() | float():
            text = f"{value:g}" if isinstance(value, float) else str(value)
        case str():
            text = _URL_USER.sub("//…@", printable(value)) or '""'
        case list() | tuple():
            text = "[" + ", ".join(shown(item, limit=limit) for item in value) + "]"
        case _:
            text = "a mapping"
    return text if limit is None or len(text) <= limit else text[: limit - 1] + "…"


def nearest(word: str, valid: Sequence[str]) -> str:
    """The valid word that was probably meant, as `; did you mean …?`, or the valid ones when few, or nothing."""
    from difflib import get_close_matches

    if close := get_close_matches(word[:80], valid, 1, 0.6):
        return f"; did you mean {close[0]}?"
    return f"; valid are {', '.join(valid)}" if valid else ""
