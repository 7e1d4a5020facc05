"""The plan of a turn in plan mode: offered, edited, kept, sent back, carried out in a mode chosen there."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.events import Key
from textual.pilot import Pilot

from tests.fakes.chat_server import ChatServer, Reply, reply_calls, reply_text
from tests.project import Machine
from tests.tui.chat_stage import chat_app, screen_text, submit, until
from tests.tui.questions import Clock
from tui_agent.conversation.errors import RefusedError, TuiAgentError
from tui_agent.conversation.events import (
    AssistantReplied,
    LoggedEvent,
    Mode,
    ModeChanged,
    PromptSubmitted,
    Record,
    Rewound,
    SessionStarted,
    ToolFinished,
    TurnEnded,
)
from tui_agent.conversation.messages import Usage
from tui_agent.text.sanitize import sanitize
from tui_agent.tui.app import TuiAgent
from tui_agent.tui.arming import ArmingGuard
from tui_agent.tui.editor import EditorError
from tui_agent.tui.plan_document import FileThere, carrying_out_prompt, latest_plan, revising_prompt, save_plan
from tui_agent.tui.screens.plan import PlanScreen
from tui_agent.workspace.paths import Workspace

PLAN = "## Greeting\n\n1. Change `hello.py`: greet *everybody*.\n2. Run the tests.\n"


def replied(text: str, finish: str = "stop") -> AssistantReplied:
    return AssistantReplied(text, "", (), finish, "p", "m", Usage(), 1.0)  # type: ignore[arg-type]


def kept(*events: LoggedEvent, mode: Mode = "ask") -> list[Record]:
    opening = SessionStarted("/w", "p", "m", mode, "0")
    return [Record("s", seq, 1.0, event, "") for seq, event in enumerate((opening, *events), 1)]


# ---- which one ----


def test_it_is_the_last_answer_of_the_latest_turn_in_plan_mode() -> None:
    turn = PromptSubmitted("go"), replied("one"), TurnEnded("done")
    other = PromptSubmitted("go on"), replied("two"), TurnEnded("done")
    assert latest_plan(kept()) == ""
    assert latest_plan(kept(*turn)) == ""
    assert latest_plan(kept(*turn, mode="plan")) == "one\n"
    assert latest_plan(kept(*turn, *other, mode="plan")) == "two\n"
    assert latest_plan(kept(*turn, ModeChanged("plan"))) == ""
    assert latest_plan(kept(*turn, ModeChanged("plan"), *other, ModeChanged("ask"), *turn)) == "two\n"
    assert latest_plan(kept(ModeChanged("plan"), *turn, ModeChanged("auto"), *other)) == "one\n"
    assert latest_plan(kept(*turn, *other, Rewound(5), mode="plan")) == "one\n"
    assert latest_plan(kept(*turn, *other, Rewound(2), mode="plan")) == ""
    assert latest_plan(kept(*turn, ModeChanged("plan"), Rewound(2), *other)) == "two\n"  # the mode stayed
    cut = PromptSubmitted("more"), replied("thr", "incomplete"), TurnEnded("interrupted")
    assert latest_plan(kept(*turn, *cut, mode="plan")) == "one\n"


def test_steps_that_were_kept_in_the_same_turn_are_in_it() -> None:
    steps = ToolFinished("c", "update_plan", "0 of 2 done", "ok", "[x] look\n[>] change\n[ ] test", 0.0)
    turn = PromptSubmitted("go"), steps, replied("one"), TurnEnded("done")
    assert latest_plan(kept(*turn, mode="plan")) == "one\n\n## Steps\n\n- [x] look\n- [ ] change\n- [ ] test\n"
    later = PromptSubmitted("again"), replied("two"), TurnEnded("done")
    assert latest_plan(kept(*turn, *later, mode="plan")) == "two\n"


@given(st.text())
def test_whatever_a_model_wrote_can_be_shown_and_edited(text: str) -> None:
    plan = latest_plan(kept(PromptSubmitted("go"), replied(text), mode="plan"))
    assert sanitize(plan) == plan
    assert bool(plan) == bool(text.strip())


# ---- what the model is told, and what is kept ----


def test_the_model_is_told_whether_the_user_edited_it() -> None:
    assert "as you wrote it" in carrying_out_prompt(PLAN, edited=False)
    assert "The user edited it" in carrying_out_prompt(PLAN, edited=True)
    for said in (carrying_out_prompt(PLAN, edited=True), revising_prompt("shorter", PLAN)):
        assert said.endswith(f"<plan>\n{PLAN.strip()}\n</plan>")
    assert revising_prompt(" shorter ", "") == "Change the plan, and end with all of the new one: shorter"


@pytest.mark.parametrize("name", [".git/hooks/pre-commit", ".envrc", ".env", "../plan.md", "/etc/plan.md", "docs", ""])
def test_it_is_written_to_no_control_or_secret_file_and_nowhere_outside(tmp_path: Path, name: str) -> None:
    (tmp_path / "shop" / "docs").mkdir(parents=True)
    with pytest.raises(TuiAgentError):
        save_plan(Workspace(tmp_path / "shop"), name, PLAN, replace=True)
    assert [path.name for path in tmp_path.rglob("*")] == ["shop", "docs"]


def test_a_link_to_a_control_file_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "PLAN.md").symlink_to(tmp_path / ".envrc")
    with pytest.raises(RefusedError, match="control file"):
        save_plan(Workspace(tmp_path), "PLAN.md", PLAN, replace=True)


def test_it_goes_over_another_file_only_when_that_is_said(tmp_path: Path) -> None:
    assert save_plan(Workspace(tmp_path), "docs/PLAN.md", PLAN, replace=False) == "docs/PLAN.md"
    with pytest.raises(FileThere):
        save_plan(Workspace(tmp_path), "docs/PLAN.md", "other", replace=False)
    assert (tmp_path / "docs" / "PLAN.md").read_text() == PLAN
    save_plan(Workspace(tmp_path), "docs/PLAN.md", "other", replace=True)
    assert (tmp_path / "docs" / "PLAN.md").read_text() == "other"


# ---- on the screen ----


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys answer sooner; how long they wait is tested with a clock that stands still."""
    assert ArmingGuard.__init__.__defaults__ == (0.4,)
    monkeypatch.setattr(ArmingGuard.__init__, "__defaults__", (0.08,))


def planning(tmp_path: Path, server: ChatServer) -> Machine:
    return Machine.under(tmp_path, {"alpha": server.url}, mode="plan")


async def opened(app: TuiAgent, pilot: Pilot[int]) -> PlanScreen:
    """Ask for a plan and open it, ready for answers."""
    await submit(pilot, "greet everybody")
    await until(pilot, lambda: "the plan waits for you" in screen_text(app), "the offer")
    return await open_again(app, pilot)


async def open_again(app: TuiAgent, pilot: Pilot[int]) -> PlanScreen:
    await pilot.press("ctrl+n")
    await until(pilot, lambda: isinstance(app.screen, PlanScreen), "the plan")
    screen = app.screen
    assert isinstance(screen, PlanScreen)
    await until(pilot, lambda: screen._gate.armed, "keys")
    return screen


def answers(*script: Reply) -> ChatServer:
    return ChatServer([reply_text(PLAN), *script])


async def test_an_edited_plan_is_carried_out_in_the_mode_chosen_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = reply_calls([("write_file", {"file_path": "hello.py", "content": "print('all')\n"})])
    with answers(write, reply_text("Done.")) as server:
        machine = planning(tmp_path, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "greet everybody")
            await until(pilot, lambda: "the plan waits for you" in screen_text(app), "the offer")
            assert "ctrl+n plan" in screen_text(app).splitlines()[-1]
            app.chat._prompt.insert("a draft")
            await open_again(app, pilot)
            assert "Change hello.py: greet everybody." in screen_text(app)  # as a document
            await pilot.press("e", *"First: look.", "enter", "y", "enter")
            assert "editing the plan" in screen_text(app)
            await pilot.press("escape")
            screen = app.screen
            assert isinstance(screen, PlanScreen)
            assert screen.text == f"First: look.\ny\n{PLAN}"
            assert "edited by you" in screen_text(app)
            await until(pilot, lambda: screen._gate.armed, "keys")
            await pilot.press("m")
            assert "carry it out in  ask  accept-edits  plain files are written unasked" in screen_text(app)
            await until(pilot, lambda: screen._gate.armed, "keys")
            await pilot.press("y")
            await until(pilot, lambda: "Done." in screen_text(app), "the end")
            assert app.chat._prompt.text == "a draft"
            host = app.chat.engine.host
            assert host is not None and host.session.mode == "accept-edits"
            logged = [record.event for record in host.session.records]
        place = logged.index(ModeChanged("accept-edits"))
        assert logged[place + 1] == PromptSubmitted(carrying_out_prompt(f"First: look.\ny\n{PLAN}", edited=True))
        assert (machine.project / "hello.py").read_text() == "print('all')\n"
    first, second = (body["messages"] for body in server.bodies[:2])
    assert "End with a plan" in first[-1]["content"]
    assert second[: len(first)] == first, "a mode is told with the prompt, so that the beginning stays what it was"
    assert "plan mode is over" in second[-1]["content"].lower() and "End with a plan" not in second[-1]["content"]


async def test_it_goes_back_with_a_comment_and_plan_mode_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answers(reply_text("1. Only `hello.py`.\n")) as server:
        app = chat_app(planning(tmp_path, server), monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await opened(app, pilot)
            await pilot.press("c", *"no tests, yes?", "enter")
            await until(pilot, lambda: screen_text(app).count("the plan waits for you") == 2, "another plan")
            host = app.chat.engine.host
            assert host is not None and host.session.mode == "plan"
            screen = await open_again(app, pilot)
            assert screen.text == "1. Only `hello.py`.\n"
    said = server.bodies[1]["messages"][-1]["content"]
    assert said.startswith(revising_prompt("no tests, yes?", "")) and "End with a plan" in said


async def test_edits_are_kept_until_there_is_another_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answers() as server:
        app = chat_app(planning(tmp_path, server), monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await opened(app, pilot)
            await pilot.press("e", "H", "i", "escape", "escape")
            await until(pilot, lambda: not isinstance(app.screen, PlanScreen), "the chat")
            await submit(pilot, "/plan")
            await until(pilot, lambda: isinstance(app.screen, PlanScreen), "the plan")
            assert "edited by you" in screen_text(app) and app.screen.text == f"Hi{PLAN}"  # type: ignore[attr-defined]
    assert len(server.bodies) == 1


async def test_it_is_saved_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answers() as server:
        machine = planning(tmp_path, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            screen = await opened(app, pilot)
            await pilot.press("s", "enter")
            await until(pilot, lambda: "written to PLAN.md" in screen_text(app), "the file")
            assert (machine.project / "PLAN.md").read_text() == PLAN
            (machine.project / "PLAN.md").write_text("mine")
            await until(pilot, lambda: screen._gate.armed, "keys")
            await pilot.press("s", "enter")
            await until(pilot, lambda: "is there already" in screen_text(app), "a question")
            assert (machine.project / "PLAN.md").read_text() == "mine"
            await pilot.press("enter")
            await until(pilot, lambda: "written to PLAN.md" in screen_text(app), "the file again")
            assert (machine.project / "PLAN.md").read_text() == PLAN
            await until(pilot, lambda: screen._gate.armed, "keys")
            await pilot.press("s", *["backspace"] * 7, *".envrc", "enter")
            await until(pilot, lambda: "is a control file, and no place for a plan" in screen_text(app), "a refusal")
            assert not (machine.project / ".envrc").exists()


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (b"1. Mine.\n\x1b]0;x\x07", "edited by you"),
        (b" \n", "the editor left it empty"),
        (b"\xff", "is not UTF-8"),
        (EditorError("vi ended with 1", "nothing is lost"), "vi ended with 1: nothing is lost"),
    ],
)
async def test_the_users_own_editor_edits_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: bytes | EditorError, said: str
) -> None:
    async def edited(app: object, command: list[str], data: bytes, name: str) -> bytes:
        assert (command, data, name) == ([sys.executable], PLAN.encode(), "plan.md")
        if isinstance(left, EditorError):
            raise left
        return left

    monkeypatch.setattr("tui_agent.tui.editor.edited", edited)
    with answers() as server:
        app = chat_app(planning(tmp_path, server), monkeypatch)
        monkeypatch.setenv("VISUAL", sys.executable)
        async with app.run_test(size=(100, 30)) as pilot:
            screen = await opened(app, pilot)
            await pilot.press("E")
            await until(pilot, lambda: said in screen_text(app), said)
            assert screen.text == ("1. Mine.\n" if said.startswith("edited") else PLAN)
            await until(pilot, lambda: screen._gate.armed, "keys")


async def test_keys_that_were_typed_before_it_was_there_begin_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    with answers(reply_text("Done.")) as server:
        app = chat_app(planning(tmp_path, server), monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "greet everybody")
            await until(pilot, lambda: "the plan waits for you" in screen_text(app), "the offer")
            await pilot.press("ctrl+n")
            await until(pilot, lambda: isinstance(app.screen, PlanScreen), "the plan")
            screen = app.screen
            assert isinstance(screen, PlanScreen)
            await until(pilot, lambda: screen._gate.opens_at != float("inf"), "its paint")
            screen._gate._clock, screen._gate._guard = clock, ArmingGuard(0.4)
            screen._gate.painted()
            for keys in (*"yes, m", "enter", "y"):
                await pilot.press(keys)
                clock.now += 0.39
            late = Key("y", "y")
            late.time -= 5  # it waited in a queue since before
            clock.now += 0.41
            app.post_message(late)
            await pilot.pause()
            assert app.screen is screen and screen._reading and len(server.bodies) == 1
            assert "y carry it out" not in screen_text(app)
            clock.now += 0.41
            await pilot.press("enter", "space")
            assert app.screen is screen
            clock.now += 0.41
            screen._gate.look()
            await pilot.pause()
            assert "y carry it out" in screen_text(app)
            await pilot.press("m")  # another mode is another question
            await pilot.press("y")
            assert app.screen is screen
            for _ in range(20):  # the page may be painted anew after the clock went on
                clock.now += 0.41
                await pilot.press("y")
                if app.screen is not screen:
                    break
            await until(pilot, lambda: "Done." in screen_text(app), "the end")


async def test_an_empty_plan_is_not_carried_out_and_without_one_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answers() as server:
        app = chat_app(planning(tmp_path, server), monkeypatch)
        async with app.run_test(size=(40, 10)) as pilot:
            await until(pilot, lambda: app.chat.engine.host is not None, "the engine")
            await submit(pilot, "/plan")
            await until(pilot, lambda: "there is no plan yet" in screen_text(app), "the news")
            screen = await opened(app, pilot)
            await pilot.press("e", "ctrl+a")
            screen._editor.load_text("")
            await pilot.press("escape")
            await until(pilot, lambda: screen._gate.armed, "keys")
            await pilot.press("y")
            await until(pilot, lambda: "the plan is empty" in screen_text(app), "the reason")
    assert len(server.bodies) == 1
