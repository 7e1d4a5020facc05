"""Repairs of arguments that are nearly right and have one reading only; each has a short text for people."""

import json
import re
import shlex
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from tui_agent.text import lenient_json
from tui_agent.text.fences import unfenced

# A JSON value is whatever the model wrote; nothing narrower than Any is true of it before it was validated.
Json = Any

Fit = Callable[[Json], tuple[Json, str]]
"""Takes what was given for one argument; gives it as the tool wants it and the repair, "" when there was none."""

_WRAPPERS: Final = frozenset(
    {"arguments", "args", "parameters", "params", "kwargs", "input", "toolinput", "properties"}
)
_CALLED: Final = frozenset({"name", "tool", "toolname", "function", "functionname"})
_REMARKS: Final = frozenset({"description", "explanation", "reason", "thought"})
_TYPE_WORDS: Final = frozenset({"object", "function", "string", "integer", "number", "boolean", "array"})

_PROMPT: Final = re.compile(r"[ \t]*(?:\$[ \t]+)+")
_NOT_PLAIN: Final = re.compile(r"[*?\[\]$~`]|[|&;<>]+|\d?>&\d")
_MAX_DIGITS: Final = 30
_PLAIN: Final = (str, int, float)


def squashed(key: str) -> str:
    """A name without case and separators: `filePath`, `file-path` and `FILE_PATH` are one."""
    return "".join(character for character in key.lower() if character.isalnum())


def names_of(properties: Collection[str], aliases: Mapping[str, str]) -> dict[str, str]:
    """Squashed name → parameter, for parameters and aliases; a parameter's own name always wins."""
    return {squashed(alias): name for alias, name in aliases.items()} | {squashed(name): name for name in properties}


def is_beside_the_point(key: str, value: Json, called: Collection[str]) -> bool:
    """True for an argument that can be dropped: nothing, the name of the tool (`called`), or an echo of a schema."""
    match squashed(key):
        case _ if value is None:
            return True
        case name if name in _CALLED:
            return value in called if isinstance(value, str) else False
        case name if name in _REMARKS:
            return isinstance(value, str)
        case "type":
            return isinstance(value, str) and value in _TYPE_WORDS
        case "required":
            return isinstance(value, list) and all(isinstance(each, str) for each in value)
        case "properties":
            return isinstance(value, dict) and all(isinstance(each, dict) and "type" in each for each in value.values())
        case "additionalproperties" | "strict":
            return isinstance(value, bool)
    return False


def unwrapped(
    arguments: Mapping[str, Json], names: Mapping[str, str], called: Collection[str]
) -> tuple[Mapping[str, Json], str]:
    """The arguments out of one object too many, as in `{"arguments": {…}}`, and the repair."""
    rest = {
        key: value
        for key, value in arguments.items()
        if squashed(key) in names or not is_beside_the_point(key, value, called)
    }
    if len(rest) == 1:
        ((key, value),) = rest.items()
        if squashed(key) in _WRAPPERS and squashed(key) not in names:
            inner = _read_json(value) if isinstance(value, str) else value
            if isinstance(inner, dict):
                return inner, f"{key} unwrapped"
    return arguments, ""


def fitted(name: str, value: Json, schema: Mapping[str, Json], names: Mapping[str, str]) -> tuple[Json, str]:
    """The value in the type of its schema, where that is possible in one way, and the repair."""
    kind = schema.get("type", "")
    if isinstance(value, dict) and kind not in ("object", ""):
        inner = _only_value(name, value, names)
        if inner is not None:
            return fitted(name, inner, schema, {})[0], "value unwrapped"
    if isinstance(value, list) and kind not in ("array", "") and len(value) == 1 and isinstance(value[0], _PLAIN):
        return fitted(name, value[0], schema, {})[0], "list of one → its value"
    if isinstance(value, str):
        return _from_text(value, kind, schema)
    if kind == "array" and not isinstance(value, list) and _suits(value, schema.get("items", {})):
        return [value], "one value → a list"
    return value, ""


def whole_number_as_text(value: Json) -> tuple[Json, str]:
    """For texts: 5 means "5". Not so 3.10, of which no zero is left once it was read as a number."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**_MAX_DIGITS:
        return str(value), f'{value} → "{value}"'
    return value, ""


def as_command_line(value: Json) -> tuple[Json, str]:
    """For commands: a list of words is one line, and what a terminal or Markdown shows around a command is none of it.

    A list has one reading only if none of its words would mean something else unquoted.
    """
    repair = ""
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        if len(value) == 1:
            value, repair = value[0], "list of one → its value"
        elif not re.search(r"\s", value[0]) and not any(map(_ambiguous, value)):
            return shlex.join(value), "list of words → command line"
    if not isinstance(value, str):
        return value, ""
    while (inner := unfenced(value)) is not None:
        value, repair = inner, "code fence dropped"
    lines = value.split("\n")
    if any(map(_PROMPT.match, lines)) and all(_PROMPT.match(line) for line in lines if line.strip()):
        return "\n".join(_PROMPT.sub("", line, count=1) for line in lines), '"$ " dropped'
    return value, repair


def _only_value(name: str, value: dict[str, Json], names: Mapping[str, str]) -> Json:
    """What an object holds in place of a value, as in `{"path": "x"}` for a path; None when it holds more than that."""
    rest = {key: each for key, each in value.items() if key not in ("type", "description")} or value
    if len(rest) == 1:
        ((key, inner),) = rest.items()
        if not isinstance(inner, dict) and (squashed(key) == "value" or names.get(squashed(key)) == name):
            return inner
    return None


def _from_text(text: str, kind: str, schema: Mapping[str, Json]) -> tuple[Json, str]:
    word = text.strip()
    match kind:
        case "integer" | "number" | "boolean":
            try:
                value = {"true": True, "false": False}[word.lower()] if kind == "boolean" else _number(word)
            except (KeyError, ValueError):
                return text, ""
            return value, f"{json.dumps(word)} → {json.dumps(value)}"
        case "array" | "object" if word[:1] in ("[", "{"):
            value = _read_json(word)
            if isinstance(value, list if kind == "array" else dict):
                return value, f"text → {kind}"
            if kind == "array" and isinstance(value, dict) and _suits(value, schema.get("items", {})):
                return [value], "text → array"
        case "array" if _suits(text, schema.get("items", {})):
            return [text], "one value → a list"
        case "object" if len(schema.get("required", ())) == 1:
            return {schema["required"][0]: text}, f"text → {schema['required'][0]}"
        case "string" if "enum" in schema and text not in schema["enum"]:
            meant = [each for each in schema["enum"] if squashed(each) == squashed(text)]
            if len(meant) == 1:
                return meant[0], f"{json.dumps(text[:40])} → {json.dumps(meant[0])}"
    return text, ""


def _number(word: str) -> int | float:
    if len(word) > _MAX_DIGITS or "_" in word:
        raise ValueError
    try:
        return int(word)
    except ValueError:
        return float(word)


def _suits(value: Json, schema: Mapping[str, Json]) -> bool:
    """True when one value can be an item of such a list."""
    match schema.get("type"):
        case "object":
            return isinstance(value, dict) or (isinstance(value, str) and len(schema.get("required", ())) == 1)
        case "string":
            return isinstance(value, str)
        case "integer" | "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
    return False


def _ambiguous(word: str) -> bool:
    """True for a word that a shell reads otherwise unquoted; one with blanks in it was meant as it is."""
    return not word or (not re.search(r"\s", word) and _NOT_PLAIN.search(word) is not None)


def _read_json(text: str) -> Json:
    """The value of a JSON text, or None when it is none or has no single reading."""
    try:
        return lenient_json.read(text)[0]
    except ValueError:
        return None
