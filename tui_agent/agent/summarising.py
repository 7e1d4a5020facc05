"""Asks the model in use for a summary of a part of the conversation."""

import logging
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from tui_agent.agent.compaction import CHARACTERS, LEAST_SUMMARY, as_text, by_its_own_words, instruction, usable
from tui_agent.agent.context import Item, message_size, request_size
from tui_agent.agent.exchange import Exchange
from tui_agent.agent.journal import Journal, TurnOptions
from tui_agent.agent.measuring import calibration, size_of_next
from tui_agent.agent.requests import first_request
from tui_agent.agent.window import Window
from tui_agent.conversation.errors import ProviderError
from tui_agent.conversation.events import AssistantReplied, Event, ProviderStatus, Retrying
from tui_agent.providers.protocol import ChatRequest

logger = logging.getLogger(__name__)

SUMMARISING = "summarising the conversation so far"
THINKING = 1024
"""Tokens of a reply that are allowed in any case: models that think do so within the same limit."""


class Summaries:
    """What the model writes is not shown; only what its provider does meanwhile is."""

    def __init__(self, session: Journal, options: TurnOptions, emit: Callable[[Event], None]) -> None:
        self._session = session
        self._options = options
        self._emit = emit

    async def of(
        self, old: Sequence[Item], window: Window, most: int, focus: str
    ) -> tuple[str, AssistantReplied] | str:
        """A summary of at most about so many tokens and the reply it came in; else why there is none."""
        if (reached := self._session.limit_reached()) is not None:
            return reached.text
        replaced = sum(message_size(item.message) for item in old)
        most = min(most, max(replaced // 2, LEAST_SUMMARY))
        why = ""
        for request in self._requests(old, window, instruction(most, focus), most):
            try:
                reply = await self._asked(request)
            except ProviderError as error:
                logger.warning("summary by %s: %s, status %s", self._session.provider.name, error.kind, error.status)
                why = error.message
                if error.kind != "context":
                    break
                continue
            summary, why = usable(reply, replaced, most)
            if summary:
                return summary, reply
        return why

    def _requests(self, old: Sequence[Item], window: Window, asked: str, most: int) -> list[ChatRequest]:
        """What to try: the conversation as it was sent, where that fits, and then its text without tools."""
        beginning = first_request(self._session, self._options)
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
        text = as_text(old, asked, round((room - used) / factor * CHARACTERS))
        return [*([own] if fits else []), replace(beginning, messages=text, tools=(), max_tokens=length, fixed=0)]

    async def _asked(self, request: ChatRequest) -> AssistantReplied:
        session = self._session
        exchange = Exchange(session.provider, request, request_size(request), self._quietly, session.price)
        self._emit(ProviderStatus(SUMMARISING))
        try:
            return exchange.logged(await exchange.run())
        finally:
            self._emit(ProviderStatus(""))

    def _quietly(self, event: Event) -> None:
        if isinstance(event, Retrying):
            self._emit(event)
