"""The keys of a question in the diff review: a yes there is one to what was accepted, and says so."""

import time
from collections.abc import Callable
from typing import Final

from textual import events

from tui_agent.permissions.approval import ApprovalRequest
from tui_agent.tui.arming import ArmingGuard
from tui_agent.tui.review_list import ReviewList
from tui_agent.tui.widgets.answer_bar import AnswerBar
from tui_agent.tui.widgets.key_hints import Hint

_ANSWERS: Final = frozenset({"allow", "allow_session", "deny", "deny_comment"})
"""What can be answered here; escape goes back to the chat, where it stops the turn."""


class ReviewBar(AnswerBar):
    """The `AnswerBar` of a review; `review` is what is reviewed, once it is known."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(ArmingGuard(), clock, beside="review")
        self.review: ReviewList | None = None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What was changed is not what the session would be allowed."""
        if action == "allow_session" and self.review is not None and not self.review.untouched:
            return False
        return action in _ANSWERS and super().check_action(action, parameters)

    def on_key(self, event: events.Key) -> None:
        """A key of the review right behind one that answers makes them a word: what it would answer must not change."""
        if (self._admitted or self._held is not None) and event.key in self._keys_of("review"):
            event.stop()
            event.prevent_default()
            self.prompt_key(event.key)

    def ask_about(self, request: ApprovalRequest) -> None:
        """As `ask`, and say what a yes would do."""
        self.ask(request)
        self.relabel()

    def relabel(self) -> None:
        """Something else is accepted than before; the gate stays as it is."""
        hints = self.hints
        hints.hints = self._said(hints.hints, short=False)
        hints.short = self._said(hints.short, short=True)
        hints.refresh(layout=True)

    def _said(self, hints: tuple[Hint, ...], *, short: bool) -> tuple[Hint, ...]:
        review = self.review
        assert review is not None
        return tuple(
            hint._replace(label=review.label(short=short)) if hint.action == "allow" else hint
            for hint in hints
            if self.check_action(hint.action, ())
        )
