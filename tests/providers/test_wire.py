"""What is sent is lean, valid and encodable, whatever the conversation holds."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.chat_server import history_problems
from tui_agent.conversation.messages import Message, ToolCall, ToolSpec
from tui_agent.providers.protocol import ChatRequest
from tui_agent.providers.wire import concession_for, to_wire

anything = st.text(st.characters(), max_size=20)
calls = st.builds(ToolCall, anything, anything, anything | st.just('{"a": 1}') | st.just(""))
messages = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=anything,
    reasoning=anything,
    tool_calls=st.lists(calls, max_size=2).map(tuple),
    tool_call_id=anything,
)
tools = st.builds(ToolSpec, anything, anything, st.dictionaries(anything, anything, max_size=2))
requests = st.builds(
    ChatRequest,
    model=anything,
    messages=st.lists(messages, max_size=4).map(tuple),
    tools=st.lists(tools, max_size=2).map(tuple),
    temperature=st.none() | st.floats(0, 2),
    max_tokens=st.none() | st.integers(1, 10_000),
)


@given(requests, st.sets(st.sampled_from(["no usage", "completion tokens", "short ids"])))
def test_every_request_can_be_encoded_and_every_old_call_is_valid(request: ChatRequest, made: Any) -> None:
    body = to_wire(request, frozenset(made))
    json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    kept = [m for m in request.messages if m.role != "assistant" or m.content or m.tool_calls]
    for message, wire in zip(kept, body["messages"], strict=True):
        assert isinstance(wire["content"], str)
        assert set(wire) <= {"role", "content", "tool_calls", "tool_call_id"}
        assert ("tool_calls" in wire) == (message.role == "assistant" and bool(message.tool_calls))
        for call in wire.get("tool_calls", ()):
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
            assert call["function"]["name"]
    assert ("tools" in body) == bool(request.tools)
    assert ("stream_options" in body) == ("no usage" not in made)


def body_of(*conversation: Message, **fields: Any) -> dict[str, Any]:
    return to_wire(ChatRequest("m", conversation, **fields))


def test_a_plain_request_has_only_what_is_needed() -> None:
    assert body_of(Message("system", "be brief"), Message("user", "hi")) == {
        "model": "m",
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_calls_and_results_are_paired_and_arguments_kept_to_the_byte() -> None:
    odd = '{ "file_path" : "a.py" }'
    body = body_of(
        Message("user", "read"),
        Message("assistant", "", reasoning="hm", tool_calls=(ToolCall("c1", "read_file", odd),)),
        Message("tool", "text", tool_call_id="c1", tool_name="read_file"),
    )
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "read_file", "arguments": odd}}],
        },
        {"role": "tool", "content": "text", "tool_call_id": "c1"},
    ]
    assert history_problems(body["messages"]) == []


@pytest.mark.parametrize("arguments", ['{"a": ', "[1]", '"x"', '{"a": NaN}', "null", '"{}"', "\udc80"])
def test_malformed_arguments_are_wrapped_so_that_servers_can_parse_the_history(arguments: str) -> None:
    (message,) = body_of(Message("assistant", "", tool_calls=(ToolCall("c", "f", arguments),)))["messages"]
    wrapped = json.loads(message["tool_calls"][0]["function"]["arguments"])
    assert list(wrapped) == ["malformed"]


@pytest.mark.parametrize("arguments", ["", " \n"])
def test_no_arguments_are_sent_as_an_empty_object(arguments: str) -> None:
    (message,) = body_of(Message("assistant", "", tool_calls=(ToolCall("c", "f", arguments),)))["messages"]
    assert message["tool_calls"][0]["function"]["arguments"] == "{}"


def test_a_tool_name_that_no_server_would_accept_again_is_made_acceptable() -> None:
    (message,) = body_of(
        Message("assistant", "", tool_calls=(ToolCall("c", "rm -rf\x1b", "{}"), ToolCall("d", "", "")))
    )["messages"]
    assert [call["function"]["name"] for call in message["tool_calls"]] == ["rm_-rf_", "unnamed"]


def test_short_ids_still_pair_calls_with_results() -> None:
    body = to_wire(
        ChatRequest(
            "m",
            (
                Message("assistant", "", tool_calls=(ToolCall("call_1", "f", "{}"), ToolCall("call_2", "f", "{}"))),
                Message("tool", "1", tool_call_id="call_1"),
                Message("tool", "2", tool_call_id="call_2"),
            ),
        ),
        frozenset({"short ids"}),
    )
    assert history_problems(body["messages"]) == []
    assert all(len(call["id"]) == 9 and call["id"].isalnum() for call in body["messages"][0]["tool_calls"])


@pytest.mark.parametrize(
    ("refusal", "conceded"),
    [
        ("Unrecognized request argument supplied: stream_options", "no usage"),
        ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", "completion tokens"),
        ("Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.", "short ids"),
        ("messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'", "short ids"),
        ("messages must not be empty", None),
        ("tools are not valid", None),
    ],
)
def test_what_a_refusal_asks_for(refusal: str, conceded: Any) -> None:
    assert concession_for(refusal, frozenset()) == conceded
    assert concession_for(refusal, frozenset({"no usage", "completion tokens", "short ids"})) is None
