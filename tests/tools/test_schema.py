"""Arguments as models really write them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_agent.conversation.errors import ToolError
from tui_agent.tools.schema import parse_arguments, validate

SCHEMA = {
    "type": "object",
    "properties": {
        "path": {"type": "string"},
        "limit": {"type": "integer", "minimum": 1, "default": 10},
        "deep": {"type": "boolean", "default": False},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "seconds": {"type": "number"},
        "items": {
            "type": "array",
            "items": {"type": "object", "properties": {"step": {"type": "string"}}, "required": ["step"]},
        },
    },
    "required": ["path"],
}


@pytest.mark.parametrize("raw", ["", "  \n", "null", '""', '"null"', "{}", '"{}"'])
def test_nothing_means_no_arguments(raw: str) -> None:
    assert parse_arguments(raw) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=4))
def test_an_object_is_taken_as_it_is_and_out_of_a_string(arguments: dict[str, object]) -> None:
    assert parse_arguments(json.dumps(arguments)) == arguments
    assert parse_arguments(json.dumps(json.dumps(arguments))) == arguments


@given(st.text(max_size=80) | st.text('{}[]":,0123456789.eE-+ntfaslr \\u', max_size=60))
def test_any_text_is_parsed_or_refused_with_a_reason(raw: str) -> None:
    try:
        assert isinstance(parse_arguments(raw), dict)
    except ToolError as error:
        assert error.message


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ('{"path": "a', "not valid JSON: Unterminated string .* near "),
        ('{"path": "a"', "not valid JSON: Expecting ',' delimiter at line 1 column 13"),
        ('{"path": NaN}', "NaN is not a JSON number"),
        ('{"path": -Infinity}', "-Infinity is not"),
        ('{"path": "a", "path": "b"}', 'the key "path" is there twice'),
        ("[1]", "must be a JSON object, not an array"),
        ('"ls -l"', "not valid JSON"),
        ("7", "must be a JSON object, not an integer"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' + "1" * 10_000 + "}", "a number is too long"),
        ('{"a": "' + "x" * 5_000_000 + '"}', r"too long: 5,000,009 characters; the limit is 2,000,000"),
    ],
)
def test_what_is_wrong_with_the_json_is_said(raw: str, reason: str) -> None:
    with pytest.raises(ToolError, match=reason) as caught:
        parse_arguments(raw)
    assert len(caught.value.message) < 300


def test_defaults_are_filled_in_and_aliases_understood() -> None:
    assert validate(SCHEMA, {"file": "x"}, {"file": "path"}) == {"path": "x", "limit": 10, "deep": False}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"limit": "5"}, {"limit": 5}),
        ({"limit": 5.0}, {"limit": 5}),
        ({"limit": " 7 "}, {"limit": 7}),
        ({"limit": None}, {"limit": 10}),
        ({"deep": "true"}, {"deep": True}),
        ({"deep": "False"}, {"deep": False}),
        ({"seconds": "1.5"}, {"seconds": 1.5}),
        ({"items": ["a", {"step": "b"}]}, {"items": [{"step": "a"}, {"step": "b"}]}),
    ],
)
def test_what_is_plainly_meant_is_taken_so(given: dict[str, object], expected: dict[str, object]) -> None:
    assert validate(SCHEMA, {"path": "x", **given}, {}).items() >= expected.items()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, r"missing argument path \(string\)"),
        ({"path": None}, "path must be a string, not null"),
        ({"path": 3}, "path must be a string, not an integer"),
        ({"path": {"a": 1}}, "path must be a string, not an object"),
        ({"path": "x", "limit": 0}, "limit must be at least 1, not 0"),
        ({"path": "x", "limit": 1.5}, "limit must be an integer, not a number"),
        ({"path": "x", "limit": True}, "limit must be an integer, not a boolean"),
        ({"path": "x", "limit": "many"}, "limit must be an integer, not a string"),
        ({"path": "x", "deep": 1}, "deep must be a boolean, not an integer"),
        ({"path": "x", "seconds": float("inf")}, "seconds must be a number, not an infinite number"),
        ({"path": "x", "seconds": "inf"}, "seconds must be a number"),
        ({"path": "x", "kind": "c"}, 'kind must be one of a, b, not "c"'),
        ({"path": "x", "lmit": 3}, r'unknown argument "lmit" \(did you mean limit\?\)'),
        ({"path": "x", "zzz": 3}, 'unknown argument "zzz";? ?'),
        ({"path": "x", "file": "y"}, "path is given twice"),
        ({"path": "x", "items": [{"step": 1}]}, r"items\[0\]: step must be a string, not an integer"),
        ({"path": "x", "items": "a"}, "items must be an array, not a string"),
    ],
)
def test_what_is_wrong_with_the_arguments_is_said_with_what_is_expected(given: dict[str, object], reason: str) -> None:
    with pytest.raises(ToolError, match=reason) as caught:
        validate(SCHEMA, given, {"file": "path"})
    assert "Expected: path: string, limit?: integer" in caught.value.message


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(ToolError, match=r"unknown argument.*missing argument path.*limit must be"):
        validate(SCHEMA, {"x": 1, "limit": "no"}, {})


@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "file", "other"]), JSON, max_size=6))
def test_whatever_is_accepted_has_the_types_of_the_schema(arguments: dict[str, object]) -> None:
    try:
        result = validate(SCHEMA, arguments, {"file": "path"})
    except ToolError:
        return
    types: dict[str, type | tuple[type, ...]] = {
        "path": str,
        "limit": int,
        "deep": bool,
        "kind": str,
        "seconds": (int, float),
        "items": list,
    }
    assert all(isinstance(value, types[name]) for name, value in result.items())
    assert "path" in result
