"""Finding sessions by their text: a word index beside the log, built from it when somebody searches.

The index is a file of its own that can be thrown away: a damaged one is built again, and where there is none (SQLite
without FTS5, a folder that cannot be written) the log itself is read through. It holds words, not texts: what is found
is looked up in the log.
"""

import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

from tui_agent.conversation.errors import StoreError
from tui_agent.conversation.events import (
    AsideAnswered,
    AssistantReplied,
    Compacted,
    LoggedEvent,
    PromptSubmitted,
    ToolFinished,
)
from tui_agent.store.database import BUSY_TIMEOUT, open_to_read, transaction
from tui_agent.store.log import Found, Hit, decode_event

MOST_FOUND = 200
"""Sessions that one search finds."""
LINE = 160
"""Characters of the line that is shown of a place."""

_VERSION = 2
"""Of what is indexed and how: another number, and the index is built again."""
_BATCH = 500
_SECONDS = 0.3
"""How long one search may spend on what is not indexed yet."""

# Scripts that put no blanks between words: each of their characters counts as one.
_UNSPACED = re.compile("([\u2e80-\u303f\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])")
_WORD = re.compile(r"[^\W_]+")

_MAKE = (
    "CREATE VIRTUAL TABLE words USING fts5(text, content='', detail=none, columnsize=0, tokenize='ascii')",
    "CREATE TABLE state (log TEXT NOT NULL, upto INTEGER NOT NULL)",
)


class SearchIndex:
    """Searches one log; every call opens the files anew, so it may be made from any thread."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self.path = log.with_suffix(".search")

    def search(self, words: str, directory: str | None = None, stopped: Callable[[], bool] = lambda: False) -> Found:
        """See `SessionLog.search`; `stopped` is asked now and then whether nobody waits any more.

        Raises:
            StoreError: the log is of another schema.
            sqlite3.Error: it cannot be read.
        """
        wanted = [fold(word) for word in words.split()]
        if not any(_WORD.search(word) for word in wanted):
            return Found(())
        log = open_to_read(self._log)
        if log is None:
            raise StoreError(f"session log {self._log} has to be opened by this version first")
        with closing(log):
            log.set_progress_handler(stopped, 100_000)
            try:
                places, unread = self._places(log, wanted)
                return Found(tuple(_hits(log, places, wanted, directory, stopped)), unread)
            except sqlite3.OperationalError:
                if stopped():
                    return Found(())
                raise

    def _places(self, log: sqlite3.Connection, wanted: Sequence[str]) -> tuple[Iterable[int], int]:
        """Events that may have the words, newest first, and how many are not indexed yet."""
        try:
            with closing(self._opened()) as index:
                unread = _catch_up(index, log, time.monotonic() + _SECONDS)
                terms = " ".join(term for word in wanted for term in _terms(word))
                rows = index.execute("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid DESC", (terms,))
                return [row[0] for row in rows], unread
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, sqlite3.DatabaseError) and _damaged(error):
                self.drop()
            return (row[0] for row in log.execute("SELECT place FROM events ORDER BY place DESC")), 0

    def forgetting(self, texts: Callable[[], Iterable[tuple[int, bytes]]], delete: Callable[[], None]) -> None:
        """Run `delete`, which takes events out of the log, and take the same out of the index.

        `texts` reads these events, by place. Where the index cannot be changed it is thrown away.
        """
        if not self.path.exists():
            delete()
            return
        try:
            index = self._opened()
        except (sqlite3.Error, OSError):
            delete()
            self.drop()
            return
        deleted = False
        with closing(index):
            try:
                with transaction(index):  # until the log is done: nobody indexes them again meanwhile
                    (upto,) = index.execute("SELECT upto FROM state").fetchone()
                    for place, payload in texts():
                        if place <= upto and (text := _indexed(payload)):
                            index.execute(
                                "INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", (place, text)
                            )
                    # Without it the words stay in the file, marked as deleted.
                    index.execute("INSERT INTO words (words) VALUES ('optimize')")
                    delete()
                    deleted = True
                return
            except sqlite3.Error:
                if not deleted:
                    delete()
        self.drop()

    def drop(self) -> None:
        """Throw the index away; the next search builds another."""
        for path in (self.path, self.path.with_name(self.path.name + "-journal")):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _opened(self) -> sqlite3.Connection:
        """The index, made if need be; of another log or another version it is made again."""
        if not self.path.exists():
            self.path.touch(mode=0o600)
        index = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT, isolation_level=None)
        try:
            index.execute("PRAGMA synchronous = OFF")  # what is lost in a crash of the machine is built again
            index.execute("PRAGMA secure_delete = ON")
            if not self._fits(index):
                with transaction(index):
                    if not self._fits(index):
                        for name in ("words", "state"):
                            index.execute(f"DROP TABLE IF EXISTS {name}")
                        for statement in _MAKE:
                            index.execute(statement)
                        index.execute("INSERT INTO state VALUES (?, 0)", (self._identity(),))
                        index.execute(f"PRAGMA user_version = {_VERSION}")
        except BaseException:
            index.close()
            raise
        return index

    def _fits(self, index: sqlite3.Connection) -> bool:
        if index.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            return False
        return bool(index.execute("SELECT log FROM state").fetchone() == (self._identity(),))

    def _identity(self) -> str:
        """Of the log's file: another one in its place (a backup, say) has other events at the same places."""
        status = self._log.stat()
        return f"{status.st_dev}:{status.st_ino}"


def fold(text: str) -> str:
    """The text as it is compared: case does not matter, and a character of an unspaced script is a word."""
    text = text.casefold()
    return _UNSPACED.sub(r" \1 ", text) if not text.isascii() else text


def texts_of(event: LoggedEvent) -> tuple[str, tuple[str, ...]]:
    """Who says what in an event, as far as it is searched: prompts, answers, summaries, what tools were called on."""
    match event:
        case PromptSubmitted():
            return "prompt", (event.text,)
        case AssistantReplied():
            return "answer", (event.text,)
        case Compacted():
            return "summary", (event.summary,)
        case AsideAnswered():
            return "aside", (event.question, event.answer)
        case ToolFinished():
            return "tool", (f"{event.tool} {event.title}",)
        case _:
            return "", ()


def _damaged(error: sqlite3.DatabaseError) -> bool:
    return any(words in str(error) for words in ("malformed", "not a database", "no such table"))


def _terms(word: str) -> Iterator[str]:
    """The word for FTS5: all of what it is made of, the last part as a beginning."""
    parts = _WORD.findall(word)
    for part in parts[:-1]:
        yield f'"{part}"'
    for part in parts[-1:]:
        yield f'"{part}"*'


def _indexed(payload: bytes) -> str:
    try:
        event = decode_event(payload)
    except StoreError:
        return ""
    # As words with blanks between: what is a word is decided here, and SQLite only takes them apart again.
    return " ".join(_WORD.findall(fold("\n".join(texts_of(event)[1]))))


def _catch_up(index: sqlite3.Connection, log: sqlite3.Connection, until: float) -> int:
    """Index what was written since the last time, as far as time allows; how many events are left."""
    last: int = log.execute("SELECT COALESCE(MAX(place), 0) FROM events").fetchone()[0]
    while True:
        upto: int = index.execute("SELECT upto FROM state").fetchone()[0]
        if upto >= last or time.monotonic() > until:
            return max(0, last - upto)
        with transaction(index):
            (upto,) = index.execute("SELECT upto FROM state").fetchone()
            rows = log.execute(
                "SELECT place, payload FROM events WHERE place > ? ORDER BY place LIMIT ?", (upto, _BATCH)
            )
            for place, payload in rows:
                if text := _indexed(payload):
                    index.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (place, text))
                upto = place
            index.execute("UPDATE state SET upto = ?", (upto,))


def _hits(
    log: sqlite3.Connection,
    places: Iterable[int],
    wanted: Sequence[str],
    directory: str | None,
    stopped: Callable[[], bool],
) -> Iterator[Hit]:
    """The newest place of each session that really has all the words."""
    patterns = [re.compile(_pattern(word)) for word in wanted]
    ids = log.execute("SELECT id FROM sessions WHERE ?1 IS NULL OR working_directory = ?1", (directory,))
    left = {row[0] for row in ids}
    found = 0
    for place in places:
        if found == MOST_FOUND or not left or stopped():
            return
        row = log.execute("SELECT session, seq FROM events WHERE place = ?", (place,)).fetchone()
        if row is None or row[0] not in left:
            continue
        (payload,) = log.execute("SELECT payload FROM events WHERE place = ?", (place,)).fetchone()
        try:
            kind, texts = texts_of(decode_event(payload))
        except StoreError:
            continue
        line = next(filter(None, map(partial(_line, patterns=patterns), texts)), "")
        if line:
            found += 1
            left.discard(row[0])
            yield Hit(row[0], row[1], kind, line)


def _pattern(word: str) -> str:
    # As in the index: at the beginning of a word, where the script has such.
    bounded = word[:1].isalnum() and not word.startswith(" ")
    return ("(?<![^\\W_])" if bounded else "") + r"\s*".join(map(re.escape, word.split()))


def _line(text: str, patterns: Sequence[re.Pattern[str]]) -> str:
    """The line of a text with most of the words, around the first of them; empty when not all are in the text."""
    folded = fold(text)
    if not all(pattern.search(folded) for pattern in patterns):
        return ""
    best, most = "", 0
    for line in text.splitlines():
        folded = fold(line)
        count = sum(bool(pattern.search(folded)) for pattern in patterns)
        if count > most:
            best, most = line, count
    at = min((match.start() for pattern in patterns if (match := pattern.search(best.casefold()))), default=0)
    begin = max(0, at - LINE // 3) if len(best) > LINE else 0
    return ("…" if begin else "") + best[begin : begin + LINE].strip() + ("…" if begin + LINE < len(best) else "")
