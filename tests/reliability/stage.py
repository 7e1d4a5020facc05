"""A session on the real engine, store and tools, against a server that may misbehave."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from tests.fakes.chat_server import ChatServer, Reply, reply_calls
from tui_agent.agent.journal import TurnOptions
from tui_agent.agent.session import Session
from tui_agent.config.model import ProviderSettings
from tui_agent.conversation.events import Event, LoggedEvent, ToolFinished, TurnEnded
from tui_agent.permissions.approval import AllowOnce, ApprovalDecision, ApprovalRequest
from tui_agent.providers.openai_chat import OpenAIChatProvider
from tui_agent.store.log import SessionLog
from tui_agent.store.sqlite import SqliteLog
from tui_agent.tools.executor import ToolExecutor

E = TypeVar("E", bound=LoggedEvent)


class Yes:
    """Allows everything, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[ApprovalRequest] = []

    async def approve(self, request: ApprovalRequest) -> ApprovalDecision:
        """See `Approver.approve`."""
        self.asked.append(request)
        return AllowOnce(request.digest)


async def no_nap(seconds: float) -> None:
    """Stands in for waiting between retries."""


def provider_for(
    server: ChatServer, sleep: Callable[[float], Awaitable[None]] = no_nap, **settings: Any
) -> OpenAIChatProvider:
    """A client of the server; it does not wait between retries unless `sleep` does."""
    wanted = ProviderSettings(**{"base_url": server.url, "requires_api_key": False, "timeout": 20.0, **settings})
    return OpenAIChatProvider("fake", wanted, server.url, lambda: "not-needed", sleep=sleep, jitter=lambda: 0.0)


@asynccontextmanager
async def session_at(
    server: ChatServer,
    root: Path,
    *,
    approver: Any = None,
    log: SessionLog | None = None,
    clock: Callable[[], float] | None = None,
    provider: OpenAIChatProvider | None = None,
    **settings: Any,
) -> AsyncIterator[Session]:
    """A session in `root/project`, its log in `root/sessions.db`; `settings` are those of the provider."""
    project = root / "project"
    project.mkdir(exist_ok=True)
    store = log or SqliteLog(root / "sessions.db")
    client = provider or provider_for(server, **settings)
    executor = ToolExecutor(working_directory=project, approver=approver or Yes())
    session = Session(
        log=store,
        executor=executor,
        provider=client,
        model="fake-model",
        options=TurnOptions(directory=str(project)),
        working_directory=str(project),
        version="0",
        **({} if clock is None else {"clock": clock}),
    )
    try:
        yield session
    finally:
        await executor.aclose()
        await client.aclose()
        await store.aclose()


async def collect(session: Session, prompt: str) -> list[Event]:
    """All events of a turn."""
    return [event async for event in session.run(prompt)]


def logged(session: Session, kind: type[E]) -> list[E]:
    """The events of one kind in the log."""
    return [record.event for record in session.records if isinstance(record.event, kind)]


def results(session: Session) -> list[tuple[str, str]]:
    """The calls that have a result, each with its status."""
    return [(event.call_id, event.status) for event in logged(session, ToolFinished)]


def reason(session: Session) -> str:
    """Why the last turn ended."""
    return logged(session, TurnEnded)[-1].reason


def write(path: str, content: str = "x\n", first: int = 1, answer: str = "") -> Reply:
    """A call that writes a file."""
    return reply_calls([("write_file", {"file_path": path, "content": content})], answer=answer, first=first)
