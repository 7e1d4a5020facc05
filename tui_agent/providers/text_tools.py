"""Requests for models that take no tools: the tools are described in the prompt, calls and results written as text."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from msgspec.structs import replace

from tui_agent.conversation.messages import Message, ToolCall, ToolSpec
from tui_agent.providers.protocol import ChatRequest

HOW_TO = """\
# Tools
{tools}

To use a tool, reply with one such block and stop; the next message holds its result in <tool_response>:
```json
{{"name": "TOOL", "arguments": {{"PARAMETER": "VALUE"}}}}
```"""


def as_text(request: ChatRequest) -> ChatRequest:
    """The same request without tools and without the roles and fields that belong to them.

    The same tools and messages always give the same bytes, so that a server can reuse what it read.
    """
    messages = _messages(request.messages, request.tools)
    beginning = _messages(request.messages[: request.fixed], request.tools) if request.fixed else ()
    fixed = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(beginning, messages, strict=False)))
    return replace(request, messages=messages, tools=(), tool_choice="auto", fixed=fixed)


def _messages(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> tuple[Message, ...]:
    written = tuple(_joined(map(_written, messages)))
    if not tools:
        return written
    described = HOW_TO.format(tools="\n".join(map(_described, tools)))
    if written and written[0].role == "system":
        return (Message("system", f"{written[0].content}\n\n{described}"), *written[1:])
    return (Message("system", described), *written)


def _written(message: Message) -> Message:
    """A message as user or assistant text."""
    if message.role == "tool":
        # What a file or a command says must not look like the end of what it says.
        content = message.content.replace("</tool_response>", "</ tool_response>")
        return Message("user", f"<tool_response>\n{content}\n</tool_response>")
    if message.tool_calls:
        parts = [message.content.rstrip(), *map(_block, message.tool_calls)]
        return Message("assistant", "\n\n".join(filter(None, parts)))
    return message


def _block(call: ToolCall) -> str:
    name, arguments = json.dumps(call.name, ensure_ascii=False), call.arguments.strip() or "{}"
    return f'```json\n{{"name": {name}, "arguments": {arguments}}}\n```'


def _joined(messages: Iterator[Message]) -> Iterator[Message]:
    """Results and the prompt behind them as one message: many templates want user and assistant by turns."""
    waiting: Message | None = None
    for message in messages:
        if waiting is not None and waiting.role == message.role == "user":
            between = "\n" if message.content.startswith("<tool_response>") else "\n\n"
            message = Message("user", f"{waiting.content}{between}{message.content}")
        elif waiting is not None:
            yield waiting
        waiting = message
    if waiting is not None:
        yield waiting


def _described(tool: ToolSpec) -> str:
    return f"- {tool.name}({_signature(tool.parameters)}): {tool.description}"


def _signature(schema: Mapping[str, Any]) -> str:
    """The parameters of a schema, optional ones with a question mark, those that are no text with their type."""
    properties = schema.get("properties")
    required = schema.get("required")
    return ", ".join(
        f"{name}{'' if name in (required or ()) else '?'}{_kind(value)}"
        for name, value in (properties.items() if isinstance(properties, Mapping) else ())
    )


def _kind(schema: Any) -> str:
    if not isinstance(schema, Mapping):
        return ""
    if isinstance(values := schema.get("enum"), Sequence):
        return f": {'|'.join(map(str, values))}"
    kind = schema.get("type")
    if kind == "array":
        items = schema.get("items")
        inner = _kind(items).removeprefix(": ") or "string"
        return f": [{inner}, …]"
    if kind == "object":
        return f": {{{_signature(schema)}}}"
    return "" if kind == "string" or not isinstance(kind, str) else f": {kind}"
