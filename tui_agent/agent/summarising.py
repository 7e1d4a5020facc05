"""Asks the model in use for a summary of a part of the conversation."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from tui_agent.agent.compaction import LEAST_SUMMARY, Budget, as_text, by_its_own_words, instruction, usable
from tui_agent.agent.context import Item, message_size, request_size
from tui_agent.agent.exchange import Exchange
from tui_agent.agent.fallback import DOWN
from tui_agent.agent.journal import Journal, TurnOptions
from tui_agent.agent.measuring import calibration, size_of_next
from tui_agent.agent.requests import first_request
from tui_agent.agent.spending import spent_on
from tui_agent.agent.window import Window
from tui_agent.conversation.errors import ProviderError
from tui_agent.conversation.events import AssistantReplied, Event, ProviderStatus, Retrying
from tui_agent.conversation.messages import Usage
from tui_agent.providers.protocol import ChatRequest

logger = logging.getLogger(__name__)

SUMMARISING = "summarising the conversation so far"
THINKING = 1024
"""Tokens of a reply that are allowed in any case: models that think do so within the same limit."""


class Written(NamedTuple):
    """A summary and who wrote it, or why there is none; and what all requests for it used."""

    summary: str = ""
    why: str = ""
    provider: str = ""
    model: str = ""
    usage: Usage = Usage()
    cost: float | None = None
    requests: int = 0

    def after(self, reply: AssistantReplied) -> "Written":
        """With what a further reply used; what its server did not count is counted here."""
        if not self.requests:
            return self._replace(usage=reply.usage, cost=reply.cost, requests=1)
        used = spent_on(reply)
        assert used is not None
        known = self.usage
        return self._replace(
            usage=Usage(
                (known.prompt_tokens or 0) + used.prompt_tokens,
                (known.completion_tokens or 0) + used.completion_tokens,
                (known.cached_tokens or 0) + used.cached_tokens,
            ),
            cost=used.cost if self.cost is None else self.cost + (used.cost or 0.0),
            requests=self.requests + 1,
        )


class Summaries:
    """What the model writes is not shown; only what its provider does meanwhile is.

    `hurry` says whether another provider may answer; it is None where the user waits for nothing but the summary.
    """

    def __init__(
        self,
        session: Journal,
        options: TurnOptions,
        emit: Callable[[Event], None],
        hurry: Callable[[], bool] | None,
    ) -> None:
        self._session = session
        self._options = options
        self._emit = emit
        self._hurry = hurry

    async def of(self, old: Sequence[Item], window: Window, budget: Budget, focus: str) -> Written:
        """A summary within its part of the budget, or why there is none.

        Raises:
            ProviderError: the server is down, and a list in place of a summary would help nobody: the next request
                would fail likewise, or somebody else may write one, or the user can ask again.
        """
        if (reached := self._session.limit_reached()) is not None:
            return Written(why=reached.text)
        replaced = sum(message_size(item.message) for item in old)
        most = min(budget.summary, max(replaced // 2, LEAST_SUMMARY))
        written = Written()
        provider = self._session.provider
        asked = instruction(most, focus)
        for request in await asyncio.to_thread(self._requests, old, window, asked, most, budget.density):
            exchange = Exchange(provider, request, request_size(request), self._quietly, self._session.price)
            self._emit(ProviderStatus(SUMMARISING))
            try:
                reply = exchange.logged(await exchange.run())
            except ProviderError as error:
                logger.warning("summary by %s: %s, status %s", provider.name, error.kind, error.status)
                self._raise_if_down(error)
                written = written._replace(why=error.message)
                if error.kind != "context":
                    break
                continue
            finally:
                self._emit(ProviderStatus(""))
            summary, why = usable(reply, replaced, most)
            written = written.after(reply)._replace(summary=summary, why=why)
            if summary:
                return written._replace(provider=reply.provider, model=reply.model)
        return written

    def _raise_if_down(self, error: ProviderError) -> None:
        by_hand = self._hurry is None
        hurry = self._hurry is not None and self._hurry()
        if error.kind == "unreachable" or (error.kind in DOWN and (by_hand or hurry)):
            error.hasty = error.hasty or (hurry and error.kind != "unreachable")
            raise error

    def _requests(
        self, old: Sequence[Item], window: Window, asked: str, most: int, density: float
    ) -> list[ChatRequest]:
        """What to try: the conversation as it was sent, where that fits, and then its text without tools."""
        hurry = self._hurry is not None and self._hurry()
        beginning = replace(first_request(self._session, self._options), hurry=hurry)
        factor = calibration(self._session).factor
        length = max(most * 2, min(window.reserve, THINKING))
        room = window.room if window.tokens is None else window.tokens - length
        own = replace(
            beginning,
            messages=by_its_own_words(beginning, old, asked),
            tool_choice="none",
            max_tokens=length,
        )
        fits = room is None or request_size(own) * factor <= room
        if room is None:
            room = size_of_next(self._session, self._options)
        bare = as_text(old, asked, 0)
        used = request_size(replace(beginning, messages=bare, tools=())) * factor
        text = as_text(old, asked, round((room - used) * density))
        return [*([own] if fits else []), replace(beginning, messages=text, tools=(), max_tokens=length, fixed=0)]

    def _quietly(self, event: Event) -> None:
        if isinstance(event, Retrying):
            self._emit(event)
