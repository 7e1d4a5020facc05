"""Read a stretch of text that is nothing but tool calls, in any of the forms that models write."""

import ast
import re
import warnings
from collections.abc import Iterator
from typing import Final

from tui_agent.providers.text_calls.names import Toolbox
from tui_agent.providers.text_calls.shapes import MAX_CALLS, Call, Definition, calls_in, read_object
from tui_agent.text.lenient_json import Json, read

MAX_PYTHON: Final = 200_000
"""Characters of Python-like calls; more are not read."""

_TOKEN = r"<[|｜][\w▁/ ]{1,40}[|｜]>"  # a special token, as <|python_tag|> or <｜tool▁sep｜>
_NOISE = re.compile(
    rf"(?:[\s,;]++|</?(?:tool_calls?|tools|function_calls?)>|\[/?TOOL_CALLS\]|{_TOKEN}|</s>"
    r"|Observation:[ \t]*(?=\n|$))++"
)
_TRAILING = re.compile(rf"\s*(?:</(?:tool_calls?|tools|function_calls?)>|\[/TOOL_CALLS\]|{_TOKEN}|</s>)$")
_NAMED = re.compile(
    rf"(?:Action:[ \t]*`?|function(?:{_TOKEN})|(?:commentary |assistant )?to=)?(?P<name>[\w.:-]{{1,80}})`?"
    rf"(?:\s*\n[ \t]*Action Input:|(?:[ \t]*{_TOKEN})?(?:[ \t]*json)?[ \t]*(?:{_TOKEN}|\[ARGS\])?(?:\s*```(?:json)?)?)"
    r"\s*(?=\{)"
)
_AFTER_NAMED = re.compile(r"\s*```")
_FUNCTION = re.compile(r"<(?P<tag>function|invoke)(?:=|\s+name=)[\"']?(?P<name>[\w.:-]{1,80})[\"']?\s*>")
_PARAMETER = re.compile(r"\s*<(?P<tag>parameter|param)(?:=|\s+name=)[\"']?(?P<name>[\w-]{1,80})[\"']?[^<>\n]{0,40}>")
_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"|\'(?:[^\'\\]++|\\.)*+\'|[{}\[\]]', re.DOTALL)
_CLOSERS = re.compile(r"[}\]]{1,2}")
_PYTHON = re.compile(r"\[?\s*(?:print\()?[A-Za-z_][\w.]{0,80}\(")
_CONSTANTS = {"true": True, "false": False, "null": None}


def read_calls(text: str, box: Toolbox) -> list[Call | Definition] | None:
    """The calls (and tool definitions) that a text consists of; None when there is none, or anything else in it.

    Time grows linearly with the text.
    """
    end = len(text.rstrip())
    while (tag := _TRAILING.search(text, max(0, end - 50), end)) is not None:
        end = tag.start()
    text = text[:end]
    found: list[Call | Definition] = []
    place = 0
    while True:
        if (noise := _NOISE.match(text, place)) is not None:
            place = noise.end()
        if place >= len(text) or len(found) > MAX_CALLS:
            break
        item = _item(text, place, box)
        if item is None:
            return None
        calls, place = item
        found += calls
    return found if 0 < len(found) <= MAX_CALLS else None


def _item(text: str, place: int, box: Toolbox) -> tuple[list[Call | Definition], int] | None:
    """The call or calls that begin at `place`, and where they end."""
    if (function := _FUNCTION.match(text, place)) is not None:
        return _tagged(text, function, box)
    if _PYTHON.match(text, place) is not None:
        python = python_calls(text[place:], box)
        return None if python is None else (list[Call | Definition](python), len(text))
    if text[place] in "{[":
        end = _value_end(text, place)
        try:
            value, _ = read(text[place:end])
        except ValueError:
            return None
        calls = calls_in(value, box)
        return None if calls is None else (calls, end)
    named = _NAMED.match(text, place)
    name = box.find(named["name"]) if named is not None else None
    if named is None or name is None:
        return None
    end = _value_end(text, named.end())
    call = calls_in({"name": name, "arguments": text[named.end() : end]}, box)
    if call is None:
        return None
    fence = _AFTER_NAMED.match(text, end)
    return call, fence.end() if fence is not None else end


def _value_end(text: str, start: int) -> int:
    """Where the JSON value ends whose opening brace is at `start`; the end of the text when it is not closed.

    Braces too many belong to it, so that the reader can judge them.
    """
    depth = 0
    for match in _BRACKET.finditer(text, start):
        if match[0] in ("{", "["):
            depth += 1
        elif match[0] in ("}", "]"):
            depth -= 1
            if depth == 0:
                extra = _CLOSERS.match(text, match.end())
                return extra.end() if extra is not None else match.end()
    return len(text)


# ---- <function=name><parameter=x>value</parameter></function> ----


def _tagged(text: str, opening: re.Match[str], box: Toolbox) -> tuple[list[Call | Definition], int] | None:
    name = box.find(opening["name"])
    closing = f"</{opening['tag']}>"
    end = text.find(closing, opening.end())
    body = text[opening.end() : end if end >= 0 else len(text)]
    if name is None:
        return None
    arguments = read_object(body) if body.lstrip()[:1] == "{" else _parameters(body, name, box)
    calls = calls_in({"name": name, "arguments": arguments}, box) if arguments is not None else None
    return None if calls is None else (calls, end + len(closing) if end >= 0 else len(text))


def _parameters(body: str, name: str, box: Toolbox) -> dict[str, Json] | None:
    """The values between parameter tags; None when something else stands between them."""
    properties = box.properties(name)
    arguments: dict[str, Json] = {}
    place = 0
    while (opening := _PARAMETER.match(body, place)) is not None:
        closing = f"</{opening['tag']}>"
        end = body.find(closing, opening.end())
        if end < 0 or opening["name"] in arguments or _PARAMETER.match(body, opening.end()):
            return None
        value = body[opening.end() : end].removeprefix("\n").removesuffix("\n")
        schema = properties.get(opening["name"])
        kind = schema.get("type") if isinstance(schema, dict) else "string"
        arguments[opening["name"]] = value if kind == "string" else _plain_or_json(value)
        place = end + len(closing)
    return arguments if not body[place:].strip() else None


def _plain_or_json(text: str) -> Json:
    try:
        return read(text.strip())[0]
    except ValueError:
        return text


# ---- read_file("a"), [list_directory(path="b")] ----


def python_calls(text: str, box: Toolbox) -> list[Call] | None:
    """The calls that a piece of Python consists of: of tools only, with literal arguments; None for anything else."""
    if len(text) > MAX_PYTHON:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(text.strip()).body
        calls = [_python_call(node, box) for statement in body for node in _calls_of(statement)]
    except (SyntaxError, ValueError, RecursionError, MemoryError, TypeError):
        return None
    taken = [call for call in calls if call is not None]
    return taken if 0 < len(taken) == len(calls) else None


def _calls_of(statement: ast.stmt) -> Iterator[ast.expr]:
    """The expressions of a statement that should be calls: it, or the items of the list that it is."""
    if not isinstance(statement, ast.Expr):
        raise ValueError("not an expression")
    value = statement.value
    yield from value.elts if isinstance(value, ast.List | ast.Tuple) else (value,)


def _python_call(node: ast.expr, box: Toolbox) -> Call | None:
    if not isinstance(node, ast.Call):
        return None
    written = ast.unparse(node.func) if isinstance(node.func, ast.Name | ast.Attribute) else ""
    if written == "print" and len(node.args) == 1 and not node.keywords:
        return _python_call(node.args[0], box)
    name = box.find(written)
    if name is None:
        return None
    positional = [_literal(argument) for argument in node.args]
    given = {keyword.arg: _literal(keyword.value) for keyword in node.keywords if keyword.arg is not None}
    names = list(box.properties(name))
    if len(positional) == 1 and isinstance(positional[0], dict) and not given:
        arguments = positional[0]
    elif len(positional) > len(names) or len(given) < len(node.keywords):
        return None
    else:
        arguments = dict(zip(names, positional, strict=False))
        if arguments.keys() & given.keys():
            return None
        arguments |= given
    calls = calls_in({"name": name, "arguments": arguments}, box)
    return calls[0] if calls is not None and isinstance(calls[0], Call) else None


def _literal(node: ast.expr) -> Json:
    """The value of a literal.

    Raises:
        ValueError: it is anything else, such as a variable.
    """
    if isinstance(node, ast.Name) and node.id in _CONSTANTS:
        return _CONSTANTS[node.id]
    if isinstance(node, ast.Dict):
        if not all(isinstance(key, ast.Constant) and isinstance(key.value, str) for key in node.keys):
            raise ValueError("not a JSON key")
        keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
        if len(set(keys)) < len(keys):
            raise ValueError("a key twice")
        return dict(zip(map(str, keys), map(_literal, node.values), strict=True))
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(item) for item in node.elts]
    value = ast.literal_eval(node)
    if isinstance(value, int) and value.bit_length() > 1024:
        raise ValueError("too large a number")
    if value is not None and not isinstance(value, str | int | float):
        raise ValueError("not a JSON value")
    return value
