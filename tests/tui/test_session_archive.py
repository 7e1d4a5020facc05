"""Sessions in the UI: searched by their text, named, copied, written, replayed, deleted, and open in two windows."""

import json
import os
from pathlib import Path

import pytest
from textual import events as textual_events
from textual.pilot import Pilot

from tests.fakes.chat_server import ChatServer, reply_text
from tests.project import Machine
from tests.tui.chat_stage import SESSION, chat_app, keep_session, screen_text, submit, until
from tests.tui.test_chat import says, serve
from tui_agent.conversation.events import AssistantReplied, LoggedEvent, PromptSubmitted, SessionStarted, TurnEnded
from tui_agent.conversation.messages import Usage
from tui_agent.store import search
from tui_agent.store.sqlite import SqliteLog
from tui_agent.tui.app import TuiAgent
from tui_agent.tui.screens.choosing import ChoosingScreen, NamingScreen
from tui_agent.tui.screens.looking import LookingScreen
from tui_agent.tui.screens.sessions import SessionsScreen
from tui_agent.tui.widgets.prompt import PromptArea

OTHER = "20260102-0900-def456"


def turn(prompt: str, answer: str) -> list[LoggedEvent]:
    reply = AssistantReplied(answer, "", (), "stop", "fake", "fake-model", Usage(10, 2), 0.5)
    return [PromptSubmitted(prompt), reply, TurnEnded("done")]


@pytest.fixture
async def machine(tmp_path: Path) -> Machine:
    machine = Machine.under(tmp_path, {"fake": "http://127.0.0.1:9/v1/"})
    await keep_session(machine, [*turn("first question", "Rounding the\nCart_Total twice."), *turn("second", "Yes.")])
    log = SqliteLog(machine.home / "data" / "sessions.db")
    for session, folder in ((OTHER, str(machine.project)), ("20260103-0900-aaaaaa", str(tmp_path / "elsewhere"))):
        last = await log.create(session, SessionStarted(folder, "fake", "fake-model", "ask", "0"), 5.0)
        for event in turn(f"in {Path(folder).name}", "a needle here"):
            last = await log.append(last, event, 6.0)
    await log.aclose()
    return machine


def rows(app: TuiAgent) -> list[str]:
    assert isinstance(app.screen, SessionsScreen)
    choices = app.screen._list
    lines = [choices.render_line(y).text.rstrip() for y in range(choices.size.height)]
    return [line for line in lines if line]


async def listing(pilot: "Pilot[int]", app: TuiAgent) -> None:
    await until(pilot, lambda: app.chat.engine.opened, "the engine")
    await pilot.press("f3")
    await until(pilot, lambda: isinstance(app.screen, SessionsScreen), "the list")
    await pilot.pause()


async def saved(machine: Machine) -> dict[str, str]:
    log = SqliteLog(machine.home / "data" / "sessions.db")
    found = {row.id: row.title for row in await log.sessions()}
    await log.aclose()
    return found


async def test_typing_searches_the_texts_and_shows_the_line(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(100, 30)) as pilot:
        await listing(pilot, app)
        await pilot.press(*"cart tot")
        await until(pilot, lambda: rows(app)[1:] == ["    answer  Cart_Total twice."], "what was found")
        assert rows(app)[0].startswith("› first question")
        await pilot.press("enter")
        await until(pilot, says(app, "Rounding the"))
        assert app.screen is app.chat and app.chat.engine.host is not None
        assert app.chat.engine.host.session.id == SESSION


async def test_the_search_waits_for_a_pause_and_goes_on_until_all_is_read(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_SECONDS", 0.0001)
    monkeypatch.setattr(search, "_BATCH", 1)
    asked: list[str] = []
    real = SqliteLog.search

    async def searching(log: SqliteLog, words: str, directory: str | None = None) -> search.Found:
        asked.append(words)
        return await real(log, words, directory)

    monkeypatch.setattr(SqliteLog, "search", searching)
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(100, 30)) as pilot:
        await listing(pilot, app)
        for key in "needle":
            app.post_message(textual_events.Key(key, key))
        await until(pilot, lambda: any("needle here" in row for row in rows(app)), "what was found")
        assert set(asked) == {"needle"} and len(asked) > 1
        await pilot.press("escape")


async def test_all_folders_are_shown_and_those_elsewhere_are_only_looked_at(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(100, 30)) as pilot:
        await listing(pilot, app)
        assert len(rows(app)) == 2
        await pilot.press("tab")
        await until(pilot, lambda: len(rows(app)) == 3, "all of them")
        assert "elsewhere" in rows(app)[0] and "all folders  3" in screen_text(app)
        await pilot.press("up", "enter")
        await until(pilot, lambda: "of another folder: f3 looks at it" in screen_text(app))
        await pilot.press("f3")
        await until(pilot, lambda: "needle" in screen_text(app), "the session")
        assert isinstance(app.screen, LookingScreen) and "nothing can be sent here" in screen_text(app)
        await pilot.press("x", "enter", "escape")
        await until(pilot, lambda: app.screen is app.chat, "the chat")
        assert app.chat.engine.host is not None and app.chat.engine.host.session.id == ""


async def test_deleting_needs_another_key_right_behind(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    app = chat_app(machine, monkeypatch, "--resume", SESSION)
    async with app.run_test(size=(100, 30)) as pilot:
        await listing(pilot, app)
        await pilot.press("ctrl+y", "f8", "f8", "f8")
        assert "ctrl+y deletes it for good, which cannot be undone: in shop" in " ".join(screen_text(app).split())
        await pilot.press("down", "ctrl+y", "f8")
        assert "this is the session that is open" in screen_text(app)
        await pilot.press("ctrl+y", "up", "ctrl+y")
        assert len(await saved(machine)) == 3
        await pilot.press("f8", "ctrl+y")
        await until(pilot, lambda: len(rows(app)) == 1, "one less")
        assert set(await saved(machine)) == {SESSION, "20260103-0900-aaaaaa"}
        await pilot.press("escape")


async def test_a_session_is_named_in_the_list_and_in_the_chat(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = chat_app(machine, monkeypatch, "--resume", SESSION)
    async with app.run_test(size=(100, 30)) as pilot:
        await listing(pilot, app)
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, NamingScreen), "the name")
        for key in ("ctrl+u", "m", "y", "enter"):  # at once, as a paste or a fast hand sends them
            app.post_message(textual_events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: isinstance(app.screen, SessionsScreen) and "my" in rows(app)[0], "the new name")
        await pilot.press("escape")
        await submit(pilot, "/rename the cart")
        await until(pilot, lambda: app.chat.engine.host is not None and len(app._notifications) > 0)
        assert await saved(machine) == {SESSION: "the cart", OTHER: "my", "20260103-0900-aaaaaa": "in elsewhere"}
        await submit(pilot, "/rename")
        await until(pilot, lambda: isinstance(app.screen, NamingScreen), "the name")
        assert "call it  the cart" in screen_text(app)
        await pilot.press("escape")


async def test_a_fork_begins_before_the_prompt_that_is_chosen(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = chat_app(machine, monkeypatch, "--resume", SESSION)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, says(app, "second"))
        await submit(pilot, "/fork")
        await until(pilot, lambda: isinstance(app.screen, ChoosingScreen), "the prompts")
        await pilot.press(*"second", "enter")
        await until(pilot, says(app, "this is a copy: "))
        host = app.chat.engine.host
        assert host is not None and host.session.id not in (SESSION, "")
        assert [record.event for record in host.session.records][1:] == turn(
            "first question", "Rounding the\nCart_Total twice."
        )
        assert app.chat.query_one(PromptArea).draft == "second"
        assert len(await host.archive.read(SESSION)) == 7
        assert (await saved(machine))[host.session.id] == "copy of first question"
        await host.resume(SESSION)  # nobody has it open any more


@pytest.mark.parametrize(("words", "ending"), [("/export html", "html"), ("/export j", "json"), ("/export", "md")])
async def test_a_session_is_written_to_the_folder_and_nothing_is_overwritten(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, words: str, ending: str
) -> None:
    app = chat_app(machine, monkeypatch, "--resume", SESSION)
    taken = machine.project / f"session-first-question-{SESSION}.{ending}"
    taken.write_text("mine")
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, says(app, "second"))
        await submit(pilot, words)
        if words == "/export":
            await until(pilot, lambda: isinstance(app.screen, ChoosingScreen), "the forms")
            await pilot.press("enter")
        await until(pilot, says(app, "written without keys:"))
        assert taken.read_text() == "mine"
        (written,) = [path for path in machine.project.iterdir() if path != taken]
        assert written.name == f"session-first-question-{SESSION}-2.{ending}" and "Cart" in written.read_text()
        await submit(pilot, "/export pdf")
        await until(pilot, says(app, "a session cannot be written as pdf"))


async def test_a_replay_shows_it_again_and_escape_stops_it(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    app = chat_app(machine, monkeypatch, "--resume", SESSION)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, says(app, "second"))
        await submit(pilot, "/replay 1000")
        await until(pilot, lambda: "the end" in screen_text(app), "the end")
        await until(pilot, lambda: "Cart_Total" in screen_text(app) and "second" in screen_text(app), "all of it")
        await pilot.press("escape")
        await submit(pilot, "/replay 0.2")
        await until(pilot, lambda: "replay, 0.2 × as fast" in screen_text(app) and "question" in screen_text(app))
        await pilot.press("escape")
        assert app.screen is app.chat
        await submit(pilot, "/replay backwards")
        await until(pilot, says(app, "backwards is no speed"))
        assert not [worker for worker in app.workers if worker.name == "_replay" and worker.is_running]


async def test_of_an_empty_session_there_is_nothing_to_name_copy_write_or_show(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.chat.engine.opened, "the engine")
        for words, said in (
            ("/rename x", "nothing to name yet"),
            ("/fork", "nothing to copy yet"),
            ("/export html", "nothing to write yet"),
            ("/replay", "nothing has happened yet"),
        ):
            await submit(pilot, words)
            await until(pilot, says(app, said))


@pytest.mark.promise("P34")
@pytest.mark.parametrize("how", ["--resume", "the list"])
async def test_the_second_window_is_told_before_anything_is_shown_and_may_look_or_copy(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    first = SqliteLog(machine.home / "data" / "sessions.db")
    await first.hold(SESSION)
    app = chat_app(machine, monkeypatch, *(("--resume", SESSION) if how == "--resume" else ()))
    async with app.run_test(size=(120, 30)) as pilot:
        if how == "the list":
            await listing(pilot, app)
            await pilot.press("down", "enter")
        await until(pilot, lambda: f"process {os.getpid()} since" in screen_text(app), "who has it")
        assert isinstance(app.screen, ChoosingScreen) and not says(app, "Cart_Total")()
        await pilot.press(*"look", "enter")
        await until(pilot, lambda: "Cart_Total" in screen_text(app), "the session")
        assert isinstance(app.screen, LookingScreen)
        await pilot.press("escape")
        host = app.chat.engine.host
        assert host is not None and host.session.id == ""
        last = (await first.read(SESSION))[-1]
        await first.append(last, PromptSubmitted("from the first window"), 9.0)

        await listing(pilot, app)
        await pilot.press("enter")  # it is the latest one now
        await until(pilot, lambda: isinstance(app.screen, ChoosingScreen), "the question")
        await pilot.press("enter")
        await until(pilot, lambda: "all of it" in screen_text(app), "the prompts")
        await pilot.press("enter")
        await until(pilot, says(app, "this is a copy: "))
        assert says(app, "from the first window")() and host.session.id not in ("", SESSION)
        assert await first.verify(SESSION) == ""
    await first.aclose()


async def test_a_prompt_is_not_sent_to_a_session_that_another_window_has(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Declined, the window begins a session of its own."""
    first = SqliteLog(machine.home / "data" / "sessions.db")
    await first.hold(SESSION)
    with ChatServer([reply_text("Fine.")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch, "--resume", SESSION)
        async with app.run_test(size=(120, 30)) as pilot:
            await until(pilot, lambda: isinstance(app.screen, ChoosingScreen), "the question")
            await pilot.press("escape")
            await until(pilot, says(app, "is open in another window"))
            await submit(pilot, "hello")
            await until(pilot, says(app, "Fine."))
            assert app.chat.engine.host is not None and app.chat.engine.host.session.id not in ("", SESSION)
        assert "first question" not in json.dumps([request.body for request in server.requests])
    assert len(await first.read(SESSION)) == 7
    await first.aclose()


async def test_where_nothing_can_be_locked_that_is_said(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    locks = machine.home / "data" / "locks"
    locks.rmdir()
    locks.write_text("a file")
    app = chat_app(machine, monkeypatch, "--resume", SESSION)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, says(app, "another window would not be told"))
