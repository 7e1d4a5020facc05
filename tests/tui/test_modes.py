"""The mode is gone through by a key, says what it lets happen, and `auto` is there only with a sandbox."""

from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.fakes.chat_server import ChatServer, reply_calls, reply_text
from tests.project import Machine
from tests.tui.chat_stage import chat_app, screen_text, submit, until
from tui_agent.conversation.events import Mode
from tui_agent.sandbox.enclosure import Sandbox
from tui_agent.tui.app import TuiAgent
from tui_agent.tui.modes import MODES
from tui_agent.tui.screens.modes import ModesScreen


def told(app: TuiAgent) -> str:
    """The latest notice that goes again."""
    return list(app._notifications)[-1].message if len(app._notifications) else ""


@pytest.mark.parametrize(
    ("sandbox", "expected"),
    [
        (
            Sandbox(reason="bubblewrap is not installed"),
            [
                ("accept-edits", "plain files are written unasked; every command asks first, but for commands that"),
                ("plan", "reading does not ask\nauto needs a sandbox, and bubblewrap is not installed"),
                ("ask", "every write and every command asks first, but for commands that only read"),
            ],
        ),
        (
            Sandbox("bwrap", "/usr/bin/bwrap"),
            [
                ("accept-edits", "every command asks first"),
                ("auto", "commands run unasked in the sandbox, without network"),
                ("plan", "nothing is written or run, but commands that only read run"),
                ("ask", "every write and every command asks first"),
            ],
        ),
    ],
)
async def test_each_mode_says_what_it_lets_happen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, expected: list[tuple[Mode, str]]
) -> None:
    monkeypatch.setattr("tui_agent.cli.wiring.find_sandbox", lambda *given: sandbox)
    with ChatServer([reply_text("ok")]) as server:
        app = chat_app(Machine.under(tmp_path, {"alpha": server.url}), monkeypatch, "--read-only-commands", "allow")
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, lambda: app.chat.engine.host is not None, "an engine")
            for mode, said in expected:
                await pilot.press("shift+tab")
                await until(pilot, lambda mode=mode: told(app).startswith(f"{mode}: "), mode)
                assert said in told(app)
                assert ("auto needs" in told(app)) == ("auto needs" in said)
                host = app.chat.engine.host
                assert host is not None and host.session.mode == mode


async def opened(app: TuiAgent, pilot: Pilot[int]) -> ModesScreen:
    await until(pilot, lambda: app.chat.engine.host is not None, "an engine")
    await pilot.press("f12")
    await until(pilot, lambda: isinstance(app.screen, ModesScreen), "the modes")
    assert isinstance(app.screen, ModesScreen)
    return app.screen


async def everything(app: TuiAgent, pilot: Pilot[int]) -> str:
    """All that the screen says of the highlighted mode."""
    seen = ""
    while True:
        await pilot.pause()
        seen += screen_text(app)
        if "more" not in screen_text(app).splitlines()[5].split():
            return seen
        await pilot.press("pagedown")


@pytest.mark.parametrize("size", [(120, 40), (40, 10)])
async def test_the_screen_says_what_the_policy_says_of_every_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    with ChatServer([reply_text("ok")]) as server:
        machine = Machine.under(
            tmp_path,
            {"alpha": server.url},
            permissions={"allow": ["npm test"], "ask": ["npm test -- -u"], "deny": ["rm"]},
        )
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=size) as pilot:
            screen = await opened(app, pilot)
            host = app.chat.engine.host
            assert host is not None
            for mode in MODES[1:] + MODES[:1] if size[0] > 40 else MODES[1:2]:
                while screen._selected != mode:
                    await pilot.press("down" if mode != "plan" else "up")
                seen = await everything(app, pilot)
                words = " ".join(line.strip() for line in seen.splitlines())
                for permit in host.permits(mode):
                    assert permit.what.split()[0] in words and permit.what.split()[-1] in words, (mode, permit)
                assert f"{mode}, here and now" in seen
                if size[0] > 40:
                    for said in ("no sandbox: a command that runs can do what you can", "first deny, then ask"):
                        assert said in seen
            await pilot.press("escape")
            assert host.session.mode == "ask"


async def test_enter_goes_to_a_mode_and_not_to_one_that_cannot_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([reply_text("ok")]) as server:
        app = chat_app(Machine.under(tmp_path, {"alpha": server.url}), monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            app.chat._prompt.insert("a draft")
            await opened(app, pilot)
            assert "in force" in next(line for line in screen_text(app).splitlines() if "› ask" in line)
            await pilot.press("down", "down")
            await until(pilot, lambda: "auto, here and now" in screen_text(app), "auto")
            assert "auto needs a sandbox, and" in screen_text(app)
            assert "enter use" not in screen_text(app)
            await pilot.press("enter")
            assert isinstance(app.screen, ModesScreen)
            await pilot.press("up", "enter")
            await until(pilot, lambda: told(app).startswith("accept-edits: "), "the other mode")
            host = app.chat.engine.host
            assert host is not None and host.session.mode == "accept-edits"
            assert app.chat._prompt.text == "a draft"


async def test_what_was_allowed_for_the_session_is_counted_and_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = [reply_calls([("run_command", {"command": "echo \u202eone"})]), reply_text("It ran.")]
    with ChatServer(script) as server:
        app = chat_app(Machine.under(tmp_path, {"alpha": server.url}), monkeypatch)
        async with app.run_test(size=(100, 40)) as pilot:
            await submit(pilot, "go")
            await until(pilot, lambda: app.chat._questions.armed, "the question")
            await pilot.press("s")
            await until(pilot, lambda: "It ran." in screen_text(app), "the answer")
            await submit(pilot, "/modes")
            await until(pilot, lambda: isinstance(app.screen, ModesScreen), "the modes")
            assert "allowed for this session (1):" in screen_text(app)
            assert "echo <U+202E>one" in screen_text(app)
