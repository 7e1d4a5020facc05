"""The list of earlier sessions."""

from collections.abc import Callable

import pytest

from tests.tui.stage import Stage
from tui_agent.tui.screens.sessions import SessionRow, SessionsScreen, Wanted, ago

NOW = 1_800_000_000.0
ROWS = (
    SessionRow("a1", "fix the failing test", NOW - 720, 7, "qwen2.5:latest", "/src/shop"),
    SessionRow("b2", "rename the \x1b[31mmodule\nand imports", NOW - 90_000, 1, "gpt-5-mini", "/src/shop"),
    SessionRow("c3", "", NOW - 9_000_000, 0, "llama3.2", "/src/other"),
)


class Listing(Stage):
    def __init__(self, *rows: SessionRow) -> None:
        super().__init__()
        self.list_screen = SessionsScreen(rows, current="a1", now=NOW)
        self.chosen: object = "nothing yet"

    def on_mount(self) -> None:
        self.push_screen(self.list_screen, lambda chosen: setattr(self, "chosen", chosen))

    @property
    def lines(self) -> list[str]:
        choices = self.list_screen._list
        return [choices.render_line(y).text.rstrip() for y in range(choices.size.height)]


async def test_each_session_is_a_line_with_its_prompt_time_and_turns() -> None:
    app = Listing(*ROWS)
    async with app.run_test(size=(120, 24)):
        assert app.lines[0].startswith("› fix the failing test  open")
        assert app.lines[0].split("  ")[-1] == "12 min ago" and "7 turns" in app.lines[0]
        assert app.lines[1].startswith("  rename the module and imports") and "1 turn " in app.lines[1]
        assert app.lines[2].startswith("  (no prompt)")


async def test_typing_filters_and_enter_opens() -> None:
    app = Listing(*ROWS)
    async with app.run_test() as pilot:
        await pilot.press(*"gpt", "enter")
        await pilot.pause()
        assert app.chosen == Wanted("open", "b2")


async def test_escape_opens_nothing() -> None:
    app = Listing(*ROWS)
    async with app.run_test() as pilot:
        await pilot.press("down", "escape")
        await pilot.pause()
        assert app.chosen is None


async def test_no_session_and_no_match_are_told_apart_and_enter_does_nothing() -> None:
    app = Listing()
    async with app.run_test() as pilot:
        assert "no session yet" in app.lines[0]
        await pilot.press("enter")
        assert app.chosen == "nothing yet"
    app = Listing(*ROWS)
    async with app.run_test() as pilot:
        await pilot.press(*"zzz", "enter")
        assert "nothing fits" in app.lines[0]
        assert app.chosen == "nothing yet"


async def test_it_works_at_forty_by_ten() -> None:
    app = Listing(*ROWS * 5)
    async with app.run_test(size=(40, 10)):
        assert len(app.lines) >= 5
        assert all(len(line) <= 40 for line in app.lines)
        assert app.lines[0].endswith("12 min ago")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (3_599, "59 min ago"),
        (3_600, "1 h ago"),
        (86_399, "23 h ago"),
        (86_400, "yesterday"),
        (172_800, "2 days ago"),
        (14 * 86_400, "2 weeks ago"),
        (60 * 86_400, "2 months ago"),
        (800 * 86_400, "2 years ago"),
    ],
)
def test_spans_of_time_are_told_in_their_largest_unit(seconds: float, told: str) -> None:
    assert ago(seconds) == told


def test_session_list_looks(snap_compare: Callable[..., bool]) -> None:
    assert snap_compare(Listing(*ROWS), terminal_size=(80, 24))
