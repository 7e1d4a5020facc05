"""Calls that models write as text are found where they are meant, and nowhere else."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_agent.conversation.events import CallGrowing, TextDelta
from tui_agent.conversation.messages import ToolSpec
from tui_agent.providers.text_calls import FoundCall, TextCallStream, Toolbox, find_calls

DATA = Path(__file__).parent.parent / "data"
ROWS = [
    json.loads(line)
    for name in ("tool_call_texts.jsonl", "tool_call_texts_own.jsonl")
    for line in (DATA / name).read_text("utf-8").splitlines()
]
"""Replies of small models, and replies written by hand."""


def spec(name: str, *required: str, **optional: str) -> ToolSpec:
    properties = {key: {"type": "string"} for key in required} | {key: {"type": kind} for key, kind in optional.items()}
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return ToolSpec(name, f"{name}.", schema)


TOOLS = (
    spec("read_file", "path"),
    spec("list_directory", "path"),
    spec("run_command", "command"),
    spec("edit_file", "path", "old_text", "new_text"),
)
CALL = '{"name": "read_file", "arguments": {"path": "a.py"}}'


def calls_of(text: str, tools: Sequence[ToolSpec] = TOOLS, **options: Any) -> list[dict[str, Any]]:
    found = find_calls(text, tools, **options)
    return [{"name": call.name, "arguments": json.loads(call.arguments)} for call in found.calls]


def in_pieces(text: str, pieces: Sequence[str], prompt: str = "") -> tuple[str, tuple[FoundCall, ...]]:
    """What is shown in all, and the calls; nothing that belongs to a call may be shown on the way."""
    stream = TextCallStream(Toolbox(TOOLS), prompt)
    events = [event for piece in pieces for event in stream.feed(piece)]
    shown = [*(event for event in events if isinstance(event, TextDelta)), *stream.finish()]
    assert all(event.text for event in shown)
    return "".join(event.text for event in shown), stream.calls


# ---- replies ----


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['id']} {row['form']}")
def test_every_meant_call_is_found_and_nothing_else(row: dict[str, Any]) -> None:
    assert calls_of(row["raw"], known=row.get("aliases"), prompt=row["prompt"]) == row["meant"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['id']} {row['form']}")
def test_a_reply_is_read_the_same_however_it_is_cut(row: dict[str, Any]) -> None:
    text, prompt = row["raw"], row["prompt"]
    whole = in_pieces(text, [text], prompt)
    for size in (1, 2, 3, 7, 40):
        assert in_pieces(text, [text[i : i + size] for i in range(0, len(text), size)], prompt) == whole


def test_the_prose_around_calls_stays_and_the_calls_go() -> None:
    row = next(row for row in ROWS if row["id"] == 37)
    assert find_calls(row["raw"], TOOLS).prose == (
        "To read the contents of `src/app.py` and list the tests directory, you can use the following commands:\n\n"
        "1. **Read `src/app.py`**:\n\n2. **List the tests directory**:\n\n"
        "These commands will provide the necessary information to you."
    )


def test_a_call_knows_where_it_stood() -> None:
    text = f"Reading.\n\n```json\n{CALL}\n```\nDone."
    (call,) = find_calls(text, TOOLS).calls
    assert text[call.start : call.end] == f"```json\n{CALL}\n```\n"


def test_the_echo_of_the_tools_goes_with_the_call_that_follows() -> None:
    echo = '<tools>\n{"name": "read_file", "description": "Read.", "required": []}\n</tools>'
    assert find_calls(f"{echo}\n{CALL}", TOOLS).prose == ""
    assert find_calls(f"{echo}\n\nThese are mine.", TOOLS).prose == f"{echo}\n\nThese are mine."


def test_without_tools_nothing_is_held_or_taken() -> None:
    assert find_calls(CALL, ()) == ((), CALL)


def test_more_calls_than_a_reply_can_mean_are_none() -> None:
    for count, taken in ((64, 64), (65, 0)):
        assert len(find_calls(f"{CALL}\n" * count, TOOLS).calls) == taken
        assert len(find_calls(f"```json\n{CALL}\n```\n" * count, TOOLS).calls) == taken


# ---- names and arguments ----


@pytest.mark.parametrize(
    "written", ["read_file", "Read_File", "READ_FILE", "read-file", "readFile", " read_file ", "functions.read_file"]
)
def test_a_name_is_found_in_its_variants(written: str) -> None:
    assert Toolbox(TOOLS).find(written) == "read_file"


@pytest.mark.parametrize(
    "written", ["", "read", "read_files", "file_read", "os.read_file", "x" * 100_000, "functions."]
)
def test_other_names_are_no_tools(written: str) -> None:
    assert Toolbox(TOOLS).find(written) is None


def test_names_that_only_differ_in_case_are_told_apart_exactly() -> None:
    box = Toolbox([spec("get_it"), spec("getIt")])
    assert (box.find("get_it"), box.find("getIt"), box.find("GET_IT")) == ("get_it", "getIt", None)


def test_an_alias_of_a_tool_that_is_not_on_offer_is_no_name() -> None:
    assert Toolbox(TOOLS, {"cat": "read_file", "rm": "delete_file"}).find("cat") == "read_file"
    assert Toolbox(TOOLS, {"rm": "delete_file"}).find("rm") is None


def test_python_arguments_get_their_names_by_position() -> None:
    assert calls_of('edit_file("a.py", "x", new_text="y")') == [
        {"name": "edit_file", "arguments": {"path": "a.py", "old_text": "x", "new_text": "y"}}
    ]
    assert calls_of('edit_file("a.py", "x", path="y")') == []
    assert calls_of('read_file("a.py", "b.py")') == []


@pytest.mark.parametrize("value", ["open('x')", "x", "f'{x}'", "*['a']", "lambda: 1", "'a'.upper()", "{1, 2}", "b'a'"])
def test_nothing_but_literals_is_read_from_python(value: str) -> None:
    assert calls_of(f"read_file({value})") == []


def test_values_between_tags_are_text_or_what_the_schema_says() -> None:
    tool = spec("look", "path", limit="integer", deep="boolean", names="array")
    text = "".join(
        f"<parameter={key}>\n{value}\n</parameter>\n"
        for key, value in {"path": "12", "limit": "5", "deep": "true", "names": '["a"]'}.items()
    )
    assert calls_of(f"<function=look>\n{text}</function>", [tool]) == [
        {"name": "look", "arguments": {"path": "12", "limit": 5, "deep": True, "names": ["a"]}}
    ]


def test_a_fence_of_shell_needs_a_tool_that_takes_a_command() -> None:
    shell = "```bash\nls -l\n```"
    assert calls_of(shell) == [{"name": "run_command", "arguments": {"command": "ls -l"}}]
    assert calls_of(shell, [spec("read_file", "path")]) == []
    assert calls_of(shell, prompt="How do I list files?") == []


# ---- lines before and after a call ----

LINES = [json.loads(line) for line in (DATA / "tool_call_leads.jsonl").read_text("utf-8").splitlines()]
FORMS = (f"```json\n{CALL}\n```", f"<tool_call>\n{CALL}\n</tool_call>", CALL)


@pytest.mark.parametrize("row", LINES, ids=lambda row: f"{row['place']} {row['line']}")
def test_the_line_beside_a_call_says_whether_it_is_meant(row: dict[str, Any]) -> None:
    for form in FORMS if row["place"] == "before" else FORMS[:2]:
        text = f"{row['line']}\n\n{form}" if row["place"] == "before" else f"{form}\n\n{row['line']}"
        found = find_calls(text, TOOLS)
        assert len(found.calls) == row["meant"]
        assert found.prose == (row["line"].strip() if row["meant"] else text)


# ---- streaming ----


def shown_after(*pieces: str) -> list[str]:
    """What has been shown after each piece."""
    stream = TextCallStream(Toolbox(TOOLS))
    shown, so_far = [], ""
    for piece in pieces:
        so_far += "".join(event.text for event in stream.feed(piece) if isinstance(event, TextDelta))
        shown.append(so_far)
    return shown


def test_prose_is_shown_word_by_word() -> None:
    words = [
        "The",
        " answer",
        " is",
        " <b>",
        " [1]",
        " {x}",
        " `y`",
        "\n\nAnd",
        " more.",
        "\n- one",
        "\n\n# Two",
        "\nEnd",
    ]
    assert shown_after(*words) == ["".join(words[: i + 1]) for i in range(len(words))]


def test_nothing_of_a_call_is_ever_shown() -> None:
    text = f"Opening it.\n\n```json\n{CALL}\n```\nThen I answer."
    assert set(shown_after(*text)) == {"Opening it."[:i].rstrip() for i in range(1, 12)}


@pytest.mark.parametrize(
    "opening",
    [
        "```json\n",
        "```\n",
        '{"na',
        "[{",
        "<tool_call>",
        "<func",
        "[TOOL",
        "Action: read",
        "<|python_tag|>",
        "functions.r",
    ],
)
def test_what_may_become_a_call_is_held(opening: str) -> None:
    assert shown_after(opening) == [""]


@pytest.mark.parametrize(
    ("before", "piece"),
    [
        ("```json\n{", '"users'),
        ("```json\n", '{"name": "open_file'),
        ('{"name": "jo', 'hn"'),
        ("[", "1]"),
        ("<tool_", "box>"),
        ("[TOOL", "S]"),
        ("<tool_call>", " tags"),
        ("```python\n", "import"),
        ("```python\n", "def f"),
        ("```bash\nmake\n", "make test\n"),
        ("Action: rea", "ding"),
        ("read_fil", "es"),
        ("1", "000"),
        ("``", "x"),
    ],
)
def test_what_turns_out_to_be_none_is_shown_at_once(before: str, piece: str) -> None:
    # A name that is not yet at its end could still be a tool's.
    piece += '", ' if piece.endswith("open_file") else ""
    assert shown_after(before, piece) == ["", (before + piece).rstrip()]


def test_code_that_is_no_call_is_shown_line_by_line() -> None:
    lines = [
        "```python\nimport os\n",
        "for x in y:\n",
        '    print({"name": "read_file"})\n',
        f"{CALL}\n",
        "```\n",
        "So.\n",
    ]
    shown = shown_after(*lines)
    assert shown == ["".join(lines[: i + 1]).rstrip() for i in range(len(lines))]


def test_a_growing_call_is_announced() -> None:
    stream = TextCallStream(Toolbox(TOOLS))
    pieces = ["Now:\n\n", "```json\n", '{"name": "Read_', 'File", ', '"arguments": {"path": ', '"a.py"}}\n', "```\n"]
    events = [event for piece in pieces for event in stream.feed(piece) if isinstance(event, CallGrowing)]
    assert [(event.index, event.name) for event in events] == [(0, "read_file")] * 3
    assert [event.characters for event in events] == sorted(event.characters for event in events)


def test_what_is_released_is_shown_as_it_was_and_nothing_is_taken_any_more() -> None:
    text = f"So:\n\n```json\n{CALL}\n```\n\n{CALL}"
    for cut in range(len(text)):
        stream = TextCallStream(Toolbox(TOOLS))
        events = [*stream.feed(text[:cut]), *stream.release(), *stream.feed(text[cut:]), *stream.finish()]
        assert "".join(event.text for event in events if isinstance(event, TextDelta)) == text
        assert stream.calls == ()


FRAGMENTS = [
    *(
        "```json\n",
        "```\n",
        "```bash\n",
        "```python\n",
        "```tool_code\n",
        "~~~\n",
        "\n",
        "\n\n",
        "x",
        " ",
        "   ",
        "`",
        ">",
    ),
    *(
        "<tool_call>",
        "</tool_call>",
        "<tools>",
        "</tools>",
        "[TOOL_CALLS]",
        "<|python_tag|>",
        "<｜tool▁calls▁begin｜>",
        "<",
    ),
    *(
        "<function=read_file>",
        "<parameter=path>",
        "</parameter>",
        "</function>",
        "to=functions.read_file ",
        "def f():\n",
    ),
    *(
        "Action: read_file\n",
        "Action Input: ",
        '{"path": "a"}',
        "Observation: x",
        'read_file("a")',
        "print(",
        "default_api.",
    ),
    *('functions.read_file({"path":"b"})', CALL, '{"name": "read_file"', '{"name": "nope", "arguments": {}}', "ls -l"),
    *("[", "{", "]", "}", '"', "\\", "- ", "1. ", "$ ls", "Let me see:", "Or: ", "This is an example."),
    '{"name": "x", "required": [], "description": "d"}',
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=3), max_size=14).map("".join), st.data())
def test_any_text_is_read_the_same_however_it_is_cut(text: str, data: Any) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    whole = in_pieces(text, [text])
    assert in_pieces(text, list(text)) == whole
    assert in_pieces(text, [text[i:j] for i, j in zip([0, *cuts], [*cuts, len(text)], strict=True)]) == whole
    shown, calls = whole
    if not calls:
        assert shown == text
    assert {call.name for call in calls} <= {tool.name for tool in TOOLS}
    assert all(isinstance(json.loads(call.arguments), dict) for call in calls)
    assert all(0 <= call.start < call.end <= len(text) for call in calls)


@settings(deadline=None)
@given(st.text())
def test_nothing_is_found_in_arbitrary_text(text: str) -> None:
    assert find_calls(text, TOOLS) == ((), text)


# ---- cost ----

SIZE = 1_000_000
HOSTILE = {
    "braces": "{",
    "brackets": "[",
    "less-than signs": "<",
    "line breaks": "\n",
    "fences": "```\n",
    "fences of json": "```json\n",
    "tags": "<tool_call>",
    "tags on lines": "<tool_call>\n",
    "function tags": "<function=read_file>",
    "signs": "[TOOL_CALLS]",
    "tokens": "<｜tool▁calls▁begin｜>",
    "objects on lines": "\n{",
    "broken objects": '\n\n{"name": "read_file",',
    "calls": f"{CALL}\n",
    "calls in a row": CALL,
    "fenced calls": f"```json\n{CALL}\n```\n",
    "fenced alternatives": f"```json\n{CALL}\n```\nor\n",
    "tagged calls": f"<tool_call>{CALL}</tool_call> x",
    "actions": 'Action: read_file\nAction Input: {"path": "a"}\n',
    "python": 'read_file("a")\n',
    "open python": "read_file(",
    "back-ticks": "`",
    "quotes": "'\n",
    "list signs": "- ",
    "closing tags": f"<tool_call>{CALL}</tool_call",
    "parameters": "<function=read_file><parameter=path>a</parameter>",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_megabyte_of_anything_takes_bounded_time(kind: str) -> None:
    text = (HOSTILE[kind] * (SIZE // len(HOSTILE[kind]) + 1))[:SIZE]
    begun = time.process_time()
    found = find_calls(text, TOOLS)
    assert time.process_time() - begun < 5
    assert found.calls or found.prose == text


@pytest.mark.parametrize("kind", ["braces", "brackets", "line breaks", "objects on lines", "quotes", "parameters"])
@pytest.mark.parametrize("opening", ['<tool_call>[{"name": "read_file", "arguments": ', '{"name": "read_file", '])
def test_a_megabyte_that_is_held_does_too(kind: str, opening: str) -> None:
    text = opening + HOSTILE[kind] * (SIZE // len(HOSTILE[kind]))
    begun = time.process_time()
    assert find_calls(text, TOOLS) == ((), text)
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("kind", HOSTILE)
def test_small_pieces_of_it_cost_little_each(kind: str) -> None:
    text = (HOSTILE[kind] * (SIZE // len(HOSTILE[kind]) + 1))[: SIZE // 10]
    begun = time.process_time()
    in_pieces(text, [text[i : i + 4] for i in range(0, len(text), 4)])
    assert time.process_time() - begun < 5
