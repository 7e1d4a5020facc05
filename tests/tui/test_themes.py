"""The theme picker and the command palette's entries."""

from collections.abc import Callable

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from tests.tui.stage import THEMES, Stage
from tui_agent.tui.actions import ACTIONS
from tui_agent.tui.palette import palette_commands
from tui_agent.tui.screens.themes import ThemeRow, ThemesScreen


class Trying(Stage):
    def __init__(self) -> None:
        super().__init__("slate")
        self.applied: list[str] = []
        self.kept: object = "nothing yet"

    def compose(self) -> ComposeResult:
        yield Static("what is behind")

    def on_mount(self) -> None:
        rows = [ThemeRow(data.name, data.dark) for data in THEMES.values()]
        self.push_screen(ThemesScreen(rows, "slate", self.show), lambda name: setattr(self, "kept", name))

    def show(self, name: str) -> None:
        self.applied.append(name)
        self.theme = name


async def test_moving_shows_a_theme_and_enter_keeps_it() -> None:
    app = Trying()
    async with app.run_test() as pilot:
        await pilot.pause()
        assert app.applied == [], "the theme in use is where the cursor begins"
        await pilot.press("up")
        await pilot.pause()
        assert app.theme == app.applied[-1] != "slate"
        await pilot.press("enter")
        await pilot.pause()
        assert app.kept == app.theme == app.applied[-1]


async def test_escape_brings_the_earlier_theme_back() -> None:
    app = Trying()
    async with app.run_test() as pilot:
        await pilot.press("up", "k", "escape")
        await pilot.pause()
        assert app.kept is None
        assert app.theme == "slate" and app.applied[-1] == "slate"


async def test_the_screen_behind_stays_visible() -> None:
    app = Trying()
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        assert "what is behind" in app.export_screenshot().replace("&#160;", " ")
        assert app.screen.query_one("KeyFooter").region.bottom == 10


class Chat(Screen[None]):
    pressed = ""

    def action_do(self, what: str) -> None:
        self.pressed = what

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "do" or parameters == ("sessions",)


class Desk(Stage):
    def action_themes(self) -> None:
        pass


async def test_the_palette_offers_what_works_here_and_runs_it() -> None:
    app = Desk()
    async with app.run_test():
        chat = Chat()
        await app.push_screen(chat)
        offered = {command.title.split()[0]: command for command in palette_commands(app, chat)}
        assert set(offered) == {"theme", "sessions"}
        assert offered["sessions"].title == "sessions    Open an earlier session  f3"
        result = offered["sessions"].callback()
        await result  # type: ignore[misc]
        assert chat.pressed == "sessions"
    assert all(action.palette for action in ACTIONS if action.label in offered)


def test_theme_list_looks(snap_compare: Callable[..., bool]) -> None:
    assert snap_compare(Trying(), terminal_size=(40, 10), press=["up"])
