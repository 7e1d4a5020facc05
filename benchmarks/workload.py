"""What the benchmarks show: text as models write it, and sessions as people have them. The same in every run."""

import random
from collections.abc import Iterator

from tui_agent.conversation.events import AssistantReplied, LoggedEvent, PromptSubmitted, ToolFinished, TurnEnded
from tui_agent.conversation.messages import ToolCall, Usage

SENTINEL = "ZLASTZ"
"""A word that is in no text but at the end."""

SAMPLE = """\
The assertion compares **two lists** in the *wrong* order; `total()` sorts first. See [the docs](https://docs.invalid/).

## What changes

1. `cart.py` keeps the order of what was put in
2. the test covers the empty cart
   - and a nested point that is long enough to need a second row on a screen of ordinary width, as they often are

```python
def total(items: list[Item]) -> int:
    \"\"\"Sum of the prices, in cents.\"\"\"
    return sum(item.price for item in items)  # no sort
```

| case | before | after |
|------|-------:|:-----:|
| empty | 1 | 0 |
| one item | 1 | 1 |

> The order matters here.

"""


def chunks(count: int) -> list[str]:
    """Pieces of two to eight characters, about what one token is."""
    dice = random.Random(1)
    text, pieces, at = SAMPLE * (count * 5 // len(SAMPLE) + 2), [], 0
    for _ in range(count):
        size = dice.randint(2, 8)
        pieces.append(text[at : at + size])
        at += size
    return pieces


def fence(lines: int) -> list[str]:
    """One open code fence, a chunk a line."""
    return ["```python\n", *(f'    value_{n} = compute({n}, "text")  # note\n' for n in range(lines))]


def session(events: int) -> Iterator[LoggedEvent]:
    """A conversation of so many events, four a turn: answers of 300 to 2,500 characters, results of up to 10 KB."""
    dice = random.Random(2)
    call = ToolCall("c", "read_file", '{"file_path": "src/cart.py"}')
    for number in range(events // 4):
        yield PromptSubmitted(f"question {number}")
        answer = SAMPLE * dice.choice((0, 1, 1, 2, 3)) + SAMPLE[:340] + f"\n\nThat was answer {number}.\n"
        yield AssistantReplied(answer, "", (call,), "stop", "bench", "bench-model", Usage(), 1.0)
        yield ToolFinished(
            "c", "read_file", "src/cart.py", "ok", f"{number:6} item.price\n" * dice.randint(1, 700), 0.1
        )
        yield TurnEnded("done")
