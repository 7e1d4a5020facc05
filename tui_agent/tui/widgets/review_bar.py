"""The keys of a question in the diff review: a yes there is one to what was accepted, and says so."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

from textual import events

from tui_agent.permissions.approval import ApprovalRequest
from tui_agent.tui.arming import ArmingGuard
from tui_agent.tui.bindings import passed_on
from tui_agent.tui.review_list import ReviewList
from tui_agent.tui.widgets.answer_bar import AnswerBar
from tui_agent.tui.widgets.key_hints import Hint

_ANSWERS: Final = frozenset({"allow", "allow_session", "deny", "deny_comment"})
"""What can be answered here; escape goes back to the chat, where it stops the turn."""


class ReviewBar(AnswerBar):
    """The `AnswerBar` of a review; `review` is what is reviewed, once it is known."""

    def __init__(
        self, take_key: Callable[[events.Key], Awaitable[bool]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(ArmingGuard(), clock, beside="review")
        self._take_key = take_key  # does what a key of the review does; whether it is one
        self.review: ReviewList | None = None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What was changed is not what the session would be allowed."""
        if action == "allow_session" and self.review is not None and not self.review.untouched:
            return False
        return action in _ANSWERS and super().check_action(action, parameters)

    async def _on_key(self, event: events.Key) -> None:
        """Keys of the review do what they do before the next key is read: it may be meant for a line that they open.

        Right behind a key that answers they make a word with it: what it would answer must not change.
        """
        if passed_on(event, self) or event.key in self.keys:
            return
        if event.key not in self._keys_of("review"):
            return
        if self._admitted or self._held is not None:
            self.prompt_key(event.key)
        elif not await self._take_key(event):
            return
        event.stop()
        event.prevent_default()

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
