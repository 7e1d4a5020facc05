"""However a server writes its tool calls, the same calls come out."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.replies import ALL_STYLES, Call, CallStyle, call_chunks
from tui_agent.conversation.messages import ToolCall
from tui_agent.providers.accumulate import CallAccumulator

names = st.text("abcdefgh_", min_size=1, max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(st.text(max_size=6), values, max_size=4)


@st.composite
def truncated(draw: st.DrawFn) -> str:
    """The beginning of the arguments of a call that broke off."""
    whole = json.dumps(draw(objects))
    return whole[: draw(st.integers(1, len(whole)))]


@st.composite
def cuttings(draw: st.DrawFn) -> Any:
    seed = draw(st.randoms(use_true_random=False))

    def cut(whole: str) -> list[str]:
        pieces = []
        while whole:
            size = seed.randint(1, max(1, len(whole)))
            pieces.append(whole[:size])
            whole = whole[size:]
            if seed.random() < 0.1:
                pieces.append("")
        return pieces

    return cut


def deltas_of(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [d for chunk in chunks for d in chunk["choices"][0]["delta"]["tool_calls"]]


def accumulate(batches: list[Any], taken: tuple[str, ...] = ()) -> tuple[ToolCall, ...]:
    accumulator = CallAccumulator(taken)
    for batch in batches:
        accumulator.feed(batch)
    return accumulator.calls()


def plain(calls: tuple[ToolCall, ...]) -> list[tuple[str, str]]:
    return [(call.name, call.arguments) for call in calls]


def written(calls: list[Call], style: CallStyle) -> list[tuple[str, str]]:
    if style == "object_arguments":
        return [(name, json.dumps(arguments, ensure_ascii=False)) for name, arguments in calls]
    return [(name, a if isinstance(a, str) else json.dumps(a)) for name, a in calls]


@pytest.mark.promise("P17")
@given(
    st.lists(st.tuples(names, objects | truncated()), min_size=1, max_size=4),
    st.sampled_from(ALL_STYLES),
    cuttings(),
    st.randoms(use_true_random=False),
)
def test_any_chunking_in_any_style_gives_the_same_calls(
    calls: list[Call], style: CallStyle, cutting: Any, chance: Any
) -> None:
    if style == "object_arguments":
        calls = [(name, arguments) for name, arguments in calls if isinstance(arguments, dict)]
    if style == "split_names":
        # Two equal halves cannot be told from a name that is repeated.
        calls = [(f"{name}x" if len(name) % 2 == 0 else name, arguments) for name, arguments in calls]
        calls = [(f"y{name}" if name[: len(name) // 2] == name[len(name) // 2 :] else name, a) for name, a in calls]
    deltas = deltas_of(call_chunks(calls, style, cutting))
    batches: list[list[dict[str, Any]]] = []
    for delta in deltas:
        if batches and chance.random() < 0.3:
            batches[-1].append(delta)
        else:
            batches.append([delta])
    got = accumulate(batches)
    assert plain(got) == written(calls, style)
    assert len({call.id for call in got}) == len(got)
    assert all(call.id for call in got)


KEYED: tuple[CallStyle, ...] = (
    "indexed",
    "null_ids",
    "repeated_names",
    "no_ids",
    "index_gaps",
    "new_ids",
    "duplicate_ids",
)


@given(
    st.lists(st.tuples(names, objects), min_size=2, max_size=4),
    st.sampled_from(KEYED),
    cuttings(),
    st.randoms(use_true_random=False),
)
def test_pieces_of_parallel_calls_may_be_mixed(calls: list[Call], style: CallStyle, cutting: Any, chance: Any) -> None:
    queues = [deltas_of(call_chunks([call], style, cutting, first=i + 1)) for i, call in enumerate(calls)]
    for place, queue in enumerate(queues):
        for delta in queue:
            delta["index"] = place
    # Each call begins in its turn; after that anything may come from any of them.
    mixed = [queue.pop(0) for queue in queues]
    while any(queues):
        mixed.append(chance.choice([queue for queue in queues if queue]).pop(0))
    assert plain(accumulate([[d] for d in mixed])) == written(calls, style)


@pytest.mark.promise("P17")
@given(st.lists(st.tuples(names, objects), min_size=1, max_size=3))
def test_a_frame_that_is_sent_twice_does_not_make_a_call_run_twice(calls: list[Call]) -> None:
    deltas = deltas_of(call_chunks(calls, "whole"))
    twice = [delta for delta in deltas for _ in range(2)]
    assert plain(accumulate([[d] for d in twice])) == written(calls, "whole")


@pytest.mark.promise("P17")
@given(
    st.lists(
        st.one_of(
            values,
            st.fixed_dictionaries(
                {},
                optional={
                    "index": values,
                    "id": values,
                    "type": values,
                    "function": values
                    | st.fixed_dictionaries({}, optional={"name": values | names, "arguments": values | truncated()}),
                },
            ),
        )
    )
)
def test_any_json_at_all_is_survived(deltas: list[Any]) -> None:
    calls = accumulate([deltas, *deltas])
    assert len({call.id for call in calls}) == len(calls)
    for call in calls:
        f"{call.id}{call.name}{call.arguments}".encode()


def test_ids_that_the_conversation_has_used_are_not_used_again() -> None:
    deltas = [{"index": 0, "id": "call_0", "function": {"name": "a", "arguments": "{}"}}]
    (call,) = accumulate([deltas], taken=("call_0",))
    assert call.id not in ("", "call_0")


def test_an_id_that_comes_later_is_taken() -> None:
    (call,) = accumulate(
        [[{"index": 0, "function": {"name": "a"}}], [{"index": 0, "id": "x", "function": {"arguments": "{}"}}]]
    )
    assert call == ToolCall("x", "a", "{}")


def test_calls_without_index_and_id_are_told_apart_by_where_the_arguments_end() -> None:
    deltas = [
        {"function": {"name": "a", "arguments": '{"x": 1}'}},
        {"function": {"name": "a", "arguments": '{"x": 2}'}},
        {"function": {"name": "b", "arguments": "{}"}},
    ]
    assert plain(accumulate([deltas])) == [("a", '{"x": 1}'), ("a", '{"x": 2}'), ("b", "{}")]


@pytest.mark.parametrize("arguments", [None, "", {}])
def test_no_arguments_are_no_problem(arguments: Any) -> None:
    (call,) = accumulate([[{"index": 0, "id": "x", "function": {"name": "a", "arguments": arguments}}]])
    assert (call.name, call.arguments) == ("a", "{}" if arguments == {} else "")


def test_an_empty_list_beside_text_opens_no_call() -> None:
    accumulator = CallAccumulator()
    assert accumulator.feed([]) == []
    assert accumulator.feed(None) == []
    assert not accumulator


def test_growth_tells_place_name_and_characters() -> None:
    accumulator = CallAccumulator()
    grown = [
        event
        for chunk in call_chunks([("a", {"x": 1}), ("b", {})], chunk=3)
        for event in accumulator.feed(chunk["choices"][0]["delta"]["tool_calls"])
    ]
    assert [(e.index, e.name, e.characters) for e in grown] == [
        (0, "a", 0),
        (0, "a", 3),
        (0, "a", 6),
        (0, "a", 8),
        (1, "b", 0),
        (1, "b", 2),
    ]


@pytest.mark.promise("P13")
def test_five_megabytes_in_small_pieces_arrive_whole() -> None:
    accumulator = CallAccumulator()
    accumulator.feed([{"index": 0, "id": "x", "function": {"name": "write_file", "arguments": '{"content": "'}}])
    for _ in range(50_000):
        accumulator.feed([{"index": 0, "id": "x", "function": {"name": "write_file", "arguments": "x" * 100}}])
    accumulator.feed([{"index": 0, "function": {"arguments": '"}'}}])
    (call,) = accumulator.calls()
    assert len(json.loads(call.arguments)["content"]) == 5_000_000


def test_two_calls_of_one_tool_without_arguments_at_one_index_are_two() -> None:
    deltas = [{"index": 0, "id": call_id, "function": {"name": "ping", "arguments": ""}} for call_id in ("a", "b")]
    assert accumulate([deltas]) == (ToolCall("a", "ping", ""), ToolCall("b", "ping", ""))
