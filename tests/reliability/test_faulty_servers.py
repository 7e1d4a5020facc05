"""A server that misbehaves in every way: the turn may be lost, the session and the next request never."""

import asyncio
import random
import socket
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fakes.chat_server import (
    ALL_STYLES,
    DONE,
    CallStyle,
    ChatServer,
    Close,
    Reply,
    Reset,
    Stall,
    body_of,
    call_chunks,
    delta,
    finish,
    reply_calls,
    reply_error,
    reply_steps,
    reply_text,
    text,
)
from tests.reliability.stage import collect, logged, no_nap, reason, results, session_at, write
from tests.stopwatch import Stopwatch
from tui_agent.config.model import ProviderSettings
from tui_agent.conversation.errors import ProviderError
from tui_agent.conversation.events import (
    AssistantReplied,
    Noticed,
    PromptSubmitted,
    Retrying,
    TextDelta,
    ToolFinished,
    TurnEnded,
)
from tui_agent.conversation.messages import Message
from tui_agent.providers.openai_chat import OpenAIChatProvider
from tui_agent.providers.protocol import ChatRequest
from tui_agent.store.sqlite import SqliteLog

WRITE = write("a.txt", "new\n", answer="I will write it.")
BODY = body_of(WRITE)
WHOLE = BODY.index(b'"finish_reason": "tool_calls"') + len(b'"finish_reason": "tool_calls"}]}\n')
"""Bytes of `WRITE` after which it is known to be whole."""


@pytest.mark.promise("P1")
async def test_a_request_that_is_sent_again_is_one_turn_with_one_message_of_each(tmp_path: Path) -> None:
    script = [reply_error(429, retry_after=7), reply_error(503, retry_after=0), reply_text("Here.")]
    with ChatServer(script) as server:
        async with session_at(server, tmp_path) as session:
            events = await collect(session, "go")
            assert [event.seconds for event in events if isinstance(event, Retrying)] == [7.0, 0.0]
            assert [event.text for event in logged(session, PromptSubmitted)] == ["go"]
            assert [event.text for event in logged(session, AssistantReplied)] == ["Here."]
            assert reason(session) == "done"
    assert server.bodies[0] == server.bodies[1] == server.bodies[2]


@pytest.mark.promise("P2")
async def test_a_server_that_goes_on_failing_is_asked_five_times_at_most_and_the_prompt_is_kept(tmp_path: Path) -> None:
    with ChatServer([reply_error(503, "still loading")] * 4 + [reply_text("Up again.")]) as server:
        async with session_at(server, tmp_path) as session:
            await collect(session, "my long question")
            assert len(server.requests) == 1 + ProviderSettings(base_url="x").max_retries <= 5
            (notice,) = [event for event in logged(session, Noticed) if event.level == "error"]
            assert "503: still loading" in notice.text
            await collect(session, "and?")
        assert server.bodies[-1]["messages"][1]["content"] == "my long question\n\nand?"


@pytest.mark.promise("P4")
async def test_a_server_that_does_not_take_connections_is_an_error_in_time() -> None:
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = full.getsockname()[1]
    held = [socket.socket() for _ in range(4)]
    for each in held:
        each.setblocking(False)
        each.connect_ex(("127.0.0.1", port))
    url = f"http://127.0.0.1:{port}/v1/"
    provider = OpenAIChatProvider("fake", ProviderSettings(base_url=url, max_retries=0), url, "key", sleep=no_nap)
    begun = time.monotonic()
    try:
        with pytest.raises(ProviderError) as caught:
            [event async for event in provider.stream(ChatRequest("m", (Message("user", "hi"),)))]
    finally:
        await provider.aclose()
        for each in (full, *held):
            each.close()
    assert time.monotonic() - begun < 10
    assert caught.value.kind == "unreachable" and str(port) in caught.value.message


@pytest.mark.promise("P5", "P6", "P7", "P11")
@pytest.mark.parametrize(
    "how", [pytest.param(Close(), id="close"), pytest.param(Reset(), id="reset", marks=pytest.mark.slow)]
)
async def test_a_reply_that_is_cut_at_any_byte_loses_no_more_than_itself(tmp_path: Path, how: Close | Reset) -> None:
    places = [*range(0, len(BODY), 67 if how == Close() else 101), *range(WHOLE - 3, WHOLE + 3)]
    current = [0]

    def respond(body: dict[str, Any], number: int) -> Reply:
        asked = body["messages"][-1]
        if asked["role"] == "user" and asked["content"].endswith("go"):
            return WRITE.but(cut_at=current[0], cut_by=how)
        return reply_text("Fine.")

    with ChatServer(respond) as server:
        async with session_at(server, tmp_path, max_retries=1) as session:
            for place in places:
                current[0] = place
                file = tmp_path / "project" / "a.txt"
                file.unlink(missing_ok=True)
                before = len(session.records)
                events = await collect(session, "go")
                new = [record.event for record in session.records[before:]]
                ran = [event for event in new if isinstance(event, ToolFinished)]
                replies = [event for event in new if isinstance(event, AssistantReplied)]
                if place < WHOLE - 2:
                    assert not ran and not file.exists(), place
                    assert reason(session) == "error" and events[-1] == TurnEnded("error", events[-1].cause)
                    shown = "".join(event.text for event in events if isinstance(event, TextDelta))
                    assert [(reply.text, reply.finish, reply.tool_calls) for reply in replies] == (
                        [(shown, "incomplete", ())] if shown else []
                    )
                elif place > WHOLE:
                    assert [event.status for event in ran] == ["ok"] and file.read_text() == "new\n", place
                    assert reason(session) == "done"
                await collect(session, "and?")  # refused by the server if the history is not valid
                assert reason(session) == "done", place


@pytest.mark.promise("P7", "P12")
async def test_a_reply_that_stalls_at_any_byte_can_be_stopped(tmp_path: Path) -> None:
    places = iter(range(0, WHOLE, 150))
    with ChatServer(lambda body, number: WRITE.but(cut_at=next(places), cut_by=Stall())) as server:
        async with session_at(server, tmp_path) as session:
            for number in range(len(range(0, WHOLE, 150))):
                turn = asyncio.create_task(collect(session, "go"))
                while len(server.requests) <= number:  # noqa: ASYNC110 - another thread takes them
                    await asyncio.sleep(0.002)
                await asyncio.sleep(0.01)
                watch = Stopwatch()
                session.interrupt()
                await turn
                assert watch.seconds < 0.5
                assert reason(session) == "interrupted"
            assert not logged(session, ToolFinished) and not list((tmp_path / "project").iterdir())


@pytest.mark.promise("P10")
@pytest.mark.parametrize("behind", range(0, 9, 2))
async def test_an_error_inside_the_stream_is_never_part_of_the_answer(tmp_path: Path, behind: int) -> None:
    calls = call_chunks([("write_file", {"file_path": "a.txt", "content": "x"})], chunk=9)
    steps = [text("So "), text("then: "), *calls]
    failing = reply_steps(*steps[:behind], b'data: {"error": {"message": "out of memory", "code": 500}}\n\n', Close())
    with ChatServer([failing, failing, reply_text("Fine.")]) as server:
        async with session_at(server, tmp_path, max_retries=1) as session:
            events = await collect(session, "go")
            assert len(server.requests) == (1 if behind else 2)
            assert "out of memory" in str([event.text for event in events if isinstance(event, Noticed)])
            assert "memory" not in str([event.text for event in logged(session, AssistantReplied)])
            assert not logged(session, ToolFinished)


@pytest.mark.promise("P13")
async def test_five_megabytes_of_arguments_are_refused_and_not_sent_back(tmp_path: Path) -> None:
    huge = reply_calls([("write_file", {"file_path": "a.txt", "content": "x" * 5_000_000})], chunk=50_000)
    with ChatServer([huge, reply_text("Smaller, then.")]) as server:
        async with session_at(server, tmp_path) as session:
            await collect(session, "go")
            assert results(session) == [("call_1", "failed")] and reason(session) == "done"
        assert "too long" in server.bodies[1]["messages"][-1]["content"]
        assert server.requests[1].size < 100_000
        assert not list((tmp_path / "project").iterdir())


@pytest.mark.promise("P14", "P17")
@pytest.mark.parametrize("style", ALL_STYLES)
async def test_calls_in_every_style_run_once_and_have_one_result_each(tmp_path: Path, style: CallStyle) -> None:
    calls = [("write_file", {"file_path": f"{name}.txt", "content": name}) for name in "abc"]
    with ChatServer([reply_calls(calls, style), reply_calls(calls[:1], style), reply_text("Done.")]) as server:
        async with session_at(server, tmp_path) as session:
            await collect(session, "go")
            assert reason(session) == "done"
            assert len(logged(session, ToolFinished)) == 4
            assert len({event.call_id for event in logged(session, ToolFinished)}) == 4
    assert sorted(path.name for path in (tmp_path / "project").iterdir()) == ["a.txt", "b.txt", "c.txt"]
    assert len([message for message in server.bodies[2]["messages"] if message["role"] == "tool"]) == 4


@pytest.mark.promise("P16")
@pytest.mark.parametrize("name", ["no such", "run_command\x1b]0;x\x07", "write_file ", "\u202eread_file", "x" * 5000])
async def test_a_name_that_is_none_is_an_error_and_the_history_stays_valid(tmp_path: Path, name: str) -> None:
    with ChatServer([reply_calls([(name, {"file_path": "a"})]), reply_text("I see.")]) as server:
        async with session_at(server, tmp_path) as session:
            await collect(session, "go")
            assert reason(session) == "done"
            (finished,) = logged(session, ToolFinished)
            assert finished.status == "failed" and "\x1b" not in finished.content and len(finished.content) < 2000


@pytest.mark.promise("P21")
async def test_a_reply_that_a_filter_ended_is_said_and_not_asked_for_again(tmp_path: Path) -> None:
    filtered = reply_steps(text("Well, "), finish("content_filter"), DONE)
    refused = reply_steps(delta(refusal="I cannot help with that."), finish("stop"), DONE)
    with ChatServer([filtered, refused]) as server:
        async with session_at(server, tmp_path) as session:
            events = await collect(session, "go")
            assert any(isinstance(event, Noticed) and "content filter" in event.text for event in events)
            await collect(session, "again")
            assert logged(session, AssistantReplied)[-1].text == "I cannot help with that."
        assert len(server.requests) == 2


LIES: list[Any] = [
    None,
    {},
    {"prompt_tokens": None, "completion_tokens": None},
    {"prompt_tokens": -5, "completion_tokens": -1},
    {"prompt_tokens": 10**30, "completion_tokens": 1e308},
    {"prompt_tokens": "many", "completion_tokens": [3], "prompt_tokens_details": 7},
    {"prompt_tokens": True, "completion_tokens": {"a": 1}},
    "12",
    [1, 2],
]


@pytest.mark.promise("P22")
@pytest.mark.parametrize("lie", LIES, ids=str)
async def test_whatever_a_server_says_of_its_usage_the_answer_arrives(tmp_path: Path, lie: Any) -> None:
    said = reply_steps({**text("Yes."), "usage": lie}, {**finish(), "usage": lie}, {"choices": [], "usage": lie}, DONE)
    without_choices = reply_steps(text("Yes."), finish(), {"usage": lie}, DONE)
    with ChatServer([said, without_choices]) as server:
        async with session_at(server, tmp_path) as session:
            for prompt in ("a", "b"):
                await collect(session, prompt)
                reply = logged(session, AssistantReplied)[-1]
                assert reply.text == "Yes." and reason(session) == "done"
                counts = (reply.usage.prompt_tokens, reply.usage.completion_tokens)
                assert all(count is None or 0 <= count < 2**53 for count in counts)


@pytest.mark.promise("P23")
async def test_too_long_a_conversation_is_said_and_none_of_it_is_lost(tmp_path: Path) -> None:
    # A message without the size of the window: what may be done about it depends on the server.
    with ChatServer([reply_text("One."), reply_error(413, "Request Entity Too Large")]) as server:
        async with session_at(server, tmp_path) as session:
            await collect(session, "first")
            before = list(session.records)
            await collect(session, "second")
            assert list(session.records)[: len(before)] == before
            assert [event.text for event in logged(session, PromptSubmitted)] == ["first", "second"]
            assert any("fake" in event.text and event.level == "error" for event in logged(session, Noticed))


@pytest.mark.promise("P26")
async def test_a_turn_that_is_stopped_behind_any_of_its_events_leaves_a_valid_log(tmp_path: Path) -> None:
    def script(number: int) -> list[Reply]:
        calls = [
            ("write_file", {"file_path": f"f{number}.txt", "content": "x"}),
            ("run_command", {"command": "echo hi"}),
        ]
        return [reply_calls(calls, answer="First this.", first=1), reply_text("Done.", chunk=4)]

    stop_at = 0
    while True:
        with ChatServer([*script(stop_at), reply_text("Fine.")]) as server:
            folder = tmp_path / str(stop_at)
            folder.mkdir()
            async with session_at(server, folder) as session:
                seen = 0
                async for _ in session.run("go"):
                    seen += 1
                    if seen > stop_at:
                        session.interrupt()
                stopped = reason(session)
                ids = [call.id for reply in logged(session, AssistantReplied) for call in reply.tool_calls]
                assert [event.call_id for event in logged(session, ToolFinished)] == ids
                await collect(session, "and?")
                assert reason(session) == "done", stop_at
        if stopped == "done":
            break
        stop_at += 1
    assert stop_at > 12


@pytest.mark.promise("P36")
async def test_a_clock_that_jumps_by_a_day_changes_neither_order_nor_waits(tmp_path: Path) -> None:
    rng = random.Random(36)
    script = [reply_error(503), WRITE, reply_text("One."), reply_text("Two."), reply_text("Three.")]
    with ChatServer(script) as server:
        clock = time.time
        jumping = lambda: clock() + rng.choice([-86_400, 0, 86_400])  # noqa: E731
        log = SqliteLog(tmp_path / "sessions.db")
        async with session_at(server, tmp_path, log=log, clock=jumping) as session:
            begun = time.monotonic()
            for prompt in ("a", "b", "c"):
                await collect(session, prompt)
            assert time.monotonic() - begun < 10
            times = [record.time for record in session.records]
            assert times != sorted(times)
            assert await log.read(session.id) == list(session.records)
            assert await log.verify(session.id) == ""
            assert [event.text for event in logged(session, AssistantReplied)] == [
                *("I will write it.", "One.", "Two.", "Three.")
            ]


@pytest.mark.promise("P36")
@pytest.mark.parametrize("jump", [-86_400, 86_400])
async def test_waits_last_as_long_as_they_should_whatever_the_clock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    clock = time.time
    moved = iter(range(1, 10**9))
    command = reply_calls([("run_command", {"command": "sleep 0.2; echo slept"})])
    with ChatServer([reply_error(503, retry_after=0.3), command, reply_text("Done.")]) as server:
        async with session_at(server, tmp_path, sleep=asyncio.sleep) as session:
            monkeypatch.setattr(time, "time", lambda: clock() + jump * next(moved))
            begun = time.monotonic()
            await collect(session, "go")
            assert 0.5 <= time.monotonic() - begun < 5
            (finished,) = logged(session, ToolFinished)
            assert finished.status == "ok" and "slept" in finished.content and 0.1 < finished.seconds < 5
            (reply, _) = logged(session, AssistantReplied)
            assert 0.2 < reply.seconds < 5


FLOODS = {
    "one line of 50 MB": "head -c 50000000 /dev/zero | tr '\\0' x",
    "binary": "head -c 20000000 /dev/urandom",
    "without end": "timeout 0.3 yes",
}


@pytest.mark.promise("P24")
@pytest.mark.parametrize("command", FLOODS.values(), ids=FLOODS)
async def test_a_flood_of_output_is_cut_and_nobody_waits_for_it(tmp_path: Path, command: str) -> None:
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        while True:
            begun = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - begun - 0.01)

    with ChatServer([reply_calls([("run_command", {"command": command})]), reply_text("Much.")]) as server:
        async with session_at(server, tmp_path) as session:
            before = psutil.Process().memory_info().rss
            beating = asyncio.create_task(beat())
            await collect(session, "go")
            beating.cancel()
            assert psutil.Process().memory_info().rss - before < 200_000_000
            (finished,) = logged(session, ToolFinished)
            assert len(finished.content) < 100_000 and "cut" in finished.content
            assert longest < 0.5
        assert server.requests[1].size < 200_000
