"""How often was asked, which rule would have saved it, and the screen that lists both."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.tui.questions import WRITE, Advice, asked
from tests.tui.stage import THEMES, Stage
from tui_agent.conversation.errors import ConfigError
from tui_agent.permissions.approval import AllowForSession, AllowOnce, AllowReading, Denied
from tui_agent.tui.fatigue import Asked, Saving, answer_text, best_rule, similar
from tui_agent.tui.screens.questions import QuestionsScreen
from tui_agent.tui.theming import Palette

MANY = [asked("npm test"), asked("git commit -m a"), asked("npm test -- -u"), WRITE, asked("npm test a"), asked("rm b")]


def test_the_one_rule_that_would_have_saved_most_is_found() -> None:
    assert best_rule(MANY) == Saving("npm test", 3)
    assert best_rule(MANY) is not None and Saving("npm test", 3).saved == 2
    assert best_rule([asked("npm test"), asked("git commit")]) is None
    assert best_rule([asked("rm b"), asked("rm b")]) is None
    assert best_rule([]) is None


def test_what_the_rules_of_a_question_would_have_saved_counts_only_questions_like_it() -> None:
    assert similar(asked("npm test x"), MANY) == Saving("npm test", 4)
    assert similar(asked("make build"), MANY) is None
    assert similar(asked("rm b"), MANY) is None
    assert similar(asked("npm test && git commit"), MANY) == Saving("npm test, git commit", 5)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "not answered"),
        (AllowOnce(""), "once"),
        (AllowOnce("", command="ls"), "edited"),
        (AllowOnce("", command="ls", rule="ls"), "by rule"),
        (AllowForSession(""), "session"),
        (AllowReading(""), "reading"),
        (Denied(), "denied"),
        (Denied(stop=True), "denied, stopped"),
    ],
)
def test_each_answer_has_a_word(answer: Any, said: str) -> None:
    assert answer_text(Asked(MANY[0], answer)) == said


class Asking(Stage):
    def __init__(self, advice: Advice) -> None:
        super().__init__()
        self.palette = Palette(THEMES["slate"])
        self.advice = advice

    def on_mount(self) -> None:
        self.push_screen(QuestionsScreen(self.advice))

    @property
    def text(self) -> str:
        return "\n".join(strip.text for strip in self.screen._compositor.render_strips())


def advice() -> Advice:
    made = Advice(*MANY)
    answers = [AllowOnce(""), Denied(), AllowOnce("", command="npm test"), AllowForSession(""), None, Denied(stop=True)]
    made.questions = [Asked(one.request, answer) for one, answer in zip(made.questions, answers, strict=True)]
    return made


async def test_the_questions_are_listed_with_their_answers_and_a_rule_can_be_saved() -> None:
    app = Asking(advice())
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        assert "6 asked; the rule npm test would have saved 2 of them" in app.text
        assert "no rule: with more words behind it `rm`" in app.text
        await pilot.press("down")
        await pilot.pause()
        assert "rule: npm test" in app.text and not app.advice.saved
        await pilot.press("r")
        await pilot.pause()
        assert "also have covered 2 of 5 other questions" in app.text
        await pilot.press("enter")
        await pilot.pause()
        assert app.advice.saved == ["npm test"]
        assert "saved in ~/.config/tui-agent/config.yaml: npm test" in app.text
        await pilot.press("escape")
        assert not isinstance(app.screen, QuestionsScreen)


async def test_what_is_no_rule_for_it_or_cannot_be_saved_is_said() -> None:
    app = Asking(advice())
    app.advice.trouble = ConfigError("config.yaml is read-only", "add it by hand")
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("down", "r")
        await pilot.pause()
        await pilot.press("x", "enter")
        await pilot.pause()
        assert "does not cover" in app.text
        await pilot.press("backspace", "enter")
        await pilot.pause()
        assert "config.yaml is read-only" in app.text and not app.advice.saved
        await pilot.press("escape", "q")
        assert not isinstance(app.screen, QuestionsScreen)


def test_questions_look(snap_compare: Callable[..., bool]) -> None:
    assert snap_compare(Asking(advice()), terminal_size=(80, 24), press=["down"])
