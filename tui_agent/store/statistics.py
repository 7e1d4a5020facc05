"""What a session cost and did, counted from its log."""

from collections.abc import Iterable

from msgspec import Struct, field

from tui_agent.conversation.events import (
    AsideAnswered,
    AssistantReplied,
    Compacted,
    DecisionMade,
    PromptSubmitted,
    Record,
    ToolFinished,
    TurnEnded,
)


class ToolCount(Struct):
    """Calls of one tool by how they ended, and the seconds they ran."""

    ok: int = 0
    failed: int = 0
    denied: int = 0
    cancelled: int = 0
    seconds: float = 0.0


class Statistics(Struct):
    """Counts over sessions; add to them with `count`.

    Tokens are what servers reported; `unreported` replies came without a count. `cost` is None when nothing had a
    price; `unpriced` counts the requests without one, and `cost_estimated` says that for some of the others the tokens
    were our own counts. `approvals` counts decisions as
    "user allowed" or "policy denied". Of the times, `model_seconds` is from request to last byte, and `span_seconds`
    from the first event of a session to its last by the clock of the machine.
    """

    sessions: int = 0
    events: int = 0
    prompts: int = 0
    turns: dict[str, int] = field(default_factory=dict)
    replies: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    unreported: int = 0
    cost: float | None = None
    cost_estimated: bool = False
    unpriced: int = 0
    tools: dict[str, ToolCount] = field(default_factory=dict)
    approvals: dict[str, int] = field(default_factory=dict)
    model_seconds: float = 0.0
    tool_seconds: float = 0.0
    span_seconds: float = 0.0
    files_changed: int = 0
    lines_added: int = 0
    lines_removed: int = 0

    def count(self, records: Iterable[Record]) -> None:
        """Count one session."""
        self.sessions += 1
        times = []
        for record in records:
            self.events += 1
            times.append(record.time)
            match record.event:
                case PromptSubmitted():
                    self.prompts += 1
                case TurnEnded() as event:
                    self.turns[event.reason] = self.turns.get(event.reason, 0) + 1
                    self.files_changed += event.files
                    self.lines_added += event.added
                    self.lines_removed += event.removed
                case (AssistantReplied() | AsideAnswered()) as event:
                    self._reply(event)
                case Compacted() as event if (event.model or event.requests) and event.trigger != "edit":
                    self._request(event)
                case DecisionMade() as event:
                    name = f"{event.by} {event.outcome}"
                    self.approvals[name] = self.approvals.get(name, 0) + 1
                case ToolFinished() as event:
                    tool = self.tools.setdefault(event.tool, ToolCount())
                    setattr(tool, event.status, getattr(tool, event.status) + 1)
                    tool.seconds += event.seconds
                    self.tool_seconds += event.seconds
                case _:
                    pass
        if times:
            self.span_seconds += max(0.0, times[-1] - times[0])  # a clock may have been set back

    def _reply(self, event: AssistantReplied | AsideAnswered) -> None:
        self.replies += 1
        self.model_seconds += event.seconds
        self._request(event)

    def _request(self, event: AssistantReplied | AsideAnswered | Compacted) -> None:
        usage = event.usage
        self.unreported += not usage.prompt_tokens and not usage.completion_tokens
        self.prompt_tokens += usage.prompt_tokens or 0
        self.cached_tokens += usage.cached_tokens or 0
        self.completion_tokens += usage.completion_tokens or 0
        if event.cost is None:
            self.unpriced += 1
        else:
            self.cost = (self.cost or 0.0) + event.cost
            self.cost_estimated |= usage.prompt_tokens is None or usage.completion_tokens is None
