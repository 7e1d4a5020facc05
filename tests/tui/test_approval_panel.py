"""A question is answered by a key that was meant for it, shown exactly, and by nothing else."""

import json
import time
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from rich.style import Style
from textual import events
from textual.screen import Screen

from tests.tui.questions import (
    AFTER,
    READS,
    SCROLLBAR,
    SEVERAL,
    WRITE,
    QuestionApp,
    asked,
    change,
    command,
    request,
    screen_text,
)
from tests.tui.stage import THEMES
from tui_agent.permissions.approval import (
    AllowForSession,
    AllowOnce,
    AllowReading,
    CommandAccess,
    CommandPart,
    Denied,
    ForeignAccess,
    NoAccess,
    ReadAccess,
    WriteAccess,
)
from tui_agent.tui.arming import SILENCE, ArmingGuard
from tui_agent.tui.theming import ASCII, UNICODE, Palette, Symbols
from tui_agent.tui.widgets.answer_bar import AnswerBar
from tui_agent.tui.widgets.approval_panel import ApprovalPanel
from tui_agent.tui.widgets.command_items import PartItem
from tui_agent.tui.widgets.diff_cells import Paint
from tui_agent.tui.widgets.diff_text import one_line, show
from tui_agent.tui.widgets.diff_view import DiffView
from tui_agent.tui.widgets.key_hints import KeyHints
from tui_agent.workspace.changes import ChangePlan

# ---- the guard ----

EVENTS = st.lists(
    st.tuples(st.sampled_from(["shown", "hidden", "prompt_key", "refocused"]), st.floats(0, 5)), max_size=20
)


@pytest.mark.promise("P41")
@given(EVENTS, st.floats(0, 10))
def test_no_moment_within_the_silence_of_any_event_is_armed(happened: list[tuple[str, float]], moment: float) -> None:
    guard = ArmingGuard()
    visible = False
    for name, at in happened:
        if name == "hidden":
            guard.hidden()
        else:
            getattr(guard, name)(at)
        visible = {"shown": True, "hidden": False}.get(name, visible)
    times = [at for name, at in happened if name != "hidden"]
    silent = all(moment >= at + SILENCE for at in times)
    assert guard.armed(moment) == (visible and silent)
    if visible:
        assert guard.opens_at() == max(times) + SILENCE
        assert guard.armed(guard.opens_at())


# ---- when keys count ----


@pytest.mark.promise("P41")
@pytest.mark.parametrize("after", [0.0, 0.1, 0.399])
@pytest.mark.parametrize("keys", [("y",), ("s",), ("n",), ("y", "e", "s"), ("a", "y"), ("c", "d")])
async def test_keys_around_the_appearance_belong_to_the_prompt(after: float, keys: tuple[str, ...]) -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await pilot.press(*keys)
        app.panel.ask(WRITE)
        await pilot.press(*keys)
        await app.ask(pilot, WRITE)
        app.clock.now += after
        app.panel.arm_if_due()
        await pilot.press(*keys)
        assert not app.answers and not app.reviews
        assert app.prompt.text == "".join(keys) * 3
        assert not app.panel.armed


async def test_a_held_key_never_answers_however_long_it_is_held() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask(pilot, command())
        for _ in range(12):
            app.clock.now += 0.3
            app.panel.arm_if_due()
            await pilot.press("y")
        assert app.answers == []
        assert app.prompt.text == "y" * 12


async def test_after_the_silence_the_panel_takes_the_focus_by_itself() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask(pilot, command())
        assert app.focused is app.prompt
        app.clock.now += SILENCE
        await pilot.pause(SILENCE + 0.1)
        assert app.panel.has_focus_within
        assert app.panel.armed


@pytest.mark.parametrize(
    ("key", "decision"),
    [
        ("y", AllowOnce("shown")),
        ("s", AllowForSession("shown")),
        ("n", Denied()),
        ("escape", Denied(stop=True)),
    ],
)
async def test_a_key_pressed_when_armed_answers_what_is_shown(key: str, decision: object) -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, WRITE)
        await app.press(pilot, key)
        assert app.answers == [(WRITE, decision)]
        assert app.panel.request is None
        assert not app.panel.display


@pytest.mark.promise("P41")
async def test_enter_never_answers() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, WRITE)
        await pilot.press("enter", "enter", "space", "tab")
        assert app.answers == []


async def test_any_other_letter_goes_to_the_prompt_and_so_does_what_follows() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, WRITE)
        await pilot.press("w", "a", "i", "t", "space", "y", "s", "n")
        await pilot.pause()
        assert app.answers == []
        assert app.prompt.text == "wait ysn"
        assert app.focused is app.prompt
        await app.arm(pilot)
        await app.press(pilot, "y")
        assert app.decision == AllowOnce("shown")


async def test_a_burst_that_arrives_at_once_answers_nothing() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, WRITE)
        bar = app.query_one(AnswerBar)
        for letter in "lazy":  # all are with the panel before it could move the focus
            bar.post_message(events.Key(letter, letter))
        await pilot.pause()
        await pilot.pause()
        assert app.answers == []
        assert app.prompt.text == "lazy"


async def test_a_key_right_behind_a_paste_answers_nothing() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, WRITE)
        bar = app.query_one(AnswerBar)
        bar.post_message(events.Paste("eas"))
        bar.post_message(events.Key("y", "y"))
        await pilot.pause()
        await pilot.pause()
        assert app.answers == []
        assert app.prompt.text == "easy"


async def test_a_question_that_is_not_painted_yet_never_opens() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, command(digest="first"))
        app.panel.ask(command(digest="second"))
        app.clock.now += 60
        app.panel.prompt_key_pressed()
        app.clock.now += 60
        app.panel.arm_if_due()
        assert not app.panel.armed


async def test_a_letter_that_answers_only_other_questions_goes_to_the_prompt() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, command())
        await pilot.press("s", "d")
        await pilot.pause()
        assert not app.answers and not app.reviews
        assert app.prompt.text == "sd"


async def test_a_paste_never_answers_and_is_not_lost() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, command())
        app.post_message(events.Paste("yes\ny"))
        await pilot.pause()
        await pilot.press("y")
        await pilot.pause()
        assert app.answers == []
        assert app.prompt.text == "yes\nyy"


async def test_a_key_that_waited_in_the_queue_is_as_old_as_it_is() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask(pilot, command())
        app.clock.now += SILENCE + 0.01
        app.panel.arm_if_due()
        await pilot.pause()
        assert app.panel.armed
        late = events.Key("y", "y")
        late.time = time.monotonic() - 0.2
        app.post_message(late)
        await pilot.pause()
        assert app.answers == []
        assert app.prompt.text == "y"


async def test_a_key_that_another_widget_passed_on_never_answers() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, command())
        for action in ("allow", "deny", "stop", "deny_comment"):
            await app.run_action(action, app.query_one(AnswerBar))
            await pilot.pause()
        assert app.answers == []
        assert "n deny" in screen_text(app)


async def test_the_terminals_focus_closes_the_gate_again() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, command())
        app.post_message(events.AppBlur())
        await pilot.pause()
        app.clock.now += 60
        app.post_message(events.AppFocus())
        await pilot.pause()
        assert not app.panel.armed
        await pilot.press("y")
        await pilot.pause()
        assert app.answers == []
        await app.arm(pilot)
        await pilot.press("n")
        await pilot.pause()
        assert app.decision == Denied()


async def test_a_key_that_brings_the_focus_answers_nothing() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, command())
        app.post_message(events.AppBlur())
        await pilot.pause()
        app.clock.now += 60
        await pilot.press("y")
        await pilot.pause()
        assert app.answers == []


async def test_a_question_that_was_covered_by_a_screen_is_closed_when_it_comes_back() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, command())
        app.push_screen(Screen())
        await pilot.pause()
        app.clock.now += 60
        app.panel.arm_if_due()
        await pilot.press("y")
        app.pop_screen()
        await pilot.press("y")
        await pilot.pause()
        assert app.answers == []


@pytest.mark.promise("P41")
async def test_each_question_in_line_gets_its_own_silence() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, command(digest="first"))
        await app.press(pilot, "y")
        await app.ask(pilot, command(digest="second"))
        await pilot.press("y")
        await pilot.pause()
        assert [decision for _, decision in app.answers] == [AllowOnce("first")]
        assert app.prompt.text == "y"
        await app.arm(pilot)
        await app.press(pilot, "y")
        assert [decision for _, decision in app.answers] == [AllowOnce("first"), AllowOnce("second")]


async def test_a_question_taken_back_is_not_answered() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, command())
        app.panel.clear()
        await pilot.press("y")
        await pilot.pause()
        assert app.answers == []
        assert not app.panel.display


# ---- keys that allow more than was asked for ----


@pytest.mark.parametrize(("key", "decision"), [("w", AllowOnce("shown", network=True)), ("o", AllowReading("shown"))])
async def test_a_key_that_allows_more_answers_after_silence_behind_it(key: str, decision: object) -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, READS)
        await pilot.press(key)
        await pilot.pause()
        assert app.answers == []
        await pilot.pause(SILENCE + 0.1)
        assert app.answers == [(READS, decision)]
        assert app.prompt.text == ""


@pytest.mark.parametrize("word", ["wait", "on", "ww", "wy", "os", "nothing"])
async def test_a_word_that_begins_with_such_a_key_goes_to_the_prompt(word: str) -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, READS)
        await pilot.press(*word)
        await pilot.pause(SILENCE + 0.1)
        if word == "nothing":  # denying waits for nothing
            assert app.decision == Denied()
        else:
            assert app.answers == []
            assert app.prompt.text == word
            assert app.focused is app.prompt


@pytest.mark.parametrize("word", ["wait", "wy", "yes", "no", "yn", "stop", "cancel", "once"])
async def test_a_word_that_arrives_at_once_goes_to_the_prompt_whole(word: str) -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, READS)
        for letter in word:
            app.post_message(events.Key(letter, letter))
        await pilot.pause(SILENCE + 0.1)
        assert app.answers == []
        assert app.prompt.text == word


@pytest.mark.parametrize("key", ["w", "o"])
@pytest.mark.parametrize("after", ["enter", "paste", "blur", "clear", "escape"])
async def test_what_comes_in_the_silence_takes_such_an_answer_back(key: str, after: str) -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, READS)
        await pilot.press(key)
        if after == "paste":
            app.post_message(events.Paste("x"))
        elif after == "blur":
            app.post_message(events.AppBlur())
        elif after == "clear":
            app.panel.clear()
        else:
            await pilot.press(after)
        await pilot.pause(SILENCE + 0.1)
        assert app.answers == ([(READS, Denied(stop=True))] if after == "escape" else [])
        assert app.prompt.text == {"enter": key, "paste": f"{key}x"}.get(after, "")


@pytest.mark.parametrize("after", [0.0, 0.1, 0.399])
@pytest.mark.parametrize("key", ["w", "o"])
async def test_such_a_key_needs_the_silence_before_it_too(after: float, key: str) -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask(pilot, READS)
        app.clock.now += after
        app.panel.arm_if_due()
        await pilot.press(key)
        await pilot.pause(SILENCE + 0.05)
        assert app.answers == []
        assert app.prompt.text == key


async def test_a_click_on_such_a_key_answers_too() -> None:
    app = QuestionApp()
    async with app.run_test(size=(120, 30)) as pilot:
        await app.ask_and_arm(pilot, READS)
        await pilot.click(KeyHints, offset=place_of(app, "o let reading"))
        await pilot.pause(SILENCE + 0.1)
        assert app.decision == AllowReading("shown")


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        (asked("npm install"), "o"),
        (asked("ls", sandbox=""), "w"),
        (structs.replace(READS, access=CommandAccess("ls", "/project", 5, sandbox="bwrap", network=True)), "w"),
        (WRITE, "wo"),
    ],
)
async def test_more_is_allowed_only_where_there_is_more_to_allow(question: Any, missing: str) -> None:
    app = QuestionApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await app.ask_and_arm(pilot, question)
        text = screen_text(app)
        assert ("w once + network" in text) == ("w" not in missing)
        assert ("o let reading run" in text) == ("o" not in missing)
        await pilot.press(*missing)
        await pilot.pause(SILENCE + 0.1)
        assert app.answers == []
        assert app.prompt.text == missing


# ---- mouse ----


def place_of(app: QuestionApp, label: str) -> tuple[int, int]:
    for y, line in enumerate(screen_text(app).split("\n")):
        if label in line:
            hints = app.query_one(KeyHints).region
            return line.index(label) - hints.x, y - hints.y
    raise AssertionError(f"{label} is not on the screen")


async def test_a_click_on_a_key_answers_when_armed() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, command())
        await pilot.click(KeyHints, offset=place_of(app, "n deny"))
        await pilot.pause()
        assert app.decision == Denied()


async def test_a_click_before_its_time_answers_nothing() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask(pilot, command())
        await pilot.click(KeyHints, offset=place_of(app, "y allow"))
        assert app.answers == []
        await app.arm(pilot)
        app.post_message(events.AppBlur())
        await pilot.pause()
        await pilot.click(KeyHints, offset=place_of(app, "y allow"))
        await pilot.pause()
        assert app.answers == []


async def test_a_click_that_waited_in_the_queue_is_as_old_as_it_is() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask(pilot, command())
        app.clock.now += SILENCE + 0.01
        app.panel.arm_if_due()
        await pilot.pause()
        hints = app.query_one(KeyHints)
        down = events.MouseDown(hints, 1, 1, 0, 0, 1, False, False, False)
        down.time = time.monotonic() - 0.2
        hints.post_message(KeyHints.Pressed("allow", down))
        await pilot.pause()
        assert app.answers == []


async def test_a_click_beside_the_keys_answers_nothing() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, command())
        x, y = place_of(app, "n deny")
        await pilot.click(KeyHints, offset=(x - 2, y))
        await pilot.click(KeyHints, offset=(70, y))
        assert app.answers == []


# ---- comment and review ----


async def test_a_comment_goes_with_the_denial() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, command())
        await app.press(pilot, "c")
        await pilot.press(*"use yarn", "enter")
        await pilot.pause()
        assert app.decision == Denied(comment="use yarn")


async def test_escape_leads_from_the_comment_back_to_the_choices() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, command())
        await app.press(pilot, "c")
        await pilot.press("n", "o", "escape")
        await pilot.pause()
        assert app.answers == []
        assert app.panel.request is not None
        await pilot.press("y")
        await pilot.pause()
        assert app.answers == []
        await app.arm(pilot)
        await app.press(pilot, "y")
        assert app.decision == AllowOnce("shown")


async def test_a_comment_begun_for_a_question_that_goes_away_comes_into_the_prompt() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, command())
        await app.press(pilot, "c")
        await pilot.press("n", "o")
        app.panel.clear()
        await pilot.pause()
        assert app.answers == []
        assert app.prompt.text == "no"


async def test_the_diff_key_asks_for_the_review_and_answers_nothing() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask_and_arm(pilot, WRITE)
        await app.press(pilot, "d")
        assert app.reviews == [WRITE]
        assert app.answers == []


async def test_keys_can_be_changed_in_the_settings() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        app.set_keymap({"approval.allow": "g"})
        await app.ask_and_arm(pilot, command())
        assert "g allow once" in screen_text(app)
        await app.press(pilot, "g")
        assert app.decision == AllowOnce("shown")


# ---- what is shown ----


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 10), (30, 8)])
@pytest.mark.parametrize("question", [command("x\n" * 200), WRITE], ids=["command", "write"])
async def test_the_keys_are_in_view_at_every_size(size: tuple[int, int], question: Any) -> None:
    app = QuestionApp()
    async with app.run_test(size=size) as pilot:
        await app.ask_and_arm(pilot, question)
        text = screen_text(app)
        assert "n deny" in text
        assert "esc" in text
        await pilot.press("n")
        await pilot.pause()
        assert app.decision == Denied()


@pytest.mark.promise("P33")
@pytest.mark.parametrize("size", [(20, 6), (8, 3), (1, 1), (500, 200)])
async def test_a_terminal_of_any_size_can_deny(size: tuple[int, int]) -> None:
    app = QuestionApp()
    async with app.run_test(size=size) as pilot:
        await app.ask_and_arm(pilot, WRITE)
        await pilot.press("escape")
        await pilot.pause()
        assert app.decision == Denied(stop=True)


async def test_resizing_keeps_the_question_and_its_keys() -> None:
    app = QuestionApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await app.ask_and_arm(pilot, WRITE)
        for size in ((40, 10), (200, 60), (1, 1), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert app.panel.armed
        assert "n deny" in screen_text(app)
        await app.press(pilot, "y")
        assert app.decision == AllowOnce("shown")


async def test_the_panel_takes_at_most_half_of_the_screen_and_says_what_is_below() -> None:
    app = QuestionApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask_and_arm(pilot, command("\n".join(f"echo {number}" for number in range(60))))
        assert app.panel.size.height <= 12
        seen = screen_text(app)
        assert "↓ 54 more" in seen
        for _ in range(9):
            await pilot.press("pagedown")
            await pilot.pause()
            seen += screen_text(app)
        assert all(f"echo {number} " in seen for number in range(60))
        assert "ask because: no rule covers it" in seen
        assert app.answers == []


@pytest.mark.parametrize(("symbols", "arrow"), [(UNICODE, "→"), (ASCII, ">")])
async def test_what_was_repaired_is_said_with_the_question(symbols: Symbols, arrow: str) -> None:
    app = QuestionApp()
    app.panel = ApprovalPanel(clock=app.clock, symbols=symbols)
    async with app.run_test(size=(60, 24)) as pilot:
        asked = structs.replace(command("git log"), repairs=("cmd → command", "a\x1b[2Jb"))
        await app.ask(pilot, asked)
        text = screen_text(app)
        assert f"repaired: cmd {arrow} command; a" in text
        assert "\x1b" not in text
        await app.ask(pilot, command("git log"))
        assert "repaired" not in screen_text(app)


async def test_hidden_characters_of_a_command_are_seen_and_counted() -> None:
    app = QuestionApp()
    async with app.run_test() as pilot:
        await app.ask(pilot, command("rm -rf \u202e/tmp\u200b\necho done"))
        text = screen_text(app)
        assert "rm -rf <U+202E>/tmp<U+200B>" in text
        assert "2 lines · 23 characters · 2 hidden" in text
        assert "in /project · stopped after 120 s" in text


async def test_a_command_is_taken_apart_with_what_covers_each_part_or_why_it_asks() -> None:
    app = QuestionApp()
    async with app.run_test(size=(120, 50)) as pilot:
        await app.ask(pilot, SEVERAL)
        lines = [line.strip("▌ ") for line in screen_text(app).split("\n")]
        start = lines.index("2 lines · 71 characters · 2 hidden · 6 commands")
        assert lines[start - 2] == "1  npm test && grep -rn 'a→b' src | head -3"  # the very line stays above
        assert lines[start + 1 : start + 10] == [
            "runs in bwrap, without network · in /project · stopped after 120 s",
            "1  npm test   allow: npm test",
            "2  grep -rn 'a→b' src   read-only",
            "3  head -3   read-only",
            "4  rm -rf build <U+202E>   asks: `rm` is not known to be read-only",
            "5  echo $(date)   asks: what `echo …` gets is only known when it runs",
            "6  date   read-only",
            "ask because: it holds a hidden character or an odd space (U+202E)",
            "ask because: it runs a command to make up part of another: $(…)",
        ]


@pytest.mark.parametrize(
    ("access", "said"),
    [
        (CommandAccess("ls", "/p", 5), "no sandbox: it can do what you can"),
        (CommandAccess("ls", "/p", 5, sandbox="bwrap"), "runs in bwrap, without network"),
        (
            CommandAccess("ls", "/p", 5, sandbox="docker a\x1bb", network=True),
            "runs in docker a<U+001B>b, with network",
        ),
    ],
)
async def test_where_a_command_runs_is_said(access: CommandAccess, said: str) -> None:
    app = QuestionApp()
    async with app.run_test(size=(100, 30)) as pilot:
        await app.ask(pilot, request(access))
        assert said in screen_text(app)


async def test_what_reading_commands_would_get_is_said_with_where_to_make_it_last() -> None:
    app = QuestionApp()
    async with app.run_test(size=(150, 40)) as pilot:
        await app.ask(pilot, READS)
        assert "it only reads: o lets such commands run unasked until this session is left" in screen_text(app)
        assert "`permissions: read_only_commands: allow` in config.yaml" in screen_text(app)
        await app.ask(pilot, asked("npm test && ls", "npm test"))
        assert "what asks here only reads: o lets" in screen_text(app)
        app.set_keymap({"approval.reading": "f"})
        await app.ask(pilot, READS)
        assert "it only reads: f lets" in screen_text(app)


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 10)])
async def test_a_hundred_parts_can_all_be_reached_and_push_nothing_out(size: tuple[int, int]) -> None:
    line = "; ".join(f"echo p{number}z {'x' * 85}" for number in range(100))
    assert len(line) < 10_000
    question = asked(line)
    assert len(question.parts) == 100
    app = QuestionApp()
    async with app.run_test(size=size) as pilot:
        started = time.process_time()
        await app.ask_and_arm(pilot, question)
        assert time.process_time() - started < 2
        assert app.panel.size.height <= max(5, size[1] // 2)
        await pilot.press("end")
        await pilot.pause()
        texts = [screen_text(app)]
        while app.query_one(DiffView).scroll_offset.y and (size[1] == 40 or len(texts) < 8):
            await pilot.press("pageup")
            await pilot.pause()
            texts.append(screen_text(app))
        assert all("n deny" in text and "esc" in text for text in texts)
        seen = [line.strip(" ▌") for text in texts for line in text.split("\n")]
        assert "ask because: `echo p0z` is not covered by a rule" not in seen
        for number in range(100) if size[1] == 40 else (99,):
            assert any(line.startswith(f"{number + 1}  echo p{number}z") for line in seen)
        await pilot.press("n")
        await pilot.pause()
        assert app.decision == Denied()


@given(
    st.lists(st.tuples(st.text(max_size=60), st.text(max_size=40), st.booleans()), min_size=1, max_size=4),
    st.integers(1, 60),
)
def test_a_part_is_painted_whole_at_every_width(parts: list[tuple[str, str, bool]], width: int) -> None:
    paint = Paint(Palette(THEMES["slate"]), Style(), UNICODE)
    for number, (text, why, covered) in enumerate(parts, 1):
        part = CommandPart(text, covered_by=why) if covered and why else CommandPart(text, reason=why)
        item = PartItem(number, 1, part)
        strips = [item.strip(width, index, paint) for index in range(item.height(width))]
        assert all(strip.cell_length == width for strip in strips)
        if width > 20:
            said = "".join(strip.text for strip in strips).replace(" ", "")
            for wanted in (show(text).text, one_line(why)):
                assert Counter(wanted.replace(" ", "")) <= Counter(said)


async def test_a_write_shows_its_diff_its_counts_and_its_real_path() -> None:
    app = QuestionApp()
    async with app.run_test(size=(120, 60)) as pilot:
        await app.ask(pilot, WRITE)
        await pilot.pause()
        seen = screen_text(app)
        assert "edit_file wants to change src/shop/cart.py  +7 −4" in seen
        assert "result = result + item.price * item.count" in seen
        assert "s for this session: writes to src/shop/cart.py" in seen
        app.query_one(DiffView).scroll_end(animate=False, immediate=True)
        await pilot.pause()
        assert "writes /project/src/shop/cart.py" in screen_text(app)


async def test_what_the_session_key_covers_is_said_even_where_its_label_is_short() -> None:
    app = QuestionApp()
    async with app.run_test(size=(40, 20)) as pilot:
        await app.ask(pilot, request(CommandAccess("ls", "/project", 5), grant="commands that begin with ls"))
        assert "for this session: commands that" in screen_text(app)


@pytest.mark.parametrize(
    ("access", "words"),
    [
        (
            ForeignAccess({"query": "select *", "deep": {"a": [1, "[b]x"]}}),
            ["wants to run", '"query": "select *"', "[b]x"],
        ),
        (ReadAccess(("/etc/passwd",)), ["wants to read", "/etc/passwd"]),
        (CommandAccess("sleep 9", "/project", 5, background=True), ["runs in the background"]),
        (WriteAccess(ChangePlan((change(None, AFTER),))), ["wants to create", "new file"]),
        (
            WriteAccess(ChangePlan((change(None, "a\n", "a"), change("a\n", "b\n", "b")))),
            ["wants to write 2 files", "writes /project/a  +1 −0", "writes /project/b  +1 −1"],
        ),
        (NoAccess(), ["asks for"]),
    ],
)
async def test_every_kind_of_access_says_what_it_is(access: Any, words: list[str]) -> None:
    app = QuestionApp()
    async with app.run_test(size=(100, 90)) as pilot:
        await app.ask(pilot, request(access, "mcp__x"))
        await pilot.pause()
        text = screen_text(app)
        for word in ["mcp__x", "ask because: no rule covers it", *words]:
            assert word in text


async def test_plain_signs_are_plain() -> None:
    app = QuestionApp()
    app.panel = ApprovalPanel(clock=app.clock, symbols=ASCII)
    async with app.run_test(size=(60, 20)) as pilot:
        for question in (WRITE, command("printf 'a\tb'\n" * 30)):
            await app.ask_and_arm(pilot, question)
            assert screen_text(app).translate(SCROLLBAR).isascii()


ROWS = [json.loads(line) for line in (Path(__file__).parents[1] / "data" / "terminal.jsonl").read_text().splitlines()]


async def test_nothing_foreign_reaches_the_terminal_as_control() -> None:
    app = QuestionApp()
    async with app.run_test(size=(120, 40)) as pilot:
        for row in ROWS:
            text = row["text"]
            plan = ChangePlan((change("", text.encode("utf-8", "replace").decode(), f"src/{text[:60]}"),))
            for access in (CommandAccess(text, f"/{text}", 5), WriteAccess(plan), ForeignAccess({text[:50]: text})):
                await app.ask(pilot, request(access, f"tool {text[:40]}", f"grant {text[:40]}"))
                kinds = {unicodedata.category(character) for character in screen_text(app).replace("\n", "")}
                assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}, row["id"]


# ---- pictures ----


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 10)])
@pytest.mark.parametrize("kind", ["command", "write", "several", "reads"])
def test_looks_as_designed(size: tuple[int, int], kind: str, snap_compare: Any) -> None:
    app = QuestionApp()
    question = {
        "write": WRITE,
        "several": SEVERAL,
        "reads": READS,
        "command": command("npm install left-pad --save \\\n  && cat <<EOF > notes.txt\nhello\u202eworld\nEOF"),
    }[kind]

    async def asked(pilot: Any) -> None:
        await app.ask_and_arm(pilot, question)
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=asked)
