"""What is read from the tables of the session log, and written to them; every writer is one transaction."""

import sqlite3
from collections.abc import Iterator, Sequence

from tui_agent.conversation.errors import StoreError
from tui_agent.conversation.events import (
    LoggedEvent,
    ModelSwitched,
    Noticed,
    PromptSubmitted,
    Record,
    SessionStarted,
    TurnEnded,
)
from tui_agent.store.database import MALFORMED, told, transaction
from tui_agent.store.log import (
    GENESIS,
    SessionSummary,
    StoreConflictError,
    decode_event,
    link,
    moment,
    seal,
)

TITLE_LENGTH = 120

_SUMMARY = "id, title, working_directory, provider, model, started, updated, turns, events, bytes"
_EVENTS = "SELECT seq, time, payload, hash FROM events WHERE session = ? ORDER BY seq"


def create(db: sqlite3.Connection, session: str, started: SessionStarted, at: float) -> Record:
    """Open a session with its first record."""
    with transaction(db):
        return _begin(db, session, started, at)


def _begin(db: sqlite3.Connection, session: str, started: SessionStarted, at: float) -> Record:
    record, payload = seal(session, 1, at, started, GENESIS)
    db.execute(
        "INSERT INTO sessions (id, working_directory, provider, model, started, updated, events)"
        " VALUES (?, ?, ?, ?, ?, ?, 0)",
        (session, *map(storable, (started.working_directory, started.provider, started.model)), at, at),
    )
    _insert(db, record, payload)
    return record


def append(db: sqlite3.Connection, previous: Record, event: LoggedEvent, at: float) -> Record:
    """Add a record.

    Raises:
        StoreConflictError: the session has moved on from `previous`.
    """
    record, payload = seal(previous.session, previous.seq + 1, at, event, previous.hash)
    with transaction(db):
        last = db.execute(
            "SELECT seq, hash FROM events WHERE session = ? ORDER BY seq DESC LIMIT 1", (previous.session,)
        ).fetchone()
        if last is None:
            raise StoreConflictError("this session was deleted in another window")
        if last != (previous.seq, previous.hash):
            raise StoreConflictError("another window has continued this session", "open it again to see what it added")
        _insert(db, record, payload)
    return record


def put(db: sqlite3.Connection, session: str, records: Sequence[Record], title: str, at: float) -> list[Record]:
    """Write a whole session, sealed anew.

    Raises:
        StoreError: it does not begin as one.
    """
    if not records or not isinstance(started := records[0].event, SessionStarted):
        raise StoreError("a session begins with where and with what model it was started; this one does not")
    with transaction(db):
        written = [_begin(db, session, started, records[0].time)]
        for old in records[1:]:
            last = written[-1]
            record, payload = seal(session, last.seq + 1, old.time, old.event, last.hash)
            _insert(db, record, payload)
            written.append(record)
        if title:
            rename(db, session, title)
        db.execute("UPDATE sessions SET updated = ? WHERE id = ?", (at, session))
    return written


def storable(text: str) -> str:
    """Text that SQLite can hold: a byte of a folder's name that is not UTF-8, and lone surrogates, become escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _insert(db: sqlite3.Connection, record: Record, payload: bytes) -> None:
    db.execute(
        "INSERT INTO events (session, seq, time, payload, hash) VALUES (?, ?, ?, ?, ?)",
        (record.session, record.seq, record.time, payload, record.hash),
    )
    db.execute(
        "UPDATE sessions SET updated = ?, events = ?, bytes = bytes + ? WHERE id = ?",
        (record.time, record.seq, len(payload), record.session),
    )
    match record.event:
        case PromptSubmitted(text=text):
            db.execute(
                "UPDATE sessions SET turns = turns + 1, title = CASE title WHEN '' THEN ? ELSE title END WHERE id = ?",
                (_title(text), record.session),
            )
        case ModelSwitched(provider=provider, model=model):
            db.execute(
                "UPDATE sessions SET provider = ?, model = ? WHERE id = ?",
                (storable(provider), storable(model), record.session),
            )
        case _:
            pass


def _title(text: str) -> str:
    return storable(" ".join(text.split())[:TITLE_LENGTH])


def rename(db: sqlite3.Connection, session: str, title: str) -> None:
    """Call a session so; with an empty title by its first prompt."""
    if not title.strip():
        events = (readable(payload) for _, _, payload, _ in db.execute(_EVENTS, (session,)))
        title = next((event.text for event in events if isinstance(event, PromptSubmitted)), "")
    if not db.execute("UPDATE sessions SET title = ? WHERE id = ?", (_title(title), session)).rowcount:
        raise no_session(session)


def delete(db: sqlite3.Connection, session: str) -> None:
    """Take a session away."""
    with transaction(db):
        db.execute("DELETE FROM events WHERE session = ?", (session,))
        db.execute("DELETE FROM sessions WHERE id = ?", (session,))


def payloads(db: sqlite3.Connection, session: str) -> Iterator[tuple[int, bytes]]:
    """What is logged of a session, by place."""
    return iter(db.execute("SELECT place, payload FROM events WHERE session = ?", (session,)))


def read(db: sqlite3.Connection, session: str) -> list[Record]:
    """All records in order."""
    # Row by row: the payloads of a long session must not be in memory beside their events.
    rows = db.execute(_EVENTS, (session,))
    records = [Record(session, seq, at, readable(payload), digest) for seq, at, payload, digest in rows]
    if not records:
        raise no_session(session)
    return records


def salvage(db: sqlite3.Connection, session: str) -> list[Record]:
    """The records that can be read, from the beginning and from the end; a notice stands for those between."""
    first, problem = _until_damage(db, session, _EVENTS)
    if not problem:
        if not first:
            raise no_session(session)
        return first
    last, _ = _until_damage(db, session, f"{_EVENTS} DESC")
    missing = first[-1].seq + 1 if first else 1
    rest = [record for record in reversed(last) if record.seq > missing]
    upto = f" to {rest[0].seq - 1}" if rest and rest[0].seq > missing + 1 else "" if rest else " and what followed it"
    notice = Noticed("warning", f"event {missing}{upto} cannot be read: {problem}")
    at = first[-1].time if first else rest[0].time if rest else 0.0
    return [*first, Record(session, missing, at, notice, ""), *rest]


def _until_damage(db: sqlite3.Connection, session: str, query: str) -> tuple[list[Record], str]:
    records: list[Record] = []
    try:
        for seq, at, payload, digest in db.execute(query, (session,)):
            records.append(Record(session, seq, at, readable(payload), digest))
    except sqlite3.DatabaseError as error:
        return records, told(error)
    return records, ""


def end(db: sqlite3.Connection, session: str, least: int) -> list[Record]:
    """The last turns, whole ones, with at least so many records."""
    records: list[Record] = []
    for seq, at, payload, digest in db.execute(f"{_EVENTS} DESC", (session,)):
        event = readable(payload)
        if len(records) >= least and isinstance(event, TurnEnded):
            break
        records.append(Record(session, seq, at, event, digest))
    if not records:
        raise no_session(session)
    records.reverse()
    return records


def no_session(session: str) -> StoreError:
    """What is said of an id that nothing has."""
    return StoreError(f"no session {session!r}", "`tui-agent sessions list` shows the ones there are")


def readable(payload: bytes) -> LoggedEvent:
    """The event, or a notice in its place: the records around it stay usable and the chain whole."""
    try:
        return decode_event(payload)
    except StoreError as error:
        return Noticed("warning", f"an event of this session cannot be read ({error.message})")


def sessions(db: sqlite3.Connection, working_directory: str | None, limit: int) -> list[SessionSummary]:
    """Sessions, latest first; of a damaged table those that can be read."""
    where, values = "", tuple[str, ...]()
    if working_directory is not None:
        where, values = "WHERE working_directory = ?", (storable(working_directory),)
    query = f"SELECT {_SUMMARY} FROM sessions {where} ORDER BY updated DESC, id DESC LIMIT ?"
    try:
        return [SessionSummary(*row) for row in db.execute(query, (*values, limit))]
    except sqlite3.DatabaseError as error:
        if told(error) != MALFORMED:
            raise
        found = {row.id: row for row in _readable_sessions(db)}.values()
        if not found:
            raise
        rows = [row for row in found if working_directory in (None, row.working_directory)]
        return sorted(rows, key=lambda row: (row.updated, row.id), reverse=True)[:limit]


def summary(db: sqlite3.Connection, session: str) -> SessionSummary:
    """One session."""
    row = db.execute(f"SELECT {_SUMMARY} FROM sessions WHERE id = ?", (session,)).fetchone()
    if row is None:
        raise no_session(session)
    return SessionSummary(*row)


def _readable_sessions(db: sqlite3.Connection) -> Iterator[SessionSummary]:
    """In the order of the file, from both ends, each as far as it can be read."""
    for order in ("ASC", "DESC"):
        try:
            for row in db.execute(f"SELECT {_SUMMARY} FROM sessions NOT INDEXED ORDER BY rowid {order}"):
                yield SessionSummary(*row)
        except sqlite3.DatabaseError:
            continue


def find(db: sqlite3.Connection, beginning: str) -> list[str]:
    """The ids that begin so."""
    rows = db.execute("SELECT id FROM sessions WHERE substr(id, 1, ?) = ? ORDER BY id", (len(beginning), beginning))
    return [row[0] for row in rows]


def verify(db: sqlite3.Connection, session: str) -> str:
    """What is wrong with the first event that is not as it was written; empty when all are."""
    previous, place = GENESIS, 0
    try:
        for place, (seq, at, payload, digest) in enumerate(db.execute(_EVENTS, (session,)), start=1):
            if seq != place:
                return f"event {place} is missing: {_named(seq, at, payload)} is the next one"
            if digest != link(previous, session, seq, at, payload):
                return f"{_named(seq, at, payload)} does not fit the one before it: it was changed after it was written"
            try:
                decode_event(payload)
            except StoreError as error:
                return f"{_named(seq, at, payload)}: {error.message}"
            previous = digest
    except sqlite3.DatabaseError as error:
        return f"event {place + 1} cannot be read: {told(error)}"
    row = db.execute("SELECT events FROM sessions WHERE id = ?", (session,)).fetchone()
    if row is None:
        raise no_session(session)
    return f"event {place + 1} is missing: there were {row[0]:,}" if place < row[0] else ""


def _named(seq: int, at: float, payload: bytes) -> str:
    """Number, kind and time of an event."""
    try:
        kind = str(decode_event(payload).__struct_config__.tag)
    except StoreError:
        kind = "unreadable"
    return f"event {seq} ({kind}, {moment(at)})"
