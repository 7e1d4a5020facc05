"""The prompt: sending, new lines, history, completion, pastes, and noise that must not become text."""

from collections.abc import Callable
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual._xterm_parser import XTermParser
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.geometry import Size
from textual.message import Message
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

from tests.tui.stage import Stage
from tui_agent.tui.actions import ACTIONS
from tui_agent.tui.bindings import bindings_for
from tui_agent.tui.history import PromptHistory
from tui_agent.tui.theming import ASCII
from tui_agent.tui.widgets.activity import Activity, ActivityLine
from tui_agent.tui.widgets.completion import Command, CompletionList, file_candidates, word_before
from tui_agent.tui.widgets.key_footer import KeyFooter
from tui_agent.tui.widgets.prompt import LARGEST_PASTE, PromptArea
from tui_agent.tui.widgets.status_bar import StatusBar, StatusInfo

COMMANDS = (
    Command("/model", "choose provider and model"),
    Command("/mode", "change the approval mode"),
    Command("/undo", "revert the last call"),
)
FILES = ["src/", "src/a b.py", "src/cart.py", "tests/test_cart.py", "evil\x1b[2J.py"]


async def files(typed: str) -> list[str]:
    return [path for path in FILES if typed in path]


class Chat(Screen[None]):
    BINDINGS = bindings_for("chat")

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Message] = []
        self.pressed: list[str] = []

    def compose(self) -> ComposeResult:
        yield Static("above", id="above")
        with Vertical(id="foot"):
            yield PromptArea(commands=COMMANDS, files=files, history=PromptHistory(), placeholder="ask")

    def on_prompt_area_submitted(self, message: PromptArea.Submitted) -> None:
        self.heard.append(message)

    def on_prompt_area_key_pressed(self, message: PromptArea.KeyPressed) -> None:
        self.heard.append(message)

    def on_prompt_area_paste_cut(self, message: PromptArea.PasteCut) -> None:
        self.heard.append(message)

    def action_do(self, what: str) -> None:
        self.pressed.append(what)


class Desk(Stage):
    BINDINGS = bindings_for("app")
    CSS = "#above { height: 1fr; } #foot { height: auto; }"
    quits: ClassVar[list[str]] = []

    def get_default_screen(self) -> Screen[None]:
        return Chat()

    def action_quit_safely(self) -> None:
        self.quits.append("quit")

    def action_command_palette(self) -> None:
        self.quits.append("palette")

    @property
    def chat(self) -> Chat:
        assert isinstance(self.screen, Chat)
        return self.screen

    @property
    def prompt(self) -> PromptArea:
        return self.screen.query_one(PromptArea)

    @property
    def offered(self) -> list[str]:
        lists = self.screen.query(CompletionList)
        return [candidate.label for candidate in lists.first()._candidates] if lists else []

    def sent(self) -> list[str]:
        return [message.text for message in self.chat.heard if isinstance(message, PromptArea.Submitted)]


async def receive(pilot: Pilot[object], data: str) -> None:
    """Bytes as a terminal sends them, through Textual's parser."""
    parser = XTermParser()
    for event in [*parser.feed(data), *parser.tick()]:
        if isinstance(event, (events.Key, events.Paste)):
            event.set_sender(pilot.app)
            pilot.app.post_message(event)
    await pilot.pause()


async def test_enter_sends_and_empties() -> None:
    app = Desk()
    async with app.run_test() as pilot:
        await pilot.press(*"hello", "enter")
        assert app.sent() == ["hello"]
        assert app.prompt.draft == ""


async def test_nothing_but_space_is_not_sent() -> None:
    app = Desk()
    async with app.run_test() as pilot:
        await pilot.press("space", "ctrl+j", "enter")
        assert app.sent() == []
        assert app.prompt.draft == " \n"


@pytest.mark.parametrize("data", ["\n", "\x1b\r", "\x1b[13;2u", "\x1b[27;2;13~", "\x1b[13;3u", "\\\r"])
async def test_every_way_to_a_new_line_makes_one(data: str) -> None:
    app = Desk()
    async with app.run_test() as pilot:
        await receive(pilot, f"a{data}b")
        assert app.prompt.draft == "a\nb"
        assert app.sent() == []


async def test_a_backslash_inside_a_line_is_sent_as_it_is() -> None:
    app = Desk()
    async with app.run_test() as pilot:
        await pilot.press(*"a\\b", "enter")
        assert app.sent() == ["a\\b"]


async def test_the_arrows_walk_lines_first_and_then_history_and_keep_the_draft() -> None:
    app = Desk()
    async with app.run_test() as pilot:
        await pilot.press(*"one", "enter", *"two", "ctrl+j", *"more", "enter")
        await pilot.press(*"draft", "up")
        assert app.prompt.draft == "two\nmore"
        await pilot.press("up")
        assert app.prompt.draft == "two\nmore", "the cursor moved up a line"
        await pilot.press("up")
        assert app.prompt.draft == "one"
        await pilot.press("down", "down")
        assert app.prompt.draft == "draft"


async def test_a_paste_goes_in_whole_with_its_lines_and_is_not_sent() -> None:
    app = Desk()
    async with app.run_test() as pilot:
        await receive(pilot, "\x1b[200~one\rtwo\r\nthree\n\x1b[201~")
        assert app.prompt.draft == "one\ntwo\nthree\n"
        assert app.sent() == []
        assert any(isinstance(message, PromptArea.KeyPressed) for message in app.chat.heard)


async def test_a_paste_loses_its_control_characters() -> None:
    app = Desk()
    async with app.run_test() as pilot:
        app.prompt.post_message(events.Paste("a\x1b]52;c;aGk=\x07b\x9b31mc\x00"))
        await pilot.pause()
        assert not set(app.prompt.draft) & {"\x1b", "\x07", "\x9b", "\x00"}


async def test_a_huge_paste_is_bounded_and_told() -> None:
    app = Desk()
    async with app.run_test() as pilot:
        app.prompt.post_message(events.Paste("x" * 99 + "\n" + "y" * LARGEST_PASTE))
        await pilot.pause()
        assert len(app.prompt.draft) == LARGEST_PASTE
        cut = [message for message in app.chat.heard if isinstance(message, PromptArea.PasteCut)]
        assert [(message.length, message.kept) for message in cut] == [(LARGEST_PASTE + 100, LARGEST_PASTE)]


@pytest.mark.parametrize("key", ["a", "enter", "up", "ctrl+j", "tab", "f2", "escape", "backspace"])
async def test_every_key_is_announced(key: str) -> None:
    app = Desk()
    async with app.run_test() as pilot:
        await pilot.press(key)
        assert any(isinstance(message, PromptArea.KeyPressed) for message in app.chat.heard)


@pytest.mark.parametrize("data", ["\x1b[57358u", "\x1b[57359;129u", "\x1b[57360u", "\x1b[57441;2u", "\ue00b"])
async def test_lock_and_modifier_keys_are_neither_text_nor_typing(data: str) -> None:
    app = Desk()
    async with app.run_test() as pilot:
        await receive(pilot, data)
        assert app.prompt.draft == ""
        assert app.chat.heard == []


async def test_mouse_noise_of_a_terminal_does_not_stay_in_the_text() -> None:
    app = Desk()
    async with app.run_test() as pilot:
        await receive(pilot, "a\x1b[<32;NaN;NaNMb\x1b[<0;NaN;NaNm")
        assert app.prompt.draft == "ab"


async def test_the_keys_of_app_and_chat_pass_through() -> None:
    app = Desk()
    app.quits.clear()
    async with app.run_test() as pilot:
        await pilot.press(*"text", "ctrl+q", "ctrl+p", "f2", "shift+tab", "escape")
        assert app.quits == ["quit", "palette"]
        assert app.chat.pressed == ["providers", "cycle_mode", "interrupt"]
        assert app.prompt.draft == "text"


def test_no_function_key_is_taken_by_the_prompt() -> None:
    keys = {binding.key for binding in PromptArea._merge_bindings().key_to_bindings.get("f6", [])}
    taken = set(PromptArea._merge_bindings().key_to_bindings)
    assert not keys and not taken & {
        *(f"f{n}" for n in range(1, 13)),
        "ctrl+q",
        "ctrl+p",
        "pageup",
        "pagedown",
        "escape",
    }


async def test_restored_text_stands_before_what_was_typed_since() -> None:
    app = Desk()
    async with app.run_test() as pilot:
        app.prompt.restore("queued")
        assert app.prompt.draft == "queued"
        await pilot.press("!")
        app.prompt.restore("first\x1b[2J")
        assert app.prompt.draft == "first\nqueued!"


async def test_it_grows_with_its_lines_up_to_eight() -> None:
    app = Desk()
    async with app.run_test(size=(80, 40)) as pilot:
        assert app.prompt.size.height == 1
        app.prompt.restore("a\nb\nc")
        await pilot.pause()
        assert app.prompt.size.height == 3
        app.prompt.restore("\n" * 30)
        await pilot.pause()
        assert app.prompt.size.height == 8


async def test_on_a_short_screen_it_stays_small() -> None:
    app = Desk()
    async with app.run_test(size=(40, 10)) as pilot:
        app.prompt.restore("a\nb\nc\nd\ne")
        await pilot.pause()
        assert app.prompt.size.height == 2


async def test_slash_offers_commands_and_tab_takes_one() -> None:
    app = Desk()
    async with app.run_test() as pilot:
        await pilot.press(*"/mo")
        assert app.offered == ["/model", "/mode"]
        await pilot.press("down", "tab")
        assert app.prompt.draft == "/mode "
        assert app.offered == []


async def test_enter_takes_a_completion_and_the_next_one_sends() -> None:
    app = Desk()
    async with app.run_test() as pilot:
        await pilot.press(*"/un", "enter")
        assert app.sent() == [] and app.prompt.draft == "/undo "
        await pilot.press("enter")
        assert app.sent() == ["/undo "]


async def test_a_command_that_is_typed_out_is_sent_at_once() -> None:
    app = Desk()
    async with app.run_test() as pilot:
        await pilot.press(*"/undo", "enter")
        assert app.sent() == ["/undo"]


async def test_escape_closes_the_list_first_and_then_reaches_the_screen() -> None:
    app = Desk()
    async with app.run_test() as pilot:
        await pilot.press(*"/m", "escape")
        assert app.offered == [] and app.chat.pressed == []
        await pilot.press("escape")
        assert app.chat.pressed == ["interrupt"]
        assert app.prompt.draft == "/m"
        await pilot.press("tab")
        assert app.offered == ["/model", "/mode"], "tab opens it again"


async def test_at_offers_files_and_a_folder_stays_open() -> None:
    app = Desk()
    async with app.run_test() as pilot:
        await pilot.press(*"see @src")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert app.offered == ["src/", "src/a b.py", "src/cart.py"]
        await pilot.press("tab")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert app.prompt.draft == "see @src/"
        assert app.offered == ["src/a b.py", "src/cart.py"]
        await pilot.press("tab")
        assert app.prompt.draft == 'see @"src/a b.py" '


async def test_the_list_lies_above_the_prompt_and_never_takes_the_focus() -> None:
    app = Desk()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("/", "m")
        await pilot.pause()
        region = app.screen.query_one(CompletionList).region
        assert region.bottom == app.prompt.region.y == 23
        assert app.screen.query_one("#above").size == Size(80, 23), "nothing is pushed"
        assert app.focused is app.prompt
        await pilot.click(CompletionList, offset=(3, 1))
        assert app.prompt.draft == "/mode "


def test_names_with_control_characters_are_not_offered() -> None:
    assert [candidate.label for candidate in file_candidates(FILES)] == FILES[:4]


@given(st.text(max_size=30), st.booleans())
def test_the_word_before_the_cursor_is_a_suffix_of_the_line(line: str, first: bool) -> None:
    word = word_before(line, first)
    if word is not None:
        assert line[word.start] in "/@"
        assert line.endswith(word.text)
        assert word.kind == "file" or (first and word.start == 0)


@pytest.mark.parametrize(
    ("line", "kind", "text"),
    [
        ("/", "command", "/"),
        ("@", "file", ""),
        ("look at @src/ca", "file", "src/ca"),
        ('look at @"my fi', "file", "my fi"),
        ("me@example.org", None, ""),
        ("/etc/hosts has", None, ""),
        ("a /mo", None, ""),
    ],
)
def test_what_can_be_completed(line: str, kind: str | None, text: str) -> None:
    word = word_before(line, True)
    assert (word.kind if word else None) == kind
    assert word is None or word.text == text


async def test_the_marker_follows_the_symbols() -> None:
    class Plain(Stage):
        def compose(self) -> ComposeResult:
            yield PromptArea(symbols=ASCII)

    app = Plain()
    async with app.run_test() as pilot:
        await pilot.press("x")
        assert app.query_one(PromptArea).render_line(0).text.startswith("> x")


async def test_rebound_keys_send_and_make_lines() -> None:
    app = Desk()
    async with app.run_test() as pilot:
        app.set_keymap({"chat.send": "ctrl+g", "chat.newline": "enter"})
        await pilot.press(*"a", "enter", *"b", "ctrl+g")
        assert app.sent() == ["a\nb"]
    assert any(action.id == "chat.send" for action in ACTIONS)


class Foot(Desk):
    def get_default_screen(self) -> Screen[None]:
        class Whole(Chat):
            def compose(self) -> ComposeResult:
                yield StatusBar(
                    StatusInfo(
                        project="/home/u/src/shop",
                        branch="main",
                        provider="ollama",
                        model="qwen2.5:latest",
                        mode="accept-edits",
                        context_used=27_000,
                        context_limit=32_768,
                    ),
                    home="/home/u",
                )
                yield Static("above", id="above")
                with Vertical(id="foot"):
                    activity = ActivityLine(clock=lambda: 4.0)
                    activity.show(Activity("you", "run_command"))
                    yield activity
                    yield PromptArea(commands=COMMANDS)
                    yield KeyFooter()

        return Whole()


@pytest.mark.parametrize("size", [(80, 24), (40, 10)], ids=["usual", "small"])
def test_bar_and_foot_look(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    assert snap_compare(Foot("dawn"), terminal_size=size, press=["/", "m"])


@pytest.mark.parametrize("width", range(1, 8))
async def test_a_placeholder_on_a_screen_of_almost_no_columns_breaks_nothing(width: int) -> None:
    app = Desk()
    async with app.run_test() as pilot:
        await pilot.resize_terminal(width, 10)
        await pilot.pause()
        area = app.prompt
        assert area.text == "" and area.render_line(0).cell_length == area.size.width
        await pilot.resize_terminal(40, 10)
        await pilot.press("a")
        assert area.text == "a"
