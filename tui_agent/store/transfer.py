"""A session as one JSON file, for another place: written redacted, and read without believing a word of it."""

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tui_agent.conversation.errors import StoreError
from tui_agent.conversation.events import DecisionMade, FilesRestored, LoggedEvent, Record, SessionStarted
from tui_agent.text.own_keys import own_keys
from tui_agent.text.redaction import redact_tree, redactor

LARGEST = 200_000_000
"""Bytes of a file that is imported."""

_FORMAT: Literal["tui-agent session"] = "tui-agent session"
_LAST_YEAR = 253_402_300_800.0
"""The year 10,000: no date after it can be shown."""
_LARGEST_NUMBER = 1e15


class _Event(Struct):
    seq: int
    time: float
    event: LoggedEvent


class _File(Struct):
    format: Literal["tui-agent session"]
    version: Literal[1]
    session: str
    title: str
    events: list[_Event]


class Imported(Struct, frozen=True):
    """What a file holds; the records have no place yet and are sealed when they are put into a log."""

    title: str
    records: tuple[Record, ...]


def hiding() -> Callable[[str], str]:
    """Takes out of a text what must not leave this machine with it: keys, ours above all; the home folder is `~`."""
    home = os.path.expanduser("~")  # noqa: PTH111 - Path raises where there is no home
    redact = redactor(homes=[] if home in ("/", "~") else [home])
    # Ours first: of what is left of one that was taken for something else, nothing would be known.
    return lambda text: own_keys.hide(redact(own_keys.hide(text)))


def to_json(session: str, title: str, records: Sequence[Record], redact: Callable[[str], str]) -> str:
    """All of a session as ASCII: nothing in it can steer a terminal."""
    events = []
    for record in records:
        tree = redact_tree(msgspec.to_builtins(record.event), redact)
        msgspec.convert(tree, LoggedEvent)  # what is written can be read again, whatever was taken out
        events.append({"seq": record.seq, "time": record.time, "event": tree})
    head = {"format": _FORMAT, "version": 1, "session": session, "title": redact(title)}
    return json.dumps({**head, "events": events}, separators=(",", ":")) + "\n"


def read_export(path: Path, directory: str) -> Imported:
    """The session in a file, as one of `directory`.

    Its ids and folders count for nothing here: it gets an id of its own, belongs to `directory`, and what could be
    undone where it comes from cannot be undone here.

    Raises:
        StoreError: it cannot be read, or is no export of a session.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise StoreError(f"cannot read {path}: {reason}") from None
    if len(data) > LARGEST:
        raise StoreError(f"{path} is too large: more than {LARGEST // 1_000_000} MB")
    return parse_export(data, str(path), directory)


def parse_export(data: bytes, name: str, directory: str) -> Imported:
    """As `read_export`, of the bytes of a file called `name`."""
    hint = "export it with: tui-agent sessions export ID --format json"
    try:
        file = msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(f"{name} is no session: {error}", hint) from None
    records: list[Record] = []
    for place, item in enumerate(file.events, start=1):
        if problem := _problem(place, item):
            raise StoreError(f"{name}: event {place}: {problem}", hint)
        records.append(Record("", place, item.time, _ours(item.event, directory), ""))
    if not records:
        raise StoreError(f"{name} is no session: there is no event in it", hint)
    return Imported(file.title, tuple(records))


def _problem(place: int, item: _Event) -> str:
    if (place == 1) != isinstance(item.event, SessionStarted):
        return "a session has one beginning, and it comes first"
    if not 0 <= item.time < _LAST_YEAR:
        return f"no time that a clock can show: {item.time!r}"
    if not _modest(msgspec.to_builtins(item.event)):
        return "a number in it is too large"
    return ""


def _modest(value: object) -> bool:
    if isinstance(value, int | float):
        return math.isfinite(value) and abs(value) < _LARGEST_NUMBER
    if isinstance(value, dict):
        return all(map(_modest, value.values()))
    return all(map(_modest, value)) if isinstance(value, list | tuple) else True


def _ours(event: LoggedEvent, directory: str) -> LoggedEvent:
    match event:
        case SessionStarted():
            return replace(event, working_directory=directory)
        case DecisionMade():
            return replace(event, snapshot="")
        case FilesRestored():
            return replace(event, calls=(), snapshot="")
        case _:
            return event


def file_name(session: str, title: str, ending: str) -> str:
    """A name for an export: `session-fix-the-cart-20261121-0945-3f9a1c.md`."""
    words = "".join(character if character.isalnum() and character.isascii() else " " for character in title.lower())
    slug = "-".join(words.split()[:6])[:40]
    safe = "".join(character for character in session if character.isalnum() or character in "-_")[:60]
    return "-".join(filter(None, ("session", slug, safe or time.strftime("%Y%m%d")))) + ending
