"""What a session sends to its model: the same beginning every time, and the conversation behind it."""

import asyncio
from collections.abc import Iterable

from msgspec.structs import replace

from tui_agent.agent.context import Item, joined, message_size
from tui_agent.agent.journal import Journal, TurnOptions
from tui_agent.agent.profile import offered
from tui_agent.agent.prompt import EXAMPLE, system_prompt
from tui_agent.conversation.events import LoggedEvent
from tui_agent.conversation.messages import Message
from tui_agent.providers.protocol import ChatRequest

LONG = 2500
"""Tokens of a conversation that may be too much for a model that nobody knows."""


async def know_model(session: Journal) -> list[LoggedEvent]:
    """Learn which model answers, and how much it is given.

    A server elsewhere is asked only where a long conversation might not fit: else nobody waits for that.

    Raises:
        ProviderError: no model is named and the server cannot say which it has.
    """
    if not session.model or (
        session.model_info is None and (session.provider.local or await asyncio.to_thread(_is_long, session))
    ):
        return await session.describe()
    return []


def _is_long(session: Journal) -> bool:
    return sum(message_size(item.message) for item in next_items(session)) > LONG


def next_request(session: Journal, options: TurnOptions) -> ChatRequest:
    """The whole conversation so far, as the model of now is sent it."""
    return with_items(first_request(session, options), next_items(session))


def next_items(session: Journal, *further: LoggedEvent) -> list[Item]:
    """The conversation so far, as if these events were logged already."""
    return session.conversation.items(session.records, *further, small=session.profile.small)


def with_items(beginning: ChatRequest, following: Iterable[Item]) -> ChatRequest:
    """The request that begins so, and goes on with these."""
    return replace(beginning, messages=joined(beginning.messages, following))


def first_request(session: Journal, options: TurnOptions) -> ChatRequest:
    """What every request of the session begins with: the system prompt and the tools on offer."""
    small = session.profile.small
    system = system_prompt(options.directory, options.system, options.system_addition, small=small)
    tools = offered(session.executor.specs(), session.profile) if options.tools else ()
    # A small model that is left to chance loses its way sooner than one that always takes the likeliest word.
    temperature = 0.0 if small else None
    fixed = (Message("system", system), *(EXAMPLE if small and tools else ()))
    return ChatRequest(session.model, fixed, tools, temperature=temperature, fixed=len(fixed))
