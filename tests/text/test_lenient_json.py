"""Slips of a model are repaired where only one reading is possible, and nowhere else."""

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tui_agent.text.lenient_json import MAX_DEPTH, MAX_EXTRA, Json, read

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
containers = st.lists(json_values, min_size=1, max_size=4) | st.dictionaries(
    st.text(), json_values, min_size=1, max_size=4
)


@pytest.mark.parametrize(
    ("text", "value", "repairs"),
    [
        ('{"a": 1}', {"a": 1}, ()),
        ('{"a": 1,}', {"a": 1}, ("trailing comma",)),
        ("[1, [2, ], ]", [1, [2]], ("trailing comma",)),
        ('{{"a": {"b": 1}}}', {"a": {"b": 1}}, ("doubled braces",)),
        ('{{"a": {{"b": 1}}, "c": [{{}}]}}', {"a": {"b": 1}, "c": [{}]}, ("doubled braces",)),
        ('{{"a": {}}}}', {"a": {}}, ("doubled braces", "extra brace")),
        ('{"a": True, "b": None, "c": False}', {"a": True, "b": None, "c": False}, ("Python literals",)),
        ("{'a': 'it\\'s', 'b': 'say \"x\"'}", {"a": "it's", "b": 'say "x"'}, ("single quotes",)),
        ('{"a": "it\\\'s"}', {"a": "it's"}, ("single quotes",)),
        ('{"a": "x\ny\r\nz"}', {"a": "x\ny\r\nz"}, ("raw line break",)),
        ('{"a": "x\ty\x01"}', {"a": "x\ty\x01"}, ("raw control character",)),
        ('{"a": """say "x"\n\tend"""}', {"a": 'say "x"\n\tend'}, ("triple quotes",)),
        ("{'a': '''it's'''}", {"a": "it's"}, ("single quotes", "triple quotes")),
        ('{"a": {"b": "c"', {"a": {"b": "c"}}, ("missing brace",)),
        ('{"a": [true', {"a": [True]}, ("missing brace",)),
        ('{"a": ".\\""', {"a": '."'}, ("missing brace",)),
        ('{"a": 1}}', {"a": 1}, ("extra brace",)),
        ("{'a': True,}}", {"a": True}, ("single quotes", "Python literals", "trailing comma", "extra brace")),
    ],
)
def test_a_slip_with_one_reading_is_repaired_and_named(text: str, value: Json, repairs: Any) -> None:
    assert read(text) == (value, repairs)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a b",
        "{",
        "[",
        "[[",
        "{{",
        "}",
        "1}",
        '"a"]',
        '{"a"',
        '{"a":',
        '{"a": 1,',
        '{"a": 1',  # 1 may be the beginning of 12
        '{"a": "b',
        '{"a": tru',
        '{"a": [1, 2}',
        '{"a": 1}}}}',
        '{{{"a": 1}}}',
        "[1,, 2]",
        "[,]",
        "{,}",
        "[1 2]",
        '{"a" "b"}',
        '{"a": "say "hi" to him"}',
        '{"a": "\\d+"}',  # \d or d
        '{"a": "x\\\ny"}',  # a line that goes on, or a backslash
        "{'a': 'it's'}",
        "{a: 1}",
        '{"a": 1} {"b": 2}',
        '{"a": 1} // note',
        '{"a": 1, "a": 2}',
        "{'a': 1, \"a\": 2,}",
        '{"a": NaN}',
        '{"a": -Infinity}',
        "\ufeff{}",
        "9" * 5000,
        "[" * 100_000,
        '{"a":' * 5000,
    ],
)
def test_what_has_no_single_reading_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read(text)


def test_the_error_is_that_of_the_text_as_it_was() -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        read('{"a": \'b\', "c": x}')
    assert (caught.value.pos, caught.value.msg) == (6, "Expecting value")


def test_a_key_that_is_there_twice_is_named() -> None:
    with pytest.raises(ValueError, match='the key "a" is there twice'):
        read('{"a": 1, "a": 1}')


@given(json_values, st.booleans(), st.sampled_from([None, 0, 2, "\t"]))
def test_valid_json_is_read_as_it_is(value: Json, ascii_only: bool, indent: Any) -> None:
    assert read(json.dumps(value, ensure_ascii=ascii_only, indent=indent)) == (value, ())


@given(containers)
def test_python_literals_are_read_like_json(value: Json) -> None:
    try:
        read_value, repairs = read(repr(value))
    except ValueError:
        assert "\\" in repr(value)  # an escape that JSON does not have
    else:
        assert read_value == value
        assert set(repairs) <= {"Python literals", "single quotes"}


@given(containers, st.integers(1, MAX_EXTRA), st.sampled_from("]}"))
def test_braces_too_many_at_the_end_change_nothing(value: Json, count: int, sign: str) -> None:
    assert read(json.dumps(value) + sign * count) == (value, ("extra brace",))


@given(containers, st.data())
def test_closing_braces_that_are_missing_are_written(value: Json, data: Any) -> None:
    text = json.dumps(value)
    closing = len(text) - len(text.rstrip("]}"))
    cut = text[: len(text) - data.draw(st.integers(1, closing))]
    try:
        assert read(cut) == (value, ("missing brace",))
    except ValueError:
        assert cut[-1] in "[{0123456789"


@given(containers)
def test_doubled_braces_are_halved(value: Json) -> None:
    text = json.dumps(value)
    if all(sign not in json.dumps(item) for sign in "{}" for item in _strings(value)):
        assert read(text.replace("{", "{{").replace("}", "}}"))[0] == value


@given(containers)
def test_raw_line_breaks_in_strings_stay_in_them(value: Json) -> None:
    text = json.dumps(value)
    if "\\\\" not in text:
        assert read(text.replace("\\n", "\n"))[0] == value


@given(st.text(alphabet="{}[]\"':,\\ntTrueFalseNone01.-e \n\x01", max_size=80) | st.text(max_size=80))
@example('{"a": "' + "\\" * 9)
def test_nothing_but_a_value_error_is_ever_raised(text: str) -> None:
    try:
        value, repairs = read(text)
    except ValueError:
        return
    assert read(json.dumps(value)) == (value, ())
    try:
        assert json.loads(text) == value and repairs == ()
    except ValueError:
        assert repairs


def test_nesting_is_bounded() -> None:
    assert read("[" * MAX_DEPTH + "1,]" + "]" * (MAX_DEPTH - 1))[1] == ("trailing comma",)
    with pytest.raises(ValueError):
        read("[" * (MAX_DEPTH + 1) + "1,]" + "]" * MAX_DEPTH)


SIZE = 2_000_000
HOSTILE = {
    "opening": "{" * SIZE,
    "closing": "}" * SIZE,
    "lists": "[1," * (SIZE // 3),
    "objects": "[" + "{}," * (SIZE // 3) + "]",
    "double quotes": '"' * SIZE,
    "single quotes": "'" * SIZE,
    "triple quotes": '"""' * (SIZE // 3),
    "open string": '["' + "a" * SIZE,
    "backslashes": '["' + "\\" * SIZE,
    "raw lines": '["' + "\n" * SIZE + '"]',
    "digits": "[1," + "1" * SIZE + ",]",
    "exponents": "[1" + "e" * SIZE + ",]",
    "spaces": " " * SIZE + "x",
    "colons": ":" * SIZE,
    "keys": "{" + '"a":1,' * (SIZE // 6) + "}",
    "words": "[" + "True," * (SIZE // 5) + "]",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_two_megabytes_of_anything_take_bounded_time(kind: str) -> None:
    begun = time.process_time()
    try:
        read(HOSTILE[kind])
    except ValueError:
        pass
    assert time.process_time() - begun < 8


def _strings(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (key, *_strings(item))]
    return [text for item in value for text in _strings(item)] if isinstance(value, list) else []
