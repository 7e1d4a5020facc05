"""From a YAML tree to checked values: every mistake is found, and each names its line and key."""

import re
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec

from tui_agent.config.documents import Mapping, Node, Scalar, Sequence, is_null
from tui_agent.config.problems import Problem, nearest, shown

KeyPath = tuple[str, ...]

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}\Z")
_NUMBER = re.compile(r"[-+]?([0-9]{1,18}(\.[0-9]{0,18})?|\.[0-9]{1,18})([eE][-+]?[0-9]{1,3})?\Z")
_TRUE = ("true", "yes", "on")
_FALSE = ("false", "no", "off")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class Entry(NamedTuple):
    """One checked value and the line of its key (0: it came from no file)."""

    value: object
    line: int


class Decoded:
    """What a tree holds: values by key path, the mappings that were opened, and the mistakes."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.entries: dict[KeyPath, Entry] = {}
        self.mappings: dict[KeyPath, int] = {}
        self.problems: list[Problem] = []

    def report(self, line: int, key: KeyPath, text: str) -> None:
        """Note one mistake."""
        self.problems.append(Problem(self.source, line, ".".join(key), text))


def decode(root: Node | None, struct: type[msgspec.Struct], source: str) -> Decoded:
    """Check a whole tree against a struct; values of nested structs and mappings are entries of their own."""
    decoded = Decoded(source)
    if root is not None:
        _read_struct(decoded, root, struct, ())
    return decoded


@cache
def field_types(struct: type[msgspec.Struct]) -> dict[str, Any]:  # Any: type forms have no common static type
    """The type of each field of a struct, constraints included."""
    return {item.name: item.type for item in msgspec.structs.fields(struct)}


def is_struct(kind: object) -> bool:
    """True for a settings section."""
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _read_struct(decoded: Decoded, node: Node, struct: type[msgspec.Struct], path: KeyPath) -> None:
    types = field_types(struct)
    for key, line, value in _pairs(decoded, node, path):
        here = (*path, key)
        kind = types.get(key)
        if kind is None:
            decoded.report(line, here, f"unknown key{nearest(key, list(types))}")
        elif is_struct(kind):
            _read_struct(decoded, value, kind, here)
        elif get_origin(kind) is dict:
            key_kind, value_kind = get_args(kind)
            _read_dict(decoded, value, key_kind, value_kind, here)
        else:
            _read_leaf(decoded, value, kind, here, line)


def _read_dict(decoded: Decoded, node: Node, key_kind: Any, kind: Any, path: KeyPath) -> None:  # Any: type forms
    for key, line, value in _pairs(decoded, node, path):
        here = (*path, key)
        if (expected := mismatch(key, key_kind)) is not None:
            decoded.report(line, here, f"expected {expected}")
        elif is_struct(kind):
            decoded.mappings[here] = line
            _read_struct(decoded, value, kind, here)
        else:
            _read_leaf(decoded, value, kind, here, line)


def _pairs(decoded: Decoded, node: Node, path: KeyPath) -> list[tuple[str, int, Node]]:
    if is_null(node):
        return []
    if not isinstance(node, Mapping):
        decoded.report(node.line, path, f"expected keys with values, found {_found(node, path)}")
        return []
    pairs = []
    seen: dict[str, int] = {}
    for key, value in node.pairs:
        if not isinstance(key, Scalar):
            decoded.report(key.line, path, "a key must be a word")
        elif key.text in seen:
            decoded.report(key.line, (*path, key.text), f"given twice, first in line {seen[key.text]}")
        else:
            seen[key.text] = key.line
            pairs.append((key.text, key.line, value))
    return pairs


def _read_leaf(decoded: Decoded, node: Node, kind: Any, path: KeyPath, line: int) -> None:  # Any: a type form
    base, optional = _unwrap(kind)
    value: object
    if is_null(node) and (optional or get_origin(base) is tuple):
        value = None if optional else ()
    elif get_origin(base) is tuple:
        if not isinstance(node, Sequence):
            decoded.report(node.line, path, f"expected a list, found {_found(node, path)}")
            return
        values = [
            _read_scalar(decoded, item, get_args(base)[0], (*path[:-1], f"{path[-1]}[{index}]"))
            for index, item in enumerate(node.items)
        ]
        value = tuple(values)
        if any(item is _WRONG for item in values):
            return
    else:
        value = _read_scalar(decoded, node, kind, path)
        if value is _WRONG:
            return
    decoded.entries[path] = Entry(value, line)


_WRONG = object()


def _read_scalar(decoded: Decoded, node: Node, kind: Any, path: KeyPath) -> object:  # Any: a type form
    base, _ = _unwrap(kind)
    value: object
    if not isinstance(node, Scalar):
        value = _WRONG
    elif get_origin(base) is Literal:
        # The text itself, so that `off` can be a word where a word is expected.
        value = node.text
    else:
        value = _resolve(node)
    expected = describe(kind) if value is _WRONG else mismatch(value, kind)
    if expected is None:
        return value
    hint = ""
    if base is str and isinstance(node, Scalar) and value is not None and not isinstance(value, str):
        hint = "; put it in quotes"
    elif get_origin(base) is Literal and isinstance(value, str):
        hint = _close_choice(value, get_args(base))
    decoded.report(node.line, path, f"expected {expected}, found {_found(node, path)}{hint}")
    return _WRONG


def mismatch(value: object, kind: Any) -> str | None:  # Any: a type form
    """What was expected instead of `value`; None when it fits."""
    if isinstance(value, str) and _CONTROL.search(value):
        return "text without control characters"
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return describe(kind)
    return None


def describe(kind: Any) -> str:  # Any: a type form
    """What a value of this type is, to complete "expected …"."""
    for part in (kind, *get_args(kind)):
        if get_origin(part) is Annotated:
            return next(str(meta.description) for meta in get_args(part)[1:] if isinstance(meta, msgspec.Meta))
    base, _ = _unwrap(kind)
    if get_origin(base) is Literal:
        return "one of " + ", ".join(get_args(base))
    if get_origin(base) is tuple:
        return "a list of texts"
    return {str: "text", bool: "true or false", int: "a whole number", float: "a number"}.get(base, "a value")


def _unwrap(kind: Any) -> tuple[Any, bool]:  # Any: type forms
    """The type without its constraints, and whether None is a value too."""
    optional = False
    if get_origin(kind) in (Union, UnionType):
        (kind,) = (part for part in get_args(kind) if part is not NoneType)
        optional = True
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind, optional


def _resolve(node: Scalar) -> object:
    """A scalar as YAML 1.2 reads it (with yes/no and on/off); anything else is text. No dates, no sexagesimals."""
    text = node.text
    if not node.plain:
        return text
    if is_null(node):
        return None
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    if _INTEGER.match(text):
        return int(text)
    return float(text) if _NUMBER.match(text) else text


def _found(node: Node, path: KeyPath) -> str:
    match node:
        case Scalar():
            if is_null(node):
                return "nothing"
            text = shown(node.text, path[-1] if path else "")
            return text if node.plain or text.startswith(("(", '"')) else f'"{text}"'
        case Sequence():
            return "a list"
        case _:
            return "keys with values"


def _close_choice(text: str, choices: tuple[str, ...]) -> str:
    hint = nearest(text, choices)
    return hint if hint.startswith("; did") else ""
