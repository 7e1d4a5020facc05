"""Esc stops a turn within half a second, whatever it is doing."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.chat_server import (
    ChatServer,
    Reply,
    Stall,
    reply_calls,
    reply_error,
    reply_nothing,
    reply_steps,
    reply_text,
    text,
)
from tests.project import Machine
from tests.stopwatch import Stopwatch
from tests.tui.chat_stage import chat_app, screen_text, submit, until

SECONDS = 0.5

STATES: dict[str, tuple[Reply, Callable[[ChatServer, str], bool]]] = {
    "waiting for headers": (reply_nothing(), lambda server, screen: bool(server.requests)),
    "waiting for the first word": (reply_steps(Stall()), lambda server, screen: bool(server.requests)),
    "streaming": (
        reply_text("word " * 50_000, chunk=10).but(pace=2000),
        lambda server, screen: "word word" in screen,
    ),
    "stalled in the middle": (reply_steps(text("Half an"), Stall()), lambda server, screen: "Half an" in screen),
    "waiting to try again": (reply_error(503, retry_after=60), lambda server, screen: "503" in screen),
    "a command runs": (
        reply_calls([("run_command", {"command": "trap '' TERM; echo be''gun; sleep 30"})]),
        lambda server, screen: "begun" in screen,
    ),
    "output pours": (
        reply_calls([("run_command", {"command": "yes floo''ded"})]),
        lambda server, screen: "flooded" in screen,
    ),
    "a question is open": (
        reply_calls([("write_file", {"file_path": "a.txt", "content": "x"})]),
        lambda server, screen: "waiting for you" in screen,
    ),
}


@pytest.mark.promise("P1", "P12", "P24", "P26")
@pytest.mark.parametrize("state", STATES)
async def test_escape_stops_within_half_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    reply, reached = STATES[state]
    with ChatServer([reply, reply_text("Again, whole.")]) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        configured = {"base_url": server.url, "default_model": "m", "requires_api_key": False, "max_retries": 3}
        machine.configure({"provider": "fake", "providers": {"fake": configured}})
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "go")
            if state in ("a command runs", "output pours"):
                await until(pilot, lambda: app.chat._questions.armed, "an open question")
                await pilot.press("y")
            await until(pilot, lambda: reached(server, screen_text(app)), state)
            if state == "a question is open":
                await until(pilot, lambda: app.chat._questions.armed, "an open question")
            assert app.chat.busy
            watch = Stopwatch()
            await pilot.press("escape")
            while app.chat.busy:
                await asyncio.sleep(0.005)
                assert watch.seconds < 5, "it goes on"
            assert watch.seconds < SECONDS
            await submit(pilot, "and?")
            await until(pilot, lambda: "Again, whole" in screen_text(app), "the next answer")
