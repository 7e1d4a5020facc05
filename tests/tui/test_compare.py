"""Two models side by side, as the user sees and chooses them; and which two an argument names."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from tests.agent.test_comparing import by_model
from tests.fakes.chat_server import (
    ChatServer,
    Delay,
    Reply,
    Stall,
    finish,
    reply_calls,
    reply_error,
    reply_steps,
    reply_text,
    text,
    usage,
)
from tests.project import Machine
from tests.tui.chat_stage import chat_app, screen_text, submit, until
from tui_agent.agent.session import Session
from tui_agent.config.model import ProviderSettings
from tui_agent.conversation.errors import ConfigError, StoreError
from tui_agent.conversation.events import AsideAnswered, ModelSwitched, PromptSubmitted, TurnEnded
from tui_agent.tui.app import TuiAgent
from tui_agent.tui.comparing import Way, named_ways
from tui_agent.tui.screens.compare import CompareScreen
from tui_agent.tui.widgets.prompt import PromptArea

FIRST, SECOND = "fake-model", "other-model"


def flat(app: TuiAgent) -> str:
    return " ".join(screen_text(app).split())


def prompt(app: TuiAgent) -> str:
    return app.chat.query_one(PromptArea).text


def logged(app: TuiAgent, kind: type) -> list[Any]:
    assert app.chat.engine.host is not None
    return [r.event for r in app.chat.engine.host.session.records if isinstance(r.event, kind)]


def server_with(first: list[Reply], second: list[Reply]) -> ChatServer:
    return ChatServer(by_model(**{FIRST: first, SECOND: second}), models=[FIRST, SECOND])


async def side_by_side(pilot: Pilot[int], app: TuiAgent, asked: str = "which?") -> CompareScreen:
    await submit(pilot, f"/compare fake/{SECOND}")
    await until(pilot, lambda: "side by side" in flat(app), "the word that two are asked")
    await submit(pilot, asked)
    await until(pilot, lambda: isinstance(app.screen, CompareScreen), "the screen of both")
    assert isinstance(app.screen, CompareScreen)
    return app.screen


async def armed(pilot: Pilot[int], screen: CompareScreen) -> None:
    await until(pilot, lambda: all(side.times.reason for side in screen._comparison.sides), "the end of both")
    await until(pilot, lambda: screen._gate.armed)


async def test_both_are_shown_with_their_figures_and_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = reply_calls([("list_directory", {"path": "."})])
    with server_with(
        [reply_text("Hello."), look, reply_steps(text("From *one*."), finish(), usage(1200, 34))],
        [reply_text("From two."), reply_text("And on.")],
    ) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(120, 40)) as pilot:
            await submit(pilot, "hi")
            await until(pilot, lambda: "Hello." in flat(app) and not app.chat.busy)
            screen = await side_by_side(pilot, app)
            await armed(pilot, screen)
            await until(pilot, lambda: "From one." in flat(app) and "From two." in flat(app))
            names, figures = screen_text(app).splitlines()[1:3]
            assert f"1  fake · {FIRST}" in names and f"2  fake · {SECOND}" in names
            assert figures.count("first token") == 2 and "1 call" in figures and "39 out" in figures
            assert len(logged(app, PromptSubmitted)) == 1
            await pilot.press("2")
            await until(pilot, lambda: app.screen is app.chat)
            await until(pilot, lambda: f"fake · {FIRST} was asked too" in flat(app))
            await until(pilot, lambda: "beside the conversation" in flat(app))
            assert "From two." in flat(app) and "From one." not in flat(app)
            assert f"fake · {SECOND}" in screen_text(app).splitlines()[0]
            assert prompt(app) == "" and app.chat._comparing.ways is None
            assert [type(event) for event in logged(app, ModelSwitched | TurnEnded | AsideAnswered)] == [  # type: ignore[arg-type]
                TurnEnded,
                ModelSwitched,
                TurnEnded,
                AsideAnswered,
            ]
            await submit(pilot, "go on")
            await until(pilot, lambda: "And on." in flat(app))
            sent = json.dumps(server.bodies[-1]["messages"])
            assert "From two." in sent and "From *one*." not in sent and server.bodies[-1]["model"] == SECOND


@pytest.mark.parametrize("size", [(80, 24), (40, 10)])
async def test_on_a_narrow_screen_one_at_a_time(
    size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server_with([reply_text("From one.")], [reply_text("From two.")]) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=size) as pilot:
            screen = await side_by_side(pilot, app)
            await armed(pilot, screen)
            await until(pilot, lambda: "From one." in flat(app))
            assert "From two." not in flat(app) and flat(app).startswith("1 of 2 which?")
            await pilot.press("tab")
            await until(pilot, lambda: "From two." in flat(app))
            assert "From one." not in flat(app) and flat(app).startswith("2 of 2 which?")
            await pilot.press("left")
            await until(pilot, lambda: "From one." in flat(app))
            await pilot.resize_terminal(120, 30)
            await until(pilot, lambda: "From one." in flat(app) and "From two." in flat(app))
            await pilot.resize_terminal(*size)
            await pilot.press("right")
            await until(pilot, lambda: "From two." in flat(app))
            await until(pilot, lambda: screen._gate.armed)
            await pilot.press("enter")
            await until(pilot, lambda: app.screen is app.chat)
            await until(pilot, lambda: len(logged(app, AsideAnswered)) == 1)
            assert logged(app, AsideAnswered)[0].answer == "From one."


async def test_escape_takes_neither_and_gives_the_prompt_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with server_with([reply_text("From one."), reply_text("Alone.")], [reply_steps(text("Half"), Stall())]) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(120, 30)) as pilot:
            await side_by_side(pilot, app, "which?\nof them")
            await until(pilot, lambda: "From one." in flat(app) and "Half" in flat(app))
            await pilot.press("escape")
            await until(pilot, lambda: prompt(app) == "which?\nof them")
            assert app.screen is app.chat and logged(app, PromptSubmitted) == []
            assert [aside.answer for aside in logged(app, AsideAnswered)] == ["From one.", "Half"]
            await pilot.press("enter")
            await until(pilot, lambda: "Alone." in flat(app))
            assert json.dumps(server.bodies[-1]).count("From one.") == 0


async def test_each_can_be_stopped_alone_and_what_has_no_answer_cannot_be_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = reply_steps(Delay(0.01), Stall())
    with server_with([reply_steps(text("Half of one"), Stall())], [silent]) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(120, 30)) as pilot:
            screen = await side_by_side(pilot, app)
            await pilot.press("x")  # of a word that was typed on
            assert screen._comparison.sides[0].times.reason is None
            await until(pilot, lambda: "Half of one" in flat(app) and screen._gate.armed)
            assert all(side.times.reason is None for side in screen._comparison.sides)
            await pilot.press("1")
            await until(pilot, lambda: "cannot be taken: it is still answering" in flat(app))
            await pilot.press("tab", "x")
            await until(pilot, lambda: screen._comparison.sides[1].times.reason == "interrupted")
            assert screen._comparison.sides[0].session.busy
            await until(pilot, lambda: screen._gate.armed)
            await pilot.press("2")
            await until(pilot, lambda: "cannot be taken: it has no answer" in flat(app))
            await pilot.press("tab", "x")
            await armed(pilot, screen)
            await pilot.press("enter")
            await until(pilot, lambda: app.screen is app.chat)
            await until(pilot, lambda: "was asked too and had no answer" in flat(app))
            assert logged(app, AsideAnswered) == [] and "Half of one" in flat(app)


async def test_the_prompt_comes_back_when_the_answer_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server_with([reply_text("From one.")], [reply_text("From two.")]) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(120, 30)) as pilot:
            screen = await side_by_side(pilot, app)
            await armed(pilot, screen)

            async def full(self: Session, event: Any) -> Any:
                raise StoreError("the disk is full")

            monkeypatch.setattr(Session, "record", full)
            await pilot.press("2")
            await until(pilot, lambda: "the disk is full" in flat(app))
            assert prompt(app) == "which?" and app.screen is app.chat


async def test_one_good_answer_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with server_with([reply_error(400, "no")], [reply_text("From two.")]) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(120, 30)) as pilot:
            screen = await side_by_side(pilot, app)
            await armed(pilot, screen)
            assert "failed" in screen_text(app).splitlines()[2] and "From two." in flat(app)
            await pilot.press("2")
            await until(pilot, lambda: "was asked too and had no answer" in flat(app))


async def test_a_key_that_was_typed_ahead_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with server_with([reply_text("From one.")], [reply_text("From two.")]) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(120, 30)) as pilot:
            screen = await side_by_side(pilot, app)
            while not all(side.times.reason for side in screen._comparison.sides):
                await pilot.press("1", "enter", "2")
            await pilot.press("1", "enter", "2")
            assert app.screen is screen and logged(app, PromptSubmitted) == []
            await until(pilot, lambda: screen._gate.armed)
            await pilot.press("1")
            await until(pilot, lambda: app.screen is app.chat)


async def test_the_second_is_picked_where_none_is_named_and_called_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server_with([reply_text("From one.")], [reply_text("From two.")]) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(120, 30)) as pilot:
            await until(pilot, lambda: app.chat.engine.host is not None)
            await submit(pilot, "/compare")
            await until(pilot, lambda: "compare with" in flat(app) and SECOND in flat(app))
            await pilot.press(*"other")
            await until(pilot, lambda: FIRST not in flat(app))
            await pilot.press("enter")
            await until(pilot, lambda: f"ask fake · {FIRST} and fake · {SECOND} side by side" in flat(app))
            await submit(pilot, "/compare")
            await until(pilot, lambda: "goes to one model again" in flat(app))
            assert "ask, or / for commands" in flat(app)
            await submit(pilot, "hi")
            await until(pilot, lambda: "From one." in flat(app))
            assert app.screen is app.chat and len(server.requests) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("nobody", "no provider is called nobody"),
        (f"fake/{FIRST}", "cannot be compared with itself"),
        ("fake fake fake", "3 models are named"),
    ],
)
async def test_what_cannot_be_compared_is_said(
    words: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server_with([reply_text("From one.")], [reply_text("From two.")]) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(120, 30)) as pilot:
            await submit(pilot, f"/compare {words}")
            await until(pilot, lambda: said in flat(app))
            assert app.chat._comparing.ways is None


async def test_while_a_turn_runs_nothing_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with server_with([reply_steps(text("Half"), Stall())], [reply_text("From two.")]) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(120, 30)) as pilot:
            await submit(pilot, "hi")
            await until(pilot, lambda: "Half" in flat(app))
            await submit(pilot, f"/compare fake/{SECOND}")
            await until(pilot, lambda: "side by side" in flat(app))
            await submit(pilot, "which?")
            await until(pilot, lambda: prompt(app) == "which?")
            assert "when nothing else runs" in flat(app) and app.chat._comparing.ways is not None
            assert len(server.requests) == 1


async def test_nothing_is_written_whatever_the_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = reply_calls([("write_file", {"file_path": "a.txt", "content": "x"})])
    with server_with([write, reply_text("I would.")], [write, reply_text("Me too.")]) as server:
        machine = Machine.under(tmp_path, {"fake": server.url}, mode="accept-edits")
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(120, 30)) as pilot:
            screen = await side_by_side(pilot, app)
            await armed(pilot, screen)
            assert flat(app).count("denied") == 2 and app.chat._questions.first is None
            await pilot.press("1")
            await until(pilot, lambda: app.screen is app.chat)
            assert list(machine.project.iterdir()) == []
            tools = {tool["function"]["name"] for tool in server.bodies[0]["tools"]}
            assert "read_file" in tools and not tools & {"write_file", "edit_file", "run_command"}


# ---- which two ----

PROVIDERS: Mapping[str, ProviderSettings] = {
    "a": ProviderSettings(base_url="http://a/v1/", default_model="one"),
    "b": ProviderSettings(base_url="http://b/v1/"),
    "here": ProviderSettings(api="embedded", default_model="small"),
}
PRESENT = Way("a", "one")


@pytest.mark.parametrize(
    ("words", "ways"),
    [
        ("b", (PRESENT, Way("b", ""))),
        ("a/two", (PRESENT, Way("a", "two"))),
        ("b/org/model:7b", (PRESENT, Way("b", "org/model:7b"))),
        ("b/x a", (Way("b", "x"), PRESENT)),
        (" a/two   a/three ", (Way("a", "two"), Way("a", "three"))),
        ("here", (PRESENT, Way("here", "small"))),
    ],
)
def test_which_two_an_argument_names(words: str, ways: tuple[Way, Way]) -> None:
    assert named_ways(words, PRESENT, PROVIDERS) == ways


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("", "0 models are named"),
        ("a b a", "3 models are named"),
        ("c", "no provider is called c"),
        ("a", "cannot be compared with itself"),
        ("here/small here/large", "one model at a time"),
    ],
)
def test_which_it_does_not(words: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        named_ways(words, PRESENT, PROVIDERS)


@given(st.text(alphabet="abchere/ x:.", max_size=30))
def test_whatever_is_typed_names_two_different_ones_or_says_why(words: str) -> None:
    try:
        first, second = named_ways(words, PRESENT, PROVIDERS)
    except ConfigError as error:
        assert error.message and error.hint
    else:
        assert first != second and {first.provider, second.provider} <= set(PROVIDERS)
