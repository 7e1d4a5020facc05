"""The engine behind the screen: there some time after the first paint, and waited for by whoever needs it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from tui_agent.conversation.errors import TuiAgentError
from tui_agent.tui.host import Host


class Engine:
    """The host, once it is there; `failure` is why it is not, if it could not be opened."""

    def __init__(self) -> None:
        self.host: Host | None = None
        self.failure: TuiAgentError | None = None
        self._opened = asyncio.Event()

    @property
    def opened(self) -> bool:
        """Whether nothing is being opened any more: neither the engine nor another session."""
        return self._opened.is_set()

    @property
    def busy(self) -> bool:
        """Whether a turn runs."""
        return self.host is not None and self.host.session.busy

    async def ready(self) -> Host | None:
        """Wait until nothing is being opened; None when there is no engine."""
        await self._opened.wait()
        return self.host

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Who needs the engine waits for the end of this: what is sent meanwhile belongs to what is being opened."""
        self._opened.clear()
        try:
            yield
        finally:
            self._opened.set()
