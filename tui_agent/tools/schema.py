"""Understanding the arguments of a call: parsing what the model wrote, and judging it against the tool's schema."""

import json
import math
import re
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from tui_agent.conversation.errors import ToolError
from tui_agent.text import lenient_json
from tui_agent.tools.repair import Fit, fitted, is_beside_the_point, names_of, squashed, unwrapped


class ArgumentsError(ToolError):
    """The arguments could not be understood; nothing was prepared."""


MAX_CHARACTERS: Final = 2_000_000
MAX_FAULTS: Final = 8
"""How many things that are wrong with the arguments one message names."""

REPAIR_CHARACTERS: Final = 80
"""How long the text of one repair may be."""

# A JSON value is whatever the model wrote; nothing narrower than Any is true of it before it was validated.
Json = Any

NO_FITS: Final[Mapping[str, Fit]] = {}

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


class Understood(NamedTuple):
    """Arguments as they are taken, and what had to be repaired in them, for people: `path → file_path`."""

    arguments: dict[str, Json]
    repairs: tuple[str, ...]


def parse_arguments(raw: str) -> Understood:
    """The arguments as an object; empty text and `null` mean none.

    An object inside a JSON string is taken out, and small slips in the JSON are repaired (`text.lenient_json`).

    Raises:
        ArgumentsError: too long, not JSON (NaN, Infinity and duplicate keys are not), or not an object.
    """
    if len(raw) > MAX_CHARACTERS:
        raise ArgumentsError(f"the arguments are too long: {len(raw):,} characters; the limit is {MAX_CHARACTERS:,}")
    value, repairs = _loads(raw) if raw.strip() else (None, ())
    if isinstance(value, str) and value.strip():
        value, more = _loads(value)
        repairs = (*repairs, *more, "JSON text → object")
    elif isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        value, repairs = value[0], (*repairs, "list of one → its value")
    if value is None or value == "":
        return Understood({}, ())
    if not isinstance(value, dict):
        raise ArgumentsError(f"the arguments must be a JSON object, not {_kind(value)}")
    return Understood(value, repairs)


def validate(
    parameters: Mapping[str, Json],
    arguments: Mapping[str, Json],
    aliases: Mapping[str, str],
    fits: Mapping[str, Fit] = NO_FITS,
    called: Collection[str] = (),
) -> Understood:
    """The arguments under their own names and of their own types, defaults filled in, and what was repaired in them.

    Understands the part of JSON Schema that our tools use: `properties`, `required`, `type`, `enum`, `items`,
    `minimum` and `default`. What is nearly right is repaired where it has one reading only (`tools.repair`); `fits`
    adds readings of single arguments, `called` are the names of the tool. `null` for an argument that may be left out
    is left out. Arguments that are right are taken unchanged and without repairs.

    Raises:
        ArgumentsError: one message that names what is wrong with them.
    """
    properties: Mapping[str, Json] = parameters.get("properties", {})
    names = names_of(properties, aliases)
    faults: list[str] = []
    repairs: dict[str, None] = {}  # in order, each once
    arguments, unwrapping = unwrapped(arguments, names, called)
    if unwrapping:
        repairs[unwrapping] = None
    taken = _taken(arguments, properties, names, called, faults, repairs)
    required = parameters.get("required", ())
    result: dict[str, Json] = {}
    for name, schema in properties.items():
        if name in taken and not (taken[name] is None and (name not in required or "default" in schema)):
            value, repair = fits[name](taken[name]) if name in fits else (taken[name], "")
            if repair:
                repairs[f"{name}: {repair}"] = None
            result[name] = _checked(name, value, schema, names, faults, repairs)
        elif "default" in schema:
            result[name] = schema["default"]
        elif name in required:
            faults.append(f"missing argument {name} ({schema.get('type', 'any')})")
    if faults:
        more = f"; and {len(faults) - MAX_FAULTS:,} more" if len(faults) > MAX_FAULTS else ""
        raise ArgumentsError(
            f"invalid arguments: {'; '.join(faults[:MAX_FAULTS])}{more}. Expected: {_signature(properties, required)}"
        )
    return Understood(result, tuple(map(_cut, repairs)))


def _taken(
    arguments: Mapping[str, Json],
    properties: Mapping[str, Json],
    names: Mapping[str, str],
    called: Collection[str],
    faults: list[str],
    repairs: dict[str, None],
) -> dict[str, Json]:
    """What was given, under the parameters' own names."""
    taken: dict[str, Json] = {}
    dropped: list[str] = []
    for key, value in arguments.items():
        name = key if key in properties else names.get(squashed(key), "")
        if not name and is_beside_the_point(key, value, called):
            dropped.append(key)
        elif not name:
            faults.append(f"unknown argument {_shown(key)}{_nearest(key, properties)}")
        elif name not in taken:
            taken[name] = value
        elif type(taken[name]) is not type(value) or taken[name] != value:
            faults.append(f"{name} is given twice")
        if name and name != key:
            repairs[f"{key} → {name}"] = None
    if dropped:
        repairs[f"dropped {', '.join(dropped)}"] = None
    return taken


def _checked(
    name: str,
    value: Json,
    schema: Mapping[str, Json],
    names: Mapping[str, str],
    faults: list[str],
    repairs: dict[str, None],
) -> Json:
    kind = schema.get("type", "")
    if not kind or not _is(value, kind) or "enum" in schema:
        value, repair = fitted(name, value, schema, names)
        if repair:
            repairs[f"{_any_item(name)}: {repair}"] = None
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        value = int(value)  # 3.0 is an integer in JSON Schema
    if kind and not _is(value, kind):
        faults.append(f"{name} must be {_article(kind)}, not {_kind(value)}")
    elif "enum" in schema and value not in schema["enum"]:
        faults.append(f"{name} must be one of {', '.join(map(str, schema['enum']))}, not {_shown(str(value))}")
    elif "minimum" in schema and value < schema["minimum"]:
        faults.append(f"{name} must be at least {schema['minimum']}, not {value}")
    elif kind == "array" and "items" in schema:
        return [_checked(f"{name}[{i}]", item, schema["items"], {}, faults, repairs) for i, item in enumerate(value)]
    elif kind == "object" and "properties" in schema:
        try:
            inner = validate(schema, value, {})
        except ArgumentsError as error:
            faults.append(f"{name}: {error.message.removeprefix('invalid arguments: ')}")
        else:
            repairs.update(dict.fromkeys(f"{_any_item(name)}: {repair}" for repair in inner.repairs))
            return inner.arguments
    return value


def _cut(repair: str) -> str:
    return repair if len(repair) <= REPAIR_CHARACTERS else repair[: REPAIR_CHARACTERS - 1] + "…"


def _any_item(name: str) -> str:
    """`items[7]` as `items[]`: what was repaired in many items is said once."""
    return re.sub(r"\[\d+\]", "[]", name)


def _is(value: Json, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return isinstance(value, _TYPES[kind])


def _loads(text: str) -> tuple[Json, tuple[str, ...]]:
    try:
        return lenient_json.read(text)
    except json.JSONDecodeError as error:
        near = text[max(0, error.pos - 20) : error.pos + 20]
        place = f"line {error.lineno} column {error.colno}"
        raise ArgumentsError(
            f"the arguments are not valid JSON: {error.msg} at {place}, near {_shown(near)}"
        ) from error
    except ValueError as error:
        # Python's own words about a number of thousands of digits help nobody.
        reason = "a number is too long" if "digits" in str(error) else str(error)
        raise ArgumentsError(f"the arguments are not usable JSON: {reason}") from error


def _nearest(name: str, known: Mapping[str, Json]) -> str:
    import difflib

    close = difflib.get_close_matches(name[:100], known, n=1, cutoff=0.5)
    return f" (did you mean {close[0]}?)" if close else ""


def _signature(properties: Mapping[str, Json], required: Mapping[str, Json]) -> str:
    return ", ".join(
        f"{name}{'' if name in required else '?'}: {schema.get('type', 'any')}" for name, schema in properties.items()
    )


def _kind(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, float) and not math.isfinite(value):
        return "an infinite number"
    names = {
        bool: "a boolean",
        int: "an integer",
        float: "a number",
        str: "a string",
        list: "an array",
        dict: "an object",
    }
    return names[type(value)]


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aio" else f"a {kind}"


def _shown(text: str) -> str:
    """For a message: quoted, escaped and cut."""
    return json.dumps(text if len(text) <= 80 else text[:80] + "…")
