"""The projection of the log to messages is always a request that servers accept."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_agent.agent.context import CUT_REPLY, CUT_RUN, NOT_RUN, messages
from tui_agent.conversation.events import (
    AssistantReplied,
    DecisionMade,
    LoggedEvent,
    ModelSwitched,
    Noticed,
    PromptSubmitted,
    ToolFinished,
    TurnEnded,
)
from tui_agent.conversation.messages import Finish, Message, ToolCall, Usage


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
