"""A model server that is never the bottleneck: chat completions over HTTP, prepared bytes, in a process of its own.

`with Server() as server:` then `server.prepare([...])` gives it the answers to the next requests; `server.sent()` tells
when the first and the last byte of an answer went out. The clock is `time.perf_counter`, which all processes share.
"""

import json
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

MODEL = "bench-model"

_CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": MODEL}


class Answer(NamedTuple):
    """Frames of one answer: those of `at_once` in one write, then the others one by one, `pace` seconds apart."""

    frames: tuple[bytes, ...]
    pace: float = 0.0
    at_once: int = 0


class Sent(NamedTuple):
    """The moments at which the first and the last byte of an answer were given to the network."""

    first: float
    last: float


def _frame(delta: dict[str, object], reason: str | None = None) -> bytes:
    chunk = {**_CHUNK, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
    return f"data: {json.dumps(chunk)}\n\n".encode()


_START = _frame({"role": "assistant", "content": ""})
_DONE = b"data: [DONE]\n\n"


def text_answer(pieces: Iterable[str], pace: float = 0.0, at_once: int = 0) -> Answer:
    """An answer of text, a frame a piece."""
    frames = (_START, *(_frame({"content": piece}) for piece in pieces), _frame({}, "stop") + _DONE)
    return Answer(frames, pace, at_once)


def call_answer(tool: str, arguments: dict[str, object], piece: int = 2_000) -> Answer:
    """An answer that calls one tool, its arguments in pieces of so many characters."""
    written = json.dumps(arguments)
    head = {"index": 0, "id": "call_1", "type": "function", "function": {"name": tool, "arguments": ""}}
    cuts = (written[at : at + piece] for at in range(0, len(written), piece))
    parts = (_frame({"tool_calls": [{"index": 0, "function": {"arguments": cut}}]}) for cut in cuts)
    return Answer((_START, _frame({"tool_calls": [head]}), *parts, _frame({}, "tool_calls") + _DONE))


def _send(handler: BaseHTTPRequestHandler, answer: Answer) -> Sent:
    together = len(answer.frames) if not answer.pace else answer.at_once
    first = time.perf_counter()
    if together:
        handler.wfile.write(b"".join(answer.frames[:together]))
    begun = time.perf_counter()
    for number, frame in enumerate(answer.frames[together:]):
        time.sleep(max(0.0, begun + number * answer.pace - time.perf_counter()))
        handler.wfile.write(frame)
    return Sent(first, time.perf_counter())


def serve(descriptor: int) -> None:
    """Serve until the other end of the socket is closed: answers come from there, and what was sent when goes there."""
    pipe = Connection(descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it ends it
    answers: queue.Queue[Answer] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path.endswith("/models")
            body = json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model"}]} if known else {}).encode()
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not self.path.endswith("/chat/completions"):
                self.send_error(404)
                return
            try:
                answer = answers.get_nowait()
            except queue.Empty:
                answer = text_answer(["nothing was prepared"])
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            try:
                pipe.send((_send(self, answer), body))
            except OSError:
                pass  # the program went in the middle of an answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Http(ThreadingHTTPServer):
        daemon_threads = True

        def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            super().process_request(request, client_address)

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a program that is killed leaves its connections as they are

    server = Http(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pipe.send(server.server_port)
    try:
        while True:
            answers.put(pipe.recv())
    except EOFError:
        pass


class Server:
    """The server, from the side that measures."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", f"from benchmarks.server import serve; serve({theirs.fileno()})"],
                pass_fds=[theirs.fileno()],
                cwd=Path(__file__).parents[1],
            )
        self._pipe = Connection(ours.detach())
        if not self._pipe.poll(30):
            raise RuntimeError("the server of the benchmarks did not start")
        self.url = f"http://127.0.0.1:{self._pipe.recv()}/v1/"

    def prepare(self, answers: Sequence[Answer]) -> None:
        """Queue answers for the next requests, after those that are queued already."""
        for answer in answers:
            self._pipe.send(answer)

    def sent(self, timeout: float = 60.0) -> tuple[Sent, bytes]:
        """Wait until the next answer is sent whole; when that was, and the body of its request.

        Raises:
            TimeoutError: no answer was asked for, or it was not taken.
        """
        if not self._pipe.poll(timeout):
            raise TimeoutError("the program did not take the answer that was prepared for it")
        sent: tuple[Sent, bytes] = self._pipe.recv()
        return sent

    @property
    def asked(self) -> bool:
        """Whether `sent` would answer at once."""
        return self._pipe.poll()

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.terminate()
        self._process.wait()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
