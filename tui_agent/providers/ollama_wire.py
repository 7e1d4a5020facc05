"""Map a chat request to the body of Ollama's `/api/chat`, and the lines of its reply to chunks as OpenAI has them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from tui_agent.conversation.messages import Message
from tui_agent.providers.frames import HEAD, MAX_FRAME, NotAStream
from tui_agent.providers.protocol import ChatRequest
from tui_agent.providers.wire import arguments_object, describe_tool, is_blank, mend_body, safe_name
from tui_agent.text.tokens import estimate

_MARK = b"\xef\xbb\xbf"


def to_ollama(request: ChatRequest, window: int | None) -> dict[str, Any]:
    """The body; `window` becomes `num_ctx`, and without it Ollama's own choice stands.

    Nothing asks for thinking: a model that thinks does so unasked. Earlier thinking is not sent back. Arguments of
    calls are objects here; malformed ones are wrapped as in `to_wire`. A result names its tool beside the call.
    """
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [_message(message) for message in request.messages if not is_blank(message)],
        "stream": True,
    }
    if request.tools:
        body["tools"] = [describe_tool(tool) for tool in request.tools]
    options = {"num_ctx": window, "temperature": request.temperature, "num_predict": request.max_tokens}
    if given := {name: value for name, value in options.items() if value is not None}:
        body["options"] = given
    return mend_body(body)


def prompt_size(body: Mapping[str, Any]) -> int:
    """About how many tokens the prompt of a body has."""
    described = [msgspec.json.encode(tool).decode() for tool in body.get("tools", ())]
    called = [
        msgspec.json.encode(call["function"]).decode()
        for message in body["messages"]
        for call in message.get("tool_calls", ())
    ]
    return sum(map(estimate, [*(message["content"] for message in body["messages"]), *described, *called]))


def _message(message: Message) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.role == "assistant" and message.tool_calls:
        wire["tool_calls"] = [
            {
                "id": call.id,
                "function": {
                    "index": place,
                    "name": safe_name(call.name),
                    "arguments": arguments_object(call.arguments),
                },
            }
            for place, call in enumerate(message.tool_calls)
        ]
    elif message.role == "tool":
        wire |= {"tool_name": safe_name(message.tool_name), "tool_call_id": message.tool_call_id}
    return wire


class ChunkMapper:
    """Maps the lines of one reply; each call in them is whole, and one of its own whatever its index says."""

    def __init__(self) -> None:
        self._calls: list[tuple[Any, Any]] = []

    def chunk(self, line: Any) -> Any:
        """The chunk that a line means.

        Raises:
            ValueError: it is no line of a reply.
        """
        if not isinstance(line, Mapping) or not line.keys() & {"message", "done", "error"}:
            raise ValueError("no line of a reply")
        if line.get("error"):
            return {"error": line["error"]}
        message = line["message"] if isinstance(line.get("message"), Mapping) else {}
        calls = message.get("tool_calls")
        delta = {
            "reasoning": message.get("thinking"),
            "content": message.get("content"),
            "tool_calls": [] if not isinstance(calls, list) else [*filter(None, map(self._call, calls))],
        }
        choice: dict[str, Any] = {"index": 0, "delta": delta}
        if line.get("done") is not True:
            return {"choices": [choice]}
        # `load` and `unload` are the reasons of requests without messages.
        choice["finish_reason"] = "length" if line.get("done_reason") == "length" else "stop"
        usage = {"prompt_tokens": line.get("prompt_eval_count"), "completion_tokens": line.get("eval_count")}
        return {"choices": [choice], "usage": usage}

    def _call(self, call: Any) -> dict[str, Any] | None:
        if not isinstance(call, Mapping) or not isinstance(call.get("function"), Mapping):
            return None
        function = call["function"]
        if call.get("id") and (call["id"], function) in self._calls:
            return None
        self._calls.append((call.get("id"), function))
        return {**call, "index": len(self._calls) - 1, "function": function}


class LineDecoder:
    """Bytes in, whole lines out; any cutting of the bytes gives the same lines. Blank lines are skipped.

    `head` is the beginning of the body, for messages.
    """

    def __init__(self) -> None:
        self.head = b""
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that are complete now.

        Raises:
            NotAStream: the body is a web page, or a line is larger than 32 MiB.
        """
        if len(self.head) < HEAD:
            self.head += chunk[: HEAD - len(self.head)]
            if self.head.removeprefix(_MARK).lstrip().startswith(b"<"):
                raise NotAStream
        self._parts.append(chunk)
        self._size += len(chunk)
        if b"\n" not in chunk:
            if self._size > MAX_FRAME:
                raise NotAStream
            return []
        *lines, rest = b"".join(self._parts).split(b"\n")
        self._parts, self._size = [rest], len(rest)
        return _filled(lines)

    def finish(self) -> list[bytes]:
        """The last line, when its end is that of the body."""
        rest = b"".join(self._parts)
        self._parts, self._size = [], 0
        return _filled([rest])


def _filled(lines: list[bytes]) -> list[bytes]:
    return [line for line in (line.removeprefix(_MARK).strip() for line in lines) if line]
