"""Saved sessions as the command line names them: by the beginning of an id, or as the latest of a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tui_agent.config.locations import locations
from tui_agent.conversation.errors import StoreError

if TYPE_CHECKING:
    from tui_agent.conversation.events import Record
    from tui_agent.store.log import SessionLog
    from tui_agent.store.sqlite import SqliteLog


SESSION_END = 400
"""Records of a session that are read before the rest: more than the largest screen shows."""


def open_log() -> "SqliteLog":
    """The user's session log."""
    from tui_agent.store.sqlite import SqliteLog

    return SqliteLog(locations().sessions)


async def full_session_id(log: "SessionLog", beginning: str) -> str:
    """The id of the one session that begins so; the text itself when none does.

    Raises:
        StoreError: several do, or it is empty.
    """
    if not beginning:
        raise StoreError("no session is named: the id is empty", "`tui-agent sessions list` shows the ones there are")
    found = await log.find(beginning)
    if len(found) > 1 and beginning not in found:
        raise StoreError(f"{beginning} is the beginning of {len(found)} sessions", ", ".join(found[:5]))
    return found[0] if len(found) == 1 else beginning


async def latest_session(log: "SessionLog", directory: Path) -> str:
    """The id of the latest session of a folder.

    Raises:
        StoreError: there is none.
    """
    rows = await log.sessions(str(directory), limit=1)
    if not rows:
        raise StoreError("no earlier session in this folder", "start one: `tui-agent`")
    return rows[0].id


async def session_end(log: "SessionLog", beginning: str, present: str = "") -> "Sequence[Record]":
    """The last turns of the session whose id begins so, enough to fill a screen; `present` is the one that is open.

    Raises:
        SessionHeldError: another window has it open: that is said before it is shown.
        StoreError: there is none, or it cannot be read.
    """
    named = await full_session_id(log, beginning)
    await log.hold(named)
    try:
        return await log.end(named, SESSION_END)
    finally:
        if named != present:
            await log.release(named)


def import_store() -> None:
    """Import what reads sessions; blocks for about 10 ms, so call it in a thread."""
    import tui_agent.store.sqlite  # noqa: F401 - imported for its effect
