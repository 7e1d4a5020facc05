"""The transcript at full speed: streaming, an endless code fence, keys while text streams, a long session.

    python -m benchmarks.transcript [--runs N]

Runs the widget at 120×40 above a prompt, through everything up to the bytes for the terminal. Every chunk is its own
turn of the event loop, as it is when chunks come from a socket; the clock stops when the last one is on the screen.
Budgets are those of the design: 5,000 chunks in 1.0 s, 20,000 in 4.4 times that, a fence of 5,000 lines in 5.5 times
one of 1,000, a key on the screen within 25 ms (95th percentile) and 1.5 times an empty transcript.
"""

import argparse
import asyncio
import gc
import random
import statistics
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import psutil
from textual.app import App, ComposeResult
from textual.drivers.headless_driver import HeadlessDriver
from textual.events import Key
from textual.widgets import TextArea

from tui_agent.config.themes import load_themes
from tui_agent.conversation.events import AssistantReplied, PromptSubmitted, ToolFinished, TurnEnded
from tui_agent.conversation.messages import ToolCall, Usage
from tui_agent.tui.theming import Palette, textual_theme
from tui_agent.tui.widgets.transcript.document import AgentBlock, Document, GrowingText, ToolBlock, UserBlock
from tui_agent.tui.widgets.transcript.projection import Projector
from tui_agent.tui.widgets.transcript.view import TranscriptView

THEME = load_themes((Path(__file__).parents[1] / "themes",))[0]["slate"]

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


class Sink(HeadlessDriver):
    """A terminal that takes every byte; unlike with a headless driver, they are made."""

    @property
    def is_headless(self) -> bool:
        """No, so that the screen is drawn."""
        return False


class Bench(App[None]):
    """A transcript above a prompt."""

    AUTO_FOCUS = "TextArea"

    def __init__(self) -> None:
        super().__init__(driver_class=Sink)
        self.register_theme(textual_theme(THEME))
        self.theme = THEME.name
        self.document = Document()
        self.view = TranscriptView(self.document, palette=Palette(THEME))
        self.prompt = TextArea()

    def compose(self) -> ComposeResult:
        """Two widgets."""
        yield self.view
        self.prompt.styles.height = 4
        yield self.prompt


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


async def drawn(app: Bench) -> None:
    """Wait until what was asked for is on the screen."""
    painted = asyncio.Event()
    while app.view._frame is not None:  # noqa: ASYNC110 -- the widget has nothing to wait on
        await asyncio.sleep(0.001)
    app.view.call_after_refresh(painted.set)
    await painted.wait()


async def stream(pieces: Sequence[str], above: int = 0) -> float:
    """Seconds from the first piece to the last one painted."""
    app = Bench()
    async with app.run_test(headless=False, size=(120, 40)):
        fill(app.document, above)
        answer = app.document.add(AgentBlock(streaming=True))
        app.document.append_text(answer, SAMPLE)  # the parser and the lexers are loaded once in a program's life
        await drawn(app)
        gc.collect()
        began = perf_counter()
        for piece in pieces:
            app.document.append_text(answer, piece)
            await asyncio.sleep(0)
        await drawn(app)
        return perf_counter() - began


def fill(document: Document, blocks: int) -> None:
    """Blocks of an earlier conversation."""
    for number in range(blocks // 3):
        document.add(UserBlock(text=f"question {number}"))
        document.add(AgentBlock(text=GrowingText(SAMPLE)))
        document.add(ToolBlock(name="read_file", title=f"src/module_{number}.py", status="ok", content="x = 1\n" * 20))


async def keys(above: int, count: int = 200) -> list[float]:
    """Seconds from each key to its paint while text streams at 200 chunks a second."""
    app = Bench()
    times: list[float] = []
    async with app.run_test(headless=False, size=(120, 40)):
        fill(app.document, above)
        answer = app.document.add(AgentBlock(streaming=True))
        app.document.append_text(answer, SAMPLE)
        await drawn(app)
        pieces = chunks(5_000)
        gc.collect()
        gc.freeze()  # as the program does after its first paint

        async def talk() -> None:
            for piece in pieces:
                app.document.append_text(answer, piece)
                await asyncio.sleep(0.005)

        talking = asyncio.create_task(talk())
        for number in range(count):
            await asyncio.sleep(0.02 + 0.001 * (number % 17))
            painted = asyncio.Event()
            began = perf_counter()
            app.prompt.post_message(Key("a", "a"))
            while len(app.prompt.text) <= number:  # noqa: ASYNC110 -- as a busy loop it adds no delay
                await asyncio.sleep(0)
            app.prompt.call_after_refresh(painted.set)
            await painted.wait()
            times.append(perf_counter() - began)
        talking.cancel()
    return times


async def session(events: int) -> tuple[float, float, float]:
    """Seconds to project a logged session, seconds to its first frame, and megabytes that log and screen take."""
    gc.collect()
    memory = psutil.Process().memory_info().rss
    call = ToolCall("c", "read_file", '{"file_path": "src/cart.py"}')
    log = []
    for number in range(events // 4):
        log.append(PromptSubmitted(f"question {number}"))
        log.append(AssistantReplied(SAMPLE[:400] + str(number), "", (call,), "stop", "p", "m", Usage(), 1.0))
        log.append(ToolFinished("c", "read_file", "src/cart.py", "ok", f"line {number}\n" * 20, 0.1))
        log.append(TurnEnded("done"))
    app = Bench()
    async with app.run_test(headless=False, size=(120, 40)):
        app.document.add(AgentBlock(text=GrowingText(SAMPLE)))
        await drawn(app)
        app.document.clear()
        await drawn(app)
        began = perf_counter()
        projector = Projector(app.document)
        for event in log:
            projector.apply(event)
        projected = perf_counter()
        app.document.add(UserBlock(text="the end"))
        await drawn(app)
        return projected - began, perf_counter() - projected, (psutil.Process().memory_info().rss - memory) / 1e6


def row(label: str, value: float, unit: str, budget: float, base: float = 0.0) -> None:
    """A line of the table; with a base the budget is for the ratio."""
    ratio = value / base if base else 0.0
    over = (ratio if base else value) > budget
    print(
        f"{label:44}{value:>9.3f} {unit:<3}{f'{ratio:.2f} ×' if base else '':>10}"
        f"{f'≤ {budget:g}' + (' ×' if base else ''):>11}{'  over budget' if over else ''}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs

    def median(pieces: Sequence[str], above: int = 0) -> float:
        return statistics.median(asyncio.run(stream(pieces, above)) for _ in range(runs))

    median(chunks(100))
    print(f"{'':44}{'':>13}{'ratio':>10}{'budget':>11}")
    _, little, _ = asyncio.run(session(80))
    project, frame, memory = asyncio.run(session(10_000))
    row("project 10,000 logged events", project, "s", 0.2)
    row("their first frame, to that of 80 events", frame, "s", 1.3, little)
    row("their memory", memory, "MB", 60)
    thousand, five, twenty = (median(chunks(count)) for count in (1_000, 5_000, 20_000))
    row("1,000 chunks", thousand, "s", 1.0)
    row("5,000 chunks", five, "s", 1.0)
    row("20,000 chunks, to 5,000", twenty, "s", 4.4, five)
    row("5,000 chunks below 5,000 blocks", median(chunks(5_000), 5_000), "s", 1.5, five)
    short, long = median(fence(1_000)), median(fence(5_000))
    row("fence of 1,000 lines", short, "s", 1.0)
    row("fence of 5,000 lines, to 1,000", long, "s", 5.5, short)
    empty, full = (statistics.quantiles(asyncio.run(keys(above)), n=20)[18] for above in (0, 5_000))
    row("key to paint, p95", empty * 1000, "ms", 25)
    row("key to paint below 5,000 blocks, p95", full * 1000, "ms", 25)
    row("  to an empty transcript", full * 1000, "ms", 1.5, empty * 1000)


if __name__ == "__main__":
    main()
