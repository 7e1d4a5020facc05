"""A session with several providers, for tests of what stops it and who answers in it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from tui_agent.agent.fallback import Substitute
from tui_agent.agent.journal import TurnOptions
from tui_agent.agent.session import Session
from tui_agent.agent.spending import Limits
from tui_agent.config.model import Price, ProviderSettings
from tui_agent.conversation.errors import ProviderError
from tui_agent.conversation.events import Event
from tui_agent.providers.openai_chat import OpenAIChatProvider
from tui_agent.store.sqlite import SqliteLog
from tui_agent.tools.executor import ToolExecutor

SETTINGS = ProviderSettings(requires_api_key=False, max_retries=0, timeout=20)


One = TypeVar("One")


async def at_once(seconds: float) -> None:
    """No time passes between retries."""


@asynccontextmanager
async def session_of(
    root: Path,
    urls: Mapping[str, str],
    fallback: Sequence[str],
    *,
    settings: ProviderSettings = SETTINGS,
    without_key: Sequence[str] = (),
    price: Price | None = None,
    limits: Limits | None = None,
) -> AsyncIterator[Session]:
    """A session that starts with the first of the providers; those `without_key` have none."""
    providers = {
        name: OpenAIChatProvider(name, replace(settings, base_url=url), url, "k", sleep=at_once)
        for name, url in urls.items()
    }

    async def substitute(entry: str) -> Substitute:
        name, _, model = entry.partition("/")
        if name in without_key:
            raise ProviderError("key", f"API key not found for {name}")
        return Substitute(providers[name], model or f"{name}-model")

    (root / "project").mkdir(exist_ok=True)
    log, executor = SqliteLog(root / "sessions.db"), ToolExecutor(working_directory=root / "project")
    session = Session(
        log=log,
        executor=executor,
        provider=next(iter(providers.values())),
        model="first-model",
        options=TurnOptions(fallback=tuple(fallback), limits=limits or Limits()),
        substitute_for=substitute,
        price_for=lambda provider, model: price,
        working_directory=str(root / "project"),
        version="0",
    )
    try:
        yield session
    finally:
        await executor.aclose()
        for provider in providers.values():
            await provider.aclose()
        await log.aclose()


async def ask(session: Session, prompt: str = "hi") -> list[Event]:
    return [event async for event in session.run(prompt)]


def of(events: Sequence[Event], kind: type[One]) -> list[One]:
    return [event for event in events if isinstance(event, kind)]
