"""Diffs, commands and texts of any size: laid out where somebody looks, exact there, and never answered unseen."""

import re
import threading
import time
from array import array
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style

from tests.tui.questions import QuestionApp, change, command, request, screen_text
from tests.tui.stage import THEMES
from tests.tui.test_diff_view import DiffApp, diff_of
from tests.tui.test_review import ReviewApp, until
from tui_agent.permissions.approval import AllowOnce, WriteAccess
from tui_agent.tui.theming import ASCII, Palette
from tui_agent.tui.widgets import diff_excerpts, diff_outline, diff_syntax
from tui_agent.tui.widgets import diff_items as items_module
from tui_agent.tui.widgets.answer_bar import AnswerBar
from tui_agent.tui.widgets.diff_cells import Cell, Line, Paint, Pair
from tui_agent.tui.widgets.diff_heights import Heights
from tui_agent.tui.widgets.diff_items import diff_items, text_items
from tui_agent.tui.widgets.diff_outline import SMALL_LINES, Outline, is_small
from tui_agent.tui.widgets.diff_syntax import Syntax
from tui_agent.tui.widgets.diff_text import show
from tui_agent.workspace.changes import ChangePlan
from tui_agent.workspace.intraline import intraline

PALETTE = Palette(THEMES["slate"])
PAINT = Paint(PALETTE, Style(), ASCII)


# ---- heights ----


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from([0, -1, -3])), min_size=1, max_size=700), st.data())
def test_lines_are_found_whatever_was_measured(heights: list[tuple[int, int]], data: st.DataObject) -> None:
    true = [height for height, _ in heights]
    asked = Heights(array("i", [guess or height for height, guess in heights]), true.__getitem__)
    for _ in range(3):
        item = data.draw(st.integers(0, len(true) - 1))
        asked.measure_down(item, 20)
        asked.measure_up(item, 20)
        row = data.draw(st.integers(0, true[item] - 1))
        assert asked.locate(asked.start(item) + row) == (item, row)
        assert asked.start(len(true) - 1) + asked.exact(len(true) - 1) == asked.total
    while asked.refine(1.0):
        pass
    assert asked.total == sum(true)
    assert [asked.start(item) for item in range(len(true))] == [sum(true[:item]) for item in range(len(true))]


# ---- items ----

LINE = st.sampled_from(["", "short", "x" * 90, "漢字" * 30, "\t" * 12, "a\u202eb" * 9, "left " * 20])
TEXT = st.lists(LINE, max_size=8).map("\n".join)


def cells_of(outline: Outline, split: bool, width: int) -> Iterator[Cell]:
    for item in diff_items(outline, split, None, width=width):
        for index in range(item.height(width)):
            assert item.strip(width, index, PAINT).cell_length == width
        if isinstance(item, Line):
            yield item.cell
        elif isinstance(item, Pair):
            yield from (cell for cell in (item.left, item.right) if cell)


@given(TEXT, TEXT, st.booleans(), st.integers(20, 70), st.sampled_from([(0, 1), (5, 9), (200, 400)]))
def test_lines_in_parts_are_whole_but_for_what_is_the_same(
    before: str, after: str, split: bool, width: int, around: tuple[int, int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(items_module, "LONG", 30)
        patch.setattr(diff_outline, "LONG", 30)
        patch.setattr(diff_excerpts, "AROUND", around[0])
        patch.setattr(diff_excerpts, "GAP", around[1])
        outline = diff_of(before, after)
        made = list(cells_of(outline, split, width))
        laid = diff_items(outline, split, None, width=width)
    places = [item.place for item in laid]
    assert places == sorted(places)
    texts: dict[tuple[str, int], str] = {}
    left_out: dict[tuple[str, int], list[str]] = {}
    partners: list[tuple[int, int]] = []
    for hunk, stretches in zip(outline.diff.hunks, outline.hunks, strict=True):
        for row in hunk.rows:
            if row.side != "context" or split:
                texts.update({("old", row.old): row.text} if row.old else {})
            texts.update({("new", row.new): row.text} if row.new else {})
        for stretch in stretches:
            if not stretch.context:
                partners += [(old.old, new.new) for old, new in zip(stretch.removed, stretch.added, strict=False)]
    shown: dict[tuple[str, int], int] = {}
    for cell in made:
        key = cell.version, cell.line
        assert cell.first == (key not in shown)
        end = shown.get(key, 0)
        assert cell.start >= end
        left_out.setdefault(key, []).append(texts[key][end : cell.start])
        assert texts[key][cell.start : cell.start + len(cell.source)] == cell.source
        shown[key] = cell.start + len(cell.source)
    assert shown.keys() == texts.keys()
    for key, end in shown.items():
        left_out[key].append(texts[key][end:])
    missing = {key: [part for part in parts if part] for key, parts in left_out.items()}
    for old, new in partners:
        assert missing.pop(("old", old)) == missing.pop(("new", new))
    assert not any(missing.values())


@given(st.text("ab;", max_size=60), st.text("ab;", max_size=60), st.integers(0, 9), st.integers(1, 9))
def test_between_excerpts_both_lines_are_the_same(old: str, new: str, around: int, gap: int) -> None:
    spans = intraline(old, new)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diff_excerpts, "AROUND", around)
        patch.setattr(diff_excerpts, "GAP", gap)
        made = diff_excerpts.excerpts(spans, len(old), len(new))
    i = j = 0
    for excerpt in made:
        assert excerpt.old_start >= i and excerpt.new_start >= j
        assert old[i : excerpt.old_start] == new[j : excerpt.new_start]
        assert excerpt.old_start == i == 0 or excerpt.old_start - i >= gap
        i, j = excerpt.old_end, excerpt.new_end
    assert old[i:] == new[j:]
    for side, (text, low, high) in enumerate([(old, 0, 1), (new, 2, 3)]):
        for start, end in spans[side]:
            assert any(excerpt[low] <= start < end <= excerpt[high] for excerpt in made), text


@given(st.text(st.sampled_from("ab \t\n\u202e漢"), max_size=200), st.integers(12, 40))
def test_every_part_of_a_text_is_there(text: str, width: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(items_module, "LONG", 20)
        made = text_items(text, width=width)
    lines: dict[int, str] = {}
    for item in made:
        assert isinstance(item, Line)
        number = item.cell.numbers[0]
        assert item.cell.start == len(lines.get(number, ""))
        lines[number] = lines.get(number, "") + item.cell.source
    assert "\n".join(lines.values()) == text


def test_blanks_in_the_middle_of_a_line_are_counted_where_a_part_begins_too() -> None:
    assert show(" " * 40, inside=True).text == "<U+0020 ×40>"
    assert show(" " * 40).text == " " * 40


def test_what_is_known_of_heights_is_true() -> None:
    plain = diff_of("a\nb\n", "".join(f"line {number}\n" for number in range(50)))
    for split in (False, True):
        laid = diff_items(plain, split, None, width=80)
        for item, height in zip(laid, laid.heights(), strict=True):
            assert height < 0 or height == item.height(80) == 1
        assert sum(height > 0 for height in laid.heights()) >= 50


# ---- sizes ----

MEGABYTES = "x=1;y='hello';" * 360_000


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "x = 1; y = 'hello'\n" * 300_000),
        (
            "".join(f"v{number} = 1\n" for number in range(100_000)),
            "".join(f"v{number} = 2\n" for number in range(100_000)),
        ),
        (MEGABYTES, MEGABYTES.replace("x=1", "z=2", 1)),
        ("", "漢字é\t\u202e" * 500_000),
    ],
    ids=["new file", "every line", "one line", "one line that hides"],
)
def test_laying_out_makes_only_what_is_looked_at(
    before: str, after: str, split: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    outline = diff_of(before, after)
    made = 0
    original = Cell.__init__

    def counted(self: Cell, *arguments: Any, **named: Any) -> None:
        nonlocal made
        made += 1
        original(self, *arguments, **named)

    monkeypatch.setattr(Cell, "__init__", counted)
    laid = diff_items(outline, split, None, width=100)
    for item in (*laid[:30], *laid[-30:]):
        item.strip(100, item.height(100) - 1, PAINT)
    assert made < (200 if max(before.count("\n"), after.count("\n")) > 1 else 4_000)  # a long line is made in parts


async def test_a_new_file_of_megabytes_is_paged_through_to_its_end() -> None:
    app = DiffApp(diff_of(None, "".join(f"value_{number} = {number}\n" for number in range(200_000))))
    async with app.run_test(size=(100, 30)) as pilot:
        assert "value_7 = 7" in screen_text(app)
        app.view.action_scroll_end()
        await pilot.pause()
        assert "value_199999 = 199999" in screen_text(app)
        assert app.view.lines == 200_001


async def test_paging_up_from_the_end_misses_no_line_though_heights_were_guessed() -> None:
    chance = [7, 300, 20, 900, 64, 2_500]
    after = "".join(f"<{number}>" + "é漢\t" * (chance[number % 6] // 3) + "\n" for number in range(60))
    app = DiffApp(diff_of(None, after))
    async with app.run_test(size=(70, 20)) as pilot:
        app.view._refine = lambda: None  # type: ignore[method-assign]  # no time was left to measure
        app.view.action_scroll_end()
        await pilot.pause()
        seen = screen_text(app)
        while app.view.scroll_offset.y:
            app.view.action_page_up()
            await pilot.pause()
            seen += screen_text(app)
        assert [number for number in range(60) if f"<{number}>" not in seen] == []


async def test_measuring_what_is_out_of_sight_moves_nothing_that_is_in_view() -> None:
    after = "".join(f"<{number}>" + "é" * (number % 40 * 30) + "\n" for number in range(3_000))
    app = DiffApp(diff_of(None, after))
    async with app.run_test(size=(70, 20)) as pilot:
        view, lines = app.view, app.view.lines
        assert lines > 3_000
        view.go_to(2_000)
        await pilot.pause()
        before = screen_text(app)
        while view._refining is not None:
            await pilot.pause(0.02)
        assert view.lines > lines
        # The scroll bar tells more of the truth now; the text stays.
        assert [line[:60] for line in screen_text(app).split("\n")] == [line[:60] for line in before.split("\n")]
        await pilot.resize_terminal(50, 20)
        await pilot.pause()
        assert "<2000>" in screen_text(app).split("\n")[0]


async def test_of_a_line_of_megabytes_only_the_edits_are_shown_and_marked() -> None:
    old = "".join(f"function a{index}(b){{return b*{index}}};" for index in range(20_000))
    app = DiffApp(diff_of(old, old.replace("a3(", "edited(").replace("a19000(", "late(")))
    emphasis = PALETTE.added_emphasis.bgcolor
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.pause()
        assert app.view.lines < 40
        marked = [
            segment.text
            for strip in app.screen._compositor.render_strips()
            for segment in strip
            if segment.style and segment.style.bgcolor == emphasis
        ]
        assert "".join(marked) == "editedlate"
        assert "function a18999(b)" in screen_text(app)
        assert re.search(r"… 6\d\d,\d\d\d characters unchanged", screen_text(app))


def test_a_lexer_that_takes_too_long_leaves_the_file_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diff_syntax, "PATIENCE", -1.0)
    syntax = Syntax("a.py", [], ["x = 1\n"])
    assert syntax.line("new", 1) == ()
    key = syntax.next_block()
    assert key is not None
    syntax.done(key, syntax.work(key))
    assert syntax.line("new", 1) == ()
    assert not syntax.wanted


# ---- questions ----

LARGE = ChangePlan((change("a\n" * 3_000, "a\n" * 3_000 + "new\n"),))


def test_plans_are_small_by_bytes_and_by_lines() -> None:
    assert is_small(ChangePlan((change("a\n", "b\n"),)))
    assert not is_small(ChangePlan((change(None, "a\n" * (SMALL_LINES + 1)),)))
    assert not is_small(ChangePlan((change(None, "a" * 200_000),)))


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Comparing waits for this."""
    may_go = threading.Event()
    of = Outline.of.__func__  # type: ignore[attr-defined]
    monkeypatch.setattr(Outline, "of", classmethod(lambda cls, diff: (may_go.wait(20), of(cls, diff))[1]))
    yield may_go
    may_go.set()


async def test_nothing_can_be_answered_before_the_diff_is_there(compared: threading.Event) -> None:
    app = QuestionApp()
    question = request(WriteAccess(LARGE), "write_file")
    async with app.run_test() as pilot:
        app.panel.ask(question)
        await pilot.pause()
        assert "comparing…" in screen_text(app)
        await app.arm(pilot)
        assert not app.panel.armed
        await pilot.press("y")
        assert app.answers == []
        assert app.prompt.text == "y"
        compared.set()
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "+1" in screen_text(app)
        assert not app.panel.armed
        await app.arm(pilot)
        await pilot.press("y")
        await until(pilot, lambda: bool(app.answers))
        assert app.answers == [(question, AllowOnce("shown"))]


async def test_a_question_that_is_gone_is_not_shown_when_its_diff_comes(compared: threading.Event) -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        app.panel.ask(request(WriteAccess(LARGE), "write_file"))
        await pilot.pause()
        app.panel.ask(command("ls"))
        compared.set()
        await pilot.pause(0.05)
        assert "wants to run a command" in screen_text(app)
        app.panel.ask(request(WriteAccess(LARGE), "write_file"))
        app.panel.clear()
        await pilot.pause(0.05)
        assert not app.panel.display
        assert app.panel.changes == ()


async def test_the_review_asks_when_the_diff_is_there(compared: threading.Event) -> None:
    app = ReviewApp(LARGE, request(WriteAccess(LARGE), "write_file"))
    async with app.run_test() as pilot:
        await pilot.pause()
        assert "comparing…" in screen_text(app)
        bar = app.review.query_one(AnswerBar)
        assert bar.guard.opens_at() == float("inf")
        await pilot.press("y", "n", "j", "right_square_bracket", "v")
        assert app.results == []
        compared.set()
        await app.workers.wait_for_complete()
        await app.arm(pilot)
        await pilot.press("y")
        assert await app.answer(pilot) == AllowOnce("shown")


async def test_a_failed_comparison_says_so_and_cannot_be_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_cls: type[Outline], _diff: object) -> Outline:
        raise MemoryError("no room")

    monkeypatch.setattr(Outline, "of", classmethod(fail))
    app = QuestionApp()
    async with app.run_test() as pilot:
        app.panel.ask(request(WriteAccess(LARGE), "write_file"))
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "this cannot be shown, and so not allowed: no room" in screen_text(app)
        await app.arm(pilot)
        assert not app.panel.armed


async def test_a_command_of_a_megabyte_is_there_to_its_last_character() -> None:
    app = QuestionApp()
    async with app.run_test(size=(100, 30)) as pilot:
        began = time.process_time()
        await app.ask_and_arm(pilot, command("echo " + "a" * 500_000 + "\n" * 50_000 + "b" * 300_000 + "END"))
        assert time.process_time() - began < 3  # laying it all out takes many seconds
        assert "more" in screen_text(app)
        await pilot.press("end")
        await pilot.pause()
        assert "END" in screen_text(app)
        assert "50,001 lines" in screen_text(app)
