"""The process between the engine and its users: it starts the engine, and ends it when the last of them has gone.

Every user holds a connection to it, which the kernel closes however the user's process ends. The first one is standard
input; the others come through a Unix socket. Of several supervisors for one engine the holder of the lock stays.
"""

import fcntl
import os
import secrets
import selectors
import shutil
import socket
import subprocess
from pathlib import Path

import msgspec

from tui_agent.providers.embedded.messages import Answer, Charge, Order, Report

LOG_BYTES = 1_048_576
LOG_SECONDS = 20.0
CHARGE_SECONDS = 10.0


def main() -> None:
    """Take the charge from standard input and hold it until nobody needs it any more."""
    os.umask(0o077)
    first = socket.socket(fileno=os.dup(0))
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)  # or the connection would still be open when `first` is closed
    first.settimeout(CHARGE_SECONDS)
    with first.makefile("rb") as lines:
        charge = msgspec.json.decode(lines.readline(), type=Charge)
    try:
        lock = os.open(charge.lock, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, charge.place)
    except (BlockingIOError, PermissionError):
        _tell(first, Report("taken"))
        return
    except OSError as error:
        _tell(first, Report("stopped", error=str(error)))
        return
    supervisor = Supervisor(charge)
    supervisor.add(first)
    try:
        supervisor.run()
    except OSError as error:
        supervisor.tell(Report("stopped", error=str(error)))
    finally:
        supervisor.close()
        os._exit(0)  # with nothing left to do, Python would take its time for it


class Supervisor:
    """One engine and its users."""

    def __init__(self, charge: Charge) -> None:
        self._charge = charge
        self._report = Report("loading")
        self._clients: list[socket.socket] = []
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._engine: subprocess.Popen[bytes] | None = None
        self._last: socket.socket | None = None

    def run(self) -> None:
        """Start the engine and wait for its end, or for the last user's."""
        self._listener = _listen(self._charge.socket)
        self._selector.register(self._listener, selectors.EVENT_READ, self._join)
        engine = self._start()
        assert engine.stdout is not None
        self._selector.register(engine.stdout, selectors.EVENT_READ, self._hear)
        while self._clients and self._report.state != "stopped":
            for key, _ in self._selector.select(LOG_SECONDS):
                key.data(key.fileobj)
            _bound_log(Path(self._charge.log))

    def add(self, client: socket.socket) -> None:
        """Take in a user."""
        client.setblocking(False)
        self._clients.append(client)
        self._selector.register(client, selectors.EVENT_READ, self._leave)
        self.tell(self._report)

    def tell(self, report: Report) -> None:
        """Tell all users; one that does not listen is not waited for."""
        self._report = msgspec.structs.replace(report, clients=len(self._clients))
        for client in self._clients:
            _tell(client, self._report)

    def close(self) -> None:
        """Leave nothing: the lock falls only after the engine's memory is free again."""
        if self._engine is not None:
            self._engine.kill()
            self._engine.wait()
        if self._listener is not None:
            Path(self._charge.socket).unlink(missing_ok=True)

    def _start(self) -> "subprocess.Popen[bytes]":
        key = secrets.token_urlsafe(24)
        log = _fresh_log(Path(self._charge.log))
        try:
            self._engine = engine = subprocess.Popen(
                self._charge.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd="/",
                # After a failed assertion it would start a debugger on itself, if there is one.
                env={**os.environ, "GGML_NO_BACKTRACE": "1"},
            )
        finally:
            os.close(log)
        assert engine.stdin is not None
        self._report = msgspec.structs.replace(self._report, key=key)
        try:
            engine.stdin.write(msgspec.json.encode(Order(self._charge.job, key, os.getpid())) + b"\n")
            engine.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: the end of its output says so
        return engine

    def _join(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError:
            return  # it went away again
        self.add(client)

    def _leave(self, client: socket.socket) -> None:
        try:
            if client.recv(1024):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._selector.unregister(client)
        self._clients.remove(client)
        if self._clients:
            client.close()
            self.tell(self._report)
        else:
            self._last = client  # it may wait for our end, which closes it

    def _hear(self, output: object) -> None:
        """The engine's answer, or its end."""
        engine = self._engine
        assert engine is not None and engine.stdout is not None
        line = engine.stdout.readline()
        answer = msgspec.json.decode(line, type=Answer) if line else None
        if answer is not None and answer.url:
            self.tell(msgspec.structs.replace(self._report, state="ready", url=answer.url))
            return
        # It closes its output by ending, or by being about to.
        self._selector.unregister(engine.stdout)
        if answer is not None:
            engine.kill()
        self.tell(Report("stopped", code=engine.wait(), error=answer.error if answer is not None else ""))


def _listen(path: str) -> socket.socket:
    """The socket that further users come through; one that a dead supervisor left is replaced: we hold the lock."""
    Path(path).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    listener.setblocking(False)
    return listener


def _tell(client: socket.socket, report: Report) -> None:
    try:
        client.send(msgspec.json.encode(report) + b"\n")
    except OSError:
        pass  # it has gone, and its end of the connection will say so


def _fresh_log(path: Path) -> int:
    """The log, empty; what it held is kept once more beside it."""
    try:
        path.replace(path.with_name(path.name + ".1"))
    except FileNotFoundError:
        pass
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _bound_log(path: Path) -> None:
    """Empty a log that has grown long, in place, because the engine goes on writing to it."""
    try:
        if path.stat().st_size > LOG_BYTES:
            shutil.copyfile(path, path.with_name(path.name + ".1"))
            os.truncate(path, 0)
    except OSError:
        pass  # somebody removed it


if __name__ == "__main__":
    main()
