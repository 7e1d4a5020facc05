"""The user's own editor in place of the screen."""

import asyncio
import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from textual.app import SuspendNotSupported

from tui_agent.sandbox import editor
from tui_agent.sandbox.editor import EditorError, editor_command

__all__ = ["EditorError", "Lender", "edited", "edited_text", "editor_command"]


class Lender(Protocol):
    """What is asked of the app."""

    lent: bool
    """The terminal is another program's, and so is ctrl+c."""

    def suspend(self) -> AbstractContextManager[None]:
        """Leave the terminal alone."""
        ...

    def batch_update(self) -> AbstractContextManager[None]:
        """Paint nothing."""
        ...


async def edited(app: Lender, command: list[str], data: bytes, name: str) -> bytes:
    """As `sandbox.editor.edited`; the screen rests meanwhile.

    Raises:
        EditorError: as there, or the screen cannot rest in this terminal.
    """
    try:
        app.lent = True
        # `batch_update`: suspended, the app would go on painting, over the editor.
        with app.suspend(), app.batch_update():
            # No exception may pass here: Textual 8.2.8 would not take the terminal back.
            work = asyncio.ensure_future(editor.edited(command, data, name))
            stopped = await _ended(work)
        if stopped is not None:
            raise stopped
        return work.result()
    except SuspendNotSupported as error:
        raise EditorError("no editor can be run in this terminal") from error
    finally:
        app.lent = False


async def edited_text(app: Lender, text: str, name: str, directory: Path) -> str:
    """A text as the user left it in the editor; no editor is looked for in `directory`.

    Raises:
        EditorError: as `edited`, or what was left is no text, or nothing.
    """
    made = await edited(app, editor_command(os.environ, directory), text.encode(), name)
    try:
        text = made.decode()
    except UnicodeDecodeError as error:
        raise EditorError("what the editor left is not UTF-8, so it is not taken over") from error
    if not text.strip():
        raise EditorError("the editor left it empty, so it stays as it was")
    return text


async def _ended(work: asyncio.Future[bytes]) -> asyncio.CancelledError | None:
    """Wait for the work, which is cancelled when this is; then the error to raise."""
    try:
        await asyncio.wait([work])
    except asyncio.CancelledError as error:
        work.cancel()
        await asyncio.wait([work])
        return error
    return None
