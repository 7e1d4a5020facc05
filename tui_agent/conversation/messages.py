"""What travels to and from a model: messages, tool calls, tool descriptions, usage."""

from typing import Any, Literal

from msgspec import Struct

Role = Literal["system", "user", "assistant", "tool"]

Finish = Literal["stop", "length", "tool_calls", "content_filter", "incomplete"]
"""Why a reply ended; `incomplete` means the stream broke off or was interrupted before it said why."""


class ToolCall(Struct, frozen=True):
    """One call as the model wrote it.

    `arguments` is the raw JSON text, which may be malformed: the executor parses and judges it.
    """

    id: str
    name: str
    arguments: str


class ToolSpec(Struct, frozen=True):
    """A tool as it is described to a model; `parameters` is a JSON Schema of type `object`."""

    name: str
    description: str
    parameters: dict[str, Any]


class Message(Struct, frozen=True):
    """One message of a request.

    An assistant message may carry `tool_calls`; a tool message answers the call `tool_call_id`.
    """

    role: Role
    content: str
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    tool_name: str = ""


class Usage(Struct, frozen=True):
    """Token counts as the server reported them; `None` means it did not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
