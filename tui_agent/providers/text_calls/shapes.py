"""JSON values that are tool calls, in the shapes that models know from their training."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from tui_agent.providers.text_calls.names import Toolbox
from tui_agent.text.lenient_json import Json, read

NAME_KEYS: Final = ("name", "tool", "tool_name", "function", "function_name")
ARGUMENT_KEYS: Final = ("arguments", "parameters", "args", "input", "params", "tool_input", "kwargs")
BESIDE: Final = frozenset(
    {"id", "type", "index", "call_id", "tool_call_id", "thought", "thoughts", "reason", "reasoning"}
)
"""What may stand beside name and arguments."""

FIRST_KEYS: Final = frozenset(
    {*NAME_KEYS, *ARGUMENT_KEYS, *BESIDE, "tool_calls", "function_call", "action", "role", "content"}
)
"""With any other first key a JSON object is no call."""

MAX_CALLS: Final = 64
"""Calls in one reply; more are a model that runs wild."""

_TYPES = frozenset({"string", "integer", "number", "boolean", "array", "object", "null", "str", "int", "float", "bool"})


class Call(NamedTuple):
    """A call as it was read: the name of a tool that is there, and an object of arguments."""

    name: str
    arguments: dict[str, Json]

    def text(self) -> str:
        """The arguments as JSON."""
        return json.dumps(self.arguments, ensure_ascii=False)


class Definition(NamedTuple):
    """A tool described, not called."""

    name: str


def calls_in(value: Json, box: Toolbox) -> list[Call | Definition] | None:
    """The calls that a JSON value is, in order; None when it is anything else, were it only in part."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        found = [one_call(item, box) for item in value[: MAX_CALLS + 1]]
        calls = [call for call in found if call is not None]
        return calls if 0 < len(calls) == len(value) <= MAX_CALLS else None
    if isinstance(value, Mapping) and isinstance(value.get("tool_calls"), list):
        return calls_in(value["tool_calls"], box) if value.keys() <= {"tool_calls", "role", "content", "type"} else None
    call = one_call(value, box)
    return None if call is None else [call]


def one_call(value: Json, box: Toolbox) -> Call | Definition | None:
    """The call that a JSON object is; None for anything else."""
    if not isinstance(value, Mapping):
        return None
    for wrapper in ("function", "function_call"):
        if isinstance(inner := value.get(wrapper), Mapping):
            return one_call(inner, box) if value.keys() <= {wrapper, *BESIDE} else None
    if "action" in value and value.keys() <= {"action", "action_input", *BESIDE}:
        return _call(value["action"], value.get("action_input"), box)
    named = [key for key in NAME_KEYS if key in value]
    given = [key for key in ARGUMENT_KEYS if key in value]
    if len(named) != 1 or not isinstance(value[named[0]], str):
        return None
    name = value[named[0]]
    rest = value.keys() - {*named, *given, *BESIDE}
    if "required" in rest or ("description" in rest and not (given and value[given[0]])):
        return Definition(name)
    if len(given) == 1 and rest <= {"description"}:
        return Definition(name) if _is_schema(value[given[0]]) else _call(name, value[given[0]], box)
    if not given and rest and (tool := box.find(name)) and box.required(tool) <= rest <= box.properties(tool).keys():
        return _call(name, {key: value[key] for key in value if key in rest}, box)
    return None


def read_object(text: str) -> dict[str, Json] | None:
    """The object that a text is, slips repaired; None for anything else."""
    try:
        value, _ = read(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _call(written: Json, arguments: Json, box: Toolbox) -> Call | None:
    name = box.find(written) if isinstance(written, str) else None
    if isinstance(arguments, str):
        arguments = read_object(arguments) if arguments.strip() else {}
    elif arguments is None:
        arguments = {}
    if name is None or not isinstance(arguments, dict) or _is_placeholder(arguments):
        return None
    return Call(name, arguments)


def _is_schema(arguments: Json) -> bool:
    """The arguments describe parameters where a call would give their values."""
    if not isinstance(arguments, Mapping):
        return False
    if arguments.get("type") == "object" and isinstance(arguments.get("properties"), Mapping):
        return True
    values = [value for value in arguments.values() if isinstance(value, Mapping)]
    return any(isinstance(value.get("type"), str) and value["type"] in _TYPES for value in values)


# ---- arguments that only stand for something ----

_FREE = frozenset({"content", "contents", "text", "old_text", "new_text", "old_string", "new_string", "code", "body"})
_FREE |= {"pattern", "query", "regex", "glob"}
"""Arguments whose text may be anything but their own name."""

_STANDS_FOR = re.compile(
    r"<[\w ./-]{1,60}>|\[[\w ]{1,40}\]|\{\{?[\w .]{1,40}\}?\}|\$\{?[A-Z_]{3,40}\}?"  # <path>, [path], {path}, $PATH
    r"|…|\.{3,}|x{3,}|string|str|value|arg\d?|file_?path|file_?name"
    r"|(?:the|your|some|a)[ _-](?:path|file|filename|directory|folder|command|name|value|string)\b.{0,60}",
    re.IGNORECASE,
)
_HOLDS_PLACE = re.compile(
    r"(?:^|[\s/=\"'])path/to(?:/|$)|<(?:your|path|file|dir|folder|command|name|pattern|the)\b[^<>\n]{0,40}>|/your/"
    r"|\byour[_-](?:file|path|dir|directory|folder|project|command|name|script|module|branch|repo\w*)\b"
    r"|\b(?:file|path|name|command|directory|folder)_here\b",
    re.IGNORECASE,
)


def _is_placeholder(arguments: Mapping[str, Json]) -> bool:
    """Some argument is only a place to fill in, as in `{"path": "<path>"}`."""
    return any(
        value.strip(" <>[]{}").lower() == key.lower() or (key not in _FREE and stands_for_something(value))
        for key, value in arguments.items()
        if isinstance(value, str)
    )


def stands_for_something(value: str) -> bool:
    """The value is a place to fill in."""
    short = value.strip()[:400]
    return bool(_STANDS_FOR.fullmatch(short) or _HOLDS_PLACE.search(short))
