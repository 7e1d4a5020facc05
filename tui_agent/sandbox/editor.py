"""The user's own editor on a text of ours: started without a shell, on a private file, with none of our keys."""

import asyncio
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from tui_agent.conversation.errors import TuiAgentError
from tui_agent.sandbox.programs import find_program
from tui_agent.text.own_keys import own_keys
from tui_agent.text.sanitize import one_line

USUAL: Final = ("vi", "nano", "vim")
"""Editors that are looked for when none is named."""

PATIENCE: Final = 2.0
"""Seconds that an editor gets to end by itself when the program ends."""

LARGEST: Final = 10_000_000
"""Bytes of a text that are taken over."""


class EditorError(TuiAgentError):
    """The editor could not be run, or what it left cannot be used."""


def editor_named(environ: Mapping[str, str]) -> bool:
    """Whether the user has named an editor."""
    return any(environ.get(name, "").strip() for name in ("VISUAL", "EDITOR"))


def editor_command(environ: Mapping[str, str], project: Path | None = None) -> list[str]:
    """The words of `$VISUAL`, else of `$EDITOR`, else one of the usual editors; the program with its full path.

    None is looked for in the project.

    Raises:
        EditorError: it is not there.
    """
    name = next((name for name in ("VISUAL", "EDITOR") if environ.get(name, "").strip()), "")
    try:
        words = shlex.split(environ[name]) if name else []
    except ValueError as error:
        raise EditorError(f"${name} cannot be read: {error}", "it is split into words as a shell would") from error
    if not words:
        found = next(filter(None, (find_program(usual, project) for usual in USUAL)), "")
        if not found:
            raise EditorError("there is no editor", "name yours: export VISUAL=…")
        return [found]
    program = words[0] if Path(words[0]).is_absolute() else find_program(words[0], project)
    if not program or not os.access(program, os.X_OK) or Path(program).is_dir():
        raise EditorError(f"${name} is {one_line(words[0])}, which is not there", "name another: export VISUAL=…")
    return [program, *words[1:]]


async def edited(command: list[str], data: bytes, name: str, *, terminal: int | None = None) -> bytes:
    """Run an editor on a private copy of `data`, called as the file `name` is, and give what it left.

    It has the terminal `terminal`, or else standard input and output. Whatever else runs goes on.

    Raises:
        EditorError: it could not be run, it failed, or what it left is missing or too large. What was written in it is
            kept then, and the error says where.
    """
    folder = Path(tempfile.mkdtemp(prefix="tui-agent-edit-"))
    path = folder / _file_name(name)
    path.write_bytes(data)
    path.chmod(0o600)
    keep = False
    try:
        code = await _run([*command, str(path)], terminal)
        made = _left(path)
        if code or made is None:
            keep = made not in (None, data)
            program = one_line(Path(command[0]).name)
            what = f"{program} ended with {code}" if code else f"{program} left no file behind"
            raise EditorError(f"{what}, so nothing is taken over", f"what it wrote is in {path}" if keep else "")
        if len(made) > LARGEST:
            keep = True
            size = LARGEST // 1_000_000
            raise EditorError(f"that is more than {size} MB, so it is not taken over", f"it is in {path}")
        return made
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _left(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError:
        return None


def _file_name(name: str) -> str:
    """The last part of a name, so that the editor knows the language; never one that an editor would obey."""
    return re.sub(r"[^\w.+-]|^[.-]", "_", Path(name).name, flags=re.ASCII)[-100:] or "text"


async def _run(command: list[str], terminal: int | None) -> int:
    # Keys of providers are nobody's business but ours.
    environ = {key: value for key, value in os.environ.items() if own_keys.hide(value) == value}
    try:
        # Not in the project, whose files an editor may obey.
        process = await asyncio.create_subprocess_exec(
            *command, cwd="/", env=environ, stdin=terminal, stdout=terminal, stderr=terminal
        )
        try:
            return await process.wait()
        finally:
            if process.returncode is None:
                await _end(process)
    except OSError as error:
        raise EditorError(f"{one_line(command[0])} cannot be run: {error.strerror}") from error


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
        try:
            await asyncio.wait_for(asyncio.shield(process.wait()), PATIENCE)
        except TimeoutError:
            process.kill()
