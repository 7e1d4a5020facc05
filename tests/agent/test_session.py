"""A session against a real server: turns, tools, stops, and a log that is valid whatever happens."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.fakes.chat_server import (
    ChatServer,
    Reply,
    Reset,
    Stall,
    delta,
    finish,
    reply_calls,
    reply_error,
    reply_steps,
    reply_text,
    text,
)
from tui_agent.agent.journal import TurnOptions
from tui_agent.agent.session import Session
from tui_agent.config.model import ProviderSettings
from tui_agent.conversation.errors import StoreError
from tui_agent.conversation.events import (
    AssistantReplied,
    DecisionMade,
    Event,
    LoggedEvent,
    ModeChanged,
    ModelSwitched,
    Noticed,
    PromptSubmitted,
    Record,
    SessionStarted,
    TextDelta,
    ToolFinished,
    ToolOutput,
    TurnEnded,
)
from tui_agent.permissions.approval import AllowOnce, ApprovalDecision, ApprovalRequest, Denied
from tui_agent.providers.openai_chat import OpenAIChatProvider
from tui_agent.store.log import SessionLog
from tui_agent.store.sqlite import SqliteLog
from tui_agent.tools.executor import ToolExecutor

Answer = Callable[[ApprovalRequest], ApprovalDecision]


class Face:
    """Answers questions by a function and remembers them."""

    def __init__(self, answer: Answer = lambda request: AllowOnce(request.digest)) -> None:
        self.answer = answer
        self.asked: list[ApprovalRequest] = []

    async def approve(self, request: ApprovalRequest) -> ApprovalDecision:
        self.asked.append(request)
        return self.answer(request)


def provider_for(server: ChatServer, name: str = "fake") -> OpenAIChatProvider:
    settings = ProviderSettings(base_url=server.url, requires_api_key=False, max_retries=0, timeout=20)
    return OpenAIChatProvider(name, settings, server.url, lambda: "not-needed")


@asynccontextmanager
async def session_with(
    server: ChatServer, root: Path, face: Face | None = None, log: SessionLog | None = None, **options: int
) -> AsyncIterator[Session]:
    project = root / "project"
    project.mkdir(exist_ok=True)
    store = log or SqliteLog(root / "sessions.db")
    provider = provider_for(server)
    executor = ToolExecutor(working_directory=project, approver=face or Face())
    session = Session(
        log=store,
        executor=executor,
        provider=provider,
        model="m",
        options=TurnOptions(directory=str(project), **options),
        working_directory=str(project),
        version="0",
    )
    try:
        yield session
    finally:
        await executor.aclose()
        await provider.aclose()
        await store.aclose()


async def collect(session: Session, prompt: str) -> list[Event]:
    return [event async for event in session.run(prompt)]


def logged(session: Session, kind: type[LoggedEvent]) -> list[LoggedEvent]:
    return [record.event for record in session.records if isinstance(record.event, kind)]


def write(path: str, content: str = "x\n", first: int = 1) -> Reply:
    return reply_calls([("write_file", {"file_path": path, "content": content})], first=first)


async def test_a_question_is_answered_and_the_log_holds_whole_items_only(tmp_path: Path) -> None:
    with ChatServer([reply_text("Hello there.", chunk=2)]) as server:
        async with session_with(server, tmp_path) as session:
            events = await collect(session, "hi")
            assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Hello there."
            kinds = [type(record.event) for record in session.records]
            assert kinds == [SessionStarted, PromptSubmitted, AssistantReplied, TurnEnded]
            assert isinstance(events[-1], TurnEnded) and events[-1].reason == "done"


async def test_what_is_logged_is_what_a_later_reader_gets(tmp_path: Path) -> None:
    with ChatServer([write("a.txt"), reply_text("Done.")]) as server:
        async with session_with(server, tmp_path) as session:
            await collect(session, "go")
            kept, session_id = list(session.records), session.id
        log = SqliteLog(tmp_path / "sessions.db")
        assert await log.read(session_id) == kept
        assert await log.verify(session_id) == ""
        await log.aclose()


async def test_a_turn_goes_on_until_the_model_calls_no_more_tools(tmp_path: Path) -> None:
    with ChatServer([write("a.txt", first=1), write("b.txt", first=2), reply_text("Both.")]) as server:
        async with session_with(server, tmp_path) as session:
            await collect(session, "go")
        assert (tmp_path / "project" / "a.txt").exists() and (tmp_path / "project" / "b.txt").exists()
        assert [message["role"] for message in server.bodies[2]["messages"]] == [
            *("system", "user", "assistant", "tool", "assistant", "tool")
        ]


@pytest.mark.promise("P14")
async def test_what_was_repaired_in_a_call_is_logged_with_its_result(tmp_path: Path) -> None:
    face = Face()
    with ChatServer([reply_calls([("write_file", {"path": "a.txt", "text": "x\n"})]), reply_text("Done.")]) as server:
        async with session_with(server, tmp_path, face) as session:
            await collect(session, "go")
            (finished,) = logged(session, ToolFinished)
            assert isinstance(finished, ToolFinished)
            assert finished.repairs == face.asked[0].repairs == ("path → file_path", "text → content")


@pytest.mark.promise("P18")
async def test_parallel_calls_are_asked_one_by_one_and_answered_in_order(tmp_path: Path) -> None:
    calls = [("write_file", {"file_path": f"{name}.txt", "content": name}) for name in "abc"]
    face = Face(lambda request: Denied("not b") if request.title.startswith("b") else AllowOnce(request.digest))
    with ChatServer([reply_calls(calls), reply_text("ok")]) as server:
        async with session_with(server, tmp_path, face) as session:
            await collect(session, "go")
        results = [message for message in server.bodies[1]["messages"] if message["role"] == "tool"]
    assert [(request.position, request.total) for request in face.asked] == [(1, 3), (2, 3), (3, 3)]
    assert [result["tool_call_id"] for result in results] == ["call_1", "call_2", "call_3"]
    assert "not b" in results[1]["content"] and "denied" in results[1]["content"]
    assert sorted(path.name for path in (tmp_path / "project").iterdir()) == ["a.txt", "c.txt"]


async def test_denying_with_stop_ends_the_turn_and_leaves_a_valid_history(tmp_path: Path) -> None:
    calls = [("write_file", {"file_path": f"{name}.txt", "content": name}) for name in "ab"]
    with ChatServer([reply_calls(calls), reply_text("fine")]) as server:
        async with session_with(server, tmp_path, Face(lambda _: Denied(stop=True))) as session:
            events = await collect(session, "go")
            assert isinstance(events[-1], TurnEnded) and events[-1].reason == "denied"
            statuses = [event.status for event in logged(session, ToolFinished)]  # type: ignore[union-attr]
            assert statuses == ["denied", "cancelled"]
            await collect(session, "again")  # the server refuses histories with a call that has no result
            assert logged(session, TurnEnded)[-1].reason == "done"  # type: ignore[union-attr]


@pytest.mark.promise("P26")
async def test_an_interrupted_answer_is_kept_as_far_as_it_came(tmp_path: Path) -> None:
    with ChatServer([reply_steps(delta(role="assistant"), text("Half an"), Stall()), reply_text("Whole.")]) as server:
        async with session_with(server, tmp_path) as session:
            events: list[Event] = []
            async for event in session.run("go"):
                events.append(event)
                if isinstance(event, TextDelta):
                    session.interrupt()
            assert isinstance(events[-1], TurnEnded) and events[-1].reason == "interrupted"
            reply = logged(session, AssistantReplied)[0]
            assert isinstance(reply, AssistantReplied) and (reply.text, reply.finish) == ("Half an", "incomplete")
            await collect(session, "again")
        assert "cut off" in server.bodies[1]["messages"][2]["content"]


async def test_leaving_the_iteration_stops_the_turn_and_logs_its_end(tmp_path: Path) -> None:
    with ChatServer([reply_steps(text("Half"), Stall())]) as server:
        async with session_with(server, tmp_path) as session:
            stream = session.run("go")
            async for event in stream:
                if isinstance(event, TextDelta):
                    break
            await stream.aclose()  # type: ignore[attr-defined]
            assert not session.busy
            assert isinstance(session.records[-1].event, TurnEnded)
            assert server.wait_for_disconnect(2)


@pytest.mark.promise("P26")
async def test_an_interrupted_question_gives_every_call_a_result(tmp_path: Path) -> None:
    session_box: list[Session] = []

    class Hesitant(Face):
        async def approve(self, request: ApprovalRequest) -> ApprovalDecision:
            session_box[0].interrupt()
            await asyncio.sleep(30)
            raise AssertionError("the question outlived the turn")

    calls = [("write_file", {"file_path": f"{name}.txt", "content": name}) for name in "ab"]
    with ChatServer([reply_calls(calls), reply_text("fine")]) as server:
        async with session_with(server, tmp_path, Hesitant()) as session:
            session_box.append(session)
            await collect(session, "go")
            assert [event.status for event in logged(session, ToolFinished)] == ["cancelled"] * 2  # type: ignore[union-attr]
            assert not list((tmp_path / "project").iterdir())
            await collect(session, "again")
            assert len(server.requests) == 2


@pytest.mark.promise("P26")
async def test_a_command_stopped_while_it_runs_is_not_called_not_run(tmp_path: Path) -> None:
    command = "echo begun; sleep 30; touch ended"
    with ChatServer([reply_calls([("run_command", {"command": command})]), reply_text("fine")]) as server:
        async with session_with(server, tmp_path) as session:
            async for event in session.run("go"):
                if isinstance(event, ToolOutput):
                    session.interrupt()
            (finished,) = logged(session, ToolFinished)
            assert isinstance(finished, ToolFinished)
            assert finished.status == "cancelled" and "in part" in finished.content
            await collect(session, "again")
        assert not (tmp_path / "project" / "ended").exists()


@pytest.mark.promise("P6", "P7")
async def test_a_cut_stream_is_an_error_and_its_half_call_does_not_run(tmp_path: Path) -> None:
    cut = [text("I will"), delta(tool_calls=[{"index": 0, "id": "c", "function": {"name": "write_file"}}]), Reset()]
    with ChatServer([reply_steps(*cut)]) as server:
        async with session_with(server, tmp_path) as session:
            events = await collect(session, "go")
            assert isinstance(events[-1], TurnEnded) and events[-1].reason == "error"
            assert any(isinstance(event, Noticed) and event.level == "error" for event in events)
            assert not logged(session, ToolFinished)
            assert server.requests and not list((tmp_path / "project").iterdir())


async def test_a_reply_without_an_end_is_stopped_and_kept_as_far_as_it_came(tmp_path: Path) -> None:
    with ChatServer([reply_steps(*[text("x" * 1_000_000)] * 9, Stall()), reply_text("ok")]) as server:
        async with session_with(server, tmp_path) as session:
            events = await collect(session, "go")
            assert isinstance(events[-1], TurnEnded) and (events[-1].reason, events[-1].cause) == ("error", "protocol")
            (reply,) = logged(session, AssistantReplied)
            assert isinstance(reply, AssistantReplied) and len(reply.text) == 8_000_000
            assert any(isinstance(event, Noticed) and "longer than 8 MB" in event.text for event in events)


@pytest.mark.promise("P3")
async def test_a_provider_error_costs_the_turn_and_not_the_session(tmp_path: Path) -> None:
    with ChatServer([reply_error(400, "bad request"), reply_text("Fine now.")]) as server:
        async with session_with(server, tmp_path) as session:
            events = await collect(session, "go")
            assert isinstance(events[-1], TurnEnded) and (events[-1].reason, events[-1].cause) == ("error", "request")
            events = await collect(session, "again")
            assert isinstance(events[-1], TurnEnded) and events[-1].reason == "done"
        assert server.bodies[1]["messages"][1]["content"] == "go\n\nagain"


@pytest.mark.promise("P13")
async def test_malformed_calls_are_told_to_the_model_and_end_the_turn_after_three(tmp_path: Path) -> None:
    with ChatServer(reply_calls([("read_file", '{"file_path": "x')])) as server:
        async with session_with(server, tmp_path) as session:
            events = await collect(session, "go")
        assert len(server.requests) == 3
        assert "JSON" in server.bodies[1]["messages"][-1]["content"]
        assert any(isinstance(event, Noticed) and "could be understood" in event.text for event in events)


@pytest.mark.promise("P16")
async def test_an_unknown_tool_is_told_to_the_model_by_name(tmp_path: Path) -> None:
    with ChatServer([reply_calls([("delete_all", {})]), reply_text("ok")]) as server:
        async with session_with(server, tmp_path) as session:
            await collect(session, "go")
        told = server.bodies[1]["messages"][-1]["content"]
        assert "delete_all" in told and "read_file" in told


@pytest.mark.promise("P25")
async def test_the_same_call_with_the_same_result_ends_the_turn(tmp_path: Path) -> None:
    with ChatServer(reply_calls([("list_directory", {"path": "."})])) as server:
        async with session_with(server, tmp_path) as session:
            events = await collect(session, "go")
        assert len(server.requests) == 4
        assert any(isinstance(event, Noticed) and "same call" in event.text for event in events)


@pytest.mark.promise("P19")
async def test_an_empty_reply_is_asked_for_once_more(tmp_path: Path) -> None:
    with ChatServer([reply_steps(finish("stop")), reply_text("Now.")]) as server:
        async with session_with(server, tmp_path) as session:
            events = await collect(session, "go")
        assert len(server.requests) == 2
        assert not any(isinstance(event, Noticed) for event in events)


@pytest.mark.promise("P19")
async def test_two_empty_replies_are_said(tmp_path: Path) -> None:
    with ChatServer(reply_steps(finish("stop"))) as server:
        async with session_with(server, tmp_path) as session:
            events = await collect(session, "go")
        assert len(server.requests) == 2
        assert any(isinstance(event, Noticed) and "empty reply" in event.text for event in events)


@pytest.mark.promise("P20")
async def test_a_reply_cut_by_length_is_said_and_its_call_is_not_run(tmp_path: Path) -> None:
    cut = reply_calls([("write_file", {"file_path": "a.txt", "content": "x"})], answer="So", reason="length")
    with ChatServer([cut]) as server:
        async with session_with(server, tmp_path) as session:
            events = await collect(session, "go")
            assert any(isinstance(event, Noticed) and "length limit" in event.text for event in events)
            assert not list((tmp_path / "project").iterdir())


async def test_a_steered_prompt_is_sent_after_the_current_tool(tmp_path: Path) -> None:
    box: list[Session] = []

    def steer(request: ApprovalRequest) -> ApprovalDecision:
        box[0].steer("make it short")
        return AllowOnce(request.digest)

    with ChatServer([write("a.txt"), reply_text("ok")]) as server:
        async with session_with(server, tmp_path, Face(steer)) as session:
            box.append(session)
            await collect(session, "go")
        assert [m["role"] for m in server.bodies[1]["messages"]][-2:] == ["tool", "user"]
        assert server.bodies[1]["messages"][-1]["content"] == "make it short"


async def test_switching_takes_effect_with_the_next_request_and_is_logged(tmp_path: Path) -> None:
    with ChatServer([reply_text("one")]) as first, ChatServer([reply_text("two")]) as second:
        async with session_with(first, tmp_path) as session:
            await collect(session, "a")
            other = provider_for(second, "other")
            await session.switch(other, "big")
            events = await collect(session, "b")
            await other.aclose()
            replies = [event for event in events if isinstance(event, AssistantReplied)]
            assert (replies[0].provider, replies[0].model, replies[0].text) == ("other", "big", "two")
            assert logged(session, ModelSwitched) == [ModelSwitched("other", "big")]
        assert [message["content"] for message in second.bodies[0]["messages"][1:]] == ["a", "one", "b"]


async def test_plan_mode_refuses_writes_with_a_reason_for_the_model(tmp_path: Path) -> None:
    with ChatServer([write("a.txt"), reply_text("a plan")]) as server:
        async with session_with(server, tmp_path) as session:
            await session.set_mode("plan")
            await collect(session, "go")
        assert "plan mode" in server.bodies[1]["messages"][-1]["content"].lower()
        assert not list((tmp_path / "project").iterdir())


async def test_decisions_are_logged_with_who_made_them(tmp_path: Path) -> None:
    with ChatServer([write("a.txt"), reply_text("ok")]) as server:
        async with session_with(server, tmp_path) as session:
            await collect(session, "go")
            made = logged(session, DecisionMade)[0]
    assert isinstance(made, DecisionMade)
    assert (made.tool, made.outcome, made.by) == ("write_file", "allowed", "user") and made.digest


async def test_without_a_model_the_first_one_served_is_taken(tmp_path: Path) -> None:
    with ChatServer([reply_text("ok")], models=["first", "second"]) as server:
        async with session_with(server, tmp_path) as session:
            session.model = ""
            await collect(session, "go")
            assert session.model == "first"
        assert server.bodies[0]["model"] == "first"


class FullDisk(SqliteLog):
    """Writes two records, then the disk is full."""

    async def append(self, previous: Record, event: LoggedEvent, at: float) -> Record:
        if previous.seq >= 2:
            raise StoreError("session log: database or disk is full")
        return await super().append(previous, event, at)


@pytest.mark.promise("P30")
async def test_a_full_disk_is_said_once_and_the_chat_goes_on_in_memory(tmp_path: Path) -> None:
    with ChatServer([reply_text("one"), reply_text("two")]) as server:
        async with session_with(server, tmp_path, log=FullDisk(tmp_path / "s.db")) as session:
            events = [*await collect(session, "a"), *await collect(session, "b")]
            warnings = [event for event in events if isinstance(event, Noticed)]
            assert [warning.level for warning in warnings] == ["warning"]
            assert "goes on unsaved" in warnings[0].text
        assert [message["content"] for message in server.bodies[1]["messages"][1:]] == ["a", "one", "b"]


@pytest.mark.promise("P34")
async def test_a_session_continued_in_two_windows_is_forked_and_not_mixed(tmp_path: Path) -> None:
    with ChatServer([reply_text("ok")]) as server:
        async with session_with(server, tmp_path) as one, session_with(server, tmp_path) as two:
            await collect(one, "start")
            two.continue_from(await SqliteLog(tmp_path / "sessions.db").read(one.id))
            await collect(two, "from two")
            events = await collect(one, "from one")
            assert any(isinstance(event, Noticed) and "another window" in event.text for event in events)
            assert one.id != two.id
            log = SqliteLog(tmp_path / "sessions.db")
            texts = {
                session.id: [
                    record.event.text
                    for record in await log.read(session.id)
                    if isinstance(record.event, PromptSubmitted)
                ]
                for session in (one, two)
            }
            assert texts == {one.id: ["start", "from one"], two.id: ["start", "from two"]}
            assert [await log.verify(session.id) for session in (one, two)] == ["", ""]
            await log.aclose()


class SlowLog(SqliteLog):
    """Every append waits until it is let go, as on a disk that is busy."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.reached = asyncio.Event()
        self.let_go = asyncio.Event()
        self.slow: type[LoggedEvent] = TurnEnded

    async def append(self, previous: Record, event: LoggedEvent, at: float) -> Record:
        if isinstance(event, self.slow):
            self.reached.set()
            await self.let_go.wait()
        return await super().append(previous, event, at)


async def test_a_stop_while_a_result_is_being_logged_loses_and_doubles_nothing(tmp_path: Path) -> None:
    log = SlowLog(tmp_path / "s.db")
    log.slow = ToolFinished
    with ChatServer([write("a.txt"), reply_text("ok")]) as server:
        async with session_with(server, tmp_path, log=log) as session:
            task = asyncio.create_task(collect(session, "go"))
            await log.reached.wait()
            session.interrupt()
            session.interrupt()
            log.let_go.set()
            events = await task
            assert isinstance(events[-1], TurnEnded) and events[-1].reason == "interrupted"
            assert [event.status for event in logged(session, ToolFinished)] == ["ok"]  # type: ignore[union-attr]
            assert not any(isinstance(event, Noticed) for event in events)
            assert (await log.read(session.id)) == list(session.records)
            await collect(session, "again")
        told = [message["content"] for message in server.bodies[-1]["messages"] if message["role"] == "tool"]
        assert len(told) == 1 and "created a.txt" in told[0]


async def test_stopping_again_while_the_end_is_logged_still_ends_the_turn(tmp_path: Path) -> None:
    log = SlowLog(tmp_path / "s.db")
    with ChatServer([reply_steps(text("Half"), Stall())]) as server:
        async with session_with(server, tmp_path, log=log) as session:
            events: list[Event] = []

            async def follow() -> None:
                async for event in session.run("go"):
                    events.append(event)
                    if isinstance(event, TextDelta):
                        session.interrupt()

            task = asyncio.create_task(follow())
            await log.reached.wait()
            session.interrupt()
            log.let_go.set()
            await task
            assert isinstance(events[-1], TurnEnded)
            assert [event.text for event in logged(session, AssistantReplied)] == ["Half"]  # type: ignore[union-attr]


async def test_a_turn_stopped_before_its_first_step_keeps_the_prompt(tmp_path: Path) -> None:
    with ChatServer([reply_text("never")]) as server:
        async with session_with(server, tmp_path) as session:
            stream = session.run("my words")
            first = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            session.interrupt()
            events = [await first, *[event async for event in stream]]
            assert isinstance(events[-1], TurnEnded) and events[-1].reason == "interrupted"
            assert [event.text for event in logged(session, PromptSubmitted)] == ["my words"]  # type: ignore[union-attr]
        assert not server.requests


async def test_events_logged_at_once_go_one_after_the_other(tmp_path: Path) -> None:
    with ChatServer([reply_text("ok")]) as server:
        async with session_with(server, tmp_path) as session:
            await collect(session, "go")
            before = session.id
            logs = await asyncio.gather(*(session.record(Noticed("info", str(number))) for number in range(20)))
            assert all(len(entry) == 1 for entry in logs)
            assert session.id == before


async def test_a_switch_in_mid_turn_counts_for_the_next_request(tmp_path: Path) -> None:
    box: list[Session] = []
    with ChatServer([write("a.txt")]) as first, ChatServer([reply_text("two")]) as second:
        other = provider_for(second, "other")

        class Switching(Face):
            async def approve(self, request: ApprovalRequest) -> ApprovalDecision:
                await box[0].switch(other, "big")
                return AllowOnce(request.digest)

        async with session_with(first, tmp_path, Switching()) as session:
            box.append(session)
            await collect(session, "go")
            replies = logged(session, AssistantReplied)
            assert [reply.provider for reply in replies] == ["fake", "other"]  # type: ignore[union-attr]
        await other.aclose()
        assert (len(first.requests), len(second.requests)) == (1, 1)


async def test_a_resumed_session_says_which_model_and_mode_are_in_force_now(tmp_path: Path) -> None:
    with ChatServer([reply_text("ok")]) as server:
        async with session_with(server, tmp_path) as session:
            await session.set_mode("plan")
            await collect(session, "go")
            records = list(session.records)
        async with session_with(server, tmp_path) as session:
            session.model = "another"
            session.continue_from(records)
            assert len(session.records) == len(records)
            await collect(session, "again")
            later = [record.event for record in session.records[len(records) :]]
            assert later[:2] == [ModelSwitched("fake", "another"), ModeChanged("ask")]


@pytest.mark.promise("P28")
async def test_a_turn_that_was_cut_off_by_a_kill_is_ended_when_the_session_goes_on(tmp_path: Path) -> None:
    with ChatServer([reply_text("ok")]) as server:
        async with session_with(server, tmp_path) as session:
            await collect(session, "go")
            records = list(session.records)
        cut = records[: next(at for at, record in enumerate(records) if isinstance(record.event, AssistantReplied))]
        async with session_with(server, tmp_path) as session:
            session.continue_from(cut)
            await collect(session, "again")
            assert [type(record.event) for record in session.records[len(cut) :]][:2] == [TurnEnded, PromptSubmitted]
            assert session.records[len(cut)].event == TurnEnded("interrupted")
            assert [prompt.text for prompt in session.undoing.last_turn()] == ["again"]
            assert [type(record.event) for record in session.records].count(TurnEnded) == 2
