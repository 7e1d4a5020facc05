"""Selecting in the transcript as the user does it: dragging, twice, thrice, by caret; copying, code, links."""

import asyncio

import pytest
from textual import events

from tests.tui.test_transcript_view import Show, settled, talk
from tui_agent.tui import opening
from tui_agent.tui.theming import Palette
from tui_agent.tui.widgets.transcript.document import AgentBlock, GrowingText, ToolBlock, UserBlock
from tui_agent.tui.widgets.transcript.view import TranscriptView

PROSE = "A para with **bold text** and more words that go on until the row is full, and then there is another row.\n"
CODE = "Look:\n\n```python\ndef f():\n\treturn 1\n```\n\nand\n\n~~~\nls -l\n~~~\n"


class Links(Show):
    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    def on_transcript_view_link_opened(self, event: TranscriptView.LinkOpened) -> None:
        self.opened.append(event.url)


def highlighted(app: Show) -> list[str]:
    """What is painted as selected, row by row."""
    style = Palette(app.view.palette.data).selection.bgcolor
    rows = [
        "".join(segment.text for segment in app.view.render_line(y) if segment.style.bgcolor == style)
        for y in range(app.view.size.height)
    ]
    return [row for row in rows if row]


def row_with(app: Show, text: str) -> tuple[int, int]:
    """Cell and row of the screen where a text begins."""
    for y, row in enumerate(app.screen_text()):
        if text in row:
            return row.index(text), y
    raise AssertionError(text)


async def drag(pilot, start: tuple[int, int], *to: tuple[int, int]) -> None:
    await pilot.mouse_down(pilot.app.view, offset=start)
    for place in to:
        await pilot.hover(pilot.app.view, offset=place)
    await pilot.mouse_up(pilot.app.view, offset=to[-1])
    await pilot.pause()


async def copied(pilot, key: str = "c") -> str:
    pilot.app.copied.clear()
    await pilot.press(key)
    await pilot.pause()
    return pilot.app.copied[-1].text if pilot.app.copied else ""


async def test_dragging_selects_the_source_across_blocks_and_copying_leaves():
    app = Show()
    async with app.run_test(size=(60, 14)) as pilot:
        app.document.add(UserBlock(text="one two three"))
        app.document.add(AgentBlock(text=GrowingText(PROSE)))
        await settled(pilot)
        x, y = row_with(app, "two")
        to_x, to_y = row_with(app, "full")
        await drag(pilot, (x, y), (to_x, to_y), (to_x + 3, to_y))
        assert app.view.has_focus and app.view.selecting
        assert highlighted(app)[0] == "two three"
        assert highlighted(app)[-1].endswith("row is full") or highlighted(app)[-1].endswith("full")
        expected = "two three\n\nA para with **bold text** and more words that go on until the row is full"
        assert await copied(pilot) == expected
        assert not app.view.selecting and highlighted(app) == []


async def test_dragging_up_selects_the_same():
    app = Show()
    async with app.run_test(size=(60, 14)) as pilot:
        app.document.add(UserBlock(text="one two three"))
        app.document.add(AgentBlock(text=GrowingText(PROSE)))
        await settled(pilot)
        x, y = row_with(app, "bold")
        await drag(pilot, (x + 3, y), (row_with(app, "three")))
        assert await copied(pilot) == "three\n\nA para with **bold"


async def test_a_click_selects_nothing_and_clears_what_was_selected():
    app = Show()
    async with app.run_test(size=(60, 14)) as pilot:
        app.document.add(UserBlock(text="one two three"))
        await settled(pilot)
        x, y = row_with(app, "two")
        await drag(pilot, (x, y), (x + 2, y))
        assert highlighted(app) == ["two"]
        await pilot.click(app.view, offset=(x, y))
        assert not app.view.selecting
        await drag(pilot, (x, y), (x + 2, y))
        await pilot.press("escape")
        assert not app.view.selecting and highlighted(app) == []


@pytest.mark.parametrize(("times", "text"), [(2, "words"), (3, PROSE.rstrip())])
async def test_two_presses_take_the_word_three_the_line(times, text):
    app = Show()
    async with app.run_test(size=(40, 14)) as pilot:
        app.document.add(UserBlock(text="before"))
        app.document.add(AgentBlock(text=GrowingText(f"first\n\n{PROSE}\nlast")))
        await settled(pilot)
        x, y = row_with(app, "words")
        await pilot.click(app.view, offset=(x + 1, y), times=times)
        assert await copied(pilot) == text


async def test_dragging_after_two_presses_goes_by_words():
    app = Show()
    async with app.run_test(size=(60, 14)) as pilot:
        app.document.add(UserBlock(text="one two three four"))
        await settled(pilot)
        x, y = row_with(app, "two")
        await pilot.click(app.view, offset=(x + 1, y))
        await drag(pilot, (x + 1, y), (x + 5, y))
        assert highlighted(app) == ["two three"]


async def test_dragging_beyond_the_edge_scrolls_and_goes_on_selecting():
    app = Show()
    async with app.run_test(size=(80, 12)) as pilot:
        talk(app.document, 10)
        await settled(pilot)
        app.view.action_home()
        x, y = row_with(app, "question 0")
        await pilot.mouse_down(app.view, offset=(x, y))
        app.view.on_mouse_move(FakeMove(x, 13))
        for _ in range(200):
            await asyncio.sleep(0.01)
            if app.view.scroll_y > 20:
                break
        await pilot.mouse_up(app.view, offset=(x, 5))
        await asyncio.sleep(0.1)
        there = app.view.scroll_y
        await asyncio.sleep(0.1)
        assert app.view.scroll_y == there > 20, "nothing goes on when the button is up"
        text = await copied(pilot)
        assert text.startswith("question 0\n\nanswer 0\n\n- a point") and "question 1\n\nanswer 1" in text


class FakeMove:
    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y


async def test_what_is_selected_stays_while_text_streams_the_view_scrolls_and_the_screen_is_resized():
    app = Show()
    async with app.run_test(size=(100, 12)) as pilot:
        app.document.add(UserBlock(text="question"))
        answer = app.document.add(AgentBlock(text=GrowingText(PROSE * 3 + "\n"), streaming=True))
        await settled(pilot)
        x, y = row_with(app, "more words")
        await drag(pilot, (x, y), (x + 9, y))
        assert highlighted(app) == ["more words"]
        for _ in range(20):
            app.document.append_text(answer, "a line that comes\n\n")
        await settled(pilot)
        assert highlighted(app) == [] and app.view.follow
        app.view.action_home()
        assert highlighted(app) == ["more words"]
        await pilot.resize_terminal(40, 12)
        await settled(pilot)
        app.view.action_home()
        assert "".join(highlighted(app)).replace(" ", "") == "morewords"
        assert await copied(pilot) == "more words"


async def test_a_selection_ends_with_the_blocks_it_is_in():
    app = Show()
    async with app.run_test(size=(100, 12)) as pilot:
        app.document.add(UserBlock(text="question"))
        await settled(pilot)
        app.view.focus()
        await pilot.press("ctrl+a")
        assert app.view.selecting
        app.document.clear()
        await settled(pilot)
        assert not app.view.selecting


async def test_the_caret_selects_by_keys():
    app = Show()
    async with app.run_test(size=(90, 14)) as pilot:
        app.document.add(UserBlock(text="one two three\nfour five"))
        app.document.add(AgentBlock(text=GrowingText(PROSE)))
        app.view.focus()
        await settled(pilot)
        await pilot.press("home", "v")
        assert app.view.selecting and highlighted(app) == []
        caret = [segment.text for segment in app.view.render_line(1) if segment.style.reverse]
        assert caret == ["o"]
        await pilot.press("right", "right", "right")
        assert highlighted(app) == ["one"]
        await pilot.press("ctrl+right", "shift+ctrl+right")
        assert await copied(pilot) == "one two "
        assert not app.view.selecting
        await pilot.press("v", "end")
        assert await copied(pilot, "enter") == "one two three"
        await pilot.press("v", "down", "down")
        assert await copied(pilot) == "one two three\nfour five"
        await pilot.press("v", "ctrl+end")
        assert (await copied(pilot)).endswith("another row.\n")
        await pilot.press("shift+down", "escape")
        assert not app.view.selecting
        await pilot.press("v")
        assert await copied(pilot) == "" and app.view.selecting, "there is nothing selected yet"
        await pilot.press("left", "home", "home")


async def test_the_caret_is_kept_in_view():
    app = Show()
    async with app.run_test(size=(80, 10)) as pilot:
        talk(app.document, 12)
        app.view.focus()
        await settled(pilot)
        await pilot.press("home", "v", "right", "right", "right")
        for key in ["down"] * 14 + ["pagedown"] * 2 + ["up"] * 9 + ["pageup"] * 2 + ["ctrl+end", "ctrl+home"]:
            app.view.on_key(events.Key(key, None))
            reverse = [segment for y in range(10) for segment in app.view.render_line(y) if segment.style.reverse]
            assert len(reverse) == 1, key


async def test_the_caret_comes_back_to_its_column_behind_a_short_line():
    app = Show()
    async with app.run_test(size=(90, 10)) as pilot:
        app.document.add(UserBlock(text="abcdef\nab\nabcdef"))
        app.view.focus()
        await settled(pilot)
        await pilot.press("v", "right", "right", "right", "right", "down", "down")
        assert await copied(pilot) == "abcdef\nab\nabcd"


async def test_what_selecting_offers_is_in_the_footer_and_enter_does_not_fold():
    app = Show()
    async with app.run_test(size=(80, 10)) as pilot:
        app.document.add(ToolBlock(name="run_command", title="ls", status="ok", content="a\nb"))
        app.view.focus()
        await settled(pilot)
        shown = {active.binding.id for active in app.screen.active_bindings.values() if active.binding.show}
        assert {"transcript.fold", "transcript.copy", "transcript.select"} <= shown
        assert "transcript.unselect" not in shown
        await pilot.press("shift+right")
        shown = {active.binding.id for active in app.screen.active_bindings.values() if active.binding.show}
        assert {"transcript.copy", "transcript.unselect"} <= shown
        assert not {"transcript.fold", "transcript.select"} & shown
        assert await copied(pilot, "enter") == "r"
        assert app.document.blocks[0].folded
        await pilot.press("enter")
        assert not app.document.blocks[0].folded


async def test_everything_can_be_selected_and_gives_all_sources():
    app = Show()
    async with app.run_test(size=(80, 10)) as pilot:
        app.document.add(UserBlock(text="one"))
        app.document.add(ToolBlock(name="run_command", title="ls", status="ok", content="a\nb"))
        app.document.add(AgentBlock(text=GrowingText(PROSE)))
        app.view.focus()
        await settled(pilot)
        await pilot.press("ctrl+a")
        assert highlighted(app)[0] == "one"
        assert await copied(pilot) == f"one\n\nrun_command ls\na\nb\n\n{PROSE.rstrip()}"


async def test_code_is_copied_without_its_marks_one_after_the_other_and_shown():
    app = Show()
    async with app.run_test(size=(80, 16)) as pilot:
        app.document.add(UserBlock(text="no code"))
        app.document.add(AgentBlock(text=GrowingText(CODE)))
        app.view.focus()
        await settled(pilot)
        assert await copied(pilot, "C") == "def f():\n\treturn 1"
        assert app.copied[-1].what == "code"
        assert highlighted(app) == ["def f():", "    return 1"]
        assert await copied(pilot, "C") == "ls -l"
        assert highlighted(app) == ["ls -l"]
        assert await copied(pilot, "C") == "def f():\n\treturn 1"
        await asyncio.sleep(1.0)
        assert highlighted(app) == []
        await pilot.press("up")
        assert await copied(pilot, "C") == ""


async def test_the_code_in_view_is_taken_first():
    app = Show()
    async with app.run_test(size=(80, 8)) as pilot:
        app.document.add(
            AgentBlock(text=GrowingText("".join(f"```\ncode {n}\n```\n\n" + "text\n\n" * 9 for n in range(9))))
        )
        app.view.focus()
        await settled(pilot)
        assert await copied(pilot, "C") == "code 8"
        app.view.show_row(app.document.blocks[0].id, 80)
        y = row_with(app, "code")[1]
        assert await copied(pilot, "C") == app.screen_text()[y].split("  ")[-1].strip()


async def test_one_link_is_opened_of_several_enter_opens_the_one_gone_to():
    app = Links()
    async with app.run_test(size=(80, 16)) as pilot:
        app.document.add(UserBlock(text="see https://one.invalid/a."))
        app.document.add(
            AgentBlock(text=GrowingText("[two](https://two.invalid) and `https://three.invalid`, [no](file:///etc)"))
        )
        app.document.add(AgentBlock(text=GrowingText("nothing, [x](javascript:alert(1)), [y](./path)")))
        app.view.focus()
        await settled(pilot)
        await pilot.press("o")
        assert app.opened == []
        await pilot.press("up", "o")
        assert app.opened == [] and highlighted(app)[0].startswith("two")
        await pilot.press("o", "enter")
        assert app.opened == ["https://three.invalid"]
        await pilot.press("o", "down", "enter")
        assert app.opened == ["https://three.invalid"], "another key comes between"
        await pilot.press("up", "up", "o")
        assert app.opened[1:] == ["https://one.invalid/a"]


async def test_ctrl_click_opens_the_link_it_hits_and_a_plain_click_does_not():
    app = Links()
    async with app.run_test(size=(80, 16)) as pilot:
        app.document.add(AgentBlock(text=GrowingText("words [two](https://two.invalid) and more")))
        await settled(pilot)
        x, y = row_with(app, "two")
        await pilot.click(app.view, offset=(x, y))
        await pilot.click(app.view, offset=(x - 3, y), control=True)
        assert app.opened == []
        await pilot.click(app.view, offset=(x, y), control=True)
        await pilot.pause()
        assert app.opened == ["https://two.invalid"]


async def test_a_huge_output_is_selected_in_no_more_time_than_a_frame_or_two():
    app = Show()
    async with app.run_test(size=(80, 20)) as pilot:
        lines = "\n".join(f"line {number}\tof the output" for number in range(20_000))
        app.document.add(ToolBlock(name="run_command", title="x", status="ok", content=lines, folded=False))
        app.view.focus()
        await settled(pilot)
        await pilot.press("shift+up", "shift+up")
        began = asyncio.get_running_loop().time()
        await pilot.press("shift+up", "pageup", "ctrl+home", "ctrl+end")
        assert asyncio.get_running_loop().time() - began < 2.0
        await pilot.press("home", "home", "down", "escape", "home", "v", "down", "down")
        assert await copied(pilot) == "run_command x\nline 0\tof the output"


def test_links_are_opened_only_where_there_is_a_desktop(tmp_path):
    for name in ("open", "xdg-open"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o700)
    path = {"PATH": str(tmp_path)}
    assert opening.opener(path, "linux") is None
    assert opening.opener({**path, "DISPLAY": ":0"}, "linux") == str(tmp_path / "xdg-open")
    assert opening.opener(path, "darwin") == str(tmp_path / "open")
    assert opening.opener({**path, "SSH_CONNECTION": "x"}, "darwin") is None
    assert opening.opener({"PATH": "", "DISPLAY": ":0"}, "linux") is None


@pytest.mark.parametrize(("script", "opened"), [("exit 0", True), ("exit 3", False)])
async def test_an_opener_gets_the_link_as_it_is_no_key_of_ours_and_no_terminal(tmp_path, script, opened):
    said = tmp_path / "said"
    program = tmp_path / "xdg-open"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {said}\nenv >> {said}\n{script}\n')
    program.chmod(0o700)
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin", "WAYLAND_DISPLAY": "w", "OPENAI_API_KEY": "secret"}
    url = "https://x.invalid/?a=1&b=$(touch y);'"
    assert await opening.open_link(url, environ) is opened
    lines = said.read_text().splitlines()
    assert lines[0] == url
    assert "WAYLAND_DISPLAY=w" in lines and not any("secret" in line for line in lines)
    assert not await opening.open_link("file:///etc/passwd", environ)
