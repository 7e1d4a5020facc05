"""Map a chat request to the JSON body that OpenAI-compatible servers take."""

import hashlib
import re
from collections.abc import Set
from typing import Any, Literal

import msgspec

from tui_agent.conversation.messages import Message, ToolCall, ToolSpec
from tui_agent.providers.protocol import ChatRequest
from tui_agent.providers.surrogates import mend

Concession = Literal["no usage", "completion tokens", "no tool choice", "short ids"]
"""What a server turned out to want: no `stream_options`, `max_completion_tokens`, no `tool_choice`, call ids of nine
letters."""

DEMANDS: tuple[tuple[re.Pattern[str], Concession], ...] = (
    (re.compile(r"stream_options|include_usage"), "no usage"),
    (re.compile(r"max_completion_tokens"), "completion tokens"),
    (re.compile(r"tool_choice"), "no tool choice"),
    (re.compile(r"(?i)tool.?(call|use)[\w .'`\"-]*\bid\b"), "short ids"),
)

NAME_LIMIT = 64


def to_wire(request: ChatRequest, concessions: Set[Concession] = frozenset()) -> dict[str, Any]:
    """The body for `POST chat/completions`: only fields that are needed, and always encodable as UTF-8.

    Servers parse the arguments and names of earlier calls again and refuse the whole conversation for one bad call, so
    malformed ones are wrapped: `{"malformed": "…"}`, and `a b` becomes `a_b`. Assistant messages without text and calls
    (a reply that was only reasoning, or was cut at once) are left out: several servers refuse them.
    """
    short = "short ids" in concessions
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [_message(message, short) for message in request.messages if not is_blank(message)],
        "stream": True,
    }
    if "no usage" not in concessions:
        body["stream_options"] = {"include_usage": True}
    if request.tools:
        body["tools"] = [describe_tool(tool) for tool in request.tools]
        if request.tool_choice != "auto" and "no tool choice" not in concessions:
            body["tool_choice"] = request.tool_choice
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.max_tokens is not None:
        body["max_completion_tokens" if "completion tokens" in concessions else "max_tokens"] = request.max_tokens
    return mend_body(body)


def concession_for(message: str, made: Set[Concession]) -> Concession | None:
    """What a refusal (400 or 422) asks for that was not conceded yet."""
    return next((found for pattern, found in DEMANDS if found not in made and pattern.search(message)), None)


def describe_tool(tool: ToolSpec) -> dict[str, Any]:
    """A tool as the API is told of it."""
    parameters = tool.parameters or {"type": "object", "properties": {}}
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": parameters},
    }


def is_blank(message: Message) -> bool:
    """An assistant message without text and calls, which several servers refuse."""
    return message.role == "assistant" and not message.content and not message.tool_calls


def _message(message: Message, short: bool) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.role == "assistant" and message.tool_calls:
        wire["tool_calls"] = [_call(call, short) for call in message.tool_calls]
    elif message.role == "tool":
        wire["tool_call_id"] = _call_id(message.tool_call_id, short)
    return wire


def safe_name(name: str) -> str:
    """The name of a called tool with only what every server takes in one."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:NAME_LIMIT] or "unnamed"


def arguments_object(text: str) -> dict[str, Any]:
    """The arguments of a call as an object; what is none is wrapped in one: `{"malformed": "…"}`."""
    if not text.strip():
        return {}
    try:
        value = msgspec.json.decode(mend(text))
    except (msgspec.DecodeError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"malformed": mend(text)}


def mend_body(body: dict[str, Any]) -> dict[str, Any]:
    """The body with every text in it mended, so that it can be encoded as UTF-8."""
    return {mend(key): _mend(item) for key, item in body.items()}


def _call(call: ToolCall, short: bool) -> dict[str, Any]:
    function = {"name": safe_name(call.name), "arguments": _arguments(call.arguments)}
    return {"id": _call_id(call.id, short), "type": "function", "function": function}


def _call_id(call_id: str, short: bool) -> str:
    return hashlib.sha256(mend(call_id).encode()).hexdigest()[:9] if short else call_id


def _arguments(text: str) -> str:
    """The arguments as they were when they are a JSON object."""
    value = arguments_object(text)
    return text if text.strip() and value.keys() != {"malformed"} else msgspec.json.encode(value).decode()


def _mend(value: Any) -> Any:
    if isinstance(value, str):
        return mend(value)
    if isinstance(value, dict):
        return mend_body(value)
    if isinstance(value, list | tuple):
        return [_mend(item) for item in value]
    return value
