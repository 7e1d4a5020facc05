"""What is done with whole sessions, for the command line and for the UI: copied, and written as files."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from tui_agent.conversation.errors import StoreError, UsageError, WorkspaceError
from tui_agent.conversation.events import PromptSubmitted
from tui_agent.text.own_keys import own_keys

if TYPE_CHECKING:
    from tui_agent.conversation.events import Record
    from tui_agent.store.log import Found, SessionLog, SessionSummary

Form = Literal["markdown", "html", "json"]

FORMS: dict[Form, str] = {"markdown": ".md", "html": ".html", "json": ".json"}
"""What a session can be written as, and how such files end."""

MOST_LISTED = 10_000

_COPY = "copy of "


class Copied(NamedTuple):
    """A copy: its id, and the prompt that it ends before (empty for one of all)."""

    session: str
    prompt: str


async def fork(log: "SessionLog", session: str, *, prompt: int = 0, before: int = 0) -> Copied:
    """A copy of what can be read of a session, which may be open elsewhere.

    It ends before the prompt of that number (from 1), or before the event of that number; by default it has all.

    Raises:
        UsageError: there are not so many prompts.
        StoreError: there is no such session, or the copy cannot be written.
    """
    from tui_agent.agent.book import new_session_id

    records = await log.salvage(session)
    prompts = [(record.seq, record.event.text) for record in records if isinstance(record.event, PromptSubmitted)]
    if prompt > len(prompts):
        has = f"{len(prompts)} prompt" + ("" if len(prompts) == 1 else "s")
        raise UsageError(
            f"there is no prompt {prompt}: the session has {has}", "`tui-agent sessions show` numbers them"
        )
    if prompt:
        before = prompts[prompt - 1][0]
    text = next((text for seq, text in prompts if seq == before), "")
    title = (await log.summary(session)).title
    now = time.time()
    copied = await log.put(
        new_session_id(now),
        [record for record in records if not before or record.seq < before],
        title if title.startswith(_COPY) or not title else _COPY + title,
        now,
    )
    return Copied(copied[0].session, text)


async def exported(log: "SessionLog", session: str, form: Form) -> str:
    """A session as a file's text, without keys; blocks nobody meanwhile.

    Raises:
        StoreError: there is no such session.
    """
    from tui_agent.store import pages, transfer

    records = await log.salvage(session)
    title = (await log.summary(session)).title

    def write() -> str:
        hide = transfer.hiding()
        if form == "json":
            return transfer.to_json(session, title, records, hide)
        return (pages.html if form == "html" else pages.markdown)(title, records, hide)

    return await asyncio.to_thread(write)


async def export_to(log: "SessionLog", session: str, form: Form, folder: Path) -> Path:
    """Write a session to a new file in a folder, under a name that is free; where it is.

    Raises:
        StoreError: there is no such session.
        OSError: it cannot be written.
    """
    from tui_agent.store.new_file import write_new
    from tui_agent.store.transfer import file_name

    text = await exported(log, session, form)
    name = Path(file_name(session, (await log.summary(session)).title, FORMS[form]))
    for number in range(1, 1_000):
        path = folder / (name.name if number == 1 else f"{name.stem}-{number}{name.suffix}")
        try:
            await asyncio.to_thread(write_new, path, text.encode())
        except FileExistsError:
            continue
        return path
    raise FileExistsError(folder / name)


class Archive:
    """All sessions, as the UI of one folder works with them; `present` is the one that is open there."""

    def __init__(self, log: "SessionLog", directory: Path, present: str) -> None:
        self._log = log
        self._directory = directory
        self._present = present

    def _where(self, everywhere: bool) -> str | None:
        return None if everywhere else str(self._directory)

    async def sessions(self, *, everywhere: bool) -> "list[SessionSummary]":
        """Those of this folder or of all, latest first."""
        return await self._log.sessions(self._where(everywhere), MOST_LISTED)

    async def search(self, words: str, *, everywhere: bool) -> "Found":
        """Those with these words in their text; ask again while events are unread."""
        return await self._log.search(words, self._where(everywhere))

    async def read(self, session: str) -> "Sequence[Record]":
        """All of one that can be read, whoever has it open."""
        return await self._log.salvage(session)

    async def rename(self, session: str, title: str) -> None:
        """Call it so in lists; with an empty title by its first prompt."""
        await self._log.rename(session, own_keys.hide(title))

    async def delete(self, session: str) -> None:
        """Take it away for good.

        Raises:
            StoreError: it is open here or in another window.
        """
        if session == self._present:
            raise StoreError("this is the session that is open", "open another one or a new one first")
        await self._log.delete(session)

    async def fork(self, session: str, before: int = 0) -> Copied:
        """A copy that ends before the event of that number; 0: a copy of all."""
        return await fork(self._log, session, before=before)

    async def export(self, session: str, form: Form) -> Path:
        """Write it without keys to a new file in the folder; where it is.

        Raises:
            StoreError: there is no such session.
            WorkspaceError: the file cannot be written.
        """
        try:
            return await export_to(self._log, session, form, self._directory)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise WorkspaceError(f"cannot write to {self._directory}: {reason}") from None

    @property
    def unguarded(self) -> str:
        """Why other windows are not told what is open here; empty when they are."""
        return self._log.unguarded
