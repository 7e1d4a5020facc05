"""A real HTTP server whose model has a small window: it counts tokens by a rule of its own, and refuses or cuts.

In tests: `with WindowServer(8192, answer) as server: …`; `server.sizes` are the tokens of every request.
By hand:  `python -m tests.fakes.window_server --port 0 --window 8192 --on-overflow refuse`.
"""

import argparse
import json
import re
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Literal

from tests.fakes.chat_server import DONE, ChatServer, Reply, delta, finish, reply_error, reply_text, text, usage

OnOverflow = Literal["refuse", "cut", "vaguely"]
"""Refuse and say how much it takes, read only the end without a word, or refuse without saying how much."""

Answer = Callable[[dict[str, Any], int], Reply]

SUMMARISE = "Summarise them in at most"
"""In every request for a summary."""

FACT = re.compile(r"The \w+ is \w+-\d+\.")


def tokens_in(body: Mapping[str, Any], characters: float = 3.6, noise: float = 0.06) -> int:
    """Tokens of a request: so many characters each, more or less by up to the `noise`, and four for each message."""
    parts = [json.dumps(tool, ensure_ascii=False) for tool in body.get("tools") or ()]
    for message in body["messages"]:
        parts.append(str(message.get("content") or ""))
        parts += [json.dumps(call["function"], ensure_ascii=False) for call in message.get("tool_calls") or ()]
    counted = 4.0 * len(body["messages"])
    for part in parts:
        counted += len(part) / characters * (1 + noise * (zlib.crc32(part.encode()) % 201 - 100) / 100)
    return round(counted)


def asks_for_summary(body: Mapping[str, Any]) -> bool:
    """Whether a request wants a summary."""
    return SUMMARISE in str(body["messages"][-1]["content"])


def told_facts(body: Mapping[str, Any]) -> list[str]:
    """The facts ("The colour is teal-7.") anywhere in a request, in order."""
    whole = "\n".join(str(message.get("content") or "") for message in body["messages"])
    return list(dict.fromkeys(FACT.findall(whole)))


def good_summary(body: Mapping[str, Any]) -> Reply:
    """A summary with every fact of the request."""
    return reply_text("- goal: go on\n" + "\n".join(f"- {fact}" for fact in told_facts(body)), chunk=400)


class WindowServer(ChatServer):
    """`answer` replies to what fits, `summary` to requests for a summary. `rest` is what `ChatServer` takes.

    The window is listed with the model unless it is `unlisted`. `sizes` are the tokens of the requests as they came,
    `refused` the numbers of those that were refused, `summaries` of those that asked for a summary.
    """

    def __init__(
        self,
        window: int,
        answer: Answer | None = None,
        *,
        summary: Callable[[dict[str, Any]], Reply] = good_summary,
        on_overflow: OnOverflow = "refuse",
        unlisted: bool = False,
        characters: float = 3.6,
        noise: float = 0.06,
        **rest: Any,
    ) -> None:
        model: dict[str, Any] = {"id": "fake-model", "object": "model"}
        if not unlisted:
            model["context_length"] = window
        super().__init__(self._answered, models=[model], **rest)
        self.window = window
        self.sizes: list[int] = []
        self.refused: list[int] = []
        self.summaries: list[int] = []
        self._answer = answer or (lambda body, number: reply_text(f"Answer {number}."))
        self._summary = summary
        self._on_overflow = on_overflow
        self._characters = characters
        self._noise = noise

    def _answered(self, body: dict[str, Any], number: int) -> Reply:
        size = read = tokens_in(body, self._characters, self._noise)
        self.sizes.append(size)
        if size > self.window:
            if self._on_overflow != "cut":
                self.refused.append(number)
                said = (
                    f"This model's maximum context length is {self.window} tokens. However, your messages resulted in "
                    f"{size} tokens. Please reduce the length of the messages."
                    if self._on_overflow == "refuse"
                    else "Your input exceeds the context window of this model."
                )
                return reply_error(400, said, code="context_length_exceeded")
            read = self.window
        if asks_for_summary(body):
            self.summaries.append(number)
            reply = self._summary(body)
        else:
            reply = self._answer(body, number)
        return with_usage(reply, read)


def with_usage(reply: Reply, prompt: int) -> Reply:
    """The same reply with a count of the tokens of its request."""
    if reply.status != 200 or not reply.steps or reply.steps[-1] != DONE:
        return reply
    steps = [step for step in reply.steps[:-1] if not (isinstance(step, dict) and step.get("usage"))]
    return Reply([*steps, usage(prompt=prompt), DONE])


def empty_summary(body: Mapping[str, Any]) -> Reply:
    """A summary that is none."""
    return Reply([delta(role="assistant", content=""), finish("stop"), DONE])


def broken_summary(body: Mapping[str, Any]) -> Reply:
    """A server that fails while it should summarise."""
    return reply_error(500, "out of memory")


def endless_summary(body: Mapping[str, Any]) -> Reply:
    """A summary that is longer than what it stands for, cut by its limit."""
    return Reply([text("and so on " * 30_000), finish("length"), DONE])


def main() -> None:
    """Serve until interrupted; prints the address first."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.window_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--window", type=int, default=8192)
    parser.add_argument("--on-overflow", choices=OnOverflow.__args__, default="refuse")  # type: ignore[attr-defined]
    parser.add_argument("--unlisted", action="store_true")
    options = parser.parse_args()
    server = WindowServer(options.window, on_overflow=options.on_overflow, unlisted=options.unlisted, port=options.port)
    with server:
        print(server.url, flush=True)
        told = 0
        with suppress(KeyboardInterrupt):
            while True:
                time.sleep(0.2)
                for number, size in enumerate(server.sizes[told:], start=told):
                    state = "refused" if number in server.refused else "summary" if number in server.summaries else ""
                    print(number, size, state, flush=True)
                    told += 1


if __name__ == "__main__":
    main()
