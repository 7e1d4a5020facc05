"""The transcript alone, in this process and without a terminal: streaming, an endless fence, keys, a long session.

Runs the widget at 120×40 above a prompt, through everything up to the bytes for the terminal. Every chunk is its own
turn of the event loop, as it is when chunks come from a socket; the clock stops when the last one is painted.
"""

import asyncio
import gc
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import psutil
from textual.app import App, ComposeResult
from textual.drivers.headless_driver import HeadlessDriver
from textual.events import Key
from textual.widgets import TextArea

from benchmarks.report import Row, alone, compared_to
from benchmarks.workload import SAMPLE, chunks, fence
from tui_agent.config.themes import load_themes
from tui_agent.conversation.events import AssistantReplied, LoggedEvent, PromptSubmitted, ToolFinished, TurnEnded
from tui_agent.conversation.messages import ToolCall, Usage
from tui_agent.tui.collecting import Collector
from tui_agent.tui.theming import Palette, textual_theme
from tui_agent.tui.widgets.transcript.document import AgentBlock, Document, GrowingText, ToolBlock, UserBlock
from tui_agent.tui.widgets.transcript.projection import Projector
from tui_agent.tui.widgets.transcript.view import TranscriptView

THEME = load_themes((Path(__file__).parents[1] / "themes",))[0]["slate"]


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


async def drawn(app: Bench) -> None:
    """Wait until what was asked for is on the screen."""
    painted = asyncio.Event()
    while app.view._frame is not None or app.view._port.unread:  # noqa: ASYNC110 -- the widget has nothing to wait on
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
        collector = Collector()
        collector.begin()  # as the program does after its first paint

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
        collector.end()
    return times


async def session(events: int) -> tuple[float, float, float]:
    """Seconds to project a logged session, seconds to its first frame, and megabytes that log and screen take."""
    gc.collect()
    memory = psutil.Process().memory_info().rss
    call = ToolCall("c", "read_file", '{"file_path": "src/cart.py"}')
    log: list[LoggedEvent] = []
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


def measure(quick: bool = False) -> list[Row]:
    """All of it."""
    runs = 1 if quick else 3

    def streamed(name: str, pieces: Sequence[str], above: int = 0, limit: float | None = None) -> Row:
        return Row(name, tuple(asyncio.run(stream(pieces, above)) for _ in range(runs)), "s", limit=limit)

    asyncio.run(stream(chunks(100)))
    thousand = streamed("1,000 chunks", chunks(1_000))
    five = streamed("5,000 chunks", chunks(5_000), limit=1.0)
    rows = [thousand, compared_to(thousand, five)]
    if not quick:
        rows.append(compared_to(five, streamed("20,000 chunks", chunks(20_000)), 4.4))
    below = streamed("5,000 chunks below 5,000 blocks", chunks(5_000), 5_000)
    short, long = (streamed(f"open fence of {lines:,} lines", fence(lines)) for lines in (1_000, 5_000))
    rows += [compared_to(five, below, 1.5), short, compared_to(short, long, 5.5)]
    few = 40 if quick else 200
    empty, full = (
        Row(
            f"key to paint, streaming, p95, {above:,} blocks above",
            tuple(statistics.quantiles(asyncio.run(keys(above, few)), n=20)[18] * 1000 for _ in range(runs)),
            "ms",
            limit=25,
        )
        for above in (0, 5_000)
    )
    rows += [empty, compared_to(empty, full, 1.5, "0 blocks")]
    _, little, _ = asyncio.run(session(80))
    sessions = [asyncio.run(session(10_000)) for _ in range(runs)]
    projected, framed, held = zip(*sessions, strict=True)
    return [
        *rows,
        Row("project 10,000 logged events", projected, "s"),
        compared_to(Row("", (little,), "s"), Row("their first frame", framed, "s"), to="80 events"),
        Row("their memory, with the log", (max(held),), "MB", limit=60),
    ]


if __name__ == "__main__":
    sys.exit(alone(__doc__, measure))
