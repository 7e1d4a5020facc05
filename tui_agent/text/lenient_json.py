"""Read JSON as language models write it: repair a small slip where only one reading is possible, else refuse.

The repairs, by the names that people are told:

- "trailing comma": `[1, 2,]`
- "doubled braces": `{{"a": 1}}`, as templates write them
- "Python literals": `True`, `False`, `None`
- "single quotes": `{'a': 'it\\'s'}`, and `\\'` between double quotes
- "triple quotes": a Python string over several lines
- "raw line break": a string that goes on in the next line
- "raw control character": a tab or the like in a string, not written as an escape
- "missing brace": closing braces or brackets left out at the very end, after a whole value that is no number
- "extra brace": one or two too many at the very end
"""

import json
import re
from typing import Any, Final, Literal

Repair = Literal[
    "trailing comma",
    "doubled braces",
    "Python literals",
    "single quotes",
    "triple quotes",
    "raw line break",
    "raw control character",
    "missing brace",
    "extra brace",
]

# What a model wrote; nothing narrower than Any is true of it before it was validated.
Json = Any

MAX_DEPTH: Final = 100
"""Levels of nesting up to which a slip is repaired."""

MAX_EXTRA: Final = 2
"""Closing braces too many at the end that are overlooked."""

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]++)"
    r'|(?P<triple>"""(?:[^"\\]++|\\.|"(?!""))*+"""' + r"|'''(?:[^'\\]++|\\.|'(?!''))*+''')"
    r'|(?P<double>"(?:[^"\\]++|\\.)*+")'
    r"|(?P<single>'(?:[^'\\]++|\\.)*+')"
    r"|(?P<sign>[{}\[\],:])"
    r"|(?P<number>-?\d[\d.eE+-]*+)"
    r"|(?P<word>\w++)",
    re.DOTALL,
)
_ODD = re.compile(r'\\.|["\x00-\x1f]', re.DOTALL)
_CONSTANTS = {"true": "true", "false": "false", "null": "null", "True": "true", "False": "false", "None": "null"}
_CLOSING = {"{": "}", "[": "]"}
_ESCAPES = frozenset('"\\/bfnrtu')


def read(text: str) -> tuple[Json, tuple[Repair, ...]]:
    """The value and what had to be repaired; valid JSON is read as it is, without repairs.

    Duplicate keys, NaN and Infinity have no single reading. Time and memory grow linearly with the text.

    Raises:
        ValueError: there is no single reading. It is the `json.JSONDecodeError` of the text as it was when a slip
            cannot be repaired.
    """
    try:
        return _loads(text), ()
    except json.JSONDecodeError as error:
        fault = error
    try:
        repaired, repairs = _repaired(text)
        return _loads(repaired), repairs
    except json.JSONDecodeError:
        raise fault from None
    except _Unclear:
        raise fault from None


class _Unclear(Exception):
    """No repair leads to a single reading."""


def _loads(text: str) -> Json:
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result: dict[str, Json] = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"the key {json.dumps(name[:80])} is there twice")
        result[name] = value
    return result


def _constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _repaired(text: str) -> tuple[str, tuple[Repair, ...]]:
    """The text rewritten token by token; whether it is JSON now, the JSON reader says.

    Raises:
        _Unclear: it holds something that has no place in JSON, braces cross or are nested too deeply, or it ends where
            something was to follow.
    """
    repairs: dict[Repair, None] = {}
    written: list[str] = []
    braces = _Braces(written, repairs)
    kind, place = "", 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise _Unclear
        place = match.end()
        if match.lastgroup == "space":
            continue
        kind, token = match.lastgroup or "", match[0]
        if kind == "sign":
            braces.take(token)
        else:
            braces.pass_by()
            if kind == "word":
                if token not in _CONSTANTS:
                    raise _Unclear
                if token[0].isupper():
                    repairs["Python literals"] = None
                token = _CONSTANTS[token]
            elif kind != "number":
                token = _string(kind, token, repairs)
            written.append(token)
    braces.close(kind == "number")
    return " ".join(written), tuple(repairs)


def _string(kind: str, token: str, repairs: dict[Repair, None]) -> str:
    """A string as JSON writes it.

    Raises:
        _Unclear: an escape that JSON does not have; `\\d` may mean two things.
    """
    if kind != "double":
        repairs["single quotes" if kind == "single" else "triple quotes"] = None

    def mend(match: re.Match[str]) -> str:
        found = match[0]
        if found == "\n":
            if kind != "triple":
                repairs["raw line break"] = None
            return "\\n"
        if found == "\\'":
            repairs["single quotes"] = None
            return "'"
        if found[0] == "\\":
            if found[1] not in _ESCAPES:
                raise _Unclear
            return found
        if found == '"':
            return '\\"'
        if kind != "triple":
            repairs["raw line break" if found == "\r" else "raw control character"] = None
        return f"\\u{ord(found):04x}"

    quotes = 3 if kind == "triple" else 1
    return f'"{_ODD.sub(mend, token[quotes:-quotes])}"'


class _Braces:
    """Writes the signs of a text: no comma before a closing brace, doubled braces once, closing braces that match."""

    def __init__(self, written: list[str], repairs: dict[Repair, None]) -> None:
        self._written = written
        self._repairs = repairs
        self._levels: list[tuple[str, bool]] = []  # the opening sign, and whether it stood there twice
        self._before = ""  # the token before, when it was a sign
        self._half = False  # the other half of a doubled closing brace may follow
        self._extra = 0

    def take(self, sign: str) -> None:
        """Write the next sign, if it belongs there."""
        half, self._half = self._half, False
        before, self._before = self._before, sign
        if sign == "}" and half:
            return
        if sign == "{" == before and not self._levels[-1][1]:
            self._levels[-1] = ("{", True)
            self._repairs["doubled braces"] = None
        elif sign in _CLOSING:
            self._levels.append((sign, False))
            self._written.append(sign)
            if len(self._levels) > MAX_DEPTH or self._extra:
                raise _Unclear
        elif sign in ("}", "]"):
            self._end(sign, before)
        else:
            if (sign == "," and before in ("{", "[", ",")) or self._extra:
                raise _Unclear
            self._written.append(sign)

    def pass_by(self) -> None:
        """Something that is no sign comes next."""
        if self._extra:
            raise _Unclear
        self._before, self._half = "", False

    def close(self, after_number: bool) -> None:
        """Write what is missing at the end; a number may lack its last digits there, and says nothing."""
        if self._levels:
            if after_number or self._before not in ("", "}", "]"):
                raise _Unclear
            self._written.extend(_CLOSING[opening] for opening, _ in reversed(self._levels))
            self._repairs["missing brace"] = None

    def _end(self, sign: str, before: str) -> None:
        if before == ",":
            self._written.pop()
            self._repairs["trailing comma"] = None
        if not self._levels:
            self._extra += 1
            self._repairs["extra brace"] = None
            if self._extra > MAX_EXTRA or not self._written or self._written[0] not in _CLOSING:
                raise _Unclear
            return
        opening, doubled = self._levels.pop()
        if _CLOSING[opening] != sign:
            raise _Unclear
        self._half = doubled
        self._written.append(sign)
