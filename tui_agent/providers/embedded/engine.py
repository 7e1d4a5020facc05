"""A share in a running engine: found, or started; it ends with the last share, however that ends."""

import asyncio
import hashlib
import os
import platform
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from tui_agent.conversation.errors import ProviderError
from tui_agent.providers.embedded.messages import Charge, EngineJob, Report

SUPERVISOR = (sys.executable, "-P", "-m", "tui_agent.providers.embedded.supervisor")
ENGINE = (sys.executable, "-P", "-m", "tui_agent.providers.embedded.child")
"""`-P`: a folder in which somebody works must not lend its modules to them."""

FORM = "1"
"""Of what client and supervisor tell each other."""
JOIN_SECONDS = 20.0
ANSWER_SECONDS = 15.0
AGAIN_SECONDS = 0.05
LEAVE_SECONDS = 3.0
SOCKET_PATH_BYTES = 100
"""The system takes about 104 on macOS and 108 on Linux."""

_PASSED = ("PATH", "HOME", "USER", "LANG", "LC_", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_", "PYTHON", "VIRTUAL_ENV")


class EngineSpec(Struct, frozen=True):
    """An engine that clients may share if all of this is the same; `stamp` tells versions of the model file apart."""

    job: EngineJob
    stamp: str
    version: str

    @property
    def id(self) -> str:
        """Names the engine, in hex; its threads are no part of it."""
        job = self.job
        parts = (FORM, job.model, self.stamp, job.context_length, job.template, self.version, platform.node())
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:20]


class EngineFolders(Struct, frozen=True):
    """Where sockets and logs go; both folders are ours alone."""

    sockets: Path
    logs: Path

    def log(self, spec: EngineSpec) -> Path:
        """The log of an engine."""
        return self.logs / f"engine-{spec.job.name}.log"

    def socket(self, spec: EngineSpec) -> Path:
        """The socket of its supervisor, in the folder for temporary files when the path would be too long for one."""
        path = self.sockets / f"{spec.id}.sock"
        if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
            return path
        place = hashlib.sha256(os.fsencode(self.sockets)).hexdigest()[:8]
        return Path(tempfile.gettempdir()) / f"tui-agent-{os.getuid()}" / f"{spec.id}{place}.sock"


def private_folder(path: Path) -> None:
    """Make a folder that nobody else can look into.

    Raises:
        ProviderError: it cannot be made, or is not ours.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            raise ProviderError("unreachable", f"{path} belongs to somebody else", "remove it and try again")
        if stat.S_IMODE(status.st_mode) != 0o700:
            path.chmod(0o700)
    except OSError as error:
        raise ProviderError(
            "unreachable",
            f"The folder {path} cannot be made: {error.strerror}",
            "set TUI_AGENT_DATA_DIR to a folder that can be written",
        ) from None


async def share_engine(
    spec: EngineSpec, folders: EngineFolders, environ: Mapping[str, str], command: tuple[str, ...] = ENGINE
) -> "Lease":
    """A share in this engine; it is started unless somebody has it running.

    Raises:
        ProviderError: there is no way to it.
    """
    path = folders.socket(spec)
    for folder in {folders.logs, path.parent}:
        private_folder(folder)
    charge = Charge(
        lock=str(path.parent / "engines.lock"),
        place=int(spec.id[:12], 16),
        socket=str(path),
        log=str(folders.log(spec)),
        command=command,
        job=spec.job,
    )
    deadline = time.monotonic() + JOIN_SECONDS
    while True:
        lease = await _join(path) or await _found(charge, environ)
        if lease is not None:
            return lease
        # One has just gone, or another is just coming.
        if time.monotonic() > deadline:
            raise ProviderError(
                "unreachable",
                "The embedded engine of another tui-agent does not answer",
                "end the other tui-agent, or its process tui_agent.providers.embedded.supervisor",
            )
        await asyncio.sleep(AGAIN_SECONDS)


class Lease:
    """A share: the engine lives at least as long as this is open. `report` is what its supervisor said last."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        report: Report,
        process: "subprocess.Popen[bytes] | None" = None,
    ) -> None:
        self.report = report
        self.ended = asyncio.Event()
        self._reader = reader
        self._writer = writer
        self._process = process
        self._loaded = asyncio.Event()
        self._take(report)
        self._listening = asyncio.create_task(self._listen())

    @property
    def alone(self) -> bool:
        """Nobody else uses the engine."""
        return self.report.clients == 1

    async def loaded(self) -> Report:
        """Wait until the engine serves, or has ended."""
        await self._loaded.wait()
        return self.report

    async def has_ended(self, within: float) -> bool:
        """Whether the engine is over, or will be in so many seconds."""
        try:
            async with asyncio.timeout(within):
                await self.ended.wait()
        except TimeoutError:
            pass
        return self.ended.is_set()

    async def close(self) -> None:
        """Give the share back; when it was the last one, the engine is gone afterwards. Safe to call twice."""
        try:
            if self._writer.can_write_eof():
                self._writer.write_eof()
            async with asyncio.timeout(LEAVE_SECONDS):
                await asyncio.wait({self._listening})
        except (OSError, TimeoutError):
            pass
        finally:
            self._listening.cancel()
            self._writer.close()
            if self._process is not None:
                self._process.poll()

    async def _listen(self) -> None:
        report: Report | None = self.report
        while report is not None:
            self._take(report)
            report = await _next_report(self._reader)
        if self.report.state != "stopped":
            self._take(Report("stopped"))

    def _take(self, report: Report) -> None:
        self.report = report
        if report.state != "loading":
            self._loaded.set()
        if report.state == "stopped":
            self.ended.set()


async def _join(path: Path) -> Lease | None:
    """A share in an engine that runs, if one does; a socket that nobody listens to is left to the next supervisor."""
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return None
    return await _enter(reader, writer, None)


async def _found(charge: Charge, environ: Mapping[str, str]) -> Lease | None:
    """The first share in a new engine; None if it is not needed any more, because another was faster."""
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            process = await asyncio.to_thread(_spawn, theirs, environ)
        reader, writer = await asyncio.open_connection(sock=ours)
    except BaseException:
        ours.close()
        raise
    writer.write(msgspec.json.encode(charge) + b"\n")
    lease = await _enter(reader, writer, process)
    if lease is None and await asyncio.to_thread(_exit_code, process) != 0:
        raise ProviderError("unreachable", "The embedded engine could not be started", f"try: {' '.join(SUPERVISOR)}")
    return lease


def _spawn(connection: socket.socket, environ: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        list(SUPERVISOR),
        stdin=connection.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        # Neither keys nor whatever else the environment holds is needed there.
        env={name: value for name, value in environ.items() if name.startswith(_PASSED)},
        # ctrl+c in our terminal is not meant for it.
        start_new_session=True,
    )


def _exit_code(process: "subprocess.Popen[bytes]") -> int:
    try:
        return process.wait(LEAVE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


async def _enter(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, process: "subprocess.Popen[bytes] | None"
) -> Lease | None:
    """The share behind a connection; None when there is none to be had there."""
    report: Report | None = None
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            report = await _next_report(reader)
    except TimeoutError:
        pass
    finally:
        if report is None or report.state == "taken":
            writer.close()
    return Lease(reader, writer, report, process) if report is not None and report.state != "taken" else None


async def _next_report(reader: asyncio.StreamReader) -> Report | None:
    """What the supervisor says next; None at its end."""
    try:
        line = await reader.readline()
        return msgspec.json.decode(line, type=Report) if line.endswith(b"\n") else None
    except (OSError, ValueError):
        return None
