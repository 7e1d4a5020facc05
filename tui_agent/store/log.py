"""What the engine needs of a session store, and how records are sealed into a chain."""

import hashlib
import time
from collections.abc import Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from tui_agent.conversation.errors import StoreError
from tui_agent.conversation.events import LoggedEvent, Record, SessionStarted
from tui_agent.store.locks import Holder

GENESIS = ""
"""The hash before the first record."""

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[LoggedEvent] = msgspec.json.Decoder(LoggedEvent)


class StoreConflictError(StoreError):
    """Somebody else appended to the same session meanwhile."""


class SessionHeldError(StoreError):
    """Another window has the session open."""

    def __init__(self, session: str, holder: Holder) -> None:
        who = f" ({holder.describe()})" if holder.describe() else ""
        super().__init__(
            f"session {session} is open in another window{who}",
            f"go on there, or in a copy: tui-agent sessions fork {session}",
        )
        self.session = session
        self.holder = holder


class SessionSummary(Struct, frozen=True):
    """One row of the session list; times in Unix seconds, `size` in bytes of what is logged."""

    id: str
    title: str
    working_directory: str
    provider: str
    model: str
    started: float
    updated: float
    turns: int
    events: int
    size: int = 0


class Hit(Struct, frozen=True):
    """A place in a session that a search found: the event and the line of it with the words."""

    session: str
    seq: int
    kind: str
    line: str


class Found(Struct, frozen=True):
    """What a search found, newest first, the best place of each session; `unread` events were not looked at yet."""

    hits: tuple[Hit, ...]
    unread: int = 0


def encode_event(event: LoggedEvent) -> bytes:
    """The event as JSON; lone surrogates, which JSON in UTF-8 cannot hold, become U+FFFD."""
    try:
        return _encoder.encode(event)
    except UnicodeEncodeError:
        return _encoder.encode(_without_surrogates(msgspec.to_builtins(event)))


def decode_event(payload: bytes) -> LoggedEvent:
    """The event of a payload.

    Raises:
        StoreError: not an event this version knows.
    """
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"unreadable event: {error}") from None


def moment(at: float) -> str:
    """A time of the log for people, in local time."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
    except (ValueError, OverflowError, OSError):
        return f"time {at!r}"


def _without_surrogates(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value


def link(previous: str, session: str, seq: int, time: float, payload: bytes) -> str:
    """SHA-256 (hex) over the previous hash, the record's place and its payload."""
    head = f"{previous}\n{session}\n{seq}\n{time!r}\n".encode()
    return hashlib.sha256(head + payload).hexdigest()


def seal(session: str, seq: int, time: float, event: LoggedEvent, previous: str) -> tuple[Record, bytes]:
    """The record of an event in its place, and the payload that was hashed."""
    payload = encode_event(event)
    return Record(session, seq, time, event, link(previous, session, seq, time, payload)), payload


class SessionLog(Protocol):
    """An append-only log of sessions; every implementation passes the same contract tests."""

    async def create(self, session: str, started: SessionStarted, at: float) -> Record:
        """Open a new session with its first record."""
        ...

    async def append(self, previous: Record, event: LoggedEvent, at: float) -> Record:
        """Add a record after `previous`.

        Raises:
            StoreConflictError: the session has moved on.
            StoreError: it could not be written; nothing was.
        """
        ...

    async def read(self, session: str) -> list[Record]:
        """All records in order; in place of an unreadable event stands a notice.

        Raises:
            StoreError: no such session.
        """
        ...

    async def end(self, session: str, least: int) -> list[Record]:
        """The last turns, whole ones, that hold at least `least` records together; all records where there are fewer.

        Raises:
            StoreError: no such session.
        """
        ...

    async def sessions(self, working_directory: str | None = None, limit: int = 500) -> list[SessionSummary]:
        """Sessions, latest first, of one directory or of all."""
        ...

    async def summary(self, session: str) -> SessionSummary:
        """One of them.

        Raises:
            StoreError: no such session.
        """
        ...

    async def find(self, beginning: str) -> list[str]:
        """The ids that begin so."""
        ...

    async def verify(self, session: str) -> str:
        """Empty when the chain is whole, else the first event that is wrong (number, kind, time), and how."""
        ...

    async def hold(self, session: str) -> None:
        """Have a session to oneself until it is released; whoever creates one holds it already.

        Raises:
            SessionHeldError: another window has it open.
        """
        ...

    async def release(self, session: str) -> None:
        """Let others open it."""
        ...

    @property
    def unguarded(self) -> str:
        """Why sessions cannot be held here, as far as it was tried; empty when they can."""
        ...

    async def rename(self, session: str, title: str) -> None:
        """Call it so in lists; an empty title is its first prompt again.

        Raises:
            StoreError: no such session.
        """
        ...

    async def salvage(self, session: str) -> list[Record]:
        """As `read`, but of a damaged session what can be read; a notice says what is missing.

        Raises:
            StoreError: no such session.
        """
        ...

    async def put(self, session: str, records: Sequence[Record], title: str, at: float) -> list[Record]:
        """Write a new session with the events and times of these records, sealed anew; in lists it is one of `at`.

        Raises:
            StoreError: it could not be written, or they do not begin as a session; nothing was written.
        """
        ...

    async def delete(self, session: str) -> None:
        """Take a session away for good: its events, what was indexed of them, and what backups of the log hold.

        Raises:
            SessionHeldError: another window has it open.
            StoreError: no such session.
        """
        ...

    async def search(self, words: str, working_directory: str | None = None) -> Found:
        """Sessions of one directory or of all whose text has all of the words, each the beginning of a word of it.

        Ask again while something is `unread`.
        """
        ...

    async def aclose(self) -> None:
        """Flush and close; safe to call twice."""
        ...
