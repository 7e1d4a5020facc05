"""The help screen and the key table, both from the registry."""

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import Static

from tests.tui.stage import Stage
from tui_agent.tui.actions import ACTIONS
from tui_agent.tui.bindings import keymap
from tui_agent.tui.screens.help import HelpScreen, key_sections, key_table_markdown
from tui_agent.tui.widgets.completion import Command

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- keys -->", "<!-- /keys -->"


def test_every_action_is_in_the_table_with_its_keys() -> None:
    table = key_table_markdown()
    for action in ACTIONS:
        assert action.help in table
        assert action.fixed or f"`{action.id}`" in table
    assert "| chat | `esc` | Stop the turn; what was queued comes back. | `chat.interrupt` |" in table
    assert all(line.count("|") == 5 for line in table.splitlines())


def test_the_readme_has_the_table() -> None:
    if not README.exists() or BEGIN not in README.read_text(encoding="utf-8"):
        pytest.skip("the README has no key table yet")
    text = README.read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0].strip() == key_table_markdown().strip()


def test_rebound_keys_are_told_as_they_are_now() -> None:
    rows = dict(row[::-1] for _, section in key_sections(keymap({"chat.interrupt": "ctrl+l"})) for row in section)
    assert rows["Stop the turn; what was queued comes back."] == "ctrl+l"
    assert rows["Choose provider and model."] == "f2"


class Helping(Stage):
    def on_mount(self) -> None:
        commands = [
            Command("/model NAME", "choose \x1b[31mprovider and model"),
            Command("/undo", "revert the last call"),
        ]
        self.push_screen(HelpScreen({}, commands))

    @property
    def text(self) -> str:
        return str(self.screen.query_one("#text", Static).render())


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 10)])
async def test_all_of_it_is_there_at_every_size(size: tuple[int, int]) -> None:
    app = Helping()
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        words = " ".join(app.text.split())
        assert "/model NAME choose" in words and "\x1b" not in words
        for action in ACTIONS:
            assert action.help.split()[0] in words
        assert max(len(line.rstrip()) for line in app.text.splitlines()) <= size[0] - 3


async def test_it_scrolls_by_keys_and_closes() -> None:
    app = Helping()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        scroll = app.screen.query_one("#keys")
        await pilot.press("down", "j")
        assert scroll.scroll_y == 2
        await pilot.press("pagedown")
        assert scroll.scroll_y > 10
        await pilot.press("f1")
        assert not isinstance(app.screen, HelpScreen)


def test_help_looks(snap_compare: Callable[..., bool]) -> None:
    assert snap_compare(Helping(), terminal_size=(80, 24))
