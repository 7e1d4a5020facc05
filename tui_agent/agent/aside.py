"""A question beside the conversation: the model sees all of that, and nothing of the answer becomes a part of it."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace

from tui_agent.agent.cancellation import uninterrupted
from tui_agent.agent.context import request_size
from tui_agent.agent.exchange import Exchange
from tui_agent.agent.journal import Journal, TurnOptions
from tui_agent.agent.making_room import GENTLE, HARD
from tui_agent.agent.measuring import calibration, known_window, size_of_next
from tui_agent.agent.requests import first_request, know_model, next_items, with_items
from tui_agent.agent.window import Window
from tui_agent.conversation.errors import ProviderError, TuiAgentError
from tui_agent.conversation.events import (
    AsideAnswered,
    AssistantReplied,
    Event,
    LoggedEvent,
    RequestStarted,
    ResultsTrimmed,
)
from tui_agent.conversation.messages import Message
from tui_agent.providers.protocol import ChatRequest, Finished

logger = logging.getLogger(__name__)

INSTRUCTION = (
    "[A question beside the work. Answer it in words from what is known so far, briefly and without a tool; "
    "then the work goes on as if it had not been asked.]"
)


def aside_request(request: ChatRequest, question: str) -> ChatRequest:
    """What the next request would be, with the question at its end: all before that is the same bytes, tools included.

    Where the last message is the user's, as in the middle of a turn, the question goes on in it: some servers refuse
    two of them in a row.
    """
    asked = f"{INSTRUCTION}\n\n{question}"
    *before, last = request.messages
    if last.role == "user" and len(request.messages) > request.fixed:
        sent = (*before, Message("user", f"{last.content}\n\n{asked}"))
    else:
        sent = (*before, last, Message("user", asked))
    return replace(request, messages=sent, tool_choice="none")


def fitting(session: Journal, options: TurnOptions, question: str, room: int | None) -> ChatRequest:
    """The request for a question, with results of tools cut as far as its room asks for, which nobody logs.

    Raises:
        ProviderError: that is not enough.
    """
    beginning, factor = first_request(session, options), calibration(session).factor
    size = 0
    for kept in (None, *sorted({*GENTLE, *HARD}, reverse=True)):
        further = () if kept is None else (ResultsTrimmed(len(session.records) + 1, kept),)
        request = aside_request(with_items(beginning, next_items(session, *further)), question)
        size = round(request_size(request) * factor)
        if room is None or size <= room:
            return request
    text = f"The question does not fit beside the conversation: about {size:,} tokens, and there is room for {room:,}"
    raise ProviderError("context", text, "`/compact` makes room in the conversation")


async def ask(session: Journal, options: TurnOptions, question: str, emit: Callable[[Event], None]) -> None:
    """Ask, show the answer as it comes, and log it with the question; no tool runs.

    Being cancelled ends it: what had arrived of the answer is logged as incomplete.

    Raises:
        TuiAgentError: this run may send no further request.
        ProviderError: there is no answer, or it broke off; what had arrived is logged first.
    """

    async def log(event: LoggedEvent) -> None:
        for logged in await session.record(event):
            emit(logged)

    async def keep(reply: AssistantReplied) -> None:
        if reply.text.strip():
            await uninterrupted(log(_answered(question, reply)))

    async def exchanged(room: int | None) -> tuple[Finished, AssistantReplied]:
        request = fitting(session, options, question, room)
        size, provider = request_size(request), session.provider
        logger.info("question beside to %s, model %s, about %d tokens", provider.name, request.model, size)
        emit(RequestStarted(provider.name, request.model, 1, size))
        exchange = Exchange(provider, request, size, emit, session.price)
        try:
            finished = await exchange.run()
        except (asyncio.CancelledError, ProviderError):
            with suppress(asyncio.CancelledError):
                await keep(exchange.as_far_as_it_came())
            raise
        return finished, exchange.logged(finished)

    if (reached := session.limit_reached()) is not None:
        raise TuiAgentError(reached.text, reached.hint)
    for event in await know_model(session):
        emit(event)
    try:
        finished, reply = await exchanged(known_window(session).room)
    except ProviderError as error:
        if error.kind != "context":
            raise
        # It takes less than anybody knew.
        told, less = Window(error.window, "learned from an error").room, size_of_next(session, options) * 3 // 4
        finished, reply = await exchanged(less if told is None else min(told, less))
    await keep(reply)
    if finished.error:
        raise ProviderError("protocol", finished.error, "the part that arrived is kept; ask again")
    if not reply.text.strip():
        raise ProviderError("protocol", "the model sent no answer in words", "ask again, or ask another model")


def _answered(question: str, reply: AssistantReplied) -> AsideAnswered:
    return AsideAnswered(
        question=question,
        answer=reply.text,
        finish=reply.finish,
        provider=reply.provider,
        model=reply.model,
        usage=reply.usage,
        seconds=reply.seconds,
        cost=reply.cost,
    )
