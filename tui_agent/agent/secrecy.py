"""Our own keys stay out of what happens: out of the log, of what a model is told, and of what a face is shown."""

from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from tui_agent.conversation.events import Event, ReasoningDelta, TextDelta, ToolOutput
from tui_agent.text.own_keys import own_keys
from tui_agent.text.redaction import redact_tree

E = TypeVar("E", bound=Event)


def without_keys(event: E) -> E:
    """The same event without our own keys in any of its texts."""
    if not own_keys:
        return event
    found = False

    def hide(text: str) -> str:
        nonlocal found
        hidden = own_keys.hide(text)
        found = found or hidden != text
        return hidden

    tree = redact_tree(msgspec.to_builtins(event), hide)
    return msgspec.convert(tree, type(event)) if found else event


class KeyFilter:
    """Hands events on without our own keys, also where a key comes in pieces.

    What may be the beginning of a key waits for the next piece of the same stream, or for anything else to happen.
    """

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._held: TextDelta | ReasoningDelta | ToolOutput | None = None

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if not own_keys:
            self._emit(event)
        elif isinstance(event, TextDelta | ReasoningDelta | ToolOutput):
            self._piece(event)
        else:
            self._flush()
            self._emit(without_keys(event))

    def _piece(self, event: TextDelta | ReasoningDelta | ToolOutput) -> None:
        held = self._held
        if held is not None and replace(held, text="") != replace(event, text=""):
            self._flush()
            held = None
        text = own_keys.hide((held.text if held is not None else "") + event.text)
        ready = len(text) - own_keys.begun(text)
        self._held = replace(event, text=text[ready:]) if ready < len(text) else None
        if ready:
            self._emit(replace(event, text=text[:ready]))

    def _flush(self) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            self._emit(held)
