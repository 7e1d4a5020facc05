"""A rule is read before it is saved, and a command can be edited before it runs; both only by keys that were meant."""

import asyncio
import time
from typing import Any

import pytest
from textual import events
from textual.widgets import Input

from tests.tui.questions import WRITE, Advice, QuestionApp, asked, request, screen_text
from tui_agent.conversation.errors import ConfigError
from tui_agent.permissions.approval import AllowOnce, ApprovalRequest, CommandAccess, Denied, ForeignAccess
from tui_agent.text.sanitize import spell_out
from tui_agent.tui.arming import BEHIND, HELD, SILENCE
from tui_agent.tui.widgets.answer_bar import AnswerBar
from tui_agent.tui.widgets.command_editor import CommandArea
from tui_agent.tui.widgets.key_hints import KeyHints

TEST = asked("npm test -- --watch")
TWO = asked("npm test && pytest -q && npm test -- -u")


async def opened(app: QuestionApp, pilot: Any, question: ApprovalRequest, key: str) -> None:
    """A question with one of its lines open, and long enough for its keys to count."""
    await app.ask_and_arm(pilot, question)
    await app.press(pilot, key)
    app.clock.now += 60
    await pilot.pause()


def line(app: QuestionApp) -> Input:
    return app.panel._rule.input


async def write(app: QuestionApp, pilot: Any, text: str) -> None:
    """Replace what is in the line that has the focus."""
    widget = app.focused
    if isinstance(widget, Input):
        widget.value = text
    else:
        assert isinstance(widget, CommandArea)
        widget.text = spell_out(text)
    await pilot.pause()
    app.clock.now += 60


# ---- rules ----


async def test_the_rule_is_shown_with_where_it_goes_and_enter_saves_it_and_allows_this_call() -> None:
    advice = Advice()
    app = QuestionApp(counsel=advice)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.ask_and_arm(pilot, TEST)
        assert "r always: npm test" in screen_text(app)
        await opened(app, pilot, TEST, "r")
        seen = screen_text(app)
        assert line(app).value == "npm test" and "saved in ~/.config" in seen and "enter save and allow" in seen
        assert "n deny" not in seen and not app.answers
        await pilot.press("enter")
        await pilot.pause()
        assert app.decision == AllowOnce("shown", rule="npm test")
        assert advice.saved == ["npm test"]
        assert app.focused is app.prompt and app.prompt.text == ""


async def test_what_is_typed_is_judged_at_once_and_only_what_covers_the_command_is_saved() -> None:
    advice = Advice(asked("npm test a"), asked("npm run lint"))
    app = QuestionApp(counsel=advice)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, TEST, "r")
        assert "also have covered 1 of 2 other questions" in screen_text(app)
        for text, said in (
            ("npm tes", "does not cover npm test -- --watch"),
            ("npm test > x", "no rule"),
            ("", "no rule"),
            ("npm", "wide: with more words behind it `npm` could do anything else"),
            ("network(npm test)", "lets them use the network"),
        ):
            await write(app, pilot, text)
            assert said in screen_text(app).replace("\n▌ ", " "), text
            if text in ("npm", "network(npm test)"):
                continue
            await pilot.press("enter")
            await pilot.pause()
            assert not app.answers and not advice.saved
        assert "covers this" in screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        assert app.decision == AllowOnce("shown", network=True, rule="network(npm test)")


async def test_several_parts_get_their_rules_one_after_the_other_and_nothing_twice() -> None:
    advice = Advice()
    app = QuestionApp(counsel=advice)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, TWO, "r")
        assert "always allow npm test  rule 1 of 2" in screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        assert "always allow pytest -q  rule 2 of 2" in screen_text(app) and not app.answers
        await pilot.press("enter")
        await pilot.pause()
        assert advice.saved == ["npm test", "pytest"]
        assert app.decision == AllowOnce("shown", rule="npm test; pytest")


@pytest.mark.parametrize(
    ("question", "rule"), [(WRITE, "write(src/shop/cart.py)"), (request(ForeignAccess({}), "mcp__a"), "tool(mcp__a)")]
)
async def test_writes_and_tools_have_rules_too(question: ApprovalRequest, rule: str) -> None:
    advice = Advice()
    app = QuestionApp(counsel=advice)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, question, "r")
        await pilot.press("enter")
        await pilot.pause()
        assert advice.saved == [rule] and app.decision == AllowOnce("shown", rule=rule)


async def test_where_no_rule_is_proposed_the_reason_is_said_and_one_can_be_written() -> None:
    app = QuestionApp(counsel=Advice())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, asked("rm -r build"), "r")
        assert "no rule is proposed: with more words behind it `rm`" in screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        assert not app.answers
        await write(app, pilot, "rm -r build")
        await pilot.press("enter")
        await pilot.pause()
        assert app.decision == AllowOnce("shown", rule="rm -r build")


async def test_where_no_rule_can_help_the_key_is_not_offered_and_the_reason_is_said() -> None:
    app = QuestionApp(counsel=Advice())
    async with app.run_test(size=(120, 40)) as pilot:
        await app.ask_and_arm(pilot, asked("npm test 2>&1"))
        assert "r always" not in screen_text(app)
        assert "no rule can cover it: a rule covers nothing that redirects" in screen_text(app)
        await pilot.press("r")
        await pilot.pause()
        assert app.prompt.text == "r"


async def test_what_could_not_be_saved_is_said_and_answers_nothing() -> None:
    advice = Advice()
    advice.trouble = ConfigError("config.yaml is read-only", "add it by hand: npm test")
    app = QuestionApp(counsel=advice)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, TEST, "r")
        await pilot.press("enter")
        await pilot.pause()
        assert "config.yaml is read-only" in screen_text(app) and "add it by hand" in screen_text(app)
        assert not app.answers and app.focused is line(app)
        advice.trouble = None
        await pilot.press("enter")
        await pilot.pause()
        assert app.decision == AllowOnce("shown", rule="npm test")


async def test_escape_goes_back_and_what_was_written_is_kept_for_the_next_time() -> None:
    app = QuestionApp(counsel=Advice())
    async with app.run_test(size=(120, 40)) as pilot:
        app.prompt.text = "a draft"
        await opened(app, pilot, TEST, "r")
        await write(app, pilot, "npm")
        await pilot.press("escape")
        await pilot.pause()
        assert not app.answers and "your rule is kept: r goes on with it" in screen_text(app)
        assert not app.panel.armed
        await app.arm(pilot)
        await app.press(pilot, "r")
        assert line(app).value == "npm"
        assert app.prompt.text == "a draft"


@pytest.mark.parametrize(("key", "text"), [("r", "npm"), ("e", "npm run other")])
async def test_a_line_of_a_question_that_goes_away_gives_what_was_written_to_the_prompt(key: str, text: str) -> None:
    app = QuestionApp(counsel=Advice())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, TEST, key)
        await write(app, pilot, text)
        app.panel.clear()
        await pilot.pause()
        assert app.prompt.text == text and app.focused is app.prompt and not app.answers


@pytest.mark.parametrize("key", ["r", "e"])
async def test_what_was_written_and_left_comes_into_the_prompt_when_the_question_goes_away(key: str) -> None:
    text = "npm" if key == "r" else "npm run other"
    app = QuestionApp(counsel=Advice())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, TEST, key)
        await write(app, pilot, text)
        await pilot.press("escape")
        await pilot.pause()
        assert not app.prompt.text and app.panel.written == text
        app.panel.clear()
        await pilot.pause()
        assert app.prompt.text == text and not app.answers and not app.panel.written


async def test_an_edit_that_is_being_looked_at_or_was_is_not_lost_when_the_question_goes_away() -> None:
    for looked_at in (False, True):
        advice = Advice()
        judged, going = advice.judged, asyncio.Event()

        async def slowly(
            request: ApprovalRequest, command: str, judged: Any = judged, going: asyncio.Event = going
        ) -> Any:
            await going.wait()
            return await judged(request, command)

        advice.judged = slowly  # type: ignore[method-assign]
        app = QuestionApp(counsel=advice)
        async with app.run_test(size=(120, 40)) as pilot:
            await opened(app, pilot, TEST, "e")
            await write(app, pilot, "npm run other")
            await pilot.press("enter")
            await pilot.pause()
            assert "looking at it" in screen_text(app)
            if looked_at:
                going.set()
                await pilot.pause()
                assert "edited by you" in screen_text(app)
            app.panel.clear()
            await pilot.pause()
            assert app.prompt.text == "npm run other" and not app.answers


async def test_a_question_that_ends_after_its_screen_is_gone_looks_for_no_screen() -> None:
    app = QuestionApp(counsel=Advice())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, TEST, "r")
        await write(app, pilot, "npm")
    app.panel.clear()


async def test_a_rule_that_would_have_saved_most_of_the_questions_is_pointed_at() -> None:
    few, many = Advice(*[asked(f"npm test {n}") for n in range(3)]), Advice(*[asked(f"npm test {n}") for n in range(5)])
    for advice, told in ((few, False), (many, True)):
        app = QuestionApp(counsel=advice)
        async with app.run_test(size=(120, 40)) as pilot:
            await app.ask_and_arm(pilot, TEST)
            assert ("asked 6 times; r npm test would have saved 5" in screen_text(app)) is told
            assert not advice.saved


# ---- edits ----


async def test_an_edited_command_is_taken_apart_again_and_then_allowed_as_it_is() -> None:
    app = QuestionApp(counsel=Advice())
    async with app.run_test(size=(120, 40)) as pilot:
        app.prompt.text = "a draft"
        await opened(app, pilot, TEST, "e")
        await write(app, pilot, "npm test && rm x")
        await pilot.press("enter")
        await pilot.pause()
        await pilot.pause()
        seen = screen_text(app)
        assert not app.answers
        assert "edited by you; this runs in place of what was proposed" in seen
        assert "2  rm x   asks: `rm x` is not covered by a rule" in seen
        assert "proposed was: npm test -- --watch" in seen
        assert "s for this session" not in seen and "n deny" in seen
        await app.arm(pilot)
        await app.press(pilot, "y")
        assert app.answers == [(TEST, AllowOnce("shown", command="npm test && rm x"))]
        assert app.prompt.text == "a draft"


async def test_an_edited_command_can_be_allowed_by_rule_and_edited_again_and_taken_back() -> None:
    advice = Advice()
    app = QuestionApp(counsel=advice)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, asked("npm run x"), "e")
        await write(app, pilot, "pytest -q")
        await pilot.press("ctrl+s")
        await pilot.pause()
        await app.arm(pilot)
        await app.press(pilot, "e")
        assert app.focused is not None and app.focused.text == "pytest -q"  # type: ignore[attr-defined]
        await write(app, pilot, "npm run x")
        await pilot.press("enter")
        await pilot.pause()
        assert "edited by you" not in screen_text(app) and "s for this session" in screen_text(app)
        await app.arm(pilot)
        await app.press(pilot, "e")
        await write(app, pilot, "pytest -q")
        await pilot.press("enter")
        await pilot.pause()
        await app.arm(pilot)
        await app.press(pilot, "r")
        app.clock.now += 60
        assert line(app).value == "pytest"
        await pilot.press("enter")
        await pilot.pause()
        assert app.decision == AllowOnce("shown", command="pytest -q", rule="pytest")


async def test_a_command_that_was_edited_into_one_that_may_not_run_cannot_be_allowed() -> None:
    app = QuestionApp(counsel=Advice(deny=("rm -rf",)))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, TEST, "e")
        await write(app, pilot, "rm -rf /")
        await pilot.press("enter")
        await pilot.pause()
        await app.arm(pilot)
        seen = screen_text(app)
        assert "the rule `deny: rm -rf` refuses it" in seen and "y allow" not in seen and "n deny" in seen
        await pilot.press("y")
        await pilot.pause(BEHIND + 0.1)
        assert not app.answers and app.prompt.text == "y"


async def test_an_edited_command_is_shown_and_allowed_with_the_network_that_it_has_itself() -> None:
    advice = Advice(ask=("curl", "wget"))
    advice.saved = ["network(curl)"]
    app = QuestionApp(counsel=advice)
    proposed = asked("curl a", "network(curl)", ask=("curl",))
    assert isinstance(proposed.access, CommandAccess) and proposed.access.network
    for command, network in [("wget b", False), ("curl b", True)]:
        async with app.run_test(size=(120, 40)) as pilot:
            await opened(app, pilot, proposed, "e")
            await write(app, pilot, command)
            await pilot.press("enter")
            await pilot.pause()
            await app.arm(pilot)
            assert f"with{'' if network else 'out'} network" in screen_text(app), screen_text(app)
            await app.press(pilot, "y")
            assert app.decision == AllowOnce("shown", command=command, network=network)
        app = QuestionApp(counsel=advice)


async def test_hidden_characters_can_be_seen_in_the_editor_and_are_not_lost() -> None:
    app = QuestionApp(counsel=Advice())
    command = "echo a\u202e\tb\x1b <U+202E>\nls"
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, asked(command), "e")
        assert "echo a<U+202E><U+0009>b<U+001B> <U+003C>U+202E>" in screen_text(app)
        await pilot.press("shift+enter", "x", "enter")
        await pilot.pause()
        await app.arm(pilot)
        await app.press(pilot, "y")
        assert app.decision == AllowOnce("shown", command=command + "\nx")


async def test_escape_keeps_an_edit_and_at_the_question_stops_and_gives_it_to_the_prompt() -> None:
    app = QuestionApp(counsel=Advice())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, TEST, "e")
        await write(app, pilot, "npm run other")
        await pilot.press("escape")
        await pilot.pause()
        assert "what you edited is kept: e goes on with it" in screen_text(app) and not app.answers
        await app.arm(pilot)
        await app.press(pilot, "e")
        await pilot.press("enter")
        await pilot.pause()
        await app.arm(pilot)
        await pilot.press("escape")
        await pilot.pause()
        assert app.decision == Denied(stop=True)
        assert app.prompt.text == "npm run other"


async def test_nothing_is_no_command() -> None:
    app = QuestionApp(counsel=Advice())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, TEST, "e")
        await write(app, pilot, " \n")
        await pilot.press("enter")
        await pilot.pause()
        assert "there is nothing to run" in screen_text(app) and not app.answers


@pytest.mark.parametrize(("size", "key"), [((40, 10), "r"), ((40, 10), "e"), ((30, 8), "r"), ((30, 8), "e")])
async def test_lines_stay_open_over_a_change_of_size_and_fit(size: tuple[int, int], key: str) -> None:
    app = QuestionApp(counsel=Advice())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, asked("npm test " + "x" * 500), key)
        await pilot.resize_terminal(*size)
        await pilot.pause()
        assert "esc back" in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "n deny" in screen_text(app) and not app.answers


# ---- keys that were meant for something else ----

WORDS = ("yes", "so", "run", "ed", "can", "do", "we", "or")


@pytest.mark.parametrize("word", WORDS)
async def test_a_word_typed_slowly_into_an_open_question_goes_to_the_prompt(word: str) -> None:
    app = QuestionApp(counsel=Advice())
    async with app.run_test(size=(120, 40)) as pilot:
        await app.ask_and_arm(pilot, WRITE if word == "do" else asked("ls"))
        started = time.monotonic()
        for letter in word:
            await pilot.press(letter)
            assert not app.answers and not app.reviews
            await pilot.pause(0.2)
            if time.monotonic() - started > BEHIND:
                pytest.skip("the machine is too slow for this")
            started = time.monotonic()
        await pilot.pause(BEHIND)
        assert not app.answers and not app.reviews
        assert app.prompt.text == word and app.focused is app.prompt


@pytest.mark.parametrize(("key", "repeats"), [*((key, 1) for key in "ysrecnd"), ("y", 3)])
async def test_a_key_held_since_before_the_question_never_answers(key: str, repeats: int) -> None:
    """The keyboard begins to repeat it 0.7 s later, when the question has been open for a while."""
    app = QuestionApp(counsel=Advice())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(key)
        await app.ask(pilot, WRITE)
        app.clock.now += 0.7
        app.panel.arm_if_due()
        for _ in range(repeats):
            await pilot.press(key)
            app.clock.now += 0.03
        await pilot.pause(BEHIND + 0.1 if repeats == 1 and key == "y" else 0)
        assert not app.answers and not app.reviews
        assert app.prompt.text == key * (repeats + 1)


async def test_the_key_that_answered_one_question_opens_late_for_the_next() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, asked("ls"))
        await app.press(pilot, "y")
        await app.ask(pilot, asked("ls -la"))
        app.clock.now += HELD - 0.1
        app.panel.arm_if_due()
        assert not app.panel.armed
        await pilot.press("y")
        assert len(app.answers) == 1 and app.prompt.text == "y"
        await app.arm(pilot)
        await app.press(pilot, "y")
        assert len(app.answers) == 2


async def test_another_key_than_the_one_that_was_typed_opens_after_the_silence() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await pilot.press("x")
        await app.ask(pilot, asked("ls"))
        app.clock.now += SILENCE + 0.3
        app.panel.arm_if_due()
        await pilot.pause()
        await app.press(pilot, "y")
        assert app.decision == AllowOnce("shown")


@pytest.mark.parametrize("key", ["y", "r"])
@pytest.mark.parametrize("after", ["enter", "paste", "blur", "clear"])
async def test_what_comes_right_behind_a_letter_takes_it_back(key: str, after: str) -> None:
    app = QuestionApp(counsel=Advice())
    async with app.run_test(size=(120, 40)) as pilot:
        await app.ask_and_arm(pilot, TEST)
        await pilot.press(key)
        assert app.query_one(AnswerBar).pending
        if after == "paste":
            app.post_message(events.Paste("x"))
        elif after == "blur":
            app.post_message(events.AppBlur())
        elif after == "clear":
            app.panel.clear()
        else:
            await pilot.press(after)
        await pilot.pause()
        assert not app.query_one(AnswerBar).pending and not app.answers
        assert not app.panel.has_class("-ruling") and not app.panel.has_class("-editing")
        assert app.prompt.text == {"enter": key, "paste": f"{key}x"}.get(after, "")


async def test_a_key_that_was_taken_is_marked_before_it_does_anything() -> None:
    app = QuestionApp(counsel=Advice())
    async with app.run_test(size=(120, 40)) as pilot:
        await app.ask_and_arm(pilot, TEST)
        await pilot.press("y")
        hints = app.query_one(AnswerBar).hints
        ground = {segment.text: segment.style.bgcolor for segment in hints.render_line(1) if segment.style}
        assert ground["y allow once"] != ground["s"] and not app.answers
        await pilot.press("x")
        assert "y allow once" not in {segment.text for segment in hints.render_line(1)}
        assert app.prompt.text == "yx"


async def test_enter_saves_no_rule_before_the_line_was_open_for_a_while() -> None:
    advice = Advice()
    app = QuestionApp(counsel=advice)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.ask_and_arm(pilot, TEST)
        await app.press(pilot, "r")
        await pilot.press("enter")
        app.clock.now += SILENCE - 0.01
        await pilot.press("enter")
        await pilot.pause()
        assert not app.answers and not advice.saved


async def test_a_word_that_opened_the_line_by_its_first_letter_saves_nothing() -> None:
    advice = Advice()
    app = QuestionApp(counsel=advice)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, TEST, "r")
        await pilot.press(*"estart", "enter")
        await pilot.pause()
        assert not app.answers and not advice.saved and "does not cover" in screen_text(app)


@pytest.mark.parametrize("key", ["r", "e"])
async def test_a_click_that_only_brings_the_focus_back_does_nothing_in_a_line(key: str) -> None:
    advice = Advice()
    app = QuestionApp(counsel=advice)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, TEST, key)
        app.post_message(events.AppBlur())
        await pilot.pause()
        app.post_message(events.AppFocus())
        hints = next(hints for hints in app.query(KeyHints) if hints.region.height)
        await pilot.click(hints, offset=(2, hints.region.height - 1))
        await pilot.pause()
        assert not app.answers and not advice.saved


@pytest.mark.parametrize(("key", "left"), [("r", "npm teXY"), ("e", "npm test -- --watXY")])
async def test_keys_that_arrive_at_once_do_what_they_do_in_their_order(key: str, left: str) -> None:
    app = QuestionApp(counsel=Advice())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, TEST, key)
        for name in ("backspace", "backspace", "X", "Y"):
            app.post_message(events.Key(name, name if len(name) == 1 else "\x7f"))
        await pilot.pause()
        assert (line(app).value if key == "r" else app.panel._editor.command) == left


async def test_what_is_pasted_into_the_editor_hides_nothing() -> None:
    app = QuestionApp(counsel=Advice())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, TEST, "e")
        app.post_message(events.Paste("\r\nls \u202e\x1b"))
        await pilot.pause()
        assert isinstance(app.focused, CommandArea)
        assert app.focused.text == "npm test -- --watch\nls <U+202E><U+001B>"


async def test_a_paste_into_a_line_is_text_and_saves_nothing() -> None:
    advice = Advice()
    app = QuestionApp(counsel=advice)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, TEST, "r")
        app.post_message(events.Paste(" --watch\ny\n"))
        await pilot.pause()
        assert not app.answers and not advice.saved and line(app).value == "npm test --watch y"


# ---- pictures ----


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 10)])
@pytest.mark.parametrize("kind", ["rule", "edit", "edited"])
def test_looks_as_designed(size: tuple[int, int], kind: str, snap_compare: Any) -> None:
    app = QuestionApp(counsel=Advice(*[asked(f"npm test {name}") for name in ("-u", "cart", "-u")], asked("ls -la")))

    async def ready(pilot: Any) -> None:
        await opened(app, pilot, asked("npm test -- --watch && pytest -q"), "r" if kind == "rule" else "e")
        if kind != "rule":
            await write(app, pilot, "npm test -- --watch\npytest -q \u202e| tail -5")
        if kind == "edited":
            await pilot.press("enter")
            await pilot.pause()
            await app.arm(pilot)
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=ready)
