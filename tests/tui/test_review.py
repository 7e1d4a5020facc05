"""The review shows every change of a plan, and answers only under the rules of the question."""

from collections.abc import Callable
from typing import Any

import pytest
from textual.app import ComposeResult
from textual.widgets import Input, Static

from tests.tui.questions import AFTER, BEFORE, PLAN, SCROLLBAR, WRITE, Clock, change, request, screen_text
from tests.tui.stage import THEMES, Stage
from tui_agent.permissions.approval import (
    AllowForSession,
    AllowOnce,
    ApprovalDecision,
    ApprovalRequest,
    Denied,
    WriteAccess,
)
from tui_agent.tui.review_list import Answers
from tui_agent.tui.screens.review import ReviewScreen
from tui_agent.tui.theming import ASCII, Palette
from tui_agent.tui.widgets.answer_bar import AnswerBar
from tui_agent.tui.widgets.diff_outline import outlines
from tui_agent.tui.widgets.diff_view import DiffView
from tui_agent.workspace.changes import ChangePlan

THREE = ChangePlan(
    (
        change(BEFORE, AFTER),
        change(None, "one\ntwo\n", "src/shop/new.py"),
        change("a\r\nb\r\n", "a\nb\nc\n", "README.md"),
    )
)


class ReviewApp(Stage):
    """Opens one review and keeps what it ended with."""

    def __init__(self, plan: ChangePlan = PLAN, question: ApprovalRequest | None = None) -> None:
        super().__init__()
        self.palette = Palette(THEMES["slate"])
        self.clock = Clock()
        self.review = ReviewScreen(plan, request=question, clock=self.clock)
        self.results: list[Answers | None] = []

    def compose(self) -> ComposeResult:
        yield Static("chat")

    def on_mount(self) -> None:
        self.push_screen(self.review, self.results.append)

    @property
    def view(self) -> DiffView:
        return self.review.query_one(DiffView)

    async def answer(self, pilot: Any) -> ApprovalDecision | None:
        """The decision, as soon as there is one."""
        for _ in range(200):
            if self.results:
                break
            await pilot.pause(0.01)
        (made,) = self.results
        return made.decision if made else None

    async def arm(self, pilot: Any) -> None:
        bar = self.review.query_one(AnswerBar)
        for _ in range(50):
            await pilot.pause()
            if bar.guard.opens_at() != float("inf"):
                break
        self.clock.now += 60
        bar.arm_if_due()
        await pilot.pause()


async def until(pilot: Any, there: Callable[[], bool]) -> None:
    """Wait for it."""
    for _ in range(200):
        if there():
            return
        await pilot.pause(0.01)
    raise AssertionError("it never came")


@pytest.mark.parametrize("key", ["escape", "q"])
async def test_without_a_question_it_closes_with_nothing(key: str) -> None:
    app = ReviewApp()
    async with app.run_test() as pilot:
        await pilot.press("y", "s", "c", key)
        await pilot.pause()
        assert app.results == [None]


async def test_the_head_says_which_file_how_much_and_where() -> None:
    app = ReviewApp(THREE)
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        head, *rest = screen_text(app).split("\n")
        assert head.strip().startswith("src/shop/cart.py  +7 −4")
        assert head.strip().endswith("file 1 of 3 · hunk 1 of 3")
        listed = "\n".join(rest)
        assert "src/shop/new.py" in listed
        assert "+3 −2" in listed


async def test_hunks_lead_on_into_the_next_file_and_back() -> None:
    app = ReviewApp(THREE)
    async with app.run_test(size=(140, 12)) as pilot:
        places = []
        for key in ("n", "j", "n", "n", "n", "p", "p"):
            await pilot.press(key)
            await pilot.pause()
            places.append(screen_text(app).split("\n")[0].rpartition("   ")[2].strip())
        files_and_hunks = [(1, 2, 3), (1, 3, 3), (2, 1, 1), (3, 1, 1), (3, 1, 1), (2, 1, 1), (1, 3, 3)]
        assert places == [f"file {file} of 3 · hunk {hunk} of {of}" for file, hunk, of in files_and_hunks]


async def test_files_are_chosen_by_key_and_by_mouse() -> None:
    app = ReviewApp(THREE)
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.press("right_square_bracket")
        await pilot.pause()
        assert "new file" in screen_text(app)
        await pilot.press("left_square_bracket")
        await pilot.pause()
        assert "new file" not in screen_text(app)
        await pilot.click("FileList", offset=(5, 2))
        await pilot.pause()
        assert screen_text(app).split("\n")[0].strip().startswith("README.md")
        assert "line endings change from CRLF to LF" in screen_text(app)


async def test_a_narrow_terminal_has_no_list_but_every_file() -> None:
    app = ReviewApp(THREE)
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.press("right_square_bracket", "right_square_bracket")
        await pilot.pause()
        assert "README.md" in screen_text(app)
        assert "3/3 1/1" in screen_text(app)


async def test_the_layout_key_changes_the_layout() -> None:
    app = ReviewApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert app.view.split
        await pilot.press("v")
        await pilot.pause()
        assert not app.view.split


async def test_keys_that_lead_nowhere_are_not_offered() -> None:
    app = ReviewApp(ChangePlan((change(None, "a\n"),)))
    async with app.run_test(size=(100, 20)) as pilot:
        await pilot.pause()
        foot = screen_text(app).split("\n")[-1]
        assert "hunk" not in foot
        assert "file" not in foot
        assert "layout" in foot


@pytest.mark.parametrize(
    ("key", "decision"),
    [
        ("y", AllowOnce("shown")),
        ("s", AllowForSession("shown")),
        ("n", Denied()),
        ("escape", None),
        ("q", None),
    ],
)
async def test_an_open_question_can_be_answered_here_when_armed(key: str, decision: ApprovalDecision | None) -> None:
    app = ReviewApp(question=WRITE)
    async with app.run_test() as pilot:
        await app.arm(pilot)
        await pilot.press(key)
        assert await app.answer(pilot) == decision


@pytest.mark.parametrize("key", ["y", "s", "n", "c", "enter"])
async def test_before_its_time_no_key_answers_and_none_does_something_else(key: str) -> None:
    app = ReviewApp(question=WRITE)
    async with app.run_test(size=(100, 12)) as pilot:
        for _ in range(3):
            await pilot.press(key)
            app.clock.now += 0.3
        assert app.results == []
        assert app.view.hunk == 0


async def test_reading_keys_work_while_the_question_is_open() -> None:
    app = ReviewApp(question=WRITE)
    async with app.run_test(size=(100, 12)) as pilot:
        await app.arm(pilot)
        await pilot.press("j")
        await pilot.pause()
        assert app.view.hunk == 1
        await pilot.press("pagedown", "down")
        await pilot.pause()
        assert app.view.scroll_offset.y > 0
        await pilot.press("v")
        await pilot.pause()
        assert app.view.split
        assert app.results == []
        await pilot.press("y")
        assert await app.answer(pilot) == AllowOnce("shown")


async def test_a_stray_letter_closes_the_gate() -> None:
    app = ReviewApp(question=WRITE)
    async with app.run_test() as pilot:
        await app.arm(pilot)
        await pilot.press("w", "a", "y")
        await pilot.pause(0.5)
        assert app.results == []


async def test_a_comment_can_be_written_here() -> None:
    app = ReviewApp(question=WRITE)
    async with app.run_test() as pilot:
        await app.arm(pilot)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.review.focused, Input))
        await pilot.press(*"why q", "enter")
        assert await app.answer(pilot) == Denied(comment="why q")


async def test_the_keys_of_the_question_are_in_view_at_forty_by_ten() -> None:
    app = ReviewApp(question=WRITE)
    async with app.run_test(size=(40, 10)) as pilot:
        await app.arm(pilot)
        assert "n deny" in screen_text(app)
        await pilot.press("n")
        assert await app.answer(pilot) == Denied()


@pytest.mark.parametrize("size", [(20, 6), (1, 1), (400, 100)])
async def test_no_size_breaks_it(size: tuple[int, int]) -> None:
    app = ReviewApp(THREE, request(WriteAccess(THREE)))
    async with app.run_test(size=size) as pilot:
        await pilot.press("j", "j", "v", "right_square_bracket")
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "src/shop/new.py" in screen_text(app)


async def test_names_from_outside_are_spelled_out() -> None:
    app = ReviewApp(ChangePlan((change(None, "a\n", "a\u202eb\x1b]0;x\x07.py"), change(None, "a\n", "[b]x"))))
    async with app.run_test(size=(120, 20)) as pilot:
        await pilot.pause()
        text = screen_text(app)
        assert "a<U+202E>b<U+001B>]0;x" in text
        assert "[b]x" in text


async def test_plain_signs_are_plain() -> None:
    app = ReviewApp()
    app.review = ReviewScreen(PLAN, request=WRITE, symbols=ASCII)
    async with app.run_test(size=(50, 20)) as pilot:
        await pilot.pause()
        assert screen_text(app).translate(SCROLLBAR).isascii()


async def test_it_takes_diffs_and_a_title_too() -> None:
    app = ReviewApp()
    app.review = ReviewScreen(outlines(PLAN), "last turn")
    async with app.run_test(size=(100, 20)) as pilot:
        await pilot.pause()
        assert "last turn · src/shop/cart.py" in screen_text(app)


@pytest.mark.parametrize(
    ("name", "size", "plan", "question"),
    [
        ("split", (120, 40), PLAN, WRITE),
        ("unified", (80, 24), PLAN, None),
        ("several", (140, 40), THREE, None),
        ("new", (80, 24), ChangePlan((change(None, AFTER),)), None),
        ("small", (40, 10), PLAN, WRITE),
    ],
)
def test_looks_as_designed(
    name: str, size: tuple[int, int], plan: ChangePlan, question: ApprovalRequest | None, snap_compare: Any
) -> None:
    app = ReviewApp(plan, question)

    async def ready(pilot: Any) -> None:
        await pilot.pause()
        if question is not None:
            await app.arm(pilot)
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=ready)
