"""What fills the window, drawn for any numbers and any width, and the screen that shows it."""

from collections.abc import Callable
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from textual.pilot import Pilot

from tests.tui.chat_stage import screen_text
from tests.tui.stage import Stage
from tui_agent.agent.spending import Spent
from tui_agent.agent.window import ContextUse, Largest, Part
from tui_agent.tui.screens.context import ContextScreen
from tui_agent.tui.theming import ASCII, UNICODE, Symbols
from tui_agent.tui.widgets.context_lines import ContextFacts, context_lines

PARTS = (
    Part("system", 612, 1),
    Part("tools", 2_104, 14),
    Part("summary", 810, 1),
    Part("files", 1_320, 1),
    Part("results", 640, 12),
    Part("conversation", 564, 9),
)
LARGEST = (
    Largest(31, "read_file src/cart.py", 1_320),
    Largest(20, "summary", 810),
    Largest(35, "run_command pytest -q tests/test_cart.py \x1b]0;x\x07[/b]", 402),
)
USE = ContextUse(PARTS, LARGEST, 6_050, 8_192, 7_168, 1.08, 5, 6_050, 5_120, "server")
UNKNOWN = ContextUse(PARTS, LARGEST, 6_050, None, None, 1.0, 0, None, None, "")


def facts(use: ContextUse = USE, **changed: object) -> ContextFacts:
    values: dict[str, object] = {
        "use": use,
        "provider": "ollama",
        "limit": use.window,
        "threshold": None if use.window is None else round(use.window * 0.8),
        "prompts": {31: "fix the failing test\nand tell me why", 35: "run the tests"},
        "turn": Spent(2, 11_800, 412, 10_240, 0.0213),
        "session": Spent(19, 61_020, 5_130, 30_000, 0.21, estimated=True, unpriced=3),
        "currency": "$",
        "replaced": 41,
    }
    return ContextFacts(**{**values, **changed})  # type: ignore[arg-type]


def text(shown: ContextFacts, width: int = 100, symbols: Symbols = UNICODE) -> list[str]:
    return [line.plain.rstrip() for line in context_lines(shown, width, symbols)]


def test_it_says_what_there_is_where_from_and_what_it_cost() -> None:
    lines = text(facts())
    assert lines[0] == "about 6,050 of 8,192 tokens  74%"
    said = " ".join(" ".join(lines).split())
    assert "system 612 10%" in said and "14 tools" in said and "stands for 41 messages" in said
    assert "1 file that was read" in said and "12 results of tools" in said and "9 messages" in said
    assert "1,320 read_file src/cart.py" in said and "in “fix the failing test and tell me why”" in said
    assert "our estimate × 1.08, from 5 replies" in said
    assert "8,192 tokens, as the server says" in said
    assert "5,120 of 6,050 from the cache" in said
    assert "11,800 tokens in, 10,240 cached · 412 out · $0.02 · 2 requests" in said
    assert "about 61,020 tokens in, 30,000 cached · 5,130 out · about $0.21 for all but 3, which have no price" in said


def test_the_marks_stand_where_room_is_made_and_where_the_reply_begins() -> None:
    _, bar, marks, legend, *_ = text(facts())
    assert len(bar) == 98 and bar.count("▰") == round(6_050 / 8_192 * 98)
    assert marks.index("▎") == round(7_168 / 8_192 * 98) and marks.index("↑") == round(6_554 / 8_192 * 98)
    assert legend == "↑ from 6,554 on room is made   ▎ 7,168 the most; the rest is for the reply"
    small = text(facts(threshold=7_168))
    assert "▎" not in small[2] and small[3] == "↑ from 7,168 on room is made; the rest is for the reply"
    by_hand = text(facts(threshold=None))
    assert "room is made" not in "\n".join(by_hand) and "▎" in by_hand[2]


def test_an_unknown_window_has_numbers_and_what_to_do_but_no_bar() -> None:
    lines = text(facts(UNKNOWN))
    assert lines[0] == "about 6,050 tokens" and not lines[1]
    said = "\n".join(lines)
    assert "the server does not say; set context_length: under providers: ollama:" in said
    assert "no reply has told yet" in said and "last request" not in said and "▎" not in said
    refused = "\n".join(text(facts(structs.replace(UNKNOWN, room=3_000))))
    assert "about 3,000 tokens are sent at most since it refused more" in refused


counts = st.integers(0, 10**7)
uses = st.builds(
    ContextUse,
    parts=st.tuples(*(st.builds(Part, name=st.just(part.name), tokens=counts, count=counts) for part in PARTS)),
    largest=st.lists(st.builds(Largest, seq=counts, title=st.text(), tokens=counts), max_size=4).map(tuple),
    total=counts,
    window=st.none() | st.integers(1, 10**7),
    room=st.none() | counts,
    factor=st.floats(0.5, 3.0),
    replies=st.integers(0, 3),
    prompt=st.none() | counts,
    cached=st.none() | counts,
    source=st.sampled_from(("settings", "server", "learned from an error", "learned from a cut", "")),
)


@given(uses, st.text(), st.integers(1, 200), st.sampled_from([UNICODE, ASCII]))
def test_it_fits_any_width_whatever_the_numbers(use: ContextUse, prompt: str, width: int, symbols: Symbols) -> None:
    shown = facts(use, prompts={item.seq: prompt for item in use.largest})
    for line in context_lines(shown, max(10, width), symbols):
        assert not any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in line.plain)
        if width >= 40:
            assert line.cell_length <= width, line.plain


# ---- the screen ----


class Showing(Stage):
    def __init__(self, shown: ContextFacts, *, busy: bool = False, summary: bool = True) -> None:
        super().__init__()
        self.shown, self.busy, self.summary = shown, busy, summary
        self.answers: list[Literal["compact", "edit"] | None] = []
        self.context = ContextScreen()

    def on_mount(self) -> None:
        self.push_screen(self.context, self.answers.append)
        self.again()

    def again(self) -> None:
        self.context.show(self.shown, "ollama · qwen2.5:7b", busy=self.busy, summary=self.summary)


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (120, 40)])
async def test_all_of_it_can_be_reached_at_every_size(size: tuple[int, int]) -> None:
    app = Showing(facts())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        seen = screen_text(app)
        assert "context  ollama · qwen2.5:7b" in seen and "about 6,050 of 8,192 tokens" in seen and "system" in seen
        for _ in range(12):
            await pilot.press("pagedown")
            seen += screen_text(app)
        assert "session" in seen and "8,192 tokens, as" in seen and "read_file src/cart.py" in seen
        await pilot.press("pageup", "down", "up", "k", "j", "alt+x")
        assert app.answers == [None]


@pytest.mark.parametrize(("key", "answer"), [("c", "compact"), ("e", "edit"), ("escape", None), ("q", None)])
async def test_a_key_says_what_is_next(key: str, answer: str | None) -> None:
    app = Showing(facts())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "c make room" in screen_text(app) and "e edit " in screen_text(app)
        await pilot.press(key, key)  # held
        assert app.answers == [answer]


async def test_while_a_turn_runs_it_only_shows_and_follows() -> None:
    app = Showing(facts(), busy=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "a turn runs" in screen_text(app) and "make room" not in screen_text(app)
        await pilot.press("c", "e")
        assert not app.answers
        app.shown, app.busy, app.summary = facts(UNKNOWN), False, False
        app.again()
        await pilot.pause()
        assert "about 6,050 tokens" in screen_text(app) and "a turn runs" not in screen_text(app)
        assert "c make room" in screen_text(app) and "e edit" not in screen_text(app)
        await pilot.press("e")
        assert not app.answers


def test_it_looks(snap_compare: Callable[..., bool]) -> None:
    async def ready(pilot: Pilot[object]) -> None:
        await pilot.pause()

    assert snap_compare(Showing(facts()), terminal_size=(100, 32), run_before=ready)
