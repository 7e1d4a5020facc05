"""A real HTTP server that speaks OpenAI chat completions, well or badly, as a script says.

In tests: `with ChatServer([reply_text("hello")]) as server: …` and talk to `server.url`.
By hand:  `python -m tests.fakes.chat_server --port 0 --scenario demo --pace 200 --models a,b`.
"""

import argparse
import asyncio
import itertools
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from tests.fakes.demo import demo
from tests.fakes.replies import (
    ALL_STYLES,
    DONE,
    Call,
    CallStyle,
    Close,
    Delay,
    Reply,
    Reset,
    Stall,
    Step,
    body_of,
    call_chunks,
    delta,
    encode,
    finish,
    reasoning,
    reply_body,
    reply_calls,
    reply_error,
    reply_html,
    reply_nothing,
    reply_reset,
    reply_steps,
    reply_text,
    text,
    usage,
)

__all__ = [
    "ALL_STYLES",
    "DONE",
    "Call",
    "CallStyle",
    "ChatServer",
    "Close",
    "Delay",
    "Reply",
    "Reset",
    "Seen",
    "Stall",
    "Step",
    "body_of",
    "call_chunks",
    "delta",
    "finish",
    "history_problems",
    "reasoning",
    "reply_body",
    "reply_calls",
    "reply_error",
    "reply_html",
    "reply_nothing",
    "reply_reset",
    "reply_steps",
    "reply_text",
    "text",
    "usage",
]

Responder = Callable[[dict[str, Any], int], Reply]
"""Given the body of a chat request and its number from 0, the reply to it."""

BATCH = 64


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; `body` is `{}` when there was none."""

    method: str
    path: str
    headers: Mapping[str, str]
    raw: bytes
    body: dict[str, Any]

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self.raw)


def history_problems(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a strict server refuses about the order of tool calls and their results."""
    problems: list[str] = []
    open_ids: list[str] = []
    for place, message in enumerate(messages):
        if message.get("role") == "tool":
            if message.get("tool_call_id") in open_ids:
                open_ids.remove(message["tool_call_id"])
            else:
                problems.append(
                    f"messages[{place}]: result for {message.get('tool_call_id')!r}, which no open call has"
                )
            continue
        if open_ids:
            problems.append(f"messages[{place}]: calls without a result: {open_ids}")
        open_ids = [call["id"] for call in message.get("tool_calls") or ()]
        if len(set(open_ids)) < len(open_ids):
            problems.append(f"messages[{place}]: duplicate call ids {open_ids}")
        if message.get("content") is None:
            problems.append(f"messages[{place}]: content is null")
    if open_ids:
        problems.append(f"calls without a result: {open_ids}")
    return problems


class ChatServer:
    """A scripted server on its own thread; use it as a context manager.

    `script` is a list of replies, one a chat request, the last one repeating, or a function of (body, number).
    `models` are ids or whole objects for `/v1/models`; `models_reply` replaces that answer. `show` answers
    `/api/show` by model. `api_key` refuses other keys with 401. `strict` refuses invalid histories with 400 as the
    large vendors do. `requests` are the chat requests, `others` everything else, `connections` how many were opened,
    `left_early` counts replies whose client disconnected before the end (`wait_for_disconnect` waits for one).
    """

    api = "chat"
    """What the settings of a provider that speaks to it say."""
    chat_path = "/chat/completions"
    keep_alive = b": keep-alive\n\n"

    def __init__(
        self,
        script: Sequence[Reply] | Reply | Responder | None = None,
        *,
        models: Sequence[str | dict[str, Any]] = ("fake-model",),
        models_reply: Reply | None = None,
        show: Mapping[str, dict[str, Any]] | None = None,
        api_key: str | None = None,
        strict: bool = True,
        pace: float | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.requests: list[Seen] = []
        self.others: list[Seen] = []
        self.left_early = 0
        self.connections = 0
        self._changed = threading.Condition()
        self._respond = _responder(script)
        self._models = [m if isinstance(m, dict) else {"id": m, "object": "model"} for m in models]
        self._models_reply = models_reply
        self._show = show or {}
        self._api_key = api_key
        self._strict = strict
        self._pace = pace
        self._loop = asyncio.new_event_loop()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # With the protocol named, asyncio switches Nagle's algorithm off, which costs 40 ms a reply.
        self._socket = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host, port))
        self._socket.listen(128)
        self.port: int = self._socket.getsockname()[1]
        self._host = f"[{host}]" if ":" in host else host
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chat server", daemon=True)

    @property
    def url(self) -> str:
        """The root of the API, ending in `/v1/`."""
        return f"http://{self._host}:{self.port}/v1/"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The bodies of the chat requests so far."""
        return [seen.body for seen in self.requests]

    def start(self) -> "ChatServer":
        """Serve until `stop`."""
        self._thread.start()
        self._started.wait(10)
        return self

    def stop(self) -> None:
        """Drop every connection and end the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def __enter__(self) -> "ChatServer":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def wait_for_disconnect(self, timeout: float) -> bool:
        """True when a client has left before the end of its reply, within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self.left_early > 0, timeout)

    def wait_for_requests(self, count: int, timeout: float) -> bool:
        """True when so many chat requests have arrived, within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.requests) >= count, timeout)

    # ---- the thread ----

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._socket, limit=2**26))
        self._loop.call_soon(self._started.set)
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        early = b""
        self.connections += 1
        try:
            while True:
                seen = await _read_request(reader, writer, early)
                if seen is None:
                    return
                reply = self._choose(seen)
                left = asyncio.ensure_future(reader.read(1))
                sending = asyncio.ensure_future(self._send(reply, seen, writer))
                try:
                    await asyncio.wait({left, sending}, return_when=asyncio.FIRST_COMPLETED)
                    if not sending.done() and left.result() == b"":
                        with self._changed:
                            self.left_early += 1
                            self._changed.notify_all()
                        return
                    if not await sending:
                        return
                    early = await left
                finally:
                    left.cancel()
                    sending.cancel()
                    await asyncio.gather(left, sending, return_exceptions=True)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went, or `stop` cancelled us: streams of 3.11 log a cancelled connection as an error
        finally:
            writer.close()

    def _choose(self, seen: Seen) -> Reply:
        if seen.path.endswith(self.chat_path):
            with self._changed:
                number = len(self.requests)
                self.requests.append(seen)
                self._changed.notify_all()
        else:
            self.others.append(seen)
        if self._api_key is not None and seen.headers.get("authorization") != f"Bearer {self._api_key}":
            return reply_error(401, "Incorrect API key provided", code="invalid_api_key")
        if seen.path.endswith(self.chat_path):
            problems = history_problems(seen.body.get("messages", ())) if self._strict else []
            return reply_error(400, "; ".join(problems)) if problems else self._respond(seen.body, number)
        return self._other(seen)

    def _other(self, seen: Seen) -> Reply:
        """The reply to what is no chat request."""
        if seen.path.endswith("/v1/models"):
            if self._models_reply is not None:
                return self._models_reply
            return reply_body(200, json.dumps({"object": "list", "data": self._models}))
        if seen.path.endswith("/api/show") and seen.body.get("model") in self._show:
            return reply_body(200, json.dumps(self._show[seen.body["model"]]))
        return reply_body(404, "404 page not found", "text/plain")

    async def _send(self, reply: Reply, seen: Seen, writer: asyncio.StreamWriter) -> bool:
        """Send the reply; False when the connection cannot be used again."""
        if reply.drop:
            _reset(writer)
            return False
        if reply.mute:
            await asyncio.Event().wait()
        headers = {"Content-Type": reply.content_type, **reply.headers}
        if reply.chunked:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {reply.status} Status", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        async for part in self._parts(reply, seen):
            if isinstance(part, bytes):
                writer.write(b"%x\r\n%b\r\n" % (len(part), part) if reply.chunked else part)
                await writer.drain()
            elif isinstance(part, Reset):
                _reset(writer)
                return False
            else:
                return False
        if reply.chunked:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return reply.chunked

    def _encode(self, reply: Reply, seen: Seen) -> Iterable[bytes | Delay | Stall | Reset | Close]:
        """The steps of the reply with each chunk as its bytes on the wire."""
        return encode(reply, seen.body.get("model", "fake-model"))

    async def _parts(self, reply: Reply, seen: Seen) -> AsyncIterator[bytes | Reset | Close]:
        steps = self._encode(reply, seen)
        pace = reply.pace or self._pace
        if reply.pieces or reply.split_at is not None:
            whole = b"".join(step for step in steps if isinstance(step, bytes))
            for part in _pieces(whole, reply):
                yield part
            return
        if reply.cut_at is not None:
            if part := b"".join(step for step in steps if isinstance(step, bytes))[: reply.cut_at]:
                yield part
            steps = [reply.cut_by]
        begun, sent = time.monotonic(), 0
        waiting: list[bytes] = []
        for step in steps:
            if isinstance(step, bytes):
                waiting.append(step)
                sent += 1
                if pace and (ahead := begun + sent / pace - time.monotonic()) > 0:
                    yield b"".join(waiting)
                    waiting.clear()
                    await asyncio.sleep(ahead)
                elif len(waiting) >= BATCH:
                    yield b"".join(waiting)
                    waiting.clear()
                continue
            if waiting:
                yield b"".join(waiting)
                waiting.clear()
            if isinstance(step, Delay):
                await asyncio.sleep(step.seconds)
            elif isinstance(step, Stall):
                while True:
                    await asyncio.sleep(step.comment_every or 3600)
                    yield self.keep_alive
            else:
                await asyncio.sleep(0.02)
                yield step
        if waiting:
            yield b"".join(waiting)


def _pieces(whole: bytes, reply: Reply) -> Iterator[bytes]:
    if reply.split_at is not None:
        yield from filter(None, (whole[: reply.split_at], whole[reply.split_at :]))
    elif reply.pieces:
        for start in range(0, len(whole), reply.pieces):
            yield whole[start : start + reply.pieces]


def _responder(script: Sequence[Reply] | Reply | Responder | None) -> Responder:
    if script is None:
        return demo
    if callable(script):
        return script
    replies = [script] if isinstance(script, Reply) else list(script)
    return lambda body, number: replies[min(number, len(replies) - 1)]


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, early: bytes) -> Seen | None:
    """The next request, of which `early` was read already; None at the end of the connection.

    What does not begin like HTTP (TLS does not) is answered with 400.
    """
    try:
        early = early or await reader.readexactly(1)
        if not early.isalpha():
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return None
        head = early + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {
        name.strip().lower(): value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon
    }
    raw = await reader.readexactly(int(headers.get("content-length", 0)))
    try:
        body = json.loads(raw) if raw else {}
    except ValueError:
        body = {}
    return Seen(method, path, headers, raw, body)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the demo until interrupted; prints the address first."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.chat_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--scenario", choices=["demo"], default="demo")
    parser.add_argument("--pace", type=float, default=200, help="chunks a second; 0 is full speed")
    parser.add_argument("--models", default="qwen2.5:latest,llama3.2:latest")
    parser.add_argument("--api-key", default=None, help="refuse requests with another key")
    parser.add_argument("--verbose", action="store_true", help="print one line a request")
    options = parser.parse_args(arguments)
    server = ChatServer(
        demo,
        models=[{"id": name, "object": "model", "context_length": 32768} for name in options.models.split(",")],
        api_key=options.api_key,
        pace=options.pace or None,
        host=options.host,
        port=options.port,
    )
    with server:
        print(server.url, flush=True)
        told = 0
        with suppress(KeyboardInterrupt):
            for _ in itertools.count():
                time.sleep(0.2)
                for seen in server.requests[told:] if options.verbose else ():
                    print(f"{seen.path} {seen.size} bytes, {len(seen.body['messages'])} messages", file=sys.stderr)
                told = len(server.requests)


if __name__ == "__main__":
    main()
