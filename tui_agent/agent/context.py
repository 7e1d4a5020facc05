"""From the log to what the model is sent: a pure projection."""

import json
from collections.abc import Iterable, Sequence

from tui_agent.conversation.events import (
    AssistantReplied,
    DecisionMade,
    FilesRestored,
    LoggedEvent,
    Nudged,
    PromptSubmitted,
    Rewound,
    ToolFinished,
)
from tui_agent.conversation.messages import Message, ToolCall, ToolSpec
from tui_agent.providers.protocol import ChatRequest
from tui_agent.text.tokens import estimate
from tui_agent.tools.schema import MAX_CHARACTERS

CUT_REPLY = "[this reply was cut off here]"
NOT_RUN = "not run: the turn was interrupted"
MOST_NAMED = 20
"""Files that are named to a model when they were put back."""
CUT_RUN = "interrupted while it ran; it may have been done in part"


def messages(events: Iterable[LoggedEvent], system: str, *, small: bool = False) -> tuple[Message, ...]:
    """The conversation as messages.

    What was rewound is not in it. Every tool call gets exactly one result, right behind its reply and in the order of
    the calls, whatever happened to it; prompts that follow each other become one user message; a cut reply is marked as
    such.
    """
    projected = [Message("system", system)]
    open_calls: dict[str, ToolCall] = {}
    results: dict[str, ToolFinished] = {}
    begun: set[str] = set()

    def close_calls() -> None:
        for call in open_calls.values():
            done = results.get(call.id)
            content = done.content if done else CUT_RUN if call.id in begun else NOT_RUN
            projected.append(Message("tool", content, tool_call_id=call.id, tool_name=call.name))
        open_calls.clear()
        results.clear()
        begun.clear()

    for event in living(events):
        match event:
            case FilesRestored():
                close_calls()
                if event.count:
                    _add_prompt(projected, restored_note(event))
            case ToolFinished():
                if event.call_id in open_calls:
                    results.setdefault(event.call_id, event)
            case DecisionMade(outcome="allowed"):
                begun.add(event.call_id)
            case PromptSubmitted():
                close_calls()
                _add_prompt(projected, event.text + (_named(event.files) if small else ""))
            case Nudged():
                close_calls()
                _add_prompt(projected, event.text)
            case AssistantReplied():
                close_calls()
                reply = _reply(event)
                if reply is not None:
                    projected.append(reply)
                    open_calls = {call.id: call for call in reply.tool_calls}
            case _:
                pass
    close_calls()
    return tuple(projected)


def living(events: Iterable[LoggedEvent]) -> list[LoggedEvent]:
    """The events of a whole log without those that were rewound; what was done to files goes on to hold."""
    kept: list[tuple[int, LoggedEvent]] = []
    for seq, event in enumerate(events, start=1):
        if isinstance(event, Rewound):
            kept = [known for known in kept if known[0] < event.before_seq]
        kept.append((seq, event))
    return [event for _, event in kept]


def restored_note(event: FilesRestored) -> str:
    """What a model is told of files that were put back."""
    done = "put back again what they had undone" if event.kind == "redo" else "undid what was changed"
    names = [file.path for file in event.files[:MOST_NAMED]]
    more = f" and {event.count - len(names):,} more" if event.count > len(names) else ""
    return f"[The user {done} in {', '.join(names)}{more}. Read these files again before you change them.]"


def _named(files: Sequence[str]) -> str:
    """A word to a small model about the files that a prompt names: it tells what is in the project from what is not."""
    return "".join(f" [{name}: not read yet]" for name in files)


def _add_prompt(projected: list[Message], text: str) -> None:
    if projected[-1].role == "user":
        projected[-1] = Message("user", f"{projected[-1].content}\n\n{text}")
    else:
        projected.append(Message("user", text))


def _reply(event: AssistantReplied) -> Message | None:
    if event.finish == "incomplete":
        return Message("assistant", f"{event.text}\n{CUT_REPLY}") if event.text.strip() else None
    if not event.text.strip() and not event.tool_calls:
        return None
    calls = tuple(ToolCall(call.id, call.name, _valid(call.arguments)) for call in event.tool_calls)
    return Message("assistant", event.text, tool_calls=calls)


def _valid(arguments: str) -> str:
    """The arguments as a JSON object; servers answer 400 to a history with anything else in it.

    What was too long to be used is left out: no model's window would hold it, and the session could not go on.
    """
    if len(arguments) > MAX_CHARACTERS:
        return json.dumps({"omitted": f"{len(arguments):,} characters"})
    try:
        if isinstance(json.loads(arguments), dict):
            return arguments
    except (ValueError, RecursionError):
        pass
    return "{}"


def request_size(request: ChatRequest) -> int:
    """About how many tokens a request has, by our own count."""
    return sum(map(message_size, request.messages)) + sum(map(tool_size, request.tools))


def message_size(message: Message) -> int:
    """About how many tokens a message has."""
    return estimate(message.content) + sum(
        estimate(call.name) + estimate(call.arguments) for call in message.tool_calls
    )


def tool_size(tool: ToolSpec) -> int:
    """About how many tokens the description of a tool has."""
    return estimate(f"{tool.name} {tool.description} {tool.parameters}")
