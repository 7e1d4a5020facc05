"""Understanding the arguments of a call: parsing what the model wrote, and judging it against the tool's schema."""

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from tui_agent.conversation.errors import ToolError


class ArgumentsError(ToolError):
    """The arguments could not be understood; nothing was prepared."""


MAX_CHARACTERS: Final = 2_000_000

# A JSON value is whatever the model wrote; nothing narrower than Any is true of it before it was validated.
Json = Any

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def parse_arguments(raw: str) -> dict[str, Json]:
    """The arguments as an object; empty text and `null` mean none, and an object inside a JSON string is taken out.

    Raises:
        ArgumentsError: too long, not JSON (NaN, Infinity and duplicate keys are not), or not an object.
    """
    if len(raw) > MAX_CHARACTERS:
        raise ArgumentsError(f"the arguments are too long: {len(raw):,} characters; the limit is {MAX_CHARACTERS:,}")
    value = _loads(raw) if raw.strip() else {}
    if isinstance(value, str):
        value = _loads(value) if value.strip() else {}
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ArgumentsError(f"the arguments must be a JSON object, not {_kind(value)}")
    return value


def validate(
    parameters: Mapping[str, Json], arguments: Mapping[str, Json], aliases: Mapping[str, str]
) -> dict[str, Json]:
    """The arguments under their own names and of their own types, defaults filled in.

    Understands the part of JSON Schema that our tools use: `properties`, `required`, `type`, `enum`, `items`,
    `minimum` and `default`. Numbers and booleans written as strings are taken as meant, and `null` for an optional
    argument as left out.

    Raises:
        ArgumentsError: one message that names everything wrong with them.
    """
    properties: Mapping[str, Json] = parameters.get("properties", {})
    faults: list[str] = []
    taken: dict[str, Json] = {}
    for key, value in arguments.items():
        name = key if key in properties else aliases.get(key, key)
        if name not in properties:
            faults.append(f"unknown argument {_shown(key)}{_nearest(key, properties)}")
        elif name in taken:
            faults.append(f"{name} is given twice")
        else:
            taken[name] = value
    required = parameters.get("required", ())
    result: dict[str, Json] = {}
    for name, schema in properties.items():
        if name in taken and not (taken[name] is None and name not in required):
            result[name] = _checked(name, taken[name], schema, faults)
        elif "default" in schema:
            result[name] = schema["default"]
        elif name in required:
            faults.append(f"missing argument {name} ({schema.get('type', 'any')})")
    if faults:
        raise ArgumentsError(
            "invalid arguments: " + "; ".join(faults) + f". Expected: {_signature(properties, required)}"
        )
    return result


def _checked(name: str, value: Json, schema: Mapping[str, Json], faults: list[str]) -> Json:
    kind = schema.get("type", "")
    value = _coerced(value, kind, schema)
    if kind and not _is(value, kind):
        faults.append(f"{name} must be {_article(kind)}, not {_kind(value)}")
    elif "enum" in schema and value not in schema["enum"]:
        faults.append(f"{name} must be one of {', '.join(map(str, schema['enum']))}, not {_shown(str(value))}")
    elif "minimum" in schema and value < schema["minimum"]:
        faults.append(f"{name} must be at least {schema['minimum']}, not {value}")
    elif kind == "array" and "items" in schema:
        return [_checked(f"{name}[{i}]", item, schema["items"], faults) for i, item in enumerate(value)]
    elif kind == "object" and "properties" in schema:
        try:
            return validate(schema, value, {})
        except ArgumentsError as error:
            faults.append(f"{name}: {error.message.removeprefix('invalid arguments: ')}")
    return value


def _coerced(value: Json, kind: str, schema: Mapping[str, Json]) -> Json:
    """Numbers and booleans written as strings, whole numbers written as 3.0, and a string for its one-key object."""
    if isinstance(value, str) and kind == "object" and len(schema.get("required", ())) == 1:
        return {schema["required"][0]: value}
    if isinstance(value, str) and kind in ("integer", "number", "boolean"):
        word = value.strip()
        try:
            value = {"true": True, "false": False}[word.lower()] if kind == "boolean" else _number(word)
        except (KeyError, ValueError):
            return value
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _number(word: str) -> int | float:
    if len(word) > 30 or "_" in word:
        raise ValueError
    try:
        return int(word)
    except ValueError:
        return float(word)


def _is(value: Json, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return isinstance(value, _TYPES[kind])


def _loads(text: str) -> Json:
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except ArgumentsError:
        raise
    except json.JSONDecodeError as error:
        near = text[max(0, error.pos - 20) : error.pos + 20]
        place = f"line {error.lineno} column {error.colno}"
        raise ArgumentsError(
            f"the arguments are not valid JSON: {error.msg} at {place}, near {_shown(near)}"
        ) from error
    except RecursionError as error:
        raise ArgumentsError("the arguments are not usable JSON: nested too deeply") from error
    except ValueError as error:
        raise ArgumentsError("the arguments are not usable JSON: a number is too long") from error


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ArgumentsError(f"the arguments are not valid JSON: the key {_shown(twice)} is there twice")
    return result


def _constant(name: str) -> None:
    raise ArgumentsError(f"the arguments are not valid JSON: {name} is not a JSON number")


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
