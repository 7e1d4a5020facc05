"""The questions of the engine, one at a time: in line, on the panel, in the review, and answered or withdrawn."""

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from textual.screen import Screen
from textual.widget import Widget

from tui_agent.permissions.approval import (
    AllowForSession,
    AllowOnce,
    ApprovalDecision,
    ApprovalRequest,
    Denied,
    WriteAccess,
)
from tui_agent.tui.counsel import SessionCounsel
from tui_agent.tui.theming import Symbols

if TYPE_CHECKING:  # imported with the first question
    from tui_agent.tui.review_list import ReviewList
    from tui_agent.tui.screens.review import ReviewScreen
    from tui_agent.tui.widgets.approval_panel import ApprovalPanel


PATIENCE = 0.5
"""Seconds for which a key waits at most for those in front of it."""


@dataclass(slots=True)
class _Question:
    request: ApprovalRequest
    answer: asyncio.Future[ApprovalDecision]


class Questions:
    """The `Approver` of a screen: shows questions on a panel that it mounts as the first child of `place`.

    `changed` is called whenever another question, or none, is in front.
    """

    def __init__(self, screen: Screen[None], counsel: SessionCounsel, changed: Callable[[], None]) -> None:
        self._screen = screen
        self._counsel = counsel
        self._changed = changed
        self._waiting: list[_Question] = []
        self._panel: ApprovalPanel | None = None
        self._review: ReviewScreen | None = None
        self._reviewed: list[ReviewList] = []  # of this turn
        self._ahead: dict[str, tuple[str, ApprovalDecision]] = {}  # by call: the digest that was shown, and the answer
        self._closed = False
        self._typed = ("", -math.inf)  # the last key that went elsewhere, and when
        self._fed = False  # keys went to the question since it was waited for them

    @property
    def first(self) -> ApprovalRequest | None:
        """The question in front."""
        return self._waiting[0].request if self._waiting else None

    @property
    def armed(self) -> bool:
        """Whether a key would answer now."""
        return self._panel is not None and self._panel.armed

    @property
    def has_keys(self) -> bool:
        """Whether a question has the focus."""
        return self._panel is not None and self._panel.bar.has_focus

    async def ask(self, request: ApprovalRequest, place: Widget, symbols: Symbols) -> ApprovalDecision:
        """Show a question when its turn comes and wait for the answer; being cancelled withdraws it.

        One that was answered ahead, in the review of an earlier one, has its answer if it is still the very same.
        """
        digest, given = self._ahead.pop(request.call_id, ("", None))
        if given is not None and digest == request.digest:
            return given
        if self._panel is None:
            from tui_agent.tui.widgets.approval_panel import ApprovalPanel

            self._panel = ApprovalPanel(symbols=symbols, counsel=self._counsel)
            await place.mount(self._panel, before=0)
            self._panel.prompt_key_pressed(*self._typed)
        question = _Question(request, asyncio.get_running_loop().create_future())
        self._waiting.append(question)
        self._counsel.asked(request)
        self._show()
        try:
            answer = await question.answer
            self._counsel.answered(request, answer)
            return answer
        finally:
            self._waiting.remove(question)
            if self._review is not None:
                self._review.withdraw(request)
            self._show()

    def answer(self, request: ApprovalRequest, decision: ApprovalDecision) -> None:
        """Answer a question; one that was withdrawn or answered before takes none."""
        if isinstance(decision, Denied) and decision.stop:
            self.forget()
        for question in self._waiting:
            if question.request is request and not question.answer.done():
                question.answer.set_result(decision)

    @property
    def written(self) -> str:
        """What was written for the question in front and answers nothing yet."""
        return self._panel.written if self._panel is not None else ""

    def close(self) -> None:
        """Show no more: the screen goes."""
        self._closed = True

    def typed_elsewhere(self, key: str = "") -> None:
        """A key went to another widget than the question's: someone is busy there, and the question waits."""
        self._typed = (key, time.monotonic())
        if self._panel is None:
            return
        if not self._panel.has_focus_within or self._screen.app.screen is not self._screen:
            self._panel.prompt_key_pressed(key)
        else:
            self._fed = self._fed or self.has_keys

    async def caught_up(self) -> None:
        """Wait until keys that went to a question did what they do; what was no answer is in the prompt then.

        Without it a letter that the question gives back, and the focus with it, is overtaken by those behind it.
        """
        if not self._fed or self._panel is None:
            return
        self._fed, bar = False, self._panel.bar
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                # The first twice: what it says of a key stands behind the key in its own queue.
                for node in (bar, *bar.ancestors_with_self):
                    passed = asyncio.Event()
                    if node is not self._screen.app and node.call_later(passed.set):
                        await passed.wait()

    def refocused(self) -> None:
        """The terminal has the focus again: the click that gave it back answers nothing."""
        if self._panel is not None:
            self._panel.refocused()

    def forget(self) -> None:
        """The turn is over: what was answered ahead, and decided in reviews, was about that."""
        self._reviewed.clear()
        self._ahead.clear()

    def is_changed(self, request: ApprovalRequest, decision: ApprovalDecision) -> bool:
        """True for a yes to a change of which something else was made in the review: it is given there."""
        yes = isinstance(decision, AllowForSession) or (isinstance(decision, AllowOnce) and not decision.files)
        made = [review for review in self._reviewed if review.request is request]
        return yes and bool(made) and not made[-1].untouched

    async def review(
        self,
        layout: Literal["auto", "unified", "split"],
        symbols: Symbols,
        *,
        editing: bool = False,
        directory: Path | None = None,
    ) -> bool:
        """Open the diff of the change in front, and answer with what was decided there; False when there is none."""
        from tui_agent.tui.screens.review import ReviewScreen

        request = self.first
        if request is None or not isinstance(request.access, WriteAccess) or self._review is not None:
            return request is not None and self._review is not None
        known = self._panel.changes if self._panel is not None and self._panel.request is request else ()
        self._review = screen = ReviewScreen(
            known or request.access.plan,
            request=request,
            earlier=tuple(self._reviewed),
            editing=editing,
            directory=directory,
            layout=layout,
            symbols=symbols,
        )
        try:
            answers = await self._screen.app.push_screen_wait(screen)
        finally:
            self._review = None
        if screen.review is not None and request is self.first:
            self._reviewed.append(screen.review)
        if answers is not None and request is self.first:
            self._ahead.update((asks.call_id, (asks.digest, decision)) for asks, decision in answers.ahead)
            self.answer(request, answers.decision)
        elif self._panel is not None and request is self.first:
            self._show()
        return True

    def _show(self) -> None:
        if self._closed or self._panel is None:
            return
        if self.first is None:
            if self._panel.has_focus_within:
                self._screen.set_focus(None)  # the screen gives it to whom it belongs now
            self._panel.clear()
        elif self._panel.request is not self.first:
            self._panel.ask(self.first, len(self._waiting))
        self._changed()
