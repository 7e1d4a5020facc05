"""Many turns in one process against a server that fails at random: what is lost, and how memory grows.

`python -m tests.reliability.soak [--turns 2000] [--seed 1]` prints figures and ends with 1 when a promise is broken.
"""

import argparse
import asyncio
import ctypes
import gc
import json
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.fakes.chat_server import (
    ALL_STYLES,
    DONE,
    ChatServer,
    Close,
    Reply,
    Reset,
    Seen,
    Stall,
    body_of,
    delta,
    finish,
    history_problems,
    reply_body,
    reply_calls,
    reply_error,
    reply_html,
    reply_reset,
    reply_steps,
    reply_text,
    text,
)
from tests.fakes.window_server import asks_for_summary, tokens_in, with_usage
from tests.reliability.stage import session_at
from tui_agent.conversation.events import (
    AssistantReplied,
    Compacted,
    PromptSubmitted,
    ResultsTrimmed,
    TextDelta,
    TurnEnded,
)
from tui_agent.store.sqlite import SqliteLog

WARM = 200
"""Turns after which memory should not grow much any more."""
MOST_GROWTH = 20_000_000
"""Bytes."""
WINDOW = 8192
"""Tokens of the model, which refuses what is longer."""
SESSION_TURNS = 100
"""Turns of one session, as in a long day; the next one begins behind them, as a user would begin it."""


@dataclass
class Outcome:
    """What a run came to; `faults` counts what the server did, `ends` how turns ended.

    `refused` counts requests that were longer than the window, `compacted` summaries by who wrote them, `trimmed` how
    often results were cut. `baseline` is the memory after the first `WARM` turns, `growth` the most by which it was
    larger between two sessions after that, in bytes.
    """

    turns: int = 0
    seconds: float = 0.0
    baseline: int = 0
    growth: int = 0
    requests: int = 0
    refused: int = 0
    compacted: Counter[str] = field(default_factory=Counter)
    trimmed: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


class FaultyServer(ChatServer):
    """Answers well or badly, as the dice say; remembers no bodies, and looks at each history at once."""

    def __init__(self, rng: random.Random, outcome: Outcome) -> None:
        model = {"id": "fake-model", "object": "model", "context_length": WINDOW}
        super().__init__(self._reply, strict=False, models=[model])
        self.prompt = ""
        """What the user said last; every request of the turn has it."""
        self.stall = False
        """Whether replies stall, for turns that are stopped in the middle of one."""
        self._rng = rng
        self._outcome = outcome

    def _choose(self, seen: Seen) -> Reply:
        reply = super()._choose(seen)
        self.requests.clear()
        self.others.clear()
        self._outcome.requests += 1
        if problems := history_problems(seen.body.get("messages", ())):
            self._outcome.broken.append(f"a request was not valid: {problems[0]}")
        return reply

    def _within(self, body: dict[str, Any]) -> Reply | None:
        """The refusal of what is too long; looks for the user's last words in what is not."""
        size = tokens_in(body)
        if size > WINDOW:
            self._outcome.refused += 1
            return reply_error(400, f"This model's maximum context length is {WINDOW} tokens, yours has {size}.")
        told = any(self.prompt in str(message.get("content")) for message in body["messages"])
        if not told and not asks_for_summary(body):
            self._outcome.broken.append(f"a request does not have {self.prompt!r}")
        return None

    def _reply(self, body: dict[str, Any], number: int) -> Reply:
        rng = self._rng
        if (refusal := self._within(body)) is not None:
            return refusal
        asked = body["messages"][-1]
        good = reply_text(
            f"Answer to {str(asked['content'])[-20:]}: " + "word " * rng.randrange(60), chunk=rng.randrange(1, 40)
        )
        if asks_for_summary(body):
            good = reply_text("- goal: go on\n" * rng.randrange(1, 90), chunk=200)
        elif asked["role"] == "user" and rng.random() < 0.4:
            good = reply_calls(
                [self._call() for _ in range(rng.randrange(1, 4))],
                rng.choice(ALL_STYLES),
                answer=rng.choice(["", "Let me see."]),
            )
        name = "stalled" if self.stall else rng.choices([*WEIGHTS], [*WEIGHTS.values()])[0]
        self._outcome.faults[name] += 1
        return spoiled(name, with_usage(good, tokens_in(body)), rng)

    def _call(self) -> tuple[str, dict[str, Any] | str]:
        rng = self._rng
        path = f"f{rng.randrange(5)}.txt"
        calls: list[tuple[str, dict[str, Any] | str]] = [
            ("write_file", {"file_path": path, "content": f"{rng.random()}\n" * rng.randrange(1, 50)}),
            ("read_file", {"file_path": path}),
            ("list_directory", {"path": "."}),
            ("no_such_tool", {"a": 1}),
            ("read_file", '{"file_path": "f'),
            ("read_file", {"file_path": 7}),
            ("write_file", ""),
        ]
        return rng.choice(calls)


WEIGHTS = {
    "none": 12.0,
    "split": 2.0,
    "line ends": 1.0,
    "closed": 2.0,
    "reset": 2.0,
    "stalled": 0.3,
    "never answered": 1.0,
    "429": 1.0,
    "5xx": 2.0,
    "4xx": 1.0,
    "web page": 1.0,
    "no json": 1.0,
    "error inside": 1.0,
    "empty": 1.0,
    "length": 1.0,
    "lies about usage": 1.0,
    "strange body": 1.0,
    "big": 0.5,
    "huge call": 0.2,
    "odd delta": 1.0,
}
"""How often the server does what; stalls are rare because they take time."""

SO = text("So")
LIE = {"choices": [], "usage": {"prompt_tokens": -1, "completion_tokens": "many"}}
ODD = ({"choices": [{}]}, {"choices": None}, delta(content=None))
HUGE = ("write_file", {"file_path": "f", "content": "x" * 5_000_000})


def spoiled(name: str, reply: Reply, rng: random.Random) -> Reply:
    """A good reply as this fault leaves it."""
    match name:
        case "split":
            return reply.but(pieces=rng.randrange(20, 200))
        case "line ends":
            return reply.but(newline=rng.choice(["\r\n", "\r"]))
        case "closed" | "reset" | "stalled":
            how = {"closed": Close(), "reset": Reset(), "stalled": Stall()}[name]
            return reply.but(cut_at=rng.randrange(len(body_of(reply))), cut_by=how)
        case "never answered":
            return reply_reset()
        case "429":
            return reply_error(429, retry_after=rng.choice([0, "soon", -1]))
        case "5xx":
            return reply_error(rng.choice([500, 502, 503, 529]), "x" * rng.randrange(3000))
        case "4xx":
            return reply_error(rng.choice([400, 401, 403, 404, 413]))
        case "web page":
            return reply_html(rng.choice([200, 502]))
        case "no json":
            return reply_steps(SO, b"data: {half\n\n", Close())
        case "error inside":
            return reply_steps(SO, b'data: {"error": "overloaded"}\n\n')
        case "empty":
            return reply_steps(finish(), DONE)
        case "length":
            return reply_steps(SO, finish("length"), DONE)
        case "lies about usage":
            return reply_steps(SO, LIE, finish(), DONE)
        case "strange body":
            return reply_body(200, rng.choice(["hello", "{}", "[1]", "\xff" * 50]))
        case "big":
            return reply_steps(text("x" * 200_000), finish(), DONE)
        case "huge call":
            return reply_calls([HUGE], chunk=100_000)
        case "odd delta":
            return reply_steps(*ODD, SO, finish(), DONE)
    return reply


async def soak(root: Path, turns: int, seed: int) -> Outcome:
    """Run so many turns in sessions of the folder `root`."""
    rng = random.Random(seed)
    outcome = Outcome()
    begun = time.monotonic()
    known: dict[str, int] = {}
    with FaultyServer(rng, outcome) as server:
        while outcome.turns < turns:
            async with session_at(server, root, timeout=0.2, max_retries=2) as session:
                for _ in range(min(SESSION_TURNS, turns - outcome.turns)):
                    outcome.turns += 1
                    server.stall = rng.random() < 0.05
                    await _turn(session, server, outcome, rng, stop_in_text=server.stall)
                known[session.id] = len(session.records)
            del session  # what it holds is no growth
            if outcome.turns >= WARM:
                used = _memory()
                outcome.baseline = outcome.baseline or used
                outcome.growth = max(outcome.growth, used - outcome.baseline)
        await _check_logs(root / "sessions.db", known, outcome)
    outcome.seconds = time.monotonic() - begun
    return outcome


def _memory() -> int:
    """Bytes of this process, without what the allocator of the system has kept for later."""
    gc.collect()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
    return psutil.Process().memory_info().rss


async def _turn(
    session: Any, server: FaultyServer, outcome: Outcome, rng: random.Random, *, stop_in_text: bool
) -> None:
    server.prompt = prompt = f"prompt {outcome.turns} {rng.random()}"
    before = len(session.records)
    stop_after = rng.randrange(1, 15) if rng.random() < 0.2 else -1
    shown: list[str] = []
    seen = 0
    async for event in session.run(prompt):
        seen += 1
        if isinstance(event, TextDelta):
            shown.append(event.text)
        if seen == stop_after or (stop_in_text and shown):
            session.interrupt()
    new = [record.event for record in session.records[before:]]
    ended = [event for event in new if isinstance(event, TurnEnded)]
    outcome.compacted.update(event.provider or "nobody" for event in new if isinstance(event, Compacted))
    outcome.trimmed += sum(isinstance(event, ResultsTrimmed) for event in new)
    outcome.ends[f"{ended[-1].reason} {ended[-1].cause}".strip() if ended else "not at all"] += 1
    if len(ended) != 1 or not isinstance(new[-1], TurnEnded):
        outcome.broken.append(f"turn {outcome.turns} did not end once")
    if [event.text for event in new if isinstance(event, PromptSubmitted)] != [prompt]:
        outcome.broken.append(f"the prompt of turn {outcome.turns} is lost")
    if "".join(event.text for event in new if isinstance(event, AssistantReplied)) != "".join(shown):
        outcome.broken.append(f"what was shown in turn {outcome.turns} is not what was kept")


async def _check_logs(path: Path, known: dict[str, int], outcome: Outcome) -> None:
    log = SqliteLog(path)
    try:
        for session, count in known.items():
            if fault := await log.verify(session):
                outcome.broken.append(f"{session}: {fault}")
            if len(await log.read(session)) != count:
                outcome.broken.append(f"{session}: records are missing")
        if {row.id for row in await log.sessions()} != set(known):
            outcome.broken.append("the sessions that are listed are not the ones that were run")
    finally:
        await log.aclose()


def main() -> int:
    """Run it as the command line says, and print what it came to."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.soak", description=__doc__)
    parser.add_argument("--turns", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    logging.getLogger("tui_agent").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        outcome = asyncio.run(soak(Path(folder), words.turns, words.seed))
    print(
        f"{outcome.turns} turns, {outcome.requests} requests in {outcome.seconds:.0f} s; "
        f"{outcome.baseline / 1e6:.1f} MB after the first {WARM} turns, then at most {outcome.growth / 1e6:.1f} MB more"
    )
    print(f"the window: {outcome.refused} refused, {outcome.trimmed} cuts, summaries", json.dumps(outcome.compacted))
    print("the server:", json.dumps(outcome.faults))
    print("the turns:", json.dumps(outcome.ends))
    for each in outcome.broken[:20]:
        print("broken:", each)
    return 1 if outcome.broken or outcome.growth > MOST_GROWTH else 0


if __name__ == "__main__":
    sys.exit(main())
