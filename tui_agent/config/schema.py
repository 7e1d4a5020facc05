"""Every settings key with its type, default and documentation, from the definition of the settings itself."""

import ast
import inspect
from types import NoneType
from typing import Any, get_args, get_origin

import msgspec

from tui_agent.config import model
from tui_agent.config.decode import describe, field_types, is_struct
from tui_agent.config.problems import shown


class Key(msgspec.Struct, frozen=True):
    """One key; a part in capitals (`providers.NAME.timeout`) stands for any name."""

    key: str
    type: str
    default: str
    doc: str


def keys() -> tuple[Key, ...]:
    """Every key in the order of the definition."""
    return tuple(_keys(model.Settings, ""))


def json_schema() -> dict[str, Any]:  # Any: a JSON document
    """A JSON Schema (2020-12) of a settings file, for editors."""
    schema = msgspec.json.schema(model.Settings)
    for name, definition in schema["$defs"].items():
        for field, doc in field_docs(getattr(model, name)).items():
            definition["properties"][field]["description"] = doc
    return schema


def field_docs(struct: type[msgspec.Struct]) -> dict[str, str]:
    """The text below each field of a struct, on one line."""
    (definition,) = ast.parse(inspect.getsource(struct)).body
    assert isinstance(definition, ast.ClassDef)
    docs = {}
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            docs[field.target.id] = " ".join(str(ast.literal_eval(below.value)).split())
    return docs


def _keys(struct: type[msgspec.Struct], prefix: str) -> list[Key]:
    docs = field_docs(struct)
    defaults = {field.name: field for field in msgspec.structs.fields(struct)}
    found: list[Key] = []
    for name, kind in field_types(struct).items():
        key = prefix + name
        if is_struct(kind):
            found += _keys(kind, f"{key}.")
        elif get_origin(kind) is dict and is_struct(value := get_args(kind)[1]):
            found += _keys(value, f"{key}.{'MODEL' if value is model.Price else 'NAME'}.")
        else:
            key += ".ACTION" if get_origin(kind) is dict else ""
            found.append(Key(key, _type_name(kind), _default(defaults[name]), docs[name]))
    return found


def _type_name(kind: Any) -> str:  # Any: a type form
    if get_origin(kind) is dict:
        return describe(get_args(kind)[1])
    return describe(kind) + (", or nothing" if NoneType in get_args(kind) else "")


def _default(field: Any) -> str:  # Any: msgspec's FieldInfo is not exported by its stubs
    if field.default is msgspec.NODEFAULT:
        return ""
    return shown(field.default)
