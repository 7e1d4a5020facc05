"""Long sessions as real ones are: Markdown answers, tool results of all sizes, diffs, thoughts; the same every time.

By hand: `python -m tests.long_session DATABASE FOLDER EVENTS [EVENTS …]` writes sessions of a project folder to a log.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random

from tui_agent.conversation.events import (
    AssistantReplied,
    DecisionMade,
    FileDelta,
    LoggedEvent,
    PromptSubmitted,
    SessionStarted,
    ToolFinished,
    TurnEnded,
)
from tui_agent.conversation.messages import ToolCall, Usage
from tui_agent.store.sqlite import SqliteLog

_TEXT = """the cart total is wrong when a discount applies twice because rounding happens before summing so each line
loses a cent and tests compare with the invoice; move it to the end, keep decimals, check `total()` and **never** float
"""
_WORDS = _TEXT.split()


def prose(random: Random, characters: int) -> str:
    """A paragraph of about so many characters."""
    words: list[str] = []
    while characters > 0:
        words.append(random.choice(_WORDS))
        characters -= len(words[-1]) + 1
    return " ".join(words).capitalize() + "."


def code(random: Random, lines: int) -> str:
    """Some Python."""
    return "\n".join(f"    total_{n} = round(price_{random.randrange(99)} * {n}, 2)  # line {n}" for n in range(lines))


def answer(random: Random) -> str:
    """Markdown of 400 to 3,000 characters with what models write."""
    parts = [prose(random, random.randrange(200, 600))]
    if random.random() < 0.5:
        parts.append("\n".join(f"- {prose(random, 60)}" for _ in range(random.randrange(2, 7))))
    if random.random() < 0.5:
        parts.append(f"```python\ndef total(lines):\n{code(random, random.randrange(4, 20))}\n```")
    if random.random() < 0.2:
        rows = "\n".join(f"| item {n} | {random.randrange(999)} | {prose(random, 20)} |" for n in range(5))
        parts.append(f"| name | count | remark |\n| --- | ---: | --- |\n{rows}")
    parts.append(f"## What changed\n\n{prose(random, random.randrange(200, 700))}")
    return "\n\n".join(parts)


def turn(random: Random, number: int) -> Iterator[LoggedEvent]:
    """The events of one turn: prompt, reply with a call, its result, answer, end."""
    yield PromptSubmitted(f"prompt {number}: {prose(random, random.randrange(20, 200))}")
    usage = Usage(1000 + number, 200)
    for step in range(random.randrange(3)):
        call, path = f"call_{number}_{step}", f"src/shop/cart_{random.randrange(40)}.py"
        if random.random() < 0.7:
            asked = ToolCall(call, "read_file", f'{{"file_path": "{path}"}}')
            content = code(random, random.choice((5, 20, 60, 170)))
            result = ToolFinished(call, "read_file", path, "ok", content, 0.012)
        else:
            asked = ToolCall(call, "edit_file", f'{{"file_path": "{path}"}}')
            diff = "@@ -1,3 +1,4 @@\n" + "\n".join(f"{sign}{code(random, 1)}" for sign in " -++ ")
            changed = (FileDelta(path, 2, 1, diff),)
            result = ToolFinished(call, "edit_file", path, "ok", f"edited {path}", 0.02, changed)
        thought = prose(random, 300) if random.random() < 0.4 else ""
        said = prose(random, 80)
        yield AssistantReplied(said, thought, (asked,), "tool_calls", "ollama", "qwen2.5", usage, 2.0, 1.0)
        yield DecisionMade(call, asked.name, "allowed", "policy")
        yield result
    yield AssistantReplied(answer(random), "", (), "stop", "ollama", "qwen2.5", usage, 4.0)
    yield TurnEnded("done")


def events(amount: int, seed: int = 1) -> Iterator[LoggedEvent]:
    """What follows the beginning of a session of `amount` events, whole turns as far as they go."""
    random = Random(seed)
    left = amount - 1
    for number in count(1):
        for event in turn(random, number):
            if left <= 0:
                return
            left -= 1
            yield event


async def write_session(log: SqliteLog, session: str, folder: str, amount: int, at: float | None = None) -> None:
    """Put a session of `amount` events into a log, its last one now or at `at` (Unix seconds)."""
    now = (time.time() if at is None else at) - amount
    last = await log.create(session, SessionStarted(folder, "ollama", "qwen2.5", "ask", "1"), now)
    for event in events(amount, seed=amount):
        last = await log.append(last, event, last.time + 1)


async def _main(path: Path, folder: str, amounts: list[int]) -> None:
    log = SqliteLog(path)
    for amount in amounts:
        await write_session(log, f"long-{amount}", folder, amount)
    await log.aclose()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), sys.argv[2], [int(word) for word in sys.argv[3:]]))
