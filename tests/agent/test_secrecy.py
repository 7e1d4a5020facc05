"""Our own keys are taken out of events, whole or in pieces, and nothing else is."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tui_agent.agent.secrecy import KeyFilter, without_keys
from tui_agent.conversation.events import (
    AssistantReplied,
    Event,
    ReasoningDelta,
    TextDelta,
    ToolFinished,
    ToolOutput,
    TurnEnded,
)
from tui_agent.conversation.messages import ToolCall, Usage
from tui_agent.text.own_keys import own_keys

KEYS = ("sk-aaab-0001", 'with"quote\\and ü 12')
PIECES = st.sampled_from(
    [*KEYS, "sk-", "sk-aaa", "a", "b-0001", "s", "plain text ", "ü", '"', "\n", "1", "sk-aaab-0002"]
)


def reply(text: str, arguments: str = "{}") -> AssistantReplied:
    return AssistantReplied(text, text, (ToolCall("1", "x", arguments),), "stop", "p", "m", Usage(), 1.0, 0.0)


def test_every_text_of_an_event_is_looked_through_and_its_shape_is_kept() -> None:
    own_keys.add(KEYS)
    arguments = json.dumps({"text": KEYS[1], "deep": [{"key": KEYS[0]}]})
    hidden = without_keys(reply(f"it is {KEYS[0]}!", arguments))
    assert hidden.text == "it is [secret]!" == hidden.reasoning
    assert json.loads(hidden.tool_calls[0].arguments) == {"text": "[secret]", "deep": [{"key": "[secret]"}]}
    plain = reply("it is nothing", '{"a": 1}')
    assert without_keys(plain) is plain
    done = ToolFinished("1", KEYS[0], KEYS[0], "ok", KEYS[0], 1.0)
    assert KEYS[0] not in repr(without_keys(done))


def test_what_is_no_key_is_left_alone() -> None:
    own_keys.add(["short", "not-needed", "", "  "])
    assert not own_keys
    assert own_keys.hide("a short text, not-needed") == "a short text, not-needed"


@given(st.lists(PIECES, max_size=12).map("".join), st.lists(st.integers(1, 9), min_size=1, max_size=40))
@settings(max_examples=300, deadline=None)
def test_a_key_in_pieces_never_passes_and_nothing_else_is_lost(whole: str, sizes: list[int]) -> None:
    own_keys.add(KEYS)
    seen: list[Event] = []
    take = KeyFilter(seen.append)
    at = 0
    for size in sizes * (len(whole) // sum(sizes) + 1):
        if whole[at : at + size]:
            take(TextDelta(whole[at : at + size]))
        at += size
    take(TurnEnded("done", ""))
    assert isinstance(seen[-1], TurnEnded)
    shown = "".join(event.text for event in seen if isinstance(event, TextDelta))
    assert shown == own_keys.hide(whole)
    assert not any(key in shown for key in KEYS)


def test_streams_are_not_mixed_and_nothing_waits_for_ever() -> None:
    own_keys.add(KEYS)
    seen: list[Event] = []
    take = KeyFilter(seen.append)
    events: list[Event] = [
        TextDelta("end: sk-aa"),
        ReasoningDelta("ab-0001"),
        ToolOutput("1", "sk-aaab"),
        ToolOutput("2", "-0001"),
        ToolOutput("2", "s"),
        TurnEnded("done", ""),
    ]
    for event in events:
        take(event)
    parts = ["".join(event.text for event in seen if type(event) is kind) for kind in (TextDelta, ReasoningDelta)]
    assert parts == ["end: sk-aa", "ab-0001"]
    assert [event for event in seen if isinstance(event, ToolOutput)] == [
        ToolOutput("1", "sk-aaab"),
        ToolOutput("2", "-0001"),
        ToolOutput("2", "s"),
    ]


def test_a_long_output_without_a_key_costs_next_to_nothing() -> None:
    import time

    own_keys.add([f"sk-{number:040d}" for number in range(20)])
    text = "s sk sk- key " * 8_000
    started = time.process_time()
    for _ in range(5):
        assert own_keys.hide(text) is text
    assert (time.process_time() - started) / 5 < 0.02
