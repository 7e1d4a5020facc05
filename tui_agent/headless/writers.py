"""Writers for `tui-agent invoke`: events in; text, one JSON object, or a JSON object a line out."""

import json
from collections.abc import Callable
from typing import Any, Protocol

from tui_agent.agent.spending import Spent, spent_on
from tui_agent.conversation.errors import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_REFUSED,
    EXIT_UNREACHABLE,
)
from tui_agent.conversation.events import (
    AssistantReplied,
    CallStarted,
    Compacted,
    DecisionMade,
    Event,
    Noticed,
    Nudged,
    ProviderStatus,
    ReasoningDelta,
    Retrying,
    TextDelta,
    ToolFinished,
    ToolOutput,
    TurnEnded,
)
from tui_agent.conversation.messages import Usage
from tui_agent.text.sanitize import sanitize

Write = Callable[[str], object]


class Writer(Protocol):
    """Shows the events of one turn."""

    def event(self, session: str, event: Event) -> None:
        """Show one event."""
        ...

    def end(self, session: str, outcome: "TurnOutcome") -> None:
        """Show how the turn ended."""
        ...


class TurnOutcome:
    """What a turn comes to: its answer, its usage, its exit code."""

    def __init__(self) -> None:
        self.text = ""
        self.reason = "error"
        self._cause = ""
        self._refused = False
        self._usage: dict[str, int] = {}
        self._spent = Spent()

    def take(self, event: Event) -> None:
        """Account for one event."""
        if (one := spent_on(event)) is not None:
            self._spent += one
        match event:
            case AssistantReplied():
                self.text = event.text
                self._add(event.usage)
            case Compacted():
                self._add(event.usage)
            case ToolFinished():
                self._refused = event.status == "denied"
            case TurnEnded():
                self.reason, self._cause = event.reason, event.cause
            case _:
                pass

    def _add(self, usage: Usage) -> None:
        for name, count in _usage(usage).items():
            self._usage[name] = self._usage.get(name, 0) + count

    @property
    def cost(self) -> dict[str, float | bool]:
        """What the requests cost, as far as prices are known; `cost_estimated` when the server did not count all."""
        if self._spent.cost is None:
            return {}
        cost: dict[str, float | bool] = {"cost": round(self._spent.cost, 9)}
        return {**cost, "cost_estimated": True} if self._spent.estimated else cost

    @property
    def usage(self) -> dict[str, int]:
        """Token counts added up over the requests of the turn, as far as the server reported them."""
        return self._usage

    @property
    def exit_code(self) -> int:
        """0 answered · 1 failed, or a limit · 3 what it tried last was refused · 4 unreachable · 130 interrupted."""
        if self.reason == "interrupted":
            return EXIT_INTERRUPTED
        if self.reason == "denied" or (self.reason == "done" and self._refused):
            return EXIT_REFUSED
        if self.reason == "done":
            return EXIT_DONE
        return EXIT_UNREACHABLE if self._cause == "unreachable" else EXIT_FAILED


def tell(event: Event, errors: Write) -> None:
    """Write notices, refusals and retries for a person."""
    match event:
        case Nudged():
            text, hint = event.notice.text, ""
        case Noticed():
            text, hint = f"{event.level}: {event.text}", event.hint
        case DecisionMade(outcome="denied"):
            text, hint = f"refused: {event.tool}", "; ".join(event.reasons)
        case Retrying():
            text, hint = f"{event.reason}; trying again in {event.seconds:.1f} s", ""
        case _:
            return
    errors(sanitize(text, "approval") + "\n" + (f"  {sanitize(hint, 'approval')}\n" if hint else ""))


class TextWriter:
    """The answer on `out` and nothing else; what a person should know on `errors`."""

    def __init__(self, out: Write, errors: Write, *, terminal: bool) -> None:
        self._out = out
        self._errors = errors
        self._terminal = terminal
        self._doing = ""

    def event(self, session: str, event: Event) -> None:
        """See `tell`; of what a provider does before it answers, only what is new, not every percent of it."""
        if isinstance(event, ProviderStatus):
            doing = event.text.partition(":")[0]
            if doing not in ("", self._doing):
                self._errors(sanitize(event.text, "approval") + "\n")
            self._doing = doing
        tell(event, self._errors)

    def end(self, session: str, outcome: TurnOutcome) -> None:
        """Write the answer; on a terminal with its control characters taken out."""
        if outcome.text:
            self._out((sanitize(outcome.text) if self._terminal else outcome.text).rstrip("\n") + "\n")


class JsonWriter:
    """The `end` object alone, or with `stream` every event as an object a line.

    Without `stream` there is no place for notices in the output, so a person reads them on `errors`.
    """

    def __init__(self, out: Write, errors: Write, *, stream: bool) -> None:
        self._out = out
        self._errors = errors
        self._stream = stream
        self._seq = 0
        self._opened = False

    def event(self, session: str, event: Event) -> None:
        """Write the event if it has a place in the stream."""
        if not self._stream:
            tell(event, self._errors)
            return
        if not self._opened:
            self._opened = True
            self._write("session", session, {})
        shape = stream_shape(event)
        if shape is not None:
            self._write(shape[0], session, shape[1])
        if isinstance(event, AssistantReplied) and _usage(event.usage):
            self._write("usage", session, _usage(event.usage))

    def end(self, session: str, outcome: TurnOutcome) -> None:
        """Write the `end` object."""
        fields = {
            "reason": outcome.reason,
            "text": outcome.text,
            "usage": outcome.usage,
            **outcome.cost,
            "exit_code": outcome.exit_code,
        }
        self._write("end", session, fields)

    def _write(self, kind: str, session: str, fields: dict[str, Any]) -> None:
        self._seq += 1
        self._out(json.dumps({"type": kind, "session": session, "seq": self._seq, **fields}) + "\n")


def stream_shape(event: Event) -> tuple[str, dict[str, Any]] | None:
    """The type and fields of an event in `stream-json`; None for events that only screens need."""
    match event:
        case TextDelta():
            return "text_delta", {"text": event.text}
        case ReasoningDelta():
            return "reasoning_delta", {"text": event.text}
        case CallStarted():
            call = event.call
            return "tool_call", {"id": call.id, "name": call.name, "arguments": call.arguments, "title": event.title}
        case DecisionMade():
            return "approval", {
                "id": event.call_id,
                "name": event.tool,
                "outcome": event.outcome,
                "by": event.by,
                "reasons": list(event.reasons),
                "comment": event.comment,
                "edited": event.edited,
                "command": event.command,
            }
        case ToolOutput():
            return "tool_output", {"id": event.call_id, "text": event.text}
        case ToolFinished():
            return "tool_result", {
                "id": event.call_id,
                "name": event.tool,
                "status": event.status,
                "content": event.content,
                "seconds": event.seconds,
                "exit_code": event.exit_code,
                "files": [
                    {"path": file.path, "added": file.added, "removed": file.removed, "created": file.created}
                    for file in event.files
                ],
                "repairs": list(event.repairs),
            }
        case Nudged():
            return stream_shape(event.notice)
        case ProviderStatus() if event.text:
            return "notice", {"level": "info", "text": event.text, "hint": ""}
        case Noticed():
            return "notice", {"level": event.level, "text": event.text, "hint": event.hint}
        case Retrying():
            text = f"{event.reason}; trying again in {event.seconds:.1f} s"
            return "notice", {"level": "info", "text": text, "hint": ""}
        case _:
            return None


def _usage(usage: Usage) -> dict[str, int]:
    fields = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
    return {name: count for name in fields if (count := getattr(usage, name)) is not None}
