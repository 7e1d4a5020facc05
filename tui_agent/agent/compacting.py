"""One compaction that the user asked for, between two turns."""

import asyncio
import logging
from collections.abc import Callable

from tui_agent.agent.cancellation import uninterrupted
from tui_agent.agent.journal import Journal, TurnOptions
from tui_agent.agent.making_room import MakingRoom
from tui_agent.conversation.events import Event, LoggedEvent

logger = logging.getLogger(__name__)


class CompactionByHand:
    """Runs once."""

    def __init__(self, session: Journal, options: TurnOptions, emit: Callable[[Event], None]) -> None:
        self.ended = False
        self._session = session
        self._emit = emit
        self._room = MakingRoom(session, options, self._log, emit)
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def interrupt(self) -> None:
        """Stop it; nothing is logged of one that was stopped. Safe to call again."""
        if not self._stopping:
            self._stopping = True
            if self._task is not None:
                self._task.cancel()

    async def run(self, focus: str) -> None:
        """Run to the end; raises as `MakingRoom.compact` does."""
        self._task = asyncio.current_task()
        try:
            if self._stopping:
                return
            for event in self._session.take_unsaid():
                await self._log(event)
            await self._room.compact(focus)
        except asyncio.CancelledError:
            logger.info("compaction stopped")
        finally:
            self.ended = True

    async def _log(self, event: LoggedEvent) -> None:
        async def both() -> None:
            for logged in await self._session.record(event):
                self._emit(logged)

        await uninterrupted(both())
