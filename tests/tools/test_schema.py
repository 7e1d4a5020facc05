"""Arguments as models really write them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_agent.conversation.errors import ToolError
from tui_agent.tools.builtin.desk import Desk
from tui_agent.tools.builtin.provider import BuiltinTools
from tui_agent.tools.repair import as_command_line, squashed, whole_number_as_text
from tui_agent.tools.schema import ArgumentsError, parse_arguments, validate
from tui_agent.workspace.paths import Workspace

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


@pytest.mark.promise("P14")
@pytest.mark.parametrize("raw", ["", "  \n", "null", '""', '"null"', "{}", '"{}"'])
def test_nothing_means_no_arguments(raw: str) -> None:
    assert parse_arguments(raw).arguments == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.promise("P14")
@given(st.dictionaries(st.text(max_size=8), JSON, max_size=4))
def test_an_object_is_taken_as_it_is_and_out_of_a_string(arguments: dict[str, object]) -> None:
    assert parse_arguments(json.dumps(arguments)) == (arguments, ())
    assert parse_arguments(json.dumps(json.dumps(arguments))) == (arguments, ("JSON text → object",))


@pytest.mark.promise("P13")
@given(st.text(max_size=80) | st.text('{}[]":,0123456789.eE-+ntfaslr \\u', max_size=60))
def test_any_text_is_parsed_or_refused_with_a_reason(raw: str) -> None:
    try:
        assert isinstance(parse_arguments(raw).arguments, dict)
    except ToolError as error:
        assert error.message


@pytest.mark.promise("P13")
@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ('{"path": "a', "not valid JSON: Unterminated string .* near "),
        ('{"path": 1', "not valid JSON: Expecting ',' delimiter at line 1 column 11"),
        ('{"path": NaN}', "NaN is not a JSON number"),
        ("{'path': NaN,}", "not valid JSON: Expecting property name"),
        ('{"path": -Infinity}', "-Infinity is not"),
        ('{"path": "a", "path": "b"}', 'the key "path" is there twice'),
        ('{"path": "a", "path": "b",}', 'the key "path" is there twice'),
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


@pytest.mark.parametrize(
    ("raw", "repair"),
    [
        ('{"path": "a",}', "trailing comma"),
        ("{'path': 'a'}", "single quotes"),
        ('{{"path": "a"}}', "doubled braces"),
        ('{"path": "a"', "missing brace"),
        ('[{"path": "a"}]', "list of one → its value"),
        (r'"{\"path\": \"a\"}"', "JSON text → object"),
    ],
)
def test_a_slip_in_the_json_is_repaired_and_named(raw: str, repair: str) -> None:
    assert parse_arguments(raw) == ({"path": "a"}, (repair,))


def test_defaults_are_filled_in_and_aliases_understood() -> None:
    assert validate(SCHEMA, {"path": "x"}, {}) == ({"path": "x", "limit": 10, "deep": False}, ())
    for name in ("file", "FILE", "_file"):
        assert validate(SCHEMA, {name: "x"}, {"file": "path"}) == (
            {"path": "x", "limit": 10, "deep": False},
            (f"{name} → path",),
        )


@pytest.mark.parametrize(
    ("given", "expected", "repairs"),
    [
        ({"limit": 5.0}, {"limit": 5}, ()),
        ({"limit": None}, {"limit": 10}, ()),
        ({"limit": "5"}, {"limit": 5}, ('limit: "5" → 5',)),
        ({"limit": " 7 "}, {"limit": 7}, ('limit: "7" → 7',)),
        ({"deep": "true"}, {"deep": True}, ('deep: "true" → true',)),
        ({"deep": "False"}, {"deep": False}, ('deep: "False" → false',)),
        ({"seconds": "1.5"}, {"seconds": 1.5}, ('seconds: "1.5" → 1.5',)),
        ({"kind": "A"}, {"kind": "a"}, ('kind: "A" → "a"',)),
        ({"kind": ["a"]}, {"kind": "a"}, ("kind: list of one → its value",)),
        ({"Items": [{"step": "b"}]}, {"items": [{"step": "b"}]}, ("Items → items",)),
        (
            {"items": ["a", {"step": "b"}, "c"]},
            {"items": [{"step": "a"}, {"step": "b"}, {"step": "c"}]},
            ("items[]: text → step",),
        ),
        ({"items": '[{"step": "a"}]'}, {"items": [{"step": "a"}]}, ("items: text → array",)),
        ({"items": '{"step": "a"}'}, {"items": [{"step": "a"}]}, ("items: text → array",)),
        ({"items": {"step": "a"}}, {"items": [{"step": "a"}]}, ("items: one value → a list",)),
        ({"items": "a"}, {"items": [{"step": "a"}]}, ("items: one value → a list", "items[]: text → step")),
        ({"items": [{"Step": "a"}]}, {"items": [{"step": "a"}]}, ("items[]: Step → step",)),
        ({"file": "x"}, {}, ("file → path",)),
        ({"required": ["path"], "type": "object", "description": "d"}, {}, ("dropped required, type, description",)),
        ({"name": "seek", "encoding": None}, {}, ("dropped name, encoding",)),
        ({"limit": {"value": 3}}, {"limit": 3}, ("limit: value unwrapped",)),
        ({"limit": {"type": "integer", "value": "3"}}, {"limit": 3}, ("limit: value unwrapped",)),
    ],
)
def test_what_has_one_reading_is_repaired_and_named(
    given: dict[str, object], expected: dict[str, object], repairs: tuple[str, ...]
) -> None:
    understood = validate(SCHEMA, {"path": "x", **given}, {"file": "path"}, called=("seek",))
    assert understood.arguments.items() >= expected.items()
    assert understood.repairs == repairs


@pytest.mark.parametrize(
    ("given", "repairs"),
    [
        ({"arguments": {"path": "x"}}, ("arguments unwrapped",)),
        ({"parameters": '{"path": "x"}', "type": "function"}, ("parameters unwrapped",)),
        ({"name": "seek", "arguments": {"file": "x"}}, ("arguments unwrapped", "file → path")),
        ({"type": "object", "properties": {"path": "x"}, "required": ["path"]}, ("properties unwrapped",)),
        ({"path": {"path": "x"}}, ("path: value unwrapped",)),
        ({"path": {"file": "x"}}, ("path: value unwrapped",)),
        ({"file": {"type": "string", "value": "x"}}, ("file → path", "path: value unwrapped")),
    ],
)
def test_one_object_too_many_is_taken_off(given: dict[str, object], repairs: tuple[str, ...]) -> None:
    understood = validate(SCHEMA, given, {"file": "path"}, called=("seek",))
    assert understood == ({"path": "x", "limit": 10, "deep": False}, repairs)


def test_a_number_for_a_text_is_repaired_only_where_the_tool_says_so() -> None:
    fits = {"path": whole_number_as_text}
    assert validate(SCHEMA, {"path": 5}, {}, fits).arguments["path"] == "5"
    assert validate(SCHEMA, {"path": 5}, {}, fits).repairs == ('path: 5 → "5"',)
    for value in (3.1, True, 10**40, [5, 6]):
        with pytest.raises(ToolError, match="path must be a string"):
            validate(SCHEMA, {"path": value}, {}, fits)


@pytest.mark.parametrize(
    ("given", "command", "repair"),
    [
        (["ls", "-l"], "ls -l", "list of words → command line"),
        (["git", "commit", "-m", "it's done"], "git commit -m 'it'\"'\"'s done'", "list of words → command line"),
        (["bash", "-c", "ls *.py | wc -l"], "bash -c 'ls *.py | wc -l'", "list of words → command line"),
        (["ls -l | wc"], "ls -l | wc", "list of one → its value"),
        ("$ ls", "ls", '"$ " dropped'),
        ("$ cd a\n\n$ ls\n", "cd a\n\nls\n", '"$ " dropped'),
        ("```bash\n$ ls\n```", "ls", '"$ " dropped'),
        ("```sh\nls\npwd\n```\n", "ls\npwd", "code fence dropped"),
        # What has two readings stays as it is, for the schema to refuse or the shell to judge.
        (["ls", "*.py"], ["ls", "*.py"], ""),
        (["ls", "|", "wc"], ["ls", "|", "wc"], ""),
        (["echo", "$HOME"], ["echo", "$HOME"], ""),
        (["cd src", "ls"], ["cd src", "ls"], ""),
        (["sleep", 5], ["sleep", 5], ""),
        ("> out", "> out", ""),
        ("$HOME/run", "$HOME/run", ""),
        ("$ ls\nsetup.py", "$ ls\nsetup.py", ""),
        ("`ls`", "`ls`", ""),
        ("cat <<E\n$ x\nE", "cat <<E\n$ x\nE", ""),
    ],
)
def test_a_command_is_read_as_it_was_meant(given: object, command: object, repair: str) -> None:
    assert as_command_line(given) == (command, repair)


@given(st.text('$ \n`"a~', max_size=40) | st.lists(st.text("ab |*'$ \n`", max_size=6), max_size=4))
def test_a_command_that_was_repaired_is_not_repaired_again(given: object) -> None:
    command, repair = as_command_line(given)
    assert (repair == "") == (command == given)
    assert as_command_line(command) == (command, "")


@pytest.mark.promise("P15")
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
        ({"path": "x", "items": 7}, "items must be an array, not an integer"),
        ({"path": "x", "items": "[1, 2"}, "items must be an array, not a string"),
        ({"path": {"path": {"path": "x"}}}, "path must be a string, not an object"),
        ({"path": ["x", "y"]}, "path must be a string, not an array"),
        ({"arguments": {"path": "x"}, "limit": 3}, 'unknown argument "arguments"'),
        ({"arguments": {"arguments": {"path": "x"}}}, 'unknown argument "arguments"'),
        ({"name": "other", "path": "x"}, 'unknown argument "name"'),
        ({"type": "file", "path": "x"}, 'unknown argument "type"'),
        ({"required": True, "path": "x"}, 'unknown argument "required"'),
    ],
)
def test_what_is_wrong_with_the_arguments_is_said_with_what_is_expected(given: dict[str, object], reason: str) -> None:
    with pytest.raises(ToolError, match=reason) as caught:
        validate(SCHEMA, given, {"file": "path"})
    assert "Expected: path: string, limit?: integer" in caught.value.message


@pytest.mark.promise("P15")
def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(ToolError, match=r"unknown argument.*missing argument path.*limit must be"):
        validate(SCHEMA, {"x": 1, "limit": "no"}, {})


def test_a_message_about_thousands_of_faults_is_short() -> None:
    with pytest.raises(ToolError, match=r"; and 4,992 more\. Expected: path") as caught:
        validate(SCHEMA, {"path": "x", **{f"n{number}": 1 for number in range(5_000)}}, {})
    assert len(caught.value.message) < 1_000


def test_the_text_of_a_repair_is_short() -> None:
    (repair,) = validate(SCHEMA, {f"{'_' * 500}path": "x"}, {}).repairs
    assert len(repair) <= 80


VALID = st.fixed_dictionaries(
    {"path": st.text(max_size=9)},
    optional={
        "limit": st.integers(1, 9) | st.none(),
        "deep": st.booleans(),
        "kind": st.sampled_from(["a", "b"]),
        "seconds": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
        "items": st.lists(st.fixed_dictionaries({"step": st.text(max_size=9)}), max_size=3),
    },
)


@given(VALID)
def test_valid_arguments_are_never_changed(arguments: dict[str, object]) -> None:
    given = {name: value for name, value in arguments.items() if value is not None}
    assert parse_arguments(json.dumps(arguments)) == (arguments, ())
    assert validate(SCHEMA, arguments, {"file": "path"}) == ({"limit": 10, "deep": False, **given}, ())


def test_what_is_nested_deeply_is_refused_as_anything_else() -> None:
    for opening, closing in (('{"value": [', "]}"), ("[", "]"), ('{"path": ', "}")):
        raw = '{"path": ' + opening * 400 + '"x"' + closing * 400 + "}"
        with pytest.raises(ArgumentsError):
            validate(SCHEMA, parse_arguments(raw).arguments, {})


KEYS = ["file", "other", "Path", "arguments", "properties", "name", "type", "required", "description", "value"]
NEARLY = st.recursive(
    JSON | st.sampled_from(["5", "true", "a", "B", "[1]", '{"step": "x"}', '{"path": "x"}', "seek", "object"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["path", "step", *KEYS]), inner),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], *KEYS]), NEARLY, max_size=5))
def test_what_was_repaired_is_valid_and_not_repaired_again(arguments: dict[str, object]) -> None:
    aliases, fits = {"file": "path"}, {"path": whole_number_as_text}
    try:
        result, repairs = validate(SCHEMA, arguments, aliases, fits, ("seek",))
    except ArgumentsError as error:
        assert error.message
        return
    assert validate(SCHEMA, result, aliases, fits, ("seek",)) == (result, ())
    given = {name: value for name, value in arguments.items() if value is not None}
    if not repairs:
        assert {"limit": 10, "deep": False, **given} == result


@pytest.mark.promise("P15")
@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "file", "other"]), JSON, max_size=6))
def test_whatever_is_accepted_has_the_types_of_the_schema(arguments: dict[str, object]) -> None:
    try:
        result = validate(SCHEMA, arguments, {"file": "path"}).arguments
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


@pytest.mark.parametrize(
    ("name", "given", "understood", "repairs"),
    [
        (
            "edit_file",
            {"path": "config.py", "old_text": "DEBUG = True", "new_text": "DEBUG = False"},
            {"file_path": "config.py", "old_string": "DEBUG = True", "new_string": "DEBUG = False"},
            ("path → file_path", "old_text → old_string", "new_text → new_string"),
        ),
        ("list_directory", {"path": "tests", "required": ["path"]}, {"path": "tests"}, ("dropped required",)),
        ("list_directory", {"path": None}, {"path": "."}, ()),
        ("write_file", {"filename": "n", "contents": 5}, {"file_path": "n", "content": "5"}, None),
        ("run_command", {"cmd": "ls", "description": "List files"}, {"command": "ls"}, None),
        ("grep_search", {"query": 404, "directory": "src"}, {"pattern": "404", "path": "src"}, None),
        ("update_plan", {"steps": ["a"]}, {"items": [{"step": "a", "status": "pending"}]}, None),
        # The echo of a definition is no call.
        ("read_file", {"path": {"type": "string", "description": "Path of the file"}}, None, None),
        ("read_file", {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}, None, None),
    ],
)
def test_calls_as_small_models_write_them(
    tmp_path: Path,
    name: str,
    given: dict[str, object],
    understood: dict[str, object] | None,
    repairs: tuple[str, ...] | None,
) -> None:
    tool = next(tool for tool in BuiltinTools(Desk(Workspace(tmp_path))).tools if tool.spec.name == name)

    def judged() -> tuple[dict[str, object], tuple[str, ...]]:
        return validate(tool.spec.parameters, given, tool.argument_aliases, tool.argument_fits, (name, *tool.names))

    if understood is None:
        with pytest.raises(ArgumentsError, match="file_path"):
            judged()
        return
    arguments, named = judged()
    assert arguments.items() >= understood.items()
    assert repairs is None or named == repairs


def test_no_alias_of_a_tool_hits_a_parameter_of_it(tmp_path: Path) -> None:
    for tool in BuiltinTools(Desk(Workspace(tmp_path))).tools:
        properties = tool.spec.parameters["properties"]
        own = {squashed(name) for name in properties}
        aliases = [squashed(alias) for alias in tool.argument_aliases]
        assert len(own) == len(properties)
        assert own.isdisjoint(aliases)
        assert len(set(aliases)) == len(aliases)
        assert set(tool.argument_aliases.values()) | set(tool.argument_fits) <= set(properties)
