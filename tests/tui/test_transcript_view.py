"""The transcript as the user meets it: following, folding, jumping, resizing, copying, and nothing raw on it."""

import asyncio
import itertools
import json
import re
from math import inf
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.app import ComposeResult
from textual.geometry import Region
from textual.strip import Strip

from tests.tui.stage import THEMES, Stage
from tui_agent.conversation.events import FileDelta
from tui_agent.tui.theming import ASCII, UNICODE, Palette
from tui_agent.tui.widgets.transcript.document import (
    AgentBlock,
    Document,
    GrowingText,
    NoticeBlock,
    SwitchBlock,
    ThoughtBlock,
    ToolBlock,
    UserBlock,
    WelcomeBlock,
)
from tui_agent.tui.widgets.transcript.overlay import Mark
from tui_agent.tui.widgets.transcript.text_rows import duration
from tui_agent.tui.widgets.transcript.view import TranscriptView
from tui_agent.tui.widgets.transcript.viewport import Viewport

ROWS = [json.loads(line) for line in (Path(__file__).parents[1] / "data" / "terminal.jsonl").read_text().splitlines()]
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\u200e\u200f]")


class Show(Stage):
    """Only a transcript."""

    def __init__(self, symbols=UNICODE) -> None:
        super().__init__()
        self.document = Document(clock=lambda: 100.0)
        self.view = TranscriptView(self.document, palette=Palette(THEMES["slate"]), symbols=symbols)
        self.copied: list[TranscriptView.Copied] = []
        self.folded: list[TranscriptView.FoldToggled] = []

    def compose(self) -> ComposeResult:
        yield self.view

    def on_transcript_view_copied(self, event: TranscriptView.Copied) -> None:
        self.copied.append(event)

    def on_transcript_view_fold_toggled(self, event: TranscriptView.FoldToggled) -> None:
        self.folded.append(event)

    def screen_text(self) -> list[str]:
        return [self.view.render_line(y).text.rstrip() for y in range(self.view.size.height)]


async def settled(pilot) -> None:
    """Wait until the frame that a change asked for has been drawn."""
    while pilot.app.view._frame is not None and pilot.app._exception is None:
        await pilot.pause(0.005)
    await pilot.pause()


async def test_a_change_is_painted_on_a_machine_that_holds_us_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second passes between any two looks at Textual's clock: its own one-shot timers never come then."""
    app = Show()
    async with app.run_test(size=(60, 10)) as pilot:
        await settled(pilot)
        with monkeypatch.context() as busy:
            clock = itertools.count()
            busy.setattr("textual._time.get_time", lambda: float(next(clock)))
            app.document.add(UserBlock(text="hello"))
            for _ in range(200):
                if app.view._frame is None:
                    break
                await asyncio.sleep(0.01)
        assert any("hello" in line for line in app.screen_text())


async def test_a_paint_between_a_change_and_its_frame_does_not_leave_old_rows_on_the_screen() -> None:
    app = Show()
    async with app.run_test(size=(60, 10)) as pilot:
        app.document.add(UserBlock(text="the old session"))
        await settled(pilot)
        on_screen: dict[int, str] = {}
        paint = app.view.render_lines

        def recorded(crop: Region) -> list[Strip]:
            strips = paint(crop)
            on_screen.update({y: strip.text for y, strip in zip(crop.line_range, strips, strict=True)})
            return strips

        app.view.render_lines = recorded  # type: ignore[method-assign]
        app.document.clear()
        app.document.add(UserBlock(text="the new session"))
        app.view._show_changes()  # asks for a paint
        app.document.put_first([])  # changes nothing, but is not taken over when the paint comes
        await pilot.pause()
        await settled(pilot)
        assert any("the new session" in line for line in on_screen.values())
        assert not any("the old session" in line for line in on_screen.values())


def talk(document: Document, turns: int) -> None:
    for turn in range(turns):
        document.add(UserBlock(text=f"question {turn}"))
        answer = AgentBlock()
        answer.text.append(f"answer {turn}\n\n- a point\n- another\n\n" + "some more words " * 30)
        document.add(answer)
        document.add(ToolBlock(call_id=str(turn), name="run_command", title="ls", status="ok", content="a\nb\nc"))


async def test_the_end_is_followed_until_the_user_goes_up_and_again_after_end():
    app = Show()
    async with app.run_test(size=(90, 12)) as pilot:
        talk(app.document, 5)
        app.view.focus()
        await settled(pilot)
        assert (
            app.view.follow and app.screen_text()[-1].split()[:2] == ["▸", "run_command"]
        ) or "run_command" in app.screen_text()[-1]
        await pilot.press("pageup")
        assert not app.view.follow
        before = app.screen_text()
        talk(app.document, 1)
        await settled(pilot)
        assert app.screen_text() == before
        await pilot.press("end")
        assert app.view.follow
        app.document.add(UserBlock(text="the last one"))
        await settled(pilot)
        assert "the last one" in app.screen_text()[-1]


async def test_growth_above_does_not_move_what_is_read():
    app = Show()
    async with app.run_test(size=(90, 12)) as pilot:
        talk(app.document, 30)
        app.view.focus()
        await settled(pilot)
        await pilot.press("pageup", "pageup")
        before = app.screen_text()
        app.document.fold_all(ToolBlock, False)
        app.document.add(UserBlock(text="first of all"), before=app.document.blocks[0])
        app.document.fold_all(ToolBlock, True)
        await settled(pilot)
        assert app.screen_text() == before


async def test_scrolling_up_a_line_at_a_time_never_jumps_although_heights_above_were_estimates():
    app = Show()
    async with app.run_test(size=(90, 10)) as pilot:
        talk(app.document, 40)
        await settled(pilot)
        before = app.screen_text()
        for _ in range(120):
            app.view.scroll_to(y=app.view.scroll_y - 1)
            after = app.screen_text()
            assert after[1:] == before[:-1]
            before = after


async def test_streaming_repaints_once_a_frame_and_no_timer_runs_when_idle():
    app = Show()
    async with app.run_test(size=(90, 12)) as pilot:
        answer = app.document.add(AgentBlock(streaming=True))
        await settled(pilot)
        syncs = []
        original = app.view._sync
        app.view._sync = lambda: (syncs.append(1), original())
        for _ in range(500):
            app.document.append_text(answer, "word ")
        await settled(pilot)
        assert len(syncs) == 1
        assert app.view._frame is None and app.view._second is None


async def test_a_running_tool_counts_seconds_and_shows_the_end_of_its_output():
    app = Show()
    async with app.run_test(size=(90, 12)) as pilot:
        output = "".join(f"line {n}\n" for n in range(20))
        tool = app.document.add(ToolBlock(name="run_command", title="make", status="running", started=93.0))
        app.document.append_output(tool, output)
        await settled(pilot)
        text = app.screen_text()
        assert text[1].endswith("… 7 s")
        assert [" ".join(row.split()[-2:]) for row in text[2:7]] == [f"line {n}" for n in range(15, 20)]
        assert app.view._second is not None


async def test_fold_and_unfold_by_key_and_by_click_keep_the_first_row_in_place():
    app = Show()
    async with app.run_test(size=(90, 12)) as pilot:
        app.document.add(UserBlock(text="list"))
        app.document.add(ToolBlock(name="run_command", title="ls", status="ok", content="alpha\nbeta", seconds=0.012))
        app.view.focus()
        await settled(pilot)
        assert app.screen_text()[3].split() == ["▎", "▸", "run_command", "ls", "✓", "12", "ms"]
        await pilot.press("enter")
        await settled(pilot)
        assert [row.split()[-1] for row in app.screen_text()[4:6]] == ["alpha", "beta"]
        await pilot.click(app.view, offset=(20, 3))
        await settled(pilot)
        assert app.screen_text()[4] == ""
        assert [event.folded for event in app.folded] == [False, True]


async def test_what_a_tool_printed_keeps_its_columns_when_it_is_wrapped():
    app = Show()
    async with app.run_test(size=(40, 12)) as pilot:
        text = "name      size  " + "x" * 30 + "   end\n    indented"
        app.document.add(ToolBlock(name="ls", status="ok", content=text, folded=False))
        await settled(pilot)
        rows = [app.view._port.rows_of(app.document.blocks[0]).lines[n].spans[0][0] for n in range(1, 4)]
        assert "".join(rows[:2]) == text.split("\n")[0]
        assert rows[2] == "    indented"


async def test_unfolding_something_long_at_the_end_keeps_its_beginning_in_view():
    app = Show()
    async with app.run_test(size=(90, 10)) as pilot:
        talk(app.document, 3)
        app.document.add(ToolBlock(name="read_file", title="long", status="ok", content="\n".join(map(str, range(99)))))
        app.view.focus()
        await settled(pilot)
        row = next(y for y, text in enumerate(app.screen_text()) if "read_file" in text)
        await pilot.press("enter")
        await settled(pilot)
        assert "read_file" in app.screen_text()[row]


async def test_jumping_goes_from_prompt_to_prompt():
    app = Show()
    async with app.run_test(size=(90, 9)) as pilot:
        talk(app.document, 20)
        app.view.focus()
        await settled(pilot)
        await pilot.press("left_square_bracket", "left_square_bracket", "left_square_bracket")
        assert "question 17" in app.screen_text()[0]
        await pilot.press("right_square_bracket")
        assert "question 18" in app.screen_text()[0]
        await pilot.press("home")
        assert app.screen_text()[0] == "" and "question 0" in app.screen_text()[1]
        await pilot.press("right_square_bracket")
        assert "question 1" in app.screen_text()[0]


async def test_up_and_down_reach_every_block_and_every_line():
    app = Show()
    async with app.run_test(size=(90, 7)) as pilot:
        talk(app.document, 4)
        app.view.focus()
        await settled(pilot)
        await pilot.press("home")
        cursors, seen = [], set()
        for _ in range(80):
            cursors.append(app.view.cursor)
            seen.update(app.screen_text())
            app.view.action_line_down()
        assert list(dict.fromkeys(cursors)) == [block.id for block in app.document]
        assert app.view.follow
        for _ in range(80):
            app.view.action_line_up()
        assert app.view.cursor == app.document.blocks[0].id
        assert any("question 0" in row for row in app.screen_text())
        assert any("question 2" in row for row in seen)


async def test_copy_gives_the_source_of_the_block_under_the_cursor():
    app = Show()
    async with app.run_test(size=(90, 12)) as pilot:
        app.document.add(UserBlock(text="before"))
        app.document.add(AgentBlock(text=GrowingText("**bold** \x1b]52;c;eA==\x07text")))
        app.view.focus()
        await settled(pilot)
        await pilot.press("c")
        await pilot.pause()
        assert [(event.text, event.what) for event in app.copied] == [("**bold** text", "answer")]


async def test_marks_lie_over_painted_rows_and_can_be_taken_off():
    app = Show()
    async with app.run_test(size=(90, 12)) as pilot:
        block = app.document.add(UserBlock(text="one 日本 two"))
        await settled(pilot)
        plain = app.view.render_line(1)
        app.view.marks = lambda block_id, row: (
            [Mark(4, 6), Mark(7, 10, True)] if (block_id, row) == (block.id, 0) else []
        )
        strip = app.view.render_line(1)
        assert strip.text == plain.text
        reverse = "".join(segment.text for segment in strip if segment.style.reverse)
        selected = Palette(THEMES["slate"]).selection.bgcolor
        assert reverse == "two"
        assert "".join(segment.text for segment in strip if segment.style.bgcolor == selected) == "日本"
        app.view.marks = None
        assert list(app.view.render_line(1)) == list(plain)


async def test_a_row_is_brought_into_view_only_when_it_is_not_there():
    app = Show()
    async with app.run_test(size=(90, 12)) as pilot:
        talk(app.document, 60)
        await settled(pilot)
        last, early = app.document.blocks[-1], app.document.blocks[31]
        before = app.screen_text()
        app.view.show_row(last.id, 0)
        assert app.screen_text() == before and app.view.follow
        app.view.show_row(early.id, 2)
        assert "a point" in app.screen_text()[4] and "answer 10" in app.screen_text()[2]
        assert not app.view.follow
        before = app.screen_text()
        app.view.show_row(early.id, 3)
        assert app.screen_text() == before
        app.view.show_row(app.document.blocks[0].id, 0)
        assert "question 0" in app.screen_text()[1]
        app.view.show_row(12345, 0)
        assert "question 0" in app.screen_text()[1]


async def test_a_switch_to_a_provider_whose_model_is_not_known_yet_names_the_provider_alone():
    app = Show()
    async with app.run_test(size=(90, 5)) as pilot:
        app.document.add(SwitchBlock(provider="local", model=""))
        await settled(pilot)
        assert "local  answers from here on" in app.screen_text()[1]


async def test_sizes_from_one_cell_to_a_wall_and_back_show_the_same():
    app = Show()
    async with app.run_test(size=(90, 20)) as pilot:
        talk(app.document, 10)
        app.document.add(AgentBlock(text=GrowingText("| a | 日本語 |\n|---|---|\n| 1 | 2 |\n\n```py\nx = 1\n```")))
        await settled(pilot)
        before = app.screen_text()
        for size in [(1, 1), (500, 200), (40, 10), (2, 3), (15, 4), (16, 30), (79, 24), (80, 24), (10, 1), (90, 20)]:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            for y in range(app.view.size.height):
                app.view.render_line(y)
        await settled(pilot)
        assert app.view.follow
        assert app.screen_text() == before


async def test_a_resize_keeps_the_block_that_is_read_at_the_top():
    app = Show()
    async with app.run_test(size=(120, 10)) as pilot:
        talk(app.document, 30)
        app.view.focus()
        await settled(pilot)
        for _ in range(10):
            await pilot.press("left_square_bracket")
        assert "question 20" in app.screen_text()[0]
        await pilot.resize_terminal(50, 14)
        await pilot.pause()
        assert "question 20" in app.screen_text()[0]


async def test_another_theme_repaints_without_laying_out_again():
    app = Show()
    async with app.run_test(size=(90, 12)) as pilot:
        talk(app.document, 2)
        await settled(pilot)
        before = app.view.render_line(0)
        app.view.palette = Palette(THEMES["paper"])
        await settled(pilot)
        after = app.view.render_line(0)
        assert after.text == before.text
        assert [segment.style for segment in after] != [segment.style for segment in before]


@pytest.mark.parametrize(
    ("width", "rows"),
    [
        (100, ["read_file  src/a.py · repaired: path → file_path; trailing comma"]),
        (46, ["read_file  src/a.py", "repaired: path → file_path; trailing comma"]),
        (40, ["read_file  src/a.py", "repaired: path → file_path; trailin…"]),
    ],
)
async def test_what_was_repaired_in_a_call_is_said_in_one_line(width, rows):
    app = Show()
    async with app.run_test(size=(width, 10)) as pilot:
        block = app.document.add(ToolBlock(name="read_file", title="src/a.py", status="ok", content="1 x", seconds=1.0))
        await settled(pilot)
        assert "repaired" not in "".join(app.screen_text())
        block.repairs = ("path → file_path", "trailing comma")
        app.document.touch(block)
        await settled(pilot)
        shown = [row.strip("▸▎ ").removesuffix("✓ 1.0 s").strip() for row in app.screen_text()]
        assert list(filter(None, shown)) == rows
        strips = [app.view.render_line(y) for y in range(5)]
        said = [segment for strip in strips for segment in strip if "path →" in segment.text]
        assert {segment.style.color for segment in said} == {Palette(THEMES["slate"]).faint.color}
        app.document.set_folded(block, False)
        await settled(pilot)
        assert "trailing" in " ".join(app.screen_text()) and "comma" in " ".join(app.screen_text())


async def test_ascii_terminals_get_signs_they_can_draw():
    app = Show(ASCII)
    async with app.run_test(size=(90, 20)) as pilot:
        talk(app.document, 1)
        app.document.add(AgentBlock(text=GrowingText("> quote\n\n---\n")))
        app.document.add(ToolBlock(name="edit_file", title="x", status="denied", files=(FileDelta("x", 1, 2, ""),)))
        app.document.add(ToolBlock(name="x", title="y", status="ok", repairs=("path → file_path",)))
        app.document.add(SwitchBlock(provider="a", model="b"))
        await settled(pilot)
        assert all(row.isascii() for row in app.screen_text())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
async def test_hostile_text_is_only_text_in_every_kind_of_block(row):
    text = row["text"]
    app = Show()
    async with app.run_test(size=(80, 24)) as pilot:
        document = app.document
        delta = FileDelta(text, 1, 1, f"@@ {text}\n+{text}\n-{text}")
        blocks = [
            UserBlock(text=text),
            AgentBlock(text=GrowingText(text), note=text),
            AgentBlock(text=GrowingText(f"```{text}\n{text}"), streaming=True),
            AgentBlock(text=GrowingText(f"| {text} | [x]({text}) |\n|---|---|\n| {text} | `{text}` |")),
            ThoughtBlock(text=GrowingText(text), folded=False),
            ThoughtBlock(text=GrowingText(text), streaming=True),
            ToolBlock(name=text, title=text, note=text, status="running", tail=text, started=1.0),
            ToolBlock(name=text, title=text, note=text, status="denied", content=text, folded=False),
            ToolBlock(name=text, title=text, status="failed", content=text),
            ToolBlock(name="a", title="b", status="ok", content="c", repairs=(text, text)),
            ToolBlock(name="a", title="b", status="ok", content="c", repairs=(text,), folded=False),
            ToolBlock(name=text, status="ok", files=(delta, delta), folded=False),
            NoticeBlock(level="error", text=text, hint=text),
            SwitchBlock(provider=text, model=text),
            WelcomeBlock(lines=(((text, "text"),),)),
        ]
        for block in blocks:
            document.clear()
            document.add(block)
            await settled(pilot)
            assert len(app.view._port) == 1
            for y in range(min(app.view._port.total, 500)):
                strip = app.view._strip(y)
                assert not CONTROL.search(strip.text)
                assert strip.cell_length == app.view._area.width


@pytest.mark.parametrize(("seconds", "shown"), [(0.012, "12 ms"), (2.13, "2.1 s"), (43.4, "43 s"), (125, "2 min 05 s")])
def test_durations_are_short(seconds, shown):
    assert duration(seconds) == shown


ACTION = st.one_of(
    st.tuples(st.just("go"), st.integers(-5, 400)),
    st.tuples(st.just("add"), st.integers(1, 30)),
    st.tuples(st.just("grow"), st.integers(1, 30)),
    st.tuples(st.just("remove"), st.integers(0, 50)),
    st.tuples(st.just("width"), st.integers(1, 60)),
    st.tuples(st.just("height"), st.integers(1, 30)),
)


@given(st.lists(ACTION, max_size=30))
@settings(deadline=None)
def test_whatever_happens_the_view_is_full_and_its_heights_are_exact(actions):
    document = Document()
    port = Viewport(document)
    document.on_change = port.changed
    port.resize(40, 10)
    for action, number in actions:
        followed = port.follow
        match action:
            case "go":
                port.go(number)
            case "add":
                document.add(AgentBlock(text=GrowingText("word " * number * 5)))
            case "grow" if document.blocks:
                block = document.blocks[number % len(document)]
                assert isinstance(block, AgentBlock)
                document.append_text(block, "more\n\n" * number)
            case "remove" if document.blocks:
                document.remove(document.blocks[number % len(document)])
            case "width":
                port.resize(number, port.height)
            case "height":
                port.resize(port.width, number)
        port.settle()
        while port.unread:
            port.read_on(inf)
            port.settle()
        assert action == "go" or port.follow == followed
        assert 0 <= port.top <= port.last_top
        if port.follow:
            assert port.top == port.last_top
        for number in range(port.top, min(port.top + port.height, port.total)):
            row = port.row(number)
            assert row is not None
            assert row.row < len(port.rows_of(row.block).lines)
            assert port.end_row(row.place) - port.first_row(row.place) == len(port.rows_of(row.block).lines)


def everything(document: Document) -> None:
    document.add(UserBlock(text="fix the failing test in the cart, and tell me why it failed"))
    document.add(ThoughtBlock(text=GrowingText("The test first.\nThen the code."), seconds=3.2))
    document.add(ToolBlock(name="read_file", title="tests/test_cart.py", status="ok", content="1  x", seconds=0.004))
    document.add(
        ToolBlock(
            name="run_command",
            title="pytest -q",
            status="failed",
            content="F",
            exit_code=1,
            seconds=2.1,
            note="approved",
        )
    )
    document.add(AgentBlock(text=GrowingText(ANSWER)))
    diff = (
        "@@ -1,3 +1,4 @@\n def test_total():\n-    assert total([]) == 1\n+    assert total([]) == 0\n+\n     # end\n"
    )
    files = (FileDelta("tests/test_cart.py", 2, 1, diff),)
    document.add(
        ToolBlock(
            name="edit_file",
            title="tests/test_cart.py",
            status="ok",
            files=files,
            folded=False,
            seconds=0.012,
            note="approved",
        )
    )
    document.add(ToolBlock(name="run_command", title="npm install left-pad", status="denied", note="use the helper"))
    document.add(
        ToolBlock(
            name="run_command", title="pytest -q tests", status="running", tail="collecting\n....\n", started=96.0
        )
    )
    document.add(SwitchBlock(provider="ollama", model="qwen2.5:latest"))
    document.add(NoticeBlock(level="error", text="Connection refused to localhost:11434", hint="ollama serve"))
    document.add(UserBlock(text="thanks\nand now 日本語"))


ANSWER = """\
The assertion compares **two lists** in the *wrong* order; `total()` sorts. See [docs](https://docs.invalid/).

## What changes

1. `cart.py` keeps the order
2. the test covers the empty cart
   - and a nested point that is long enough to need a second row on most screens, whatever their width may be

```python
def total(items: list[Item]) -> int:
    return sum(item.price for item in items)  # no sort
```

| case | before | after |
|------|-------:|:-----:|
| empty | 1 | 0 |

> The order matters.
"""


@pytest.mark.parametrize(
    ("size", "theme"),
    [((120, 48), "slate"), ((80, 50), "paper"), ((40, 66), "contrast")],
    ids=lambda value: value if isinstance(value, str) else "x".join(map(str, value)),
)
def test_looks_as_designed(size, theme, snap_compare):
    app = Show()
    app.theme = theme
    app.view.palette = Palette(THEMES[theme])
    everything(app.document)

    async def shown(pilot) -> None:
        app.view.action_home()
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=shown)
