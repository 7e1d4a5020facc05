"""The log of one session, in memory and on disk, and where a session stood at its end."""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tui_agent.conversation.errors import StoreError
from tui_agent.conversation.events import (
    LoggedEvent,
    Mode,
    ModeChanged,
    ModelSwitched,
    Noticed,
    PromptSubmitted,
    Record,
    Rewound,
    SessionStarted,
    TurnEnded,
)
from tui_agent.store.log import GENESIS, SessionLog, StoreConflictError, seal


class Standing(NamedTuple):
    """Where a session stood at its end."""

    provider: str
    model: str
    mode: Mode


def standing(records: Sequence[Record]) -> Standing:
    """The provider, model and mode that were in force at the end of a log."""
    now = Standing("", "", "ask")
    for record in records:
        match record.event:
            case SessionStarted() as event:
                now = Standing(event.provider, event.model, event.mode)
            case ModelSwitched() as event:
                now = now._replace(provider=event.provider, model=event.model)
            case ModeChanged() as event:
                now = now._replace(mode=event.mode)
            case _:
                pass
    return now


def left_open(records: Sequence[Record]) -> bool:
    """Whether a log ends in the middle of a turn: the program was killed in it."""
    ends = PromptSubmitted | TurnEnded | Rewound
    last = next((record.event for record in reversed(records) if isinstance(record.event, ends)), None)
    return isinstance(last, PromptSubmitted)


def new_session_id(now: float) -> str:
    """An id that sorts by time and can be typed: `20261121-0945-3f9a1c` (UTC)."""
    return f"{time.strftime('%Y%m%d-%H%M', time.gmtime(now))}-{secrets.token_hex(3)}"


class Book:
    """Keeps the records; when the log cannot be written, it says so once and goes on in memory.

    `opening` makes the first event of a session that is new.
    """

    def __init__(
        self, log: SessionLog | None, clock: Callable[[], float], opening: Callable[[], SessionStarted]
    ) -> None:
        self.id = ""
        self.records: list[Record] = []
        self._log = log
        self._clock = clock
        self._opening = opening
        self._lock = asyncio.Lock()

    def continue_from(self, records: Sequence[Record]) -> None:
        """Go on behind these."""
        self.records = list(records)
        self.id = records[-1].session

    async def record(self, event: LoggedEvent) -> list[LoggedEvent]:
        """Log an event, the first one behind the opening of the session; what was logged comes back, a notice of
        trouble included."""
        async with self._lock:
            logged: list[LoggedEvent] = []
            if not self.records:
                self.id = new_session_id(self._clock())
                logged += await self._append(self._opening())
            return logged + await self._append(event)

    async def _append(self, event: LoggedEvent) -> list[LoggedEvent]:
        now = self._clock()
        trouble: Noticed | None = None
        if self._log is not None:
            try:
                if self.records:
                    record = await self._log.append(self.records[-1], event, now)
                else:
                    record = await self._log.create(self.id, _as_started(event), now)
                self.records.append(record)
                return [event]
            except StoreConflictError:
                trouble = await self._fork()
                if self._log is not None:
                    return [trouble, *await self._append(event)]
            except StoreError as error:
                self._log = None
                trouble = Noticed("warning", f"{error.message}; this session goes on unsaved", error.hint)
        previous = self.records[-1] if self.records else None
        record, _ = seal(
            self.id, previous.seq + 1 if previous else 1, now, event, previous.hash if previous else GENESIS
        )
        self.records.append(record)
        return [event] if trouble is None else [trouble, event]

    async def _fork(self) -> Noticed:
        """Another window continued this session: go on in a copy, so that neither is mixed into the other."""
        assert self._log is not None
        old, self.id = self.id, new_session_id(self._clock())
        copied: list[Record] = []
        try:
            for record in self.records:
                if copied:
                    copied.append(await self._log.append(copied[-1], record.event, record.time))
                else:
                    copied.append(await self._log.create(self.id, _as_started(record.event), record.time))
        except StoreError as error:
            self._log = None
            return Noticed("warning", f"{error.message}; this session goes on unsaved", error.hint)
        self.records = copied
        return Noticed("warning", f"session {old} was continued in another window", f"this window goes on as {self.id}")


def _as_started(event: LoggedEvent) -> SessionStarted:
    if not isinstance(event, SessionStarted):
        raise StoreError(f"a session cannot begin with {type(event).__name__}")
    return event
