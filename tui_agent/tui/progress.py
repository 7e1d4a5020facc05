"""What is going on, from the events of a turn: the activity line."""

from tui_agent.conversation.events import (
    AssistantReplied,
    CallGrowing,
    CallStarted,
    DecisionMade,
    Event,
    PromptSubmitted,
    ProviderStatus,
    ReasoningDelta,
    RequestStarted,
    Retrying,
    TextDelta,
    ToolFinished,
    TurnEnded,
)
from tui_agent.tui.widgets.activity import Activity, preparing

_CHARACTERS_PER_TOKEN = 4
_COUNT_EVERY = 0.5
"""Seconds between two changes of the received tokens: deltas come by the hundred, a reader sees two a second."""


class Progress:
    """Takes every event of a session; `activity` is what to show."""

    def __init__(self) -> None:
        self.activity = Activity()
        self._waiting = Activity()
        self._called = ("", "")  # the call that was prepared last: its id and tool
        self._received = 0
        self._first_byte = 0.0
        self._counted_at = 0.0

    def take(self, event: Event, now: float) -> None:
        """Account for an event at `now` (monotonic seconds)."""
        match event:
            case RequestStarted():
                self._received, self._first_byte = 0, 0.0
                self.activity = self._waiting = Activity(
                    "waiting", f"{event.provider} · {event.model}", since=now, tokens=event.prompt_tokens
                )
            case PromptSubmitted() if self.activity.kind == "idle":
                self.activity = self._waiting = Activity("waiting", since=now)
            case ProviderStatus() if event.text or not self._first_byte:
                since = self._waiting.since or now
                self.activity = preparing(event.text, since) if event.text else self._waiting
            case TextDelta() | ReasoningDelta():
                self._receive(len(event.text), now)
            case CallGrowing():
                self._receive(0, now)
            case Retrying():
                self.activity = Activity("retrying", event.reason, since=now, until=now + event.seconds)
            case CallStarted():
                self._called = event.call.id, event.call.name
                self.activity = Activity("tool", f"{event.call.name} {event.title}", since=now)
            case DecisionMade(outcome="allowed") if event.call_id == self._called[0]:
                # It runs from now on, and maybe something else than was proposed.
                command = event.command.strip().split("\n", 1)[0]
                text = f"{self._called[1]} {command}" if command else self.activity.text
                self.activity = Activity("tool", text, since=now)
            case AssistantReplied():
                self.activity = Activity()
            case ToolFinished() | TurnEnded():
                self.activity = self._waiting = Activity()
            case _:
                pass

    def _receive(self, characters: int, now: float) -> None:
        self._received += characters
        if not self._first_byte:
            self._first_byte = now
        elif now - self._counted_at < _COUNT_EVERY:
            return
        self._counted_at = now
        tokens = self._received // _CHARACTERS_PER_TOKEN
        self.activity = Activity("receiving", since=self._first_byte, tokens=tokens)
