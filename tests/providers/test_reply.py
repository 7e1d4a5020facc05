"""Chunks become events, whatever fields a server puts where."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.replies import call_chunks, delta, finish, reasoning, text, usage
from tui_agent.conversation.events import CallGrowing, ReasoningDelta, TextDelta
from tui_agent.conversation.messages import ToolCall, Usage
from tui_agent.providers.protocol import Finished
from tui_agent.providers.reply import ErrorFrame, Piece, ReplyReader, merge, read_usage
from tui_agent.providers.surrogates import PairJoiner, mend
from tui_agent.providers.thoughts import ThoughtSplitter


def read(*chunks: Any) -> tuple[str, str, Finished]:
    """Text, reasoning and end of a reply."""
    reader = ReplyReader()
    pieces = [piece for chunk in chunks for piece in reader.feed(chunk)] + reader.rest()
    return (
        "".join(p.text for p in pieces if isinstance(p, TextDelta)),
        "".join(p.text for p in pieces if isinstance(p, ReasoningDelta)),
        reader.end(),
    )


# ---- text and reasoning ----


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize("value", ["hm", {"text": "hm"}, {"content": "hm"}, [{"type": "text", "text": "hm"}]])
def test_reasoning_is_found_under_both_names_and_in_every_shape(name: Any, value: Any) -> None:
    assert read(reasoning(value, name), text("yes"), finish())[:2] == ("yes", "hm")


def test_reasoning_that_is_sent_under_both_names_at_once_counts_once() -> None:
    assert read(delta(reasoning="hm", reasoning_content="hm"), text("yes"))[:2] == ("yes", "hm")


def test_content_as_parts_is_told_apart_by_type() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "yes"},
        {"type": "image_url", "image_url": {"url": "x"}},
    ]
    assert read(delta(content=parts))[:2] == ("yes", "hm")


@pytest.mark.promise("P21")
def test_a_refusal_is_shown_as_text() -> None:
    assert read(delta(content=None, refusal="I cannot do that"))[0] == "I cannot do that"


def test_text_beside_an_empty_list_of_calls_is_not_lost() -> None:
    said, _, end = read(delta(content="yes", tool_calls=[]), finish())
    assert (said, end.finish, end.calls) == ("yes", "stop", ())


@pytest.mark.promise("P19")
def test_only_the_first_choice_counts() -> None:
    both = {"choices": [{"index": 1, "delta": {"content": "no"}}, {"index": 0, "delta": {"content": "yes"}}]}
    assert read(both)[0] == "yes"


@pytest.mark.promise("P19")
@pytest.mark.parametrize(
    "chunk",
    [
        {},
        {"choices": None},
        {"choices": []},
        {"choices": [None, 3, "x", {}]},
        {"choices": [{"index": 0, "delta": None}]},
        {"choices": [{"index": 0, "delta": {"content": None, "role": None, "tool_calls": None}}]},
        {"choices": [{"index": 0, "delta": {"content": 5, "tool_calls": "x", "reasoning": 7}, "finish_reason": 1}]},
        {"choices": {}, "usage": [], "error": None},
    ],
)
def test_empty_and_odd_chunks_change_nothing(chunk: Any) -> None:
    assert read(text("y"), chunk, text("es"), finish()) == ("yes", "", Finished("stop", (), Usage()))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
deltas = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("content", "reasoning", "reasoning_content", "tool_calls", "refusal"), json_values)
)
choices = st.fixed_dictionaries(
    {},
    optional={"index": json_values, "delta": deltas | json_values, "finish_reason": json_values, "usage": json_values},
)
chunks = st.fixed_dictionaries(
    {}, optional={"choices": st.lists(choices | json_values, max_size=2) | json_values, "usage": json_values}
)


@pytest.mark.promise("P19")
@given(st.lists(chunks, max_size=5))
def test_no_chunk_at_all_is_a_crash(stream: list[Any]) -> None:
    said, thought, end = read(*stream)
    f"{said}{thought}{end}".encode()


@pytest.mark.parametrize(
    "chunk",
    [
        {"error": "out of memory"},
        {"error": {"message": "x"}},
        {"choices": [{"error": {"code": 502}}]},
        finish("error"),
        3,
    ],
)
def test_an_error_in_the_stream_is_raised(chunk: Any) -> None:
    with pytest.raises(ErrorFrame):
        ReplyReader().feed(chunk)


# ---- how it ended ----


@pytest.mark.parametrize(
    ("word", "finished"),
    [
        ("stop", "stop"),
        ("eos", "stop"),
        ("stop_sequence", "stop"),
        ("something new", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("content_filter", "content_filter"),
        ("refusal", "content_filter"),
        ("tool_calls", "stop"),
    ],
)
def test_finish_words_of_servers(word: str, finished: str) -> None:
    assert read(text("x"), finish(word))[2].finish == finished


@pytest.mark.parametrize("word", ["stop", "tool_calls", "function_call", "tool_use", "whatever"])
def test_calls_make_the_end_tool_calls_whatever_the_server_says(word: str) -> None:
    end = read(*call_chunks([("a", {})]), finish(word))[2]
    assert (end.finish, end.calls) == ("tool_calls", (ToolCall("call_1", "a", "{}"),))


@pytest.mark.promise("P20")
@pytest.mark.parametrize("word", ["length", "content_filter"])
def test_calls_of_a_cut_reply_are_dropped(word: str) -> None:
    end = read(*call_chunks([("a", {"x": 1})]), finish(word))[2]
    assert (end.finish, end.calls) == (word, ())


def test_without_a_finish_reason_the_calls_still_stand() -> None:
    assert read(*call_chunks([("a", {})]))[2].finish == "tool_calls"


# ---- usage ----


def test_usage_is_read_with_its_details() -> None:
    assert read(usage(7, 5, 3, 2))[2].usage == Usage(7, 5, 3, 2)


@pytest.mark.promise("P22")
@pytest.mark.parametrize(
    "chunk",
    [
        {"usage": {"prompt_tokens": 7}},
        {"choices": [{"index": 0, "delta": {}, "usage": {"prompt_tokens": 7}}]},
        {"choices": [{"index": 0, "delta": {}}], "usage": {"prompt_tokens": 7}},
        {"x_groq": {"usage": {"prompt_tokens": 7}}},
    ],
)
def test_usage_is_found_where_servers_put_it(chunk: Any) -> None:
    assert read(text("x"), chunk, {"usage": None}, finish())[2].usage.prompt_tokens == 7


@pytest.mark.promise("P22")
def test_usage_on_every_chunk_closes_nothing() -> None:
    stream = [{**chunk, "usage": {"completion_tokens": i}} for i, chunk in enumerate(call_chunks([("a", {"x": 1})]))]
    end = read(*stream, finish("tool_calls"))[2]
    assert end.calls == (ToolCall("call_1", "a", '{"x": 1}'),)
    assert end.usage.completion_tokens == len(stream) - 1


@pytest.mark.promise("P22")
@given(st.dictionaries(st.sampled_from(["prompt_tokens", "completion_tokens", "prompt_tokens_details"]), json_values))
def test_odd_counts_are_unknown_not_wrong(counts: dict[str, Any]) -> None:
    read_counts = read_usage(counts)
    for name, value in (
        ("prompt_tokens", read_counts.prompt_tokens),
        ("completion_tokens", read_counts.completion_tokens),
    ):
        assert value is None or (value >= 0 and value == int(counts[name]))


# ---- <think> in the content ----


def split(pieces: list[str]) -> tuple[str, str]:
    splitter = ThoughtSplitter()
    parts = [part for piece in pieces for part in splitter.feed(piece)] + splitter.finish()
    return "".join(t for kind, t in parts if kind == "text"), "".join(t for kind, t in parts if kind == "reasoning")


tagged = st.lists(
    st.sampled_from(["<think>", "</think>", "<", "</", "think>", "a", " ", "\n", "é", "<thin"]), max_size=12
)


@given(tagged, st.data())
def test_any_cutting_splits_thought_and_answer_alike(words: list[str], data: st.DataObject) -> None:
    whole = "".join(words)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert split(pieces) == split([whole]) == split(list(whole))


@given(tagged)
def test_an_answer_without_a_thought_in_front_passes_unchanged(words: list[str]) -> None:
    whole = "x" + "".join(words)
    assert split(list(whole)) == (whole, "")


def test_a_thought_in_front_is_taken_out() -> None:
    assert split(["\n<thi", "nk>hm</t", "hink>", "\n", "\nyes <think>no</think>"]) == ("yes <think>no</think>", "hm")


def test_a_thought_that_never_ends_is_all_thought() -> None:
    assert split(["<think>hm </thi"]) == ("", "hm </thi")


# ---- surrogates ----


@given(st.text(st.characters(), max_size=20), st.data())
def test_mended_text_can_always_be_encoded_and_pairs_survive_any_cut(whole: str, data: st.DataObject) -> None:
    # As a server counts that cuts in UTF-16.
    units = whole.encode("utf-16-le", "surrogatepass")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(units) // 2), max_size=5)))
    pieces = [
        units[2 * a : 2 * b].decode("utf-16-le", "surrogatepass")
        if _whole(units[2 * a : 2 * b])
        else "".join(chr(int.from_bytes(units[i : i + 2], "little")) for i in range(2 * a, 2 * b, 2))
        for a, b in zip([0, *cuts], [*cuts, len(units) // 2], strict=True)
    ]
    joiner = PairJoiner()
    joined = "".join(map(joiner.feed, pieces)) + joiner.finish()
    assert joined == mend(whole)
    joined.encode()


def _whole(units: bytes) -> bool:
    try:
        units.decode("utf-16-le")
    except UnicodeDecodeError:
        return False
    return True


def test_a_pair_split_over_two_chunks_is_one_character() -> None:
    assert read(text("a\ud83d"), text("\ude00b"), reasoning("\ud83d"))[:2] == ("a😀b", "\ufffd")


# ---- merging ----


def test_neighbours_of_one_kind_become_one_event() -> None:
    pieces: list[Piece] = [
        ReasoningDelta("a"),
        ReasoningDelta("b"),
        TextDelta("c"),
        TextDelta("d"),
        CallGrowing(0, "x", 1),
        CallGrowing(0, "x", 2),
        CallGrowing(1, "y", 1),
        TextDelta("e"),
    ]
    assert merge(pieces) == [
        ReasoningDelta("ab"),
        TextDelta("cd"),
        CallGrowing(0, "x", 2),
        CallGrowing(1, "y", 1),
        TextDelta("e"),
    ]
