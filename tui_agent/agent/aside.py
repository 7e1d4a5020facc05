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
from tui_agent.agent.requests import know_model, next_request
from tui_agent.conversation.errors import ProviderError, TuiAgentError
from tui_agent.conversation.events import AsideAnswered, AssistantReplied, Event, LoggedEvent, RequestStarted
from tui_agent.conversation.messages import Message
from tui_agent.providers.protocol import ChatRequest

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

    if (reached := session.limit_reached()) is not None:
        raise TuiAgentError(reached.text, reached.hint)
    for event in await know_model(session):
        emit(event)
    provider = session.provider
    request = aside_request(next_request(session, options), question)
    size = request_size(request)
    logger.info("question beside to %s, model %s, about %d tokens", provider.name, request.model, size)
    emit(RequestStarted(provider.name, request.model, 1, size))
    exchange = Exchange(provider, request, size, emit, session.price)
    try:
        finished = await exchange.run()
    except (asyncio.CancelledError, ProviderError):
        with suppress(asyncio.CancelledError):
            await keep(exchange.as_far_as_it_came())
        raise
    reply = exchange.logged(finished)
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
