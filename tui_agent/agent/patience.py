"""How long a turn goes on with replies that lead nowhere, and what is said of one that ended oddly."""

from collections.abc import Sequence

from tui_agent.conversation.events import AssistantReplied, Noticed
from tui_agent.conversation.messages import ToolCall
from tui_agent.tools.attempt import ToolOutcome

SAME_CALL_LIMIT = 4
"""The same call with the same result so many times in a row ends the turn."""

MALFORMED_LIMIT = 3
"""So many replies in a row whose calls could all not be understood end the turn."""


def about_ending(reply: AssistantReplied) -> Noticed | None:
    """What to say of the last reply of a turn, if anything."""
    match reply.finish:
        case "length":
            return Noticed("warning", "the reply was cut by its length limit", "send `continue` to go on")
        case "content_filter":
            return Noticed("warning", "the provider's content filter ended the reply")
        case _ if not reply.text.strip():
            return Noticed("warning", "the model sent an empty reply", "send the prompt again, or try another model")
        case _:
            return None


class Patience:
    """Counts fruitless rounds, so that a confused model does not go on for ever."""

    def __init__(self) -> None:
        self._malformed = 0
        self._same = 0
        self._last: object = None
        self._seen: set[tuple[str, str, str]] = set()

    def seen(self, calls: Sequence[ToolCall], outcomes: Sequence[ToolOutcome]) -> bool:
        """True when one of these calls was made before in this turn and came to the same."""
        now = {
            (outcome.tool, call.arguments, outcome.result.content)
            for call, outcome in zip(calls, outcomes, strict=True)
        }
        repeated = bool(now & self._seen)
        self._seen |= now
        return repeated

    def lost(self, calls: Sequence[ToolCall], outcomes: Sequence[ToolOutcome]) -> Noticed | None:
        """The notice to stop with, once a limit is reached."""
        self._malformed = self._malformed + 1 if not any(outcome.understood for outcome in outcomes) else 0
        if self._malformed >= MALFORMED_LIMIT:
            return Noticed(
                "warning",
                f"stopped: the last {self._malformed} replies held no tool call that could be understood",
                "try another model, or ask for one small step at a time",
            )
        now = [(call.name, call.arguments, outcome.result) for call, outcome in zip(calls, outcomes, strict=True)]
        self._same = self._same + 1 if now == self._last else 1
        self._last = now
        if self._same >= SAME_CALL_LIMIT:
            return Noticed(
                "warning",
                f"stopped: the model made the same call {self._same} times with the same result",
                "say what it should do instead",
            )
        return None
