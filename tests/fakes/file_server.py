"""A real HTTP server that gives one file, well or badly, as a script says."""

import socket
import struct
import threading
import time
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from msgspec import Struct


class Give(Struct, frozen=True):
    """Answer with the file.

    `ranges`: a Range header is heeded, but answered from byte `first` on where that is given. `drop_after`: so many
    bytes of the body, then the connection breaks. `stall_after`: so many, then silence. `pace`: seconds before each
    1,000 bytes. `headers` are added or replace ours; `content` replaces the file.
    """

    ranges: bool = True
    first: int | None = None
    drop_after: int | None = None
    stall_after: int | None = None
    pace: float = 0.0
    headers: Mapping[str, str] = {}
    content: bytes | None = None


class Answer(Struct, frozen=True):
    """Answer with this and without the file."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Asked(Struct, frozen=True):
    """A request; header names in lower case."""

    path: str
    headers: Mapping[str, str]


class FileServer:
    """Gives `content` to whoever asks, at every path; use it as a context manager.

    `script` has an answer for each request, the last one repeating. `gone` is set when a client left early.
    """

    def __init__(self, content: bytes, script: Sequence[Give | Answer] = (Give(),)) -> None:
        self.content = content
        self.script = list(script)
        self.asked: list[Asked] = []
        self.gone = threading.Event()
        self.stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """The address without a path."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def ranges(self) -> list[str]:
        """The Range header of each request, empty where there was none."""
        return [asked.headers.get("range", "") for asked in self.asked]

    def __enter__(self) -> "FileServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                number = len(server.asked)
                server.asked.append(Asked(self.path, {name.lower(): value for name, value in self.headers.items()}))
                step = server.script[min(number, len(server.script) - 1)]
                try:
                    self._answer(step) if isinstance(step, Answer) else self._give(step)
                except (BrokenPipeError, ConnectionResetError):
                    server.gone.set()
                    self.close_connection = True

            def _answer(self, step: Answer) -> None:
                self.send_response(step.status)
                for name, value in {"Content-Length": str(len(step.body)), **step.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(step.body)

            def _give(self, step: Give) -> None:
                content = server.content if step.content is None else step.content
                headers = {"Content-Type": "application/octet-stream"}
                wanted, first = self.headers.get("Range"), 0
                if wanted and step.ranges:
                    first = int(wanted.removeprefix("bytes=").removesuffix("-")) if step.first is None else step.first
                    headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
                self.send_response(206 if "Content-Range" in headers else 200)
                headers["Content-Length"] = str(len(content) - first)
                for name, value in {**headers, **step.headers}.items():
                    if value:
                        self.send_header(name, value)
                self.end_headers()
                self._send(step, content[first:])

            def _send(self, step: Give, body: bytes) -> None:
                end = min(
                    len(body) if limit is None else limit for limit in (step.drop_after, step.stall_after, len(body))
                )
                for start in range(0, end, 1000):
                    time.sleep(step.pace)
                    self.wfile.write(body[start : min(start + 1000, end)])
                    self.wfile.flush()
                if step.stall_after is not None:
                    while not server.stopping.is_set():
                        if self.connection.recv(1) == b"":
                            server.gone.set()
                            break
                if step.drop_after is not None:
                    time.sleep(0.05)  # a reset would overtake what was sent
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler
