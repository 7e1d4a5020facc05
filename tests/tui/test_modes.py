"""The mode is gone through by a key, says what it lets happen, and `auto` is there only with a sandbox."""

from pathlib import Path

import pytest

from tests.fakes.chat_server import ChatServer, reply_text
from tests.project import Machine
from tests.tui.chat_stage import chat_app, until
from tui_agent.conversation.events import Mode
from tui_agent.sandbox.enclosure import Sandbox
from tui_agent.tui.app import TuiAgent


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
