"""Requests for models that take no tools: the tools are described in the prompt, calls and results written as text."""

import json
from collections.abc import Iterator, Mapping, Sequence
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
    messages = tuple(_joined(_written(message) for message in request.messages))
    if request.tools:
        system = messages[0].content if messages and messages[0].role == "system" else ""
        rest = messages[1:] if system else messages
        described = HOW_TO.format(tools="\n".join(map(_described, request.tools)))
        messages = (Message("system", f"{system}\n\n{described}" if system else described), *rest)
    return replace(request, messages=messages, tools=(), tool_choice="auto")


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
