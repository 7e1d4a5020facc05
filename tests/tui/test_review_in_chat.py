"""Reviews in the whole chat: several files of one reply, a file that changes meanwhile, and answers given ahead."""

import asyncio
from typing import Any

import pytest

from tests.fakes.chat_server import ChatServer, reply_calls, reply_text
from tests.project import Machine
from tests.tui.chat_stage import chat_app, screen_text, submit, until
from tests.tui.questions import change
from tests.tui.test_chat import machine, says, serve
from tui_agent.permissions.approval import AllowOnce, ApprovalRequest, WriteAccess
from tui_agent.tui.screens.review import ReviewScreen
from tui_agent.workspace.changes import ChangePlan

__all__ = ["machine"]

LINES = "".join(f"{number}\n" for number in range(1, 41))
CHANGED = LINES.replace("\n5\n", "\nfive\n").replace("\n20\n", "\ntwenty\n").replace("\n38\n", "\nthirty-eight\n")


def writes(*files: tuple[str, str]) -> Any:
    calls = [("write_file", {"file_path": name, "content": content}) for name, content in files]
    return reply_calls(calls, answer="Writing.")


def told(server: ChatServer) -> list[str]:
    """What the model heard of the last calls."""
    return [message["content"] for message in server.bodies[-1]["messages"] if message["role"] == "tool"]


async def open_review(app: Any, pilot: Any, after: ReviewScreen | None = None) -> ReviewScreen:
    """The review of the question in front, which is another one than that of the review before."""
    before = None if after is None else after._request
    await until(pilot, lambda: app.chat._questions.first not in (None, before), "a question")
    await until(pilot, lambda: app.chat._questions._panel.request is app.chat._questions.first, "the panel")
    await pilot.press("ctrl+r")
    await until(pilot, lambda: isinstance(app.screen, ReviewScreen) and app.screen.review, "the review")
    screen = app.screen
    assert isinstance(screen, ReviewScreen)
    return screen


async def answer(app: Any, pilot: Any, screen: ReviewScreen, key: str) -> None:
    await until(pilot, lambda: screen._bar is not None and screen._bar.armed, "keys that answer")
    await pilot.press(key)
    await until(pilot, lambda: app.screen is app.chat, "the chat")


async def test_three_files_are_decided_in_one_review(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer([writes(("a", "a\n"), ("b", "b\n"), ("c", "c\n")), reply_text("Done.")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(120, 30)) as pilot:
            await submit(pilot, "write")
            screen = await open_review(app, pilot)
            assert "file 1 of 3" in screen_text(app)
            await pilot.press("right_square_bracket", "right_square_bracket", "x")
            await until(pilot, says(app, "write 2 of 3 hunks in 2 of 3 files"))
            await answer(app, pilot, screen, "y")
            await until(pilot, says(app, "Done."))
        assert {path.name for path in machine.project.iterdir()} == {"a", "b"}
        assert ["created" in text for text in told(server)] == [True, True, False]
        assert "denied by the user" in told(server)[2]


async def test_what_was_decided_survives_a_change_on_disk(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    path = machine.project / "n.txt"
    path.write_text(LINES)
    read = reply_calls([("read_file", {"file_path": "n.txt"})])
    other = "\nXXX\n"
    replies = [
        read,
        writes(("n.txt", CHANGED)),
        writes(("n.txt", CHANGED.replace("\n30\n", other))),
        reply_text("Done."),
    ]
    with ChatServer(replies) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(120, 40)) as pilot:
            await submit(pilot, "write")
            screen = await open_review(app, pilot)
            await pilot.press("space")
            await until(pilot, says(app, "write 2 of 3 hunks"))
            path.write_text(LINES.replace("\n30\n", other))
            await answer(app, pilot, screen, "y")
            # Nothing was written; the model was shown the file as it is, and made the same change to that.
            screen = await open_review(app, pilot, screen)
            assert path.read_text() == LINES.replace("\n30\n", other)
            assert "proposed again: what you decided about 1 equal hunk was taken over" in screen_text(app)
            await answer(app, pilot, screen, "y")
            await until(pilot, says(app, "Done."))
        assert path.read_text() == CHANGED.replace("\n30\n", other).replace("\nfive\n", "\n5\n")
        assert "has changed" in told(server)[1] and "so nothing was" in told(server)[1]


async def test_a_change_that_is_asked_about_again_is_shown_as_it_is_now(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([writes(("sub/a", "a\n")), reply_text("Done.")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(120, 40)) as pilot:
            await submit(pilot, "write")
            screen = await open_review(app, pilot)
            await pilot.press("m", *"why", "enter")
            await until(pilot, says(app, '"why"'))
            (machine.project / "sub").mkdir()  # where it would be written is another place now
            await answer(app, pilot, screen, "y")
            await open_review(app, pilot, screen)
            text = screen_text(app)
            assert "changed on disk since; this is the new diff" in text


async def test_a_yes_on_the_panel_to_what_was_changed_in_the_review_is_given_there(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = machine.project / "n.txt"
    path.write_text(LINES)
    read = reply_calls([("read_file", {"file_path": "n.txt"})])
    with ChatServer([read, writes(("n.txt", CHANGED)), reply_text("Done.")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(120, 40)) as pilot:
            await submit(pilot, "write")
            await open_review(app, pilot)
            await pilot.press("j", "space", "escape")
            await until(pilot, lambda: app.screen is app.chat, "the chat")
            await until(pilot, lambda: app.chat._questions.armed, "keys that answer")
            await pilot.press("y")
            await until(pilot, lambda: isinstance(app.screen, ReviewScreen), "the review")
            await until(pilot, says(app, "write 2 of 3 hunks"))
            assert path.read_text() == LINES
            screen = app.screen
            assert isinstance(screen, ReviewScreen)
            await answer(app, pilot, screen, "y")
            await until(pilot, lambda: not app.chat.busy, "the end")
            assert not app.chat._questions._reviewed
        assert path.read_text() == CHANGED.replace("\ntwenty\n", "\n20\n")
        assert "2 applied as proposed, 0 changed by the user, 1 refused" in told(server)[-1]


async def test_stopping_the_turn_forgets_what_was_answered_ahead(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([writes(("a", "a\n"), ("b", "b\n")), reply_text("Done.")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(120, 30)) as pilot:
            await submit(pilot, "write")
            await open_review(app, pilot)
            await pilot.press("right_square_bracket", "x", "escape")
            await until(pilot, lambda: app.screen is app.chat, "the chat")
            assert app.chat._questions._reviewed
            await until(pilot, lambda: app.chat._questions.armed, "keys that answer")
            await pilot.press("escape")
            await until(pilot, lambda: not app.chat.busy, "the end")
            assert not app.chat._questions._reviewed and not app.chat._questions._ahead


def asks(name: str, content: str, call: str, *following: ApprovalRequest) -> ApprovalRequest:
    plan = ChangePlan((change(None, content, name),))
    return ApprovalRequest(call, "write_file", name, WriteAccess(plan), ("no rule",), plan.digest, following=following)


async def test_an_answer_given_ahead_is_one_to_exactly_what_was_shown_and_only_once(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: app.chat.engine.opened, "the engine")
        later, other = asks("b", "b\n", "2"), asks("c", "c\n", "3")
        first = asyncio.ensure_future(app.chat.approve(asks("a", "a\n", "1", later, other)))
        screen = await open_review(app, pilot)
        await pilot.press("right_square_bracket", "right_square_bracket")
        await answer(app, pilot, screen, "y")
        assert isinstance(await first, AllowOnce)
        assert await app.chat.approve(later) == AllowOnce(later.digest)
        again = asyncio.ensure_future(app.chat.approve(later))
        changed = asyncio.ensure_future(app.chat.approve(asks("c", "other\n", "3")))
        await pilot.pause(0.2)
        assert not again.done() and not changed.done()
        again.cancel()
        changed.cancel()


async def test_a_question_that_comes_while_a_review_is_open_waits_behind_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: app.chat.engine.opened, "the engine")
        first = asyncio.ensure_future(app.chat.approve(asks("a", "a\n", "1")))
        screen = await open_review(app, pilot)
        await pilot.press("e", *"typed ")
        second = asyncio.ensure_future(app.chat.approve(asks("b", "b\n", "2")))
        await pilot.pause(0.2)
        assert app.screen is screen and "typed a" in screen_text(app)
        await pilot.press("ctrl+s")
        await answer(app, pilot, screen, "y")
        decision = await first
        assert isinstance(decision, AllowOnce) and decision.files[0].after == b"typed a\n"
        await until(pilot, lambda: app.chat._questions.first is not None and "b" in screen_text(app), "the other")
        assert not app.chat._questions.armed and not second.done()
        second.cancel()
