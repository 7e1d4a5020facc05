"""In the review each hunk is accepted, rejected or edited, and what is written is what is shown then."""

import time
from typing import Any

import pytest
from textual import events
from textual.widgets import Input, TextArea

from tests.tui.questions import AFTER, BEFORE, PLAN, WRITE, change, request, screen_text
from tests.tui.test_review import ReviewApp, until
from tui_agent.permissions.approval import AllowOnce, ApprovalRequest, Denied, Reviewed, WriteAccess
from tui_agent.tui.editor import EditorError
from tui_agent.tui.screens.review import ReviewScreen
from tui_agent.tui.theming import ASCII
from tui_agent.tui.widgets.answer_bar import AnswerBar
from tui_agent.tui.widgets.hunk_editor import HunkEditor
from tui_agent.workspace.changes import ChangePlan
from tui_agent.workspace.diff import diff_change
from tui_agent.workspace.hunks import ACCEPTED, REJECTED, assemble, new_text

DIFF = diff_change(PLAN.changes[0])


def written(*accepted: bool) -> bytes:
    """The file with some of its hunks."""
    return assemble(DIFF.before, DIFF.hunks, [ACCEPTED if yes else REJECTED for yes in accepted]).encode()


def write(name: str, after: str, before: str | None = None, call: str = "later", digest: str = "") -> ApprovalRequest:
    plan = ChangePlan((change(before, after, name),))
    return ApprovalRequest(call, "write_file", name, WriteAccess(plan), ("no rule",), digest or name)


def following(*later: ApprovalRequest) -> ApprovalRequest:
    return ApprovalRequest("call", "edit_file", "a", WriteAccess(PLAN), ("no rule",), "shown", following=later)


async def press(pilot: Any, *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


async def yes(app: ReviewApp, pilot: Any) -> AllowOnce:
    await app.arm(pilot)
    await pilot.press("y")
    decision = await app.answer(pilot)
    assert isinstance(decision, AllowOnce)
    return decision


async def test_a_rejected_hunk_is_not_written_and_the_screen_says_so_before() -> None:
    app = ReviewApp(question=WRITE)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.arm(pilot)
        assert "y write all 3 hunks" in screen_text(app)
        assert "s for this session" in screen_text(app)
        await press(pilot, "j", "space")
        text = screen_text(app)
        assert text.count("✓ accepted") == 2 and text.count("› ✗ rejected") == 1
        assert "y write 2 of 3 hunks" in text and "2 of 3 hunks" in text.split("\n")[0]
        assert "for this session" not in text  # what was changed is not what the session would be allowed
        decision = await yes(app, pilot)
        assert decision.files == (Reviewed(written(True, False, True), (2,)),)


async def test_marking_keys_work_at_once_and_never_answer() -> None:
    app = ReviewApp(question=WRITE)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "space", "j", "x", "a", "k", "X", "A", "space")  # long before the keys of the question do
        assert app.results == []
        assert "write 2 of 3 hunks" in screen_text(app)
        await app.arm(pilot)
        await press(pilot, "space", "x", "j", "space", "v", "v", "x", "a")
        await pilot.pause(0.5)
        assert app.results == []


async def test_a_word_that_begins_like_an_answer_changes_and_answers_nothing() -> None:
    app = ReviewApp(question=WRITE)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.arm(pilot)
        await pilot.press("y", "x", "space")
        await pilot.pause(0.6)
        assert app.results == []
        assert "write all 3 hunks" in screen_text(app) or "write 2 of 3 hunks" in screen_text(app)


async def test_a_hunk_is_edited_in_place_and_exactly_that_is_written() -> None:
    app = ReviewApp(question=WRITE)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "j", "e")
        area = app.review.query_one(TextArea)
        assert app.review.focused is area and "result = result + item.price * item.count" in area.text
        await press(pilot, *"# y n ", "enter")  # keys of the question are text here
        assert app.results == []
        await press(pilot, "ctrl+s")
        assert "✎ edited" in screen_text(app) and "# y n" in screen_text(app)
        assert not app.review.query_one(HunkEditor).is_open
        assert app.review.query_one(AnswerBar).guard.opens_at() > app.clock.now  # it asks anew
        decision = await yes(app, pilot)
        mine = AFTER.replace("    def total", "# y n \n    def total").encode()
        assert decision.files == (Reviewed(mine, (), (2,)),)


async def test_escape_throws_nothing_away_that_was_typed_without_a_word() -> None:
    app = ReviewApp(question=WRITE)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "e", "escape")
        assert not app.review.query_one(HunkEditor).is_open  # nothing was typed
        await press(pilot, "e", "q", "escape")
        assert "esc again throws away what you typed" in screen_text(app)
        await press(pilot, "w", "escape")
        assert app.review.query_one(TextArea).text.startswith("qw")
        await press(pilot, "escape")
        assert not app.review.query_one(HunkEditor).is_open
        assert "write all 3 hunks" in screen_text(app)
        assert app.results == []


async def test_what_cannot_be_seen_is_spelled_out_in_the_editor_and_comes_back() -> None:
    app = ReviewApp(question=WRITE)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "j", "j", "e")
        assert "\u202e" not in app.review.query_one(TextArea).text
        assert "# <U+202E>no" in screen_text(app)
        await press(pilot, "x", "alt+enter")
        made = (await yes(app, pilot)).files[0].after
        last = new_text(DIFF.hunks[2])
        assert made == AFTER.replace(last, "x" + last).encode()


async def test_what_cannot_be_written_is_said_and_stays_in_the_editor() -> None:
    plan = ChangePlan((change(None, ""),))
    latin = plan.changes[0]
    plan = ChangePlan((type(latin)(latin.path, latin.name, b"caf\xe9\n", b"th\xe9\n", None),))
    app = ReviewApp(plan, request(WriteAccess(plan)))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "e")
        app.review.query_one(TextArea).insert("€")
        await press(pilot, "ctrl+s")
        assert "Latin-1, which has no <U+20AC>" in screen_text(app)
        assert app.review.query_one(TextArea).text == "€thé"
        await press(pilot, "backspace", "x", "ctrl+s")
        assert (await yes(app, pilot)).files[0].after == b"xth\xe9\n"


async def test_comments_go_with_the_answer() -> None:
    app = ReviewApp(question=WRITE)
    async with app.run_test(size=(100, 30)) as pilot:
        await press(pilot, "j", "m")
        assert isinstance(app.review.focused, Input)
        await press(pilot, *"why y?", "enter", "M", *"nice", "enter")
        assert 'for the model: "nice"' in screen_text(app) and '"why y?"' in screen_text(app)
        await press(pilot, "m", *"xxx", "escape")
        decision = await yes(app, pilot)
        assert decision == AllowOnce(
            "shown", files=(Reviewed(AFTER.encode(), comments=((2, "why y?"),)),), comment="nice"
        )


async def test_the_keys_stay_at_their_hunk_when_a_line_opens_and_closes_below() -> None:
    app = ReviewApp(question=WRITE)
    async with app.run_test(size=(100, 30)) as pilot:
        await press(pilot, "j", "j", "m", "x", "enter", "space")
        last = next(line for line in screen_text(app).split("\n") if "@@ 26-29" in line)
        assert last.strip().startswith('› ✗ rejected  "x"')


async def test_comments_go_with_a_no_too() -> None:
    app = ReviewApp(question=WRITE)
    async with app.run_test(size=(100, 30)) as pilot:
        await press(pilot, "m", *"why", "enter")
        await app.arm(pilot)
        await pilot.press("n")
        assert await app.answer(pilot) == Denied("on hunk 1 (@@ -1,6 +1,5 @@) of src/shop/cart.py: why")


@pytest.mark.parametrize("armed", [False, True])
@pytest.mark.parametrize(("key", "rest"), [("m", "no way xax"), ("e", "n x y")])
async def test_what_is_typed_right_behind_a_key_that_opens_a_line_goes_into_the_line(
    armed: bool, key: str, rest: str
) -> None:
    app = ReviewApp(question=WRITE)
    async with app.run_test(size=(100, 30)) as pilot:
        if armed:
            await app.arm(pilot)
        for each in (key, *rest):  # all of them are there before the first is read
            app.post_message(events.Key("space" if each == " " else each, each))
        await until(pilot, lambda: isinstance(app.review.focused, Input | TextArea))
        await pilot.pause(0.1)
        line = app.review.focused
        assert isinstance(line, Input | TextArea)
        assert (line.value if isinstance(line, Input) else line.text).startswith(rest)
        assert app.results == []


async def test_several_files_are_answered_together_but_none_that_was_not_shown() -> None:
    later = [write("b.py", "b\n"), write("c.py", "c\n"), write("d.py", "d\n")]
    app = ReviewApp(question=following(*later))
    async with app.run_test(size=(140, 40)) as pilot:
        assert "y write all 3 hunks in 1 of 4 files" in screen_text(app)
        await press(pilot, "space", "right_square_bracket", "right_square_bracket", "x")
        text = screen_text(app)
        assert "y write 3 of 5 hunks in 2 of 4 files" in text
        assert [sign in text for sign in ("+1 −0 ✓", "+0 −0 ✗", "+1 −0 ○", "✎")] == [True] * 4
        await app.arm(pilot)
        await pilot.press("y")
        assert await app.answer(pilot) == AllowOnce("shown", files=(Reviewed(written(False, True, True), (1,)),))
        (made,) = app.results
        assert made is not None
        assert made.ahead == (
            (later[0], AllowOnce("b.py")),
            (later[1], AllowOnce("c.py", files=(Reviewed(None),))),
        )


async def test_a_no_is_one_to_all_of_them() -> None:
    later = write("b.py", "b\n")
    app = ReviewApp(question=following(later))
    async with app.run_test(size=(140, 40)) as pilot:
        await app.arm(pilot)
        await pilot.press("n")
        assert await app.answer(pilot) == Denied()
        assert app.results[0] is not None and app.results[0].ahead == ((later, Denied()),)


async def test_a_file_that_changed_on_disk_is_shown_anew_with_what_was_decided() -> None:
    app = ReviewApp(question=WRITE)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "space", "j", "e", *"mine", "ctrl+s")
        first = app.review.review
        assert first is not None
        plan = ChangePlan(
            (change("# new\n" * 20 + BEFORE.replace("save", "store"), "# new\n" * 20 + AFTER.replace("save", "store")),)
        )
        again = request(WriteAccess(plan), "edit_file", digest="other")
        app.review.dismiss(None)
        await pilot.pause()
        app.review = ReviewScreen(plan, request=again, earlier=[first], clock=app.clock)
        app.results.clear()
        app.push_screen(app.review, app.results.append)
        await pilot.pause()
        text = screen_text(app)
        assert "changed on disk since; this is the new diff, with what you decided about 1 equal hunk" in text
        assert "✎ edited" in text and "mine    def total" in text


async def test_the_same_question_is_gone_on_with_where_it_was_left() -> None:
    app = ReviewApp(question=WRITE)
    async with app.run_test(size=(100, 30)) as pilot:
        await press(pilot, "j", "space", "escape")
        assert app.results == [None]
        review = app.review.review
        assert review is not None and not review.untouched
        app.review = ReviewScreen(PLAN, request=WRITE, earlier=[review], clock=app.clock)
        app.results.clear()
        app.push_screen(app.review, app.results.append)
        await pilot.pause()
        assert "write 2 of 3 hunks" in screen_text(app)
        assert "changed on disk" not in screen_text(app)


# ---- the user's own editor ----


@pytest.fixture
def external(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the editor makes of the bytes it gets: a function in "does"."""
    state: dict[str, Any] = {}

    async def edited(app: object, command: list[str], data: bytes, name: str) -> bytes:
        state["got"] = data
        made: bytes = state["does"](data)
        return made

    monkeypatch.setattr("tui_agent.tui.editor.edited", edited)
    monkeypatch.setenv("VISUAL", "sh")
    return state


async def test_the_whole_proposal_can_be_edited_outside_and_is_shown_anew(external: dict[str, Any]) -> None:
    external["does"] = lambda data: data.replace(b"round(result, 2)", b"round(result, 3)")
    app = ReviewApp(question=WRITE)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "space", "E")
        await until(pilot, lambda: "✎ edited" in screen_text(app))
        assert external["got"] == written(False, True, True)
        assert "round(result, 3)" in screen_text(app) and "✗ rejected" in screen_text(app)
        decision = await yes(app, pilot)
        mine = written(False, True, True).replace(b"round(result, 2)", b"round(result, 3)")
        assert decision.files == (Reviewed(mine, (1,), (2,)),)


async def test_what_an_editor_does_not_do_changes_nothing_and_is_said(
    external: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(data: bytes) -> bytes:
        raise EditorError("vi ended with 1, so nothing is taken over", "what it wrote is in /x")

    external["does"] = fail
    app = ReviewApp(question=WRITE)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "E")
        await until(pilot, lambda: "vi ended with 1" in screen_text(app))
        assert "what it wrote is in /x" in screen_text(app)
        external["does"] = lambda data: data
        await press(pilot, "E")
        await until(pilot, lambda: "nothing was changed in the editor" in screen_text(app))
        monkeypatch.setenv("VISUAL", "no-such-editor")
        await press(pilot, "E")
        await until(pilot, lambda: "$VISUAL is no-such-editor, which is not there" in screen_text(app))
        assert app.results == []
        await press(pilot, "x")
        assert "y write nothing" in screen_text(app)
        assert await yes(app, pilot) == AllowOnce("shown", files=(Reviewed(None),))


# ---- sizes ----


@pytest.mark.parametrize("size", [(120, 40), (40, 10)])
async def test_everything_works_at_every_size_and_through_a_resize(size: tuple[int, int]) -> None:
    app = ReviewApp(question=following(write("b.py", "b\n")))
    async with app.run_test(size=size) as pilot:
        await press(pilot, "j", "space", "e", "q")
        await pilot.resize_terminal(60, 16)
        await pilot.resize_terminal(*size)
        await pilot.pause()
        assert app.review.query_one(TextArea).text.startswith("q")
        assert app.review.query_one(TextArea).size.height > 0
        await press(pilot, "ctrl+s", "j", "space")
        await pilot.resize_terminal(110, 30)
        await pilot.pause()
        assert "2 of 3 hunks" in screen_text(app)
        await app.arm(pilot)
        assert "n deny" in screen_text(app)
        await pilot.resize_terminal(*size)
        await pilot.press("n")
        assert await app.answer(pilot) == Denied()


async def test_plain_signs_are_plain_here_too() -> None:
    app = ReviewApp(question=WRITE)
    app.review = ReviewScreen(PLAN, request=WRITE, symbols=ASCII, clock=app.clock)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "space", "j", "e", "q", "ctrl+s")
        text = screen_text(app)
        assert "x rejected" in text and "~ edited" in text and "+ accepted" in text


async def test_five_hundred_hunks_in_twenty_thousand_lines_are_decided_at_once() -> None:
    before = "".join(f"line {number}\n" for number in range(20_000))
    after = "".join(f"line {number}{' new' * (number % 40 == 7)}\n" for number in range(20_000))
    plan = ChangePlan((change(before, after),))
    app = ReviewApp(plan, request(WriteAccess(plan)))
    async with app.run_test(size=(120, 40)) as pilot:
        await app.workers.wait_for_complete()
        await app.arm(pilot)
        assert "write all 500 hunks" in screen_text(app)
        took = []
        for key in ("x", "a", "x", "space", "j", "space", "j", "space"):
            began = time.process_time()
            await pilot.press(key)
            took.append(time.process_time() - began)
        assert "write 3 of 500 hunks" in screen_text(app)
        assert sorted(took)[len(took) // 2] < 0.2
        await press(pilot, "e", *"mine ", "ctrl+s")
        await until(pilot, lambda: "mine" in screen_text(app))
        decision = await yes(app, pilot)
        assert decision.files[0].edited == (3,) and len(decision.files[0].refused) == 497


async def test_a_click_on_the_head_of_a_hunk_decides_about_it() -> None:
    app = ReviewApp(question=WRITE)
    async with app.run_test(size=(120, 40)) as pilot:
        lines = screen_text(app).split("\n")
        row = next(y for y, line in enumerate(lines) if "@@ 12-19" in line)
        await pilot.click(offset=(20, row))
        await pilot.pause()
        assert "› ✗ rejected" in screen_text(app).split("\n")[row]
        assert app.results == []


@pytest.mark.parametrize(
    ("name", "size", "question", "keys"),
    [
        ("decided", (120, 40), WRITE, ["space", "j", "e", *"mine ", "ctrl+s", "m", *"why?", "enter", "v"]),
        ("editing", (80, 24), WRITE, ["j", "e", *"mine "]),
        (
            "files",
            (140, 40),
            following(write("b.py", "b\n"), write("c.py", "c\n")),
            ["space", "right_square_bracket", "x"],
        ),
    ],
)
def test_looks_as_designed(
    name: str, size: tuple[int, int], question: ApprovalRequest, keys: list[str], snap_compare: Any
) -> None:
    app = ReviewApp(question=question)

    async def ready(pilot: Any) -> None:
        await press(pilot, *keys)
        if name != "editing":
            await app.arm(pilot)
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=ready)
