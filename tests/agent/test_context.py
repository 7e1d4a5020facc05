"""The projection of the log to messages is always a request that servers accept."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.chat_server import history_problems
from tui_agent.agent.context import CUT_REPLY, CUT_RUN, NOT_RUN, messages
from tui_agent.agent.prompt import PLAN_OVER, plan_words
from tui_agent.agent.shortening import cut, quoted
from tui_agent.conversation.events import (
    AssistantReplied,
    Compacted,
    DecisionMade,
    FileDelta,
    LoggedEvent,
    Mode,
    ModeChanged,
    ModelSwitched,
    Noticed,
    Nudged,
    PromptSubmitted,
    ResultsTrimmed,
    Rewound,
    SessionStarted,
    ToolFinished,
    TurnEnded,
)
from tui_agent.conversation.messages import Finish, Message, ToolCall, Usage
from tui_agent.providers.protocol import ChatRequest
from tui_agent.providers.wire import to_wire


def reply(text: str = "", *calls: ToolCall, finish: Finish = "stop") -> AssistantReplied:
    return AssistantReplied(text, "thinking", calls, finish, "p", "m", Usage(), 0.1)


def result(call_id: str, content: str) -> ToolFinished:
    return ToolFinished(call_id, "t", "", "ok", content, 0.1)


def test_a_conversation_with_tools_is_told_in_order() -> None:
    calls = (ToolCall("a", "read_file", '{"file_path":"x"}'), ToolCall("b", "read_file", '{"file_path":"y"}'))
    events = [PromptSubmitted("go"), reply("look", *calls), result("b", "Y"), result("a", "X"), reply("done")]
    assert messages(events, "sys") == (
        Message("system", "sys"),
        Message("user", "go"),
        Message("assistant", "look", tool_calls=calls),
        Message("tool", "X", tool_call_id="a", tool_name="read_file"),
        Message("tool", "Y", tool_call_id="b", tool_name="read_file"),
        Message("assistant", "done"),
    )


def test_a_call_without_a_result_gets_one_that_says_so() -> None:
    events = [PromptSubmitted("go"), reply("", ToolCall("a", "t", "{}")), PromptSubmitted("again")]
    assert messages(events, "")[3] == Message("tool", NOT_RUN, tool_call_id="a", tool_name="t")


@pytest.mark.promise("P6")
def test_a_cut_reply_is_marked_and_an_empty_one_left_out() -> None:
    events = [PromptSubmitted("go"), reply("half an", finish="incomplete"), PromptSubmitted("go on")]
    assert messages(events, "")[2].content == f"half an\n{CUT_REPLY}"
    assert len(messages([PromptSubmitted("go"), reply(finish="incomplete")], "")) == 2


def test_prompts_in_a_row_become_one_user_message() -> None:
    assert messages([PromptSubmitted("a"), TurnEnded("interrupted"), PromptSubmitted("b")], "")[1:] == (
        Message("user", "a\n\nb"),
    )


def test_malformed_arguments_are_sent_back_as_an_empty_object() -> None:
    sent = messages([PromptSubmitted("x"), reply("", ToolCall("a", "t", '{"cut": '), ToolCall("b", "t", "[1]"))], "")
    assert [call.arguments for call in sent[2].tool_calls] == ["{}", "{}"]


def test_reasoning_is_not_sent_back() -> None:
    assert "thinking" not in str(messages([PromptSubmitted("x"), reply("y")], ""))


texts = st.text(max_size=8)
calls = st.lists(st.builds(ToolCall, st.sampled_from("abcd"), texts, texts), max_size=3, unique_by=lambda call: call.id)
events = st.lists(
    st.one_of(
        st.builds(PromptSubmitted, texts),
        st.builds(
            lambda text, made, finish: reply(text, *made, finish=finish),
            texts,
            calls,
            st.sampled_from(["stop", "tool_calls", "length", "incomplete"]),
        ),
        st.builds(result, st.sampled_from("abcd"), texts),
        st.just(TurnEnded("done")),
        st.just(ModelSwitched("p", "m")),
        st.just(Noticed("info", "n")),
    ),
    max_size=20,
)


@pytest.mark.promise("P17", "P28")
@given(events)
def test_any_log_gives_a_request_with_one_result_behind_each_call(log: list[LoggedEvent]) -> None:
    sent = messages(log, "sys")
    assert sent[0] == Message("system", "sys")
    expected: list[str] = []
    for message in sent[1:]:
        if message.role == "tool":
            assert expected and expected.pop(0) == message.tool_call_id
        else:
            assert not expected
            expected = [call.id for call in message.tool_calls]
            assert all(isinstance(json.loads(call.arguments), dict) for call in message.tool_calls)
    assert not expected
    roles = [message.role for message in sent]
    assert all(pair != ("user", "user") for pair in pairwise(roles))


@pytest.mark.promise("P28")
def test_a_call_that_had_begun_when_the_program_was_killed_is_not_said_to_have_not_run() -> None:
    calls = (ToolCall("a", "t", "{}"), ToolCall("b", "t", "{}"))
    begun = DecisionMade("a", "t", "allowed", "user", (), "", "")
    sent = messages([PromptSubmitted("go"), reply("", *calls), begun, PromptSubmitted("and?")], "")
    assert [message.content for message in sent if message.role == "tool"] == [CUT_RUN, NOT_RUN]


def test_arguments_that_were_too_long_to_be_used_are_not_sent_again_and_again() -> None:
    arguments = json.dumps({"content": "x" * 3_000_000})
    sent = messages([PromptSubmitted("go"), reply("", ToolCall("a", "write_file", arguments))], "")
    assert json.loads(sent[2].tool_calls[0].arguments) == {"omitted": "3,000,015 characters"}


# ---- what was cut, summarised, and rewound ----

TALK: list[LoggedEvent] = [
    SessionStarted("/x", "p", "m", "ask", "0"),
    PromptSubmitted("first"),
    reply("looking", ToolCall("a", "read_file", '{"file_path":"x"}')),
    result("a", "A" * 900 + "Z" * 900),
    reply("found it"),
    TurnEnded("done"),
    PromptSubmitted("second"),
    reply("", ToolCall("b", "read_file", '{"file_path":"y"}')),
    result("b", "B" * 1800),
    reply("done"),
    TurnEnded("done"),
]


def contents(log: list[LoggedEvent]) -> list[str]:
    return [message.content for message in messages(log, "sys")[1:]]


def test_old_results_are_cut_to_head_and_tail_and_newer_ones_are_whole() -> None:
    sent = contents([*TALK, ResultsTrimmed(7, 300)])
    assert sent[2].startswith("A" * 200 + "\n[… 1,500 characters left out") and sent[2].endswith("Z" * 100)
    assert "call the tool again" in sent[2]
    assert sent[6] == "B" * 1800
    assert contents([*TALK, ResultsTrimmed(7, 300), ResultsTrimmed(99, 600)])[2] == sent[2]  # the stricter one counts


def test_a_summary_stands_in_place_of_what_was_before_and_prompts_are_quoted() -> None:
    changed = ToolFinished("a", "edit_file", "x", "ok", "edited", 0.1, (FileDelta("src/x.py", 1, 0, ""),))
    talk = [*TALK[:3], changed, *TALK[4:]]
    sent = messages([*talk, Compacted(7, "- it was found", "full", quoted=500)], "sys")
    assert [message.role for message in sent] == ["system", "user", "assistant", "tool", "assistant"]
    assert "- first" in sent[1].content and "- it was found" in sent[1].content and "src/x.py" in sent[1].content
    assert sent[1].content.endswith("second") and "looking" not in sent[1].content


def test_the_prompt_of_a_turn_that_goes_on_is_sent_as_it_is() -> None:
    long = "second " * 600
    talk = [*TALK[:6], PromptSubmitted(long), *TALK[7:9]]
    sent = contents([*talk, Compacted(10, "S", "full", quoted=200)])
    assert sent == [sent[0]] and sent[0].endswith(f"\n\n{long}") and "- first" in sent[0]


def test_going_back_behind_a_summary_brings_back_what_it_stood_for() -> None:
    log = [*TALK, Compacted(7, "S", "full", quoted=99), PromptSubmitted("third"), TurnEnded("done")]
    assert contents([*log, Rewound(7)]) == [*contents([*TALK[:6], Compacted(7, "S", "full", quoted=99)])]
    assert contents([*log, Rewound(2)]) == []
    assert contents([*log, Rewound(3)]) == ["first"]  # the summary is of more than that
    assert contents([*log, Rewound(13)]) == contents(log[:12])


def test_the_last_summary_counts_edited_or_not() -> None:
    log = [*TALK, Compacted(7, "by the model", "full"), Compacted(7, "by the user", "edit")]
    assert "by the user" in contents(log)[0] and "by the model" not in contents(log)[0]


def test_plan_mode_is_told_with_the_prompt_and_its_end_too() -> None:
    log: list[LoggedEvent] = [SessionStarted("/x", "p", "m", "plan", "0"), PromptSubmitted("a"), reply("1. b")]
    log += [PromptSubmitted("c"), reply("1. d"), ModeChanged("ask"), PromptSubmitted("go"), reply("ok")]
    log += [PromptSubmitted("more")]
    told = [text for text in contents(log) if text not in ("1. b", "1. d", "ok")]
    words = plan_words(small=False)
    assert told == [f"a{words}", f"c{words}", f"go{PLAN_OVER}", "more"]


@given(st.text(max_size=400), st.integers(0, 300))
def test_cutting_never_lengthens(text: str, limit: int) -> None:
    short = cut(text, limit, "call it again")
    assert len(short) <= len(text)
    assert short == text or (short.startswith(text[: limit - limit // 3]) and "left out" in short)


@given(st.lists(st.text(max_size=60), max_size=12), st.integers(0, 600))
def test_quotes_are_first_and_last_prompts_in_little_room(prompts: list[str], characters: int) -> None:
    text = quoted(prompts, characters)
    assert len(text) <= characters + 60
    if prompts and characters > 2 * sum(len(prompt) + 4 for prompt in prompts) and characters > 400:
        assert text == "\n".join(f"- {prompt.strip()}" for prompt in prompts)


decisions = st.one_of(
    st.builds(Compacted, st.integers(1, 25), texts, st.just("full"), quoted=st.integers(0, 80)),
    st.builds(ResultsTrimmed, st.integers(1, 25), st.integers(0, 10)),
    st.builds(Rewound, st.integers(2, 25)),
    st.builds(Nudged, texts, texts),
    st.sampled_from(["plan", "ask"]).map(ModeChanged),
)
long_results = st.builds(result, st.sampled_from("abcd"), st.text("xyz", max_size=200))
anything = st.lists(
    st.one_of(events.map(lambda log: log[:1]), decisions.map(lambda e: [e]), long_results.map(lambda e: [e])),
    max_size=24,
)


@pytest.mark.promise("P17", "P23", "P28")
@given(anything)
def test_any_log_with_summaries_cuts_and_rewinds_is_a_request_that_servers_take(parts: list[list[LoggedEvent]]) -> None:
    log = [event for part in parts for event in part]
    request = ChatRequest("m", messages(log, "sys"))
    wire = to_wire(request)["messages"]
    assert not history_problems(wire)
    assert all(pair != ("user", "user") for pair in pairwise(message.role for message in request.messages))
    assert messages([*log, Noticed("info", "n")], "sys") == request.messages


@pytest.mark.promise("P23")
@given(st.integers(2, 12), st.integers(2, 12))
def test_no_result_behind_a_summary_is_lost(begins: int, back: int) -> None:
    sent = contents([*TALK, Compacted(begins, "S", "full", quoted=99)])
    for place, event in enumerate(TALK, start=1):
        call = place - 1
        if isinstance(event, ToolFinished):
            assert sent.count(event.content) == (1 if call >= begins else 0)
    rewound = contents([*TALK, Compacted(begins, "S", "full", quoted=99), Rewound(back)])
    if back < begins:
        assert rewound == contents(TALK[: back - 1])
    else:
        assert rewound == contents([*TALK[: back - 1], Compacted(begins, "S", "full", quoted=99)])


def _round(call_id: str, content: str) -> list[LoggedEvent]:
    return [reply("", ToolCall(call_id, "read_file", "{}")), result(call_id, content)]


@st.composite
def conversations(draw: st.DrawFn) -> list[LoggedEvent]:
    """Turns as they happen, whatever becomes of them."""
    log: list[LoggedEvent] = [SessionStarted("/x", "p", "m", draw(st.sampled_from(["ask", "plan"])), "0")]
    for turn in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):
            mode: Mode = draw(st.sampled_from(["ask", "plan", "auto"]))
            log.append(ModeChanged(mode))
        log.append(PromptSubmitted(draw(texts), ("a.py",)))
        for step in range(draw(st.integers(0, 3))):
            log += _round(f"{turn}.{step}", draw(texts))
            if draw(st.booleans()):
                log.append(PromptSubmitted(draw(texts)))
        ending: Finish = draw(st.sampled_from(["stop", "incomplete", "length"]))
        log.append(reply(draw(texts), finish=ending))
        if draw(st.booleans()):
            log += [Nudged("go on", "why"), reply(draw(texts))]
        log.append(TurnEnded("done"))
    return log


@pytest.mark.promise("P23")
@given(conversations(), st.booleans())
def test_every_request_begins_with_the_bytes_of_the_one_before(log: list[LoggedEvent], small: bool) -> None:
    before = ""
    for place, event in enumerate(log):
        if isinstance(event, AssistantReplied):
            body = to_wire(ChatRequest("m", messages(log[:place], "sys", small=small)))
            now = json.dumps(body["messages"], ensure_ascii=False).removesuffix('"}]')
            assert now.startswith(before)
            before = now
