"""The whole UI in a test: real engine, real HTTP server, no terminal."""

import argparse
import asyncio
from collections.abc import Sequence

import pytest
from textual.app import App
from textual.pilot import Pilot

from tests.project import Machine
from tui_agent.cli import chat, wiring
from tui_agent.cli.engine import open_engine
from tui_agent.config.locations import shipped_themes
from tui_agent.conversation.events import LoggedEvent, SessionStarted
from tui_agent.permissions.approval import Approver
from tui_agent.store.sqlite import SqliteLog
from tui_agent.tui.app import TuiAgent
from tui_agent.tui.host import Host, Launch
from tui_agent.tui.widgets.prompt import PromptArea

SESSION = "20260101-0900-abc123"


def chat_app(machine: Machine, monkeypatch: pytest.MonkeyPatch, *words: str) -> TuiAgent:
    """The UI as `tui-agent` with these words starts it."""
    for name, value in machine.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(machine.project.parent))
    parser = argparse.ArgumentParser()
    chat.configure(parser)
    args = parser.parse_args([str(machine.project), "--sandbox", "off", *words])
    directory = wiring.working_directory(args)
    loaded = wiring.settings_from(args, directory)

    async def open_host(approver: Approver) -> Host:
        return await open_engine(args, directory, loaded, approver, tolerant=True)

    return TuiAgent(
        Launch(
            loaded=loaded,
            directory=directory,
            version="0.0",
            history=machine.home / "history.jsonl",
            themes=(shipped_themes(), machine.home / "config" / "themes"),
            open_host=open_host,
            warm_up=lambda: None,
            reload=lambda: wiring.settings_from(args, directory),
            read_end=chat.end_reader(args, directory),
        )
    )


async def keep_session(machine: Machine, events: Sequence[LoggedEvent]) -> None:
    """Put a session into the machine's log."""
    log = SqliteLog(machine.home / "data" / "sessions.db")
    last = await log.create(SESSION, SessionStarted(str(machine.project), "fake", "fake-model", "ask", "0"), 1.0)
    for event in events:
        last = await log.append(last, event, 2.0)
    await log.aclose()


async def until(pilot: Pilot[int], reached: "object", what: str = "") -> None:
    """Let the UI run until a condition holds.

    Raises:
        AssertionError: it did not within ten seconds.
    """
    assert callable(reached)
    for _ in range(500):
        if reached():
            return
        await pilot.pause(0.02)
    raise AssertionError(f"never {what or reached} on\n{screen_text(pilot.app)}")


def screen_text(app: App[int]) -> str:
    """What the user reads, line by line."""
    width, height = app.size
    lines = app.screen._compositor.render_strips(app.size) if width and height else []
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in lines)


async def submit(pilot: Pilot[int], prompt: str) -> None:
    """Put a prompt and send it."""
    area = pilot.app.screen.query_one(PromptArea)
    area.insert(prompt)
    await pilot.press("enter")
    await asyncio.sleep(0)
