"""Undo, redo and rewind of a session: files, what the model is told, and a log that only grows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.test_session import Face, provider_for
from tests.fakes.chat_server import ChatServer, Reply, Stall, history_problems, reply_calls, reply_steps, reply_text
from tui_agent.agent.context import messages
from tui_agent.agent.journal import TurnOptions
from tui_agent.agent.session import Session
from tui_agent.agent.undo import NothingToUndo, past
from tui_agent.conversation.errors import StoreError
from tui_agent.conversation.events import (
    AssistantReplied,
    DecisionMade,
    Event,
    FilesRestored,
    LoggedEvent,
    Noticed,
    PromptSubmitted,
    Record,
    Rewound,
    ToolFinished,
    ToolOutput,
    TurnEnded,
)
from tui_agent.conversation.messages import ToolCall, Usage
from tui_agent.store.sqlite import SqliteLog
from tui_agent.tools.executor import ToolExecutor
from tui_agent.tools.recording import Recording
from tui_agent.workspace.snapshots.snapshots import Snapshots


def writes(name: str, content: str) -> Reply:
    return reply_calls([("write_file", {"file_path": name, "content": content})])


def runs(*commands: str, **more: Any) -> Reply:
    return reply_calls([("run_command", {"command": command, **more}) for command in commands])


@asynccontextmanager
async def opened(server: ChatServer, root: Path, face: Face | None = None) -> AsyncIterator[Session]:
    """A session with snapshots; when it was opened there before it is continued."""
    project = root / "project"
    project.mkdir(exist_ok=True)
    log = SqliteLog(root / "sessions.db")
    provider = provider_for(server)
    executor = ToolExecutor(project, approver=face or Face())
    snapshots = Snapshots(root / "snapshots", executor.workspace)
    executor.recorder = Recording(snapshots)
    session = Session(
        log=log,
        executor=executor,
        provider=provider,
        model="m",
        options=TurnOptions(directory=str(project)),
        working_directory=str(project),
        version="0",
        snapshots=snapshots,
    )
    for row in await log.sessions():
        session.continue_from(await log.read(row.id))
    try:
        yield session
    finally:
        assert not session.records or await log.verify(session.id) == ""
        await executor.aclose()
        await provider.aclose()
        await log.aclose()


async def turn(session: Session, prompt: str = "go") -> list[Event]:
    return [event async for event in session.run(prompt)]


def restored(events: list[LoggedEvent]) -> FilesRestored:
    (event,) = (event for event in events if isinstance(event, FilesRestored))
    return event


def texts(project: Path) -> dict[str, str]:
    return {str(path.relative_to(project)): path.read_text() for path in project.rglob("*") if path.is_file()}


async def test_the_last_turn_is_undone_and_redone_whatever_changed_it(tmp_path: Path) -> None:
    replies = [writes("new/a.txt", "a\n"), runs("echo b > b.txt; echo more >> new/a.txt", "rm c.txt"), reply_text("ok")]
    with ChatServer(replies) as server:
        async with opened(server, tmp_path) as session:
            project = tmp_path / "project"
            (project / "c.txt").write_text("c\n")
            (ended,) = (event for event in await turn(session) if isinstance(event, TurnEnded))
            assert (ended.files, ended.added, ended.removed) == (3, 3, 1)
            after = texts(project)
            assert after == {"new/a.txt": "a\nmore\n", "b.txt": "b\n"}
            undone = restored(await session.undoing.undo())
            assert texts(project) == {"c.txt": "c\n"} and not (project / "new").exists()
            assert {file.path for file in undone.files} == {"new/", "new/a.txt", "b.txt", "c.txt"} and not undone.left
            with pytest.raises(NothingToUndo):
                await session.undoing.undo()
            restored(await session.undoing.redo())
            assert texts(project) == after
            with pytest.raises(NothingToUndo):
                await session.undoing.redo()
            await session.undoing.undo()
            assert texts(project) == {"c.txt": "c\n"}


async def test_calls_are_undone_one_by_one(tmp_path: Path) -> None:
    with ChatServer([runs("echo 1 > f", "echo 2 > f", "true"), reply_text("ok")]) as server:
        async with opened(server, tmp_path) as session:
            await turn(session)
            project = tmp_path / "project"
            await session.undoing.undo("call")
            assert texts(project) == {"f": "1\n"}
            await session.undoing.undo("call")
            assert texts(project) == {}
            await session.undoing.redo()
            await session.undoing.redo()
            assert texts(project) == {"f": "2\n"}


async def test_redoing_gives_back_the_turns_as_they_were(tmp_path: Path) -> None:
    with ChatServer([runs("echo 1 > f"), reply_text("ok"), runs("echo 2 > f"), reply_text("ok")]) as server:
        async with opened(server, tmp_path) as session:
            first, second = [await turn(session, prompt) for prompt in ("one", "two")]
            assert first and second
            undoing, project = session.undoing, tmp_path / "project"
            for _ in range(2):
                await undoing.undo()
            for _ in range(2):
                await undoing.redo()
            assert texts(project) == {"f": "2\n"}
            await undoing.undo()  # the second turn alone
            assert texts(project) == {"f": "1\n"}
            await undoing.redo()
            await undoing.rewind(undoing.prompts()[1], files=True, conversation=True)
            assert texts(project) == {"f": "1\n"}


async def test_what_was_redone_after_another_turn_is_undone_by_itself(tmp_path: Path) -> None:
    replies = [runs("echo 1 > a; echo 1 > b"), reply_text("ok"), runs("echo 2 > a"), reply_text("ok")]
    with ChatServer(replies) as server:
        async with opened(server, tmp_path) as session:
            undoing, project = session.undoing, tmp_path / "project"
            await turn(session)
            await undoing.undo()
            await turn(session)
            redone = restored(await undoing.redo())
            assert texts(project) == {"a": "2\n", "b": "1\n"} and [path for path, _ in redone.left] == ["a"]
            await undoing.undo()
            assert texts(project) == {"a": "2\n"}
            assert not restored(await undoing.undo()).left
            assert texts(project) == {}


async def test_a_redo_that_put_nothing_back_is_not_undone(tmp_path: Path) -> None:
    with ChatServer([runs("echo 1 > a"), reply_text("ok"), runs("echo 2 > a"), reply_text("ok")]) as server:
        async with opened(server, tmp_path) as session:
            await turn(session)
            await session.undoing.undo()
            await turn(session)
            assert restored(await session.undoing.redo()).count == 0
            assert not restored(await session.undoing.undo()).left
            assert texts(tmp_path / "project") == {}


async def test_what_somebody_changed_since_is_left_alone_and_named(tmp_path: Path) -> None:
    with ChatServer([runs("echo 1 > mine; echo 1 > yours"), reply_text("ok")]) as server:
        async with opened(server, tmp_path) as session:
            await turn(session)
            (tmp_path / "project" / "yours").write_text("edited\n")
            undone = restored(await session.undoing.undo())
            assert texts(tmp_path / "project") == {"yours": "edited\n"}
            assert undone.left == (("yours", "it was changed since"),) and undone.count == 1


async def test_a_continued_session_undoes_what_was_done_before(tmp_path: Path) -> None:
    with ChatServer([runs("echo 1 > f"), reply_text("ok")]) as server:
        async with opened(server, tmp_path) as session:
            await turn(session)
        async with opened(server, tmp_path) as session:
            await session.undoing.undo()
            assert texts(tmp_path / "project") == {}
        async with opened(server, tmp_path) as session:
            await session.undoing.redo()
            assert texts(tmp_path / "project") == {"f": "1\n"}


async def test_a_stopped_command_is_undone_too(tmp_path: Path) -> None:
    with ChatServer([runs("echo 1 > f; echo now; sleep 60")]) as server:
        async with opened(server, tmp_path) as session:
            async for event in session.run("go"):
                if isinstance(event, ToolOutput):
                    session.interrupt()
            assert isinstance(ended := session.records[-1].event, TurnEnded) and ended.files == 1
            await session.undoing.undo()
            assert texts(tmp_path / "project") == {}


async def test_nothing_is_undone_while_a_turn_runs(tmp_path: Path) -> None:
    with ChatServer([reply_steps(Stall())]) as server:
        async with opened(server, tmp_path) as session:
            running = session.run("go")
            await anext(running)
            with pytest.raises(NothingToUndo, match="a turn is running"):
                await session.undoing.undo()
            session.interrupt()
            await running.aclose()


async def test_the_model_is_told_what_was_undone(tmp_path: Path) -> None:
    with ChatServer([writes("a.txt", "a\n"), reply_text("done"), reply_text("I see")]) as server:
        async with opened(server, tmp_path) as session:
            await turn(session)
            await session.undoing.undo()
            await turn(session, "and now?")
        sent = server.requests[-1].body["messages"]
        assert not history_problems(sent)
        assert sent[-1]["role"] == "user"
        assert "undid what was changed in a.txt" in sent[-1]["content"] and sent[-1]["content"].endswith("and now?")


async def test_rewinding_takes_back_files_and_what_is_sent(tmp_path: Path) -> None:
    replies = [
        writes("a.txt", "a\n"),
        reply_text("one"),
        writes("b.txt", "b\n"),
        reply_text("two"),
        reply_text("three"),
    ]
    with ChatServer(replies) as server:
        async with opened(server, tmp_path) as session:
            await turn(session, "first")
            await turn(session, "second")
            prompts = session.undoing.prompts()
            assert [prompt.text for prompt in prompts] == ["first", "second"]
            logged = await session.undoing.rewind(prompts[1], files=True, conversation=True)
            assert [type(event) for event in logged] == [FilesRestored, Rewound]
            assert texts(tmp_path / "project") == {"a.txt": "a\n"}
            assert [prompt.text for prompt in session.undoing.prompts()] == ["first"]
        async with opened(server, tmp_path) as session:
            await turn(session, "third")
        said = [message["content"] for message in server.requests[-1].body["messages"] if message["role"] == "user"]
        assert len(said) == 2 and said[0] == "first" and said[1].endswith("third") and "second" not in str(said)


async def test_a_rewound_conversation_keeps_its_files_and_they_can_still_be_undone(tmp_path: Path) -> None:
    with ChatServer([writes("a.txt", "a\n"), reply_text("one")]) as server:
        async with opened(server, tmp_path) as session:
            await turn(session, "first")
            await session.undoing.rewind(session.undoing.prompts()[0], files=False, conversation=True)
            assert texts(tmp_path / "project") == {"a.txt": "a\n"} and not session.undoing.prompts()
            await session.undoing.undo()
            assert texts(tmp_path / "project") == {}


async def test_a_command_in_the_background_says_before_that_it_cannot_be_undone(tmp_path: Path) -> None:
    face = Face()
    with ChatServer([runs("echo 1 > f", background=True), reply_text("ok")]) as server:
        async with opened(server, tmp_path, face) as session:
            await turn(session)
            assert any("cannot be undone" in reason for reason in face.asked[0].reasons)
            with pytest.raises(NothingToUndo):
                await session.undoing.undo()


async def test_a_store_that_cannot_be_used_is_said_before_and_the_call_still_runs(tmp_path: Path) -> None:
    (tmp_path / "snapshots").write_text("in the way")
    face = Face()
    with ChatServer([runs("echo 1 > f"), writes("g", "1\n"), reply_text("ok")]) as server:
        async with opened(server, tmp_path, face) as session:
            events = await turn(session)
            assert all("it cannot be undone: snapshots in" in request.reasons[-1] for request in face.asked)
            said = [event.text for event in events if isinstance(event, Noticed)]
            assert len(said) == 2 and "what runs now cannot be undone" in said[0]
            finished = [type(event) for event in events if isinstance(event, Noticed | ToolFinished)]
            assert finished == [Noticed, ToolFinished, Noticed, ToolFinished]
            assert texts(tmp_path / "project") == {"f": "1\n", "g": "1\n"}
            with pytest.raises(StoreError):
                await session.undoing.undo()


async def test_reading_keeps_nothing(tmp_path: Path) -> None:
    with ChatServer([reply_calls([("list_directory", {"path": "."})]), reply_text("ok")]) as server:
        async with opened(server, tmp_path) as session:
            await turn(session)
            assert not (tmp_path / "snapshots").exists()


# ---- the log as a whole ----

CALL = ToolCall("c", "run_command", "{}")
REPLY = AssistantReplied("", "", (CALL,), "tool_calls", "p", "m", Usage(), 0.1)
EVENTS: st.SearchStrategy[LoggedEvent] = st.one_of(
    st.sampled_from(("one", "two")).map(PromptSubmitted),
    st.just(REPLY),
    st.just(AssistantReplied("hi", "", (), "stop", "p", "m", Usage(), 0.1)),
    st.sampled_from("abc").map(lambda name: DecisionMade("c", "run_command", "allowed", "user", snapshot=name)),
    st.just(ToolFinished("c", "run_command", "", "ok", "fine", 0.1)),
    st.just(TurnEnded("done")),
    st.integers(1, 12).map(Rewound),
    st.builds(
        lambda kind, calls, count: FilesRestored(kind, tuple(calls), (), (), count, 0, "s"),
        st.sampled_from(("undo", "redo", "rewind")),
        st.lists(st.sampled_from("abc"), unique=True),
        st.integers(0, 2),
    ),
)


@given(st.lists(EVENTS, max_size=14))
def test_every_log_can_be_sent_and_every_call_holds_or_is_undone(events: list[LoggedEvent]) -> None:
    sent = messages(events, "system")
    open_calls: list[str] = []
    for message in sent:
        if message.role == "tool":
            open_calls.remove(message.tool_call_id)
        else:
            assert not open_calls
            open_calls = [call.id for call in message.tool_calls]
    assert not open_calls
    assert all(one.role != "user" or other.role != "user" for one, other in pairwise(sent))
    records = [Record("s", seq, 0.0, event, "") for seq, event in enumerate(events, start=1)]
    found = past(records)
    assert sorted(name for turn in found.done for name in turn) == sorted(n for _, names in found.since for n in names)
    assert all(prompt.text == events[prompt.seq - 1].text for prompt in found.prompts)  # type: ignore[union-attr]
