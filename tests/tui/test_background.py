"""What runs in the background: counted, shown with its output, stopped by a key, told about when it ends."""

from pathlib import Path

import psutil
import pytest
from textual.pilot import Pilot

from tests.fakes.chat_server import ChatServer, reply_calls, reply_text
from tests.project import Machine
from tests.tui.chat_stage import chat_app, screen_text, submit, until
from tui_agent.tui.app import TuiAgent
from tui_agent.tui.screens.background import BackgroundScreen
from tui_agent.tui.widgets.status_bar import StatusInfo, status_parts

ENDLESS = "echo up; while sleep 0.05; do echo tick; done"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine.under(tmp_path, {"fake": "http://127.0.0.1:9/v1/"})


def serving(machine: Machine, *commands: str) -> ChatServer:
    """A model that leaves these running, a turn each."""
    replies = []
    for command in commands:
        replies.append(reply_calls([("run_command", {"command": command, "background": True})]))
        replies.append(reply_text("It runs."))
    server = ChatServer(replies)
    server.__enter__()
    machine.configure(
        {
            "provider": "fake",
            "providers": {"fake": {"base_url": server.url, "default_model": "m", "requires_api_key": False}},
        }
    )
    return server


async def start(pilot: Pilot[int], app: TuiAgent, turns: int = 1) -> None:
    for number in range(1, turns + 1):
        await submit(pilot, "go")
        await until(pilot, lambda: app.chat._questions.armed, "the question")
        await pilot.press("y")
        await until(pilot, lambda wanted=number: screen_text(app).count("It runs.") == wanted, "the answer")


async def test_it_is_counted_shown_with_what_it_prints_and_stopped_with_all_it_started(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serving(machine, ENDLESS)
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(100, 30)) as pilot:
        await start(pilot, app)
        assert "1 running" in screen_text(app).splitlines()[0]
        assert "f10 running" in screen_text(app).splitlines()[-1]
        (command,) = app.chat.engine.host.session.executor.background.list()  # type: ignore[union-attr]
        children = psutil.Process(command.pid).children(recursive=True)
        await pilot.press("f10")
        await until(pilot, lambda: screen_text(app).count("tick") > 2, "its output")
        assert "since " in screen_text(app).splitlines()[1]
        assert str(command.pid) in screen_text(app)
        printed = screen_text(app).count("tick")
        await until(pilot, lambda: screen_text(app).count("tick") > printed, "what it prints next")
        await pilot.press("x")
        await until(pilot, lambda: "stopped by the user" in screen_text(app), "its end")
        assert "0 running" in screen_text(app)
        assert not any(child.is_running() for child in children)
        with pytest.raises(ProcessLookupError):
            psutil.os.kill(command.pid, 0)
        assert command.log.read_text().endswith("[stopped by the user]\n")
        await pilot.press("escape")
        await until(pilot, lambda: "running" not in screen_text(app).splitlines()[0], "a bar without it")
        assert "f10" not in screen_text(app).splitlines()[-1]
    server.__exit__(None, None, None)


async def test_an_end_of_its_own_is_told_and_the_one_that_goes_on_stays(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serving(machine, "sleep 1; echo gone; exit 3", ENDLESS)
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(100, 30)) as pilot:
        await start(pilot, app, 2)
        news = "in the background: sleep 1; echo gone; exit 3 ended with exit code 3"
        await until(pilot, lambda: news in {note.message for note in app._notifications}, "the news")
        await until(pilot, lambda: "1 running" in screen_text(app).splitlines()[0], "one of two")
        await pilot.press("f10")
        await until(pilot, lambda: "tick" in screen_text(app), "the newer one first")
        await pilot.press("down")
        await until(pilot, lambda: "gone" in screen_text(app).split(), "the output of the other")
        assert "exit code 3" in screen_text(app).splitlines()[2]
        assert "stop it" not in screen_text(app).splitlines()[-1]
        await pilot.press("x", "escape")
        assert app.chat._background.running == 1
        await pilot.press("f4")  # another session: nothing of the old one runs on
        await until(pilot, lambda: app.chat._background.running == 0, "a new session")
    server.__exit__(None, None, None)


async def test_reading_further_up_is_left_alone_and_its_end_follows_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serving(
        machine, "for i in 1 2 3 4; do printf 'early %d\\n' $i {1..20}; done; while sleep 0.05; do echo tick; done"
    )
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(60, 14)) as pilot:
        await start(pilot, app)
        await pilot.press("f10")
        await until(pilot, lambda: "tick" in screen_text(app), "the end")
        await pilot.press("pageup", "pageup")
        await until(pilot, lambda: "tick" not in screen_text(app), "what came before")
        before = screen_text(app)
        await pilot.pause(0.5)
        assert screen_text(app) == before
        for _ in range(20):
            await pilot.press("pagedown")
        await until(pilot, lambda: screen_text(app).count("tick") > 5, "the end again")
    server.__exit__(None, None, None)


async def test_hostile_output_and_a_command_of_many_lines_break_nothing_on_a_small_screen(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = "printf '\\033]0;title\\007[bold]\\033[2J\\302\\233x\\n%05000d\\n' 7\nsleep 60"
    server = serving(machine, command)
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(40, 10)) as pilot:
        await start(pilot, app)
        await pilot.press("f10")
        await until(
            pilot, lambda: isinstance(app.screen, BackgroundScreen) and "\n  7\n" in screen_text(app), "its end"
        )
        await pilot.press(*["pageup"] * 40)
        await until(pilot, lambda: "[bold]" in screen_text(app), "its beginning")
        assert not any((ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 for c in screen_text(app))
        await pilot.press("x")
        await until(pilot, lambda: "stopped by the user" in screen_text(app), "its end")
    server.__exit__(None, None, None)


async def test_with_nothing_there_the_command_says_so(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.chat.engine.host is not None, "the engine")
        await submit(pilot, "/background")
        await until(pilot, lambda: "nothing was started in the background" in screen_text(app), "the news")


def test_the_number_goes_before_the_mode_when_the_bar_is_narrow() -> None:
    info = StatusInfo(project="/src/shop", provider="fake", model="demo", mode="auto", background=2)
    assert any(part.text == "2 running" for part in status_parts(info, 100)[1])
    narrow = [part.text for part in status_parts(info, 12)[1]]
    assert "2 running" not in narrow
    assert "auto" in narrow
