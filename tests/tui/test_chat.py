"""The chat screen over the real engine: what is typed, asked, switched, resumed and shown."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.actions import parse
from textual.events import Paste

from tests.fakes.chat_server import ChatServer, Stall, reply_calls, reply_steps, reply_text, text
from tests.project import Machine
from tests.tui.chat_stage import chat_app, keep_session, screen_text, submit, until
from tui_agent.conversation.events import (
    AssistantReplied,
    DecisionMade,
    FileDelta,
    LoggedEvent,
    ModelSwitched,
    Noticed,
    PromptSubmitted,
    ToolFinished,
    TurnEnded,
)
from tui_agent.conversation.messages import ToolCall, Usage
from tui_agent.tui.actions import ACTIONS
from tui_agent.tui.screens.help import HelpScreen
from tui_agent.tui.screens.picker import PickerScreen
from tui_agent.tui.screens.review import ReviewScreen
from tui_agent.tui.screens.sessions import SessionsScreen
from tui_agent.tui.screens.themes import ThemesScreen
from tui_agent.tui.widgets.prompt import PromptArea
from tui_agent.tui.widgets.status_bar import StatusBar
from tui_agent.tui.widgets.transcript.view import TranscriptView

WRITE = reply_calls([("write_file", {"file_path": "hello.py", "content": "print('hello')\n"})], answer="Writing.")
PAIR = reply_calls(
    [
        ("write_file", {"file_path": "one.txt", "content": "one\n"}),
        ("write_file", {"file_path": "two.txt", "content": "two\n"}),
    ]
)


def says(app: object, part: str) -> Callable[[], bool]:
    return lambda: part in screen_text(app)  # type: ignore[arg-type]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine.under(tmp_path, {"fake": "http://127.0.0.1:9/v1/"})


def serve(machine: Machine, server: ChatServer, **settings: object) -> None:
    machine.configure(
        {
            "provider": "fake",
            "providers": {"fake": {"base_url": server.url, "default_model": "fake-model", "requires_api_key": False}},
            **settings,
        }
    )


async def test_a_prompt_is_answered_in_the_transcript(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer([reply_text("Good **day**.")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "hello")
            await until(pilot, says(app, "Good day."))
            assert "hello" in screen_text(app)
            assert app.chat.query_one(PromptArea).draft == ""


async def test_the_draft_survives_a_question_and_its_answer(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer([WRITE, reply_text("ok")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "write")
            app.chat.query_one(PromptArea).insert("my next idea")
            await until(pilot, says(app, "allow once"))
            await until(pilot, lambda: app.chat._questions.armed, "an open question")
            await pilot.press("y")
            await until(pilot, says(app, "approved"))
            assert app.chat.query_one(PromptArea).draft == "my next idea"
            assert app.focused is app.chat.query_one(PromptArea)
            await until(pilot, (machine.project / "hello.py").exists, "the file")


async def test_enter_never_allows(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer([WRITE, reply_text("ok")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "write")
            await until(pilot, says(app, "allow once"))
            await until(pilot, lambda: app.chat._questions.armed, "an open question")
            await pilot.press("enter", "enter")
            await pilot.pause(0.3)
            assert not (machine.project / "hello.py").exists()
            assert "allow once" in screen_text(app)


@pytest.mark.promise("P41")
async def test_escape_at_a_question_denies_and_stops(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer([PAIR, reply_text("never asked for")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "write")
            await until(pilot, says(app, "allow once"))
            await until(pilot, lambda: app.chat._questions.armed, "an open question")
            await pilot.press("escape")
            await until(pilot, lambda: not app.chat.busy, "the end of the turn")
            assert "denied" in screen_text(app)
            assert not list(machine.project.iterdir())
        assert len(server.requests) == 1


@pytest.mark.promise("P41")
async def test_two_questions_come_one_after_the_other(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer([PAIR, reply_text("Both done.")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "write")
            await until(pilot, says(app, "1 of 2"))
            assert "2 of 2" not in screen_text(app)
            await until(pilot, lambda: app.chat._questions.armed, "an open question")
            await pilot.press("y")
            await until(pilot, says(app, "2 of 2"))
            await pilot.press("y", "y")  # held: only the first one was meant for a question
            await pilot.pause(0.4)
            assert (machine.project / "one.txt").exists()
            assert not (machine.project / "two.txt").exists()


async def test_what_is_sent_while_it_works_steers_and_escape_gives_it_back(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([reply_steps(text("Thinking about"), Stall()), reply_text("ok")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "go")
            await until(pilot, says(app, "Thinking about"))
            await submit(pilot, "and be quick")
            await until(pilot, says(app, "after this step  and be quick"))
            await pilot.press("escape")
            await until(pilot, says(app, "turn stopped"))
            await until(pilot, lambda: not app.chat.busy, "the end of the turn")
            assert app.chat.query_one(PromptArea).draft == "and be quick"
            assert "after this step" not in screen_text(app)
        assert len(server.requests) == 1


async def test_what_is_queued_is_shown_until_it_is_sent(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer([WRITE, reply_text("Both done.")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "write")
            await until(pilot, lambda: app.chat._questions.armed, "the question")
            app.chat.query_one(PromptArea).focus()
            await submit(pilot, "and be quick")
            await until(pilot, says(app, "after this step  and be quick"))
            await until(pilot, lambda: app.chat._questions.armed, "the question again")
            await pilot.press("y")
            await until(pilot, says(app, "Both done."))
            assert "after this step" not in screen_text(app)
            assert "and be quick" in screen_text(app)


async def test_ctrl_c_in_the_prompt_asks_once_and_leaves_at_the_second_press(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await until(pilot, lambda: app.chat.engine.opened, "the engine")
        await pilot.press(*"abc", "ctrl+c")
        await until(pilot, says(app, "press ctrl+c again to leave"))
        assert app.chat.query_one(PromptArea).draft == "abc"
        await pilot.press("ctrl+c")
        await until(pilot, lambda: not app.is_running or app._exit, "the end")


async def test_typing_leads_from_the_transcript_back_to_the_prompt(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.chat.engine.opened, "the engine")
        prompt = app.chat.query_one(PromptArea)
        await pilot.click(TranscriptView)
        assert not prompt.has_focus
        await pilot.press(*"jk")
        assert not prompt.has_focus and not prompt.draft
        await pilot.press(*"hey")
        assert prompt.has_focus and prompt.draft == "hey"
        await pilot.press("ctrl+up", "escape")
        assert prompt.has_focus
        await pilot.press("ctrl+up")
        app.post_message(Paste("a paste"))
        await until(pilot, lambda: prompt.draft == "heya paste", "the paste")


async def test_the_first_screen_says_who_answers_and_the_keys_of_the_user(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer() as server:
        serve(machine, server, ui={"keys": {"chat.providers": "f11"}})
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, says(app, "fake · fake-model\n"))
            assert "f11 model   f3 sessions   f9 theme   f1 help" in screen_text(app)


async def test_each_screen_opens_and_closes_again(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.chat.engine.opened, "the engine")
        for key, screen in (("f1", HelpScreen), ("f2", PickerScreen), ("f3", SessionsScreen)):
            await pilot.press(key)
            await until(pilot, lambda screen=screen: isinstance(app.screen, screen), f"{screen.__name__}")
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is app.chat, "the chat")
        await pilot.press("x")
        assert app.chat.query_one(PromptArea).draft == "x"


async def test_a_theme_is_previewed_and_given_back(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        await pilot.press("f9")
        await until(pilot, lambda: isinstance(app.screen, ThemesScreen), "the list")
        await pilot.press("up")
        await until(pilot, lambda: app.theme != "slate", "a preview")
        await pilot.press("escape")
        await until(pilot, lambda: app.theme == "slate", "the old theme")


async def test_the_mode_goes_round_and_is_logged_and_auto_needs_a_sandbox(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([reply_text("ok")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "hello")
            await until(pilot, lambda: server.requests and not app.chat.busy, "an answer")
            seen = []
            for _ in range(3):
                await pilot.press("shift+tab")
                await pilot.pause(0.1)
                seen.append(app.chat.engine.host.session.mode)  # type: ignore[union-attr]
            assert seen == ["accept-edits", "plan", "ask"]
            await submit(pilot, "/mode auto")
            await until(pilot, says(app, "auto needs a sandbox"))


async def test_a_click_into_the_bar_does_what_the_keys_do(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer() as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, lambda: app.chat.engine.opened, "the engine")
            session = app.chat.engine.host.session  # type: ignore[union-attr]
            bar = app.chat.query_one(StatusBar)
            bar.post_message(StatusBar.ModeClicked())
            await until(pilot, lambda: session.mode == "accept-edits", "the next mode")
            bar.post_message(StatusBar.ProfileClicked())
            await until(pilot, lambda: session.profile.name == "small", "the other profile")
            bar.post_message(StatusBar.ModelClicked())
            await until(pilot, says(app, "filter by provider or model"), "the picker")
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is app.chat, "the chat")


async def test_slash_model_switches_and_leaves_a_mark(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer([reply_text("one")]) as server, ChatServer([reply_text("two")]) as other:
        machine.configure(
            {
                "provider": "fake",
                "providers": {
                    name: {"base_url": made.url, "default_model": f"{name}-model", "requires_api_key": False}
                    for name, made in (("fake", server), ("other", other))
                },
            }
        )
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "hello")
            await until(pilot, lambda: server.requests and not app.chat.busy, "an answer")
            await submit(pilot, "/model other")
            await until(pilot, says(app, "other · other-model"))
            await submit(pilot, "hello you")
            await until(pilot, says(app, "two"))
            await submit(pilot, "/model nowhere")
            await until(pilot, says(app, "nowhere"))
        assert [message["content"] for message in other.bodies[0]["messages"][1:]] == ["hello", "one", "hello you"]


async def test_a_path_that_begins_with_a_slash_is_a_prompt(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer([reply_text("the table of hosts")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "/etc/hosts is what?")
            await until(pilot, says(app, "the table of hosts"))
        assert server.bodies[0]["messages"][-1]["content"] == "/etc/hosts is what?"


async def test_d_opens_the_review_and_an_answer_there_counts(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer([WRITE, reply_text("ok")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "write")
            await until(pilot, says(app, "allow once"))
            await until(pilot, lambda: app.chat._questions.armed, "an open question")
            await pilot.press("d")
            await until(pilot, lambda: isinstance(app.screen, ReviewScreen), "the review")
            await until(pilot, says(app, "hello.py"))
            await pilot.pause(0.9)
            await pilot.press("y")
            await until(pilot, lambda: (machine.project / "hello.py").exists(), "the file")
            await until(pilot, lambda: app.screen is app.chat, "the chat")


async def test_a_review_goes_when_its_question_is_gone(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer([WRITE, reply_text("ok")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "write")
            await until(pilot, says(app, "allow once"))
            await pilot.press("ctrl+r")
            await until(pilot, lambda: isinstance(app.screen, ReviewScreen), "the review")
            await pilot.press("ctrl+c")
            await until(pilot, lambda: app.screen is app.chat and not app.chat.busy, "the chat")
            assert not (machine.project / "hello.py").exists()


async def test_a_new_session_asks_again_for_what_was_allowed_in_the_old_one(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer(lambda body, n: WRITE if body["messages"][-1]["role"] == "user" else reply_text("ok")) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "write")
            await until(pilot, says(app, "for this session"))
            await until(pilot, lambda: app.chat._questions.armed, "an open question")
            await pilot.press("s")
            await until(pilot, lambda: (machine.project / "hello.py").exists() and not app.chat.busy, "the file")
            (machine.project / "hello.py").unlink()
            await submit(pilot, "write")
            await until(pilot, lambda: (machine.project / "hello.py").exists() and not app.chat.busy, "the file again")
            (machine.project / "hello.py").unlink()
            await pilot.press("f4")
            await pilot.pause(0.2)
            await submit(pilot, "write")
            await until(pilot, says(app, "allow once"))
            assert not (machine.project / "hello.py").exists()


async def test_files_of_the_project_are_offered_behind_an_at_sign(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine.project / "src").mkdir()
    (machine.project / "src" / "cart.py").write_text("x")
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.chat.engine.opened, "the engine")
        await pilot.press("@", "c", "a", "r")
        await until(pilot, says(app, "src/cart.py"))
        await pilot.press("tab")
        assert app.chat.query_one(PromptArea).draft.strip() == "@src/cart.py"


async def test_an_internal_fault_is_said_and_the_chat_goes_on(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([reply_text("fine")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, lambda: app.chat.engine.opened, "the engine")

            async def broken(prompt: str) -> object:
                raise ZeroDivisionError("by nothing")
                yield

            whole = app.chat.engine.host.session.run  # type: ignore[union-attr]
            monkeypatch.setattr(app.chat.engine.host.session, "run", broken)  # type: ignore[union-attr]
            await submit(pilot, "one")
            await until(pilot, says(app, "internal error"))
            monkeypatch.setattr(app.chat.engine.host.session, "run", whole)  # type: ignore[union-attr]
            await submit(pilot, "two")
            await until(pilot, says(app, "fine"))


DIFF = "--- a/cart.py\n+++ b/cart.py\n@@ -1,3 +1,3 @@\n def total(items):\n-    return 0\n+    return sum(items)\n \n"
CALLS = (
    ToolCall("c1", "edit_file", '{"file_path": "cart.py"}'),
    ToolCall("c2", "run_command", '{"command": "pytest"}'),
)
PAST: tuple[LoggedEvent, ...] = (
    PromptSubmitted("fix the failing test"),
    AssistantReplied(
        "The total is never added up. I will **fix** `total` and run the tests.",
        "The test says 0.",
        CALLS,
        "tool_calls",
        "fake",
        "fake-model",
        Usage(812, 40),
        2.0,
        3.0,
    ),
    DecisionMade("c1", "edit_file", "allowed", "user", ("changes cart.py",)),
    ToolFinished("c1", "edit_file", "cart.py", "ok", "edited", 0.012, (FileDelta("cart.py", 1, 1, DIFF),)),
    DecisionMade("c2", "run_command", "denied", "user", ("every command asks",), "use make test"),
    ToolFinished("c2", "run_command", "pytest", "denied", "denied by the user: use make test", 0.0),
    ModelSwitched("fake", "bigger-model"),
    Noticed("error", "Connection refused to localhost:11434", "ollama serve"),
    AssistantReplied(
        "Fixed:\n\n```python\ndef total(items):\n    return sum(items)\n```\n\n| file | change |\n| --- | --- |\n"
        "| cart.py | +1 −1 |\n",
        "",
        (),
        "stop",
        "fake",
        "bigger-model",
        Usage(1200, 90),
        4.0,
    ),
    TurnEnded("done"),
)


async def test_continue_shows_the_last_session_and_goes_on_with_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep_session(machine, PAST)
    with ChatServer([reply_text("Going on.")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch, "--continue")
        async with app.run_test(size=(100, 40)) as pilot:
            await until(pilot, says(app, "return sum(items)"))
            shown = screen_text(app)
            for part in ("fix the failing test", "edit_file", "denied", "use make test", "bigger-model", "ollama"):
                assert part in shown
            await submit(pilot, "thanks")
            await until(pilot, says(app, "Going on."))
        assert [message["role"] for message in server.bodies[0]["messages"]] == [
            *("system", "user", "assistant", "tool", "tool", "assistant", "user")
        ]


def look(machine: Machine, monkeypatch: pytest.MonkeyPatch, *words: str) -> object:
    """The app as it looks when everything has come in; for snapshots."""
    machine.configure({"provider": "fake", "providers": {"fake": {"base_url": "http://127.0.0.1:9/v1/"}}})
    return chat_app(machine, monkeypatch, "--model", "fake-model", *words)


SIZES = [(120, 40), (80, 24), (40, 10)]


@pytest.mark.parametrize("size", SIZES, ids=["wide", "classic", "tiny"])
def test_the_first_screen_looks_calm(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, snap_compare: Callable[..., bool], size: tuple[int, int]
) -> None:
    app = look(machine, monkeypatch)

    async def ready(pilot: object) -> None:
        await until(pilot, lambda: app.chat.engine.opened, "the engine")  # type: ignore[arg-type,attr-defined]

    assert snap_compare(app, terminal_size=size, run_before=ready)


@pytest.mark.parametrize(
    ("size", "theme"), [((120, 40), "slate"), ((80, 24), "ember"), ((40, 10), "contrast"), ((100, 34), "paper")]
)
def test_a_conversation_looks_as_designed(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    snap_compare: Callable[..., bool],
    size: tuple[int, int],
    theme: str,
) -> None:
    asyncio.run(keep_session(machine, PAST))
    app = look(machine, monkeypatch, "--continue", "--theme", theme)

    async def ready(pilot: object) -> None:
        await until(pilot, says(app, "+1"))  # type: ignore[arg-type]
        await until(pilot, says(app, "ctx"))  # type: ignore[arg-type]
        await pilot.pause(0.3)  # type: ignore[attr-defined]

    assert snap_compare(app, terminal_size=size, run_before=ready)


async def test_each_action_of_the_chat_has_a_deed_and_each_deed_an_action(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = chat_app(machine, monkeypatch)
    async with app.run_test():
        named = [parse(action.method) for action in ACTIONS if action.owner == "chat"]
        assert {parameters[0] for _, name, parameters in named if name == "do"} == app.chat._deeds.keys()
