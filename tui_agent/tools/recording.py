"""Keeping what calls change: the file of a write, and for a command all that it may change."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from threading import Event
from typing import Final

from tui_agent.conversation.errors import TuiAgentError
from tui_agent.permissions.approval import Access, CommandAccess, ForeignAccess, WriteAccess
from tui_agent.tools.builtin.desk import in_thread
from tui_agent.tools.protocol import Say, ToolResult
from tui_agent.workspace.changes import ChangePlan
from tui_agent.workspace.snapshots.snapshots import Before, Snapshots, new_name

IN_BACKGROUND: Final = "it cannot be undone: a background command goes on changing files"
STOPPED_SECONDS: Final = 2.0
"""How long may be looked at what a command changed that the user stopped."""


class Recording:
    """The `Recorder` of one executor."""

    def __init__(self, snapshots: Snapshots) -> None:
        self.snapshots: Final = snapshots
        self._ahead: asyncio.Task[None] | None = None
        self._said: set[str] = set()

    def name_for(self, access: Access) -> str:
        """See `Recorder.name_for`."""
        match access:
            case CommandAccess(background=True):
                return ""
            case CommandAccess(read_only=True) if access.sandbox:
                return ""
            case WriteAccess() | CommandAccess() | ForeignAccess():
                return new_name()
        return ""

    async def foresee(self, access: Access) -> str:
        """See `Recorder.foresee`. While the user reads the question, a first look at everything may go on."""
        if isinstance(access, CommandAccess) and access.background:
            return IN_BACKGROUND
        if not self.name_for(access):
            return ""
        try:
            await in_thread(self.snapshots.check)
        except TuiAgentError as error:
            return f"it cannot be undone: {error.message}"
        if isinstance(access, WriteAccess):
            return ""
        if self._ahead is None:
            self._ahead = asyncio.create_task(self._look_ahead())
        return _partly(self.snapshots.gaps)

    async def record(
        self, name: str, access: Access, perform: Callable[[], Awaitable[ToolResult]], say: Say
    ) -> ToolResult:
        """See `Recorder.record`."""
        if isinstance(access, WriteAccess):
            return await self._write(name, access.plan, perform, say)
        before = await self._before(say)
        try:
            return await perform()
        finally:
            if before is not None:
                await self._after(name, before, say)

    async def aclose(self) -> None:
        """See `Recorder.aclose`."""
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.wait([self._ahead])
        await in_thread(self.snapshots.close)

    async def _write(
        self, name: str, plan: ChangePlan, perform: Callable[[], Awaitable[ToolResult]], say: Say
    ) -> ToolResult:
        try:
            before = await in_thread(self.snapshots.states, plan)
        except TuiAgentError as error:
            await self._tell(say, f"what is written now cannot be undone: {error.message}", error.hint)
            return await perform()
        except Exception:
            await self._fault(say)
            return await perform()
        try:
            return await perform()
        finally:
            try:
                await in_thread(self.snapshots.finish_write, name, plan, before)
            except TuiAgentError as error:
                await self._tell(say, f"what was written cannot be undone: {error.message}", error.hint)
            except Exception:
                await self._fault(say)

    async def _before(self, say: Say) -> Before | None:
        try:
            if self._ahead is not None:
                await asyncio.wait([self._ahead])
            before = await self._look()
        except TuiAgentError as error:
            await self._tell(say, f"what runs now cannot be undone: {error.message}", error.hint)
            return None
        except Exception:
            await self._fault(say)
            return None
        if partly := _partly(before.tree.gaps):
            await self._tell(say, partly, "")
        return before

    async def _after(self, name: str, before: Before, say: Say) -> None:
        task = asyncio.current_task()
        seconds = STOPPED_SECONDS if task is not None and task.cancelling() else 0.0
        try:
            await in_thread(self.snapshots.finish, name, before, seconds)
        except TuiAgentError as error:
            await self._tell(say, f"what ran cannot be undone: {error.message}", error.hint)
        except Exception:
            await self._fault(say)

    async def _look_ahead(self) -> None:
        try:
            await self._look()
        except Exception:  # the look before the command says so
            logging.getLogger(__name__).info("look ahead failed", exc_info=True)

    async def _look(self) -> Before:
        """In a thread, which ends soon when nobody waits for it any more."""
        stopped = Event()
        work = asyncio.ensure_future(asyncio.to_thread(self.snapshots.look, 0.0, stopped.is_set))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            stopped.set()
            await asyncio.wait([work])
            work.exception()  # nobody asks for it any more
            raise

    async def _fault(self, say: Say) -> None:
        """A fault in keeping costs the undo, never the call."""
        logging.getLogger(__name__).exception("snapshot failed")
        await self._tell(say, "this cannot be undone: an internal error, which the log has", "")

    async def _tell(self, say: Say, text: str, hint: str) -> None:
        """Once each."""
        if text not in self._said:
            self._said.add(text)
            await say(text, hint)


def _partly(gaps: tuple[tuple[str, str], ...]) -> str:
    """What is said of a look that left something out."""
    if not gaps:
        return ""
    path, reason = gaps[0]
    more = f", and {len(gaps) - 1:,} more" if gaps[1:] else ""
    return f"not all of it can be undone: {f'{path}: ' if path else ''}{reason}{more}"
