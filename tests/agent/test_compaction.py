"""Summaries: where they end, how a model is asked, what is taken for one, and what stands in when there is none."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.test_long_conversation import FACTS, of, prompt, prose, scripted, session_of
from tests.agent.test_session import collect
from tests.fakes.chat_server import Reply, history_problems, reply_calls, reply_text
from tests.fakes.ollama_server import OllamaServer
from tests.fakes.window_server import WindowServer, asks_for_summary, good_summary, told_facts
from tui_agent.agent.compaction import as_text, boundary, budget, instruction, usable
from tui_agent.agent.context import Item, message_size
from tui_agent.agent.digest import digest
from tui_agent.agent.making_room import NothingToCompact
from tui_agent.agent.window import Window
from tui_agent.config.model import ProviderSettings
from tui_agent.conversation.errors import StoreError
from tui_agent.conversation.events import (
    AssistantReplied,
    Compacted,
    Event,
    LoggedEvent,
    Noticed,
    PromptSubmitted,
    ProviderStatus,
    TextDelta,
    ToolFinished,
    TurnEnded,
)
from tui_agent.conversation.messages import Finish, Message, ToolCall, Usage
from tui_agent.providers.ollama import OllamaProvider
from tui_agent.providers.protocol import ModelInfo


def told(role: Any, size: int, seq: int) -> Item:
    return Item(Message(role, "x " * size), seq, "conversation")


def size(item: Item) -> int:
    return message_size(item.message)


@given(
    st.lists(st.tuples(st.sampled_from(["user", "assistant", "tool"]), st.integers(1, 40)), max_size=20),
    st.integers(0, 200),
    st.integers(0, 12),
)
def test_a_summary_ends_only_before_a_prompt_or_a_reply(shape: list[tuple[str, int]], tail: int, begins: int) -> None:
    sent = [told(role, length, seq) for seq, (role, length) in enumerate(shape, start=1)]
    place = boundary(sent, tail, begins, size)
    possible = [at for at in range(1, len(sent)) if sent[at].message.role != "tool" and sent[at].seq > begins]
    if place is None:
        assert not possible
    else:
        assert place in possible
        fitting = [at for at in possible if sum(map(size, sent[at:])) <= tail]
        assert place == (fitting[0] if fitting else possible[-1])


@pytest.mark.parametrize("window", [2048, 4096, 8192, 32_768, 200_000, 1_000_000])
@pytest.mark.parametrize("beginning", [600, 2500])
def test_what_stays_after_a_summary_leaves_room_for_more(window: int, beginning: int) -> None:
    known = Window(window, "server")
    shares = budget(known, window, beginning)
    assert known.room is not None
    if known.room > beginning + 1000:
        assert beginning + shares.summary + shares.quoted // 3 + shares.tail <= 0.9 * known.room
    assert shares.summary <= 4096 and shares.quoted <= 24_000


def test_the_wish_of_the_user_is_in_the_instruction() -> None:
    assert "- above all: the names of\n" not in instruction(500, "the  names of\nthe tables")
    assert "- above all: the names of the tables\nWrite only" in instruction(500, "the  names of\nthe tables")
    assert "at most 300 words" in instruction(500, "") and "above all" not in instruction(500, " ")


@pytest.mark.parametrize(
    ("text", "finish", "summary", "why"),
    [
        ("- done: a\n- next: b", "stop", "- done: a\n- next: b", ""),
        ("- done: a\n- next: b and th", "length", "- done: a", ""),
        ("", "stop", "", "it sent an empty reply"),
        ("half", "incomplete", "", "its reply was cut off"),
        ('{"name": "read_file", "arguments": {}}', "stop", "", "it called a tool instead"),
        ('```json\n{"name": "read_file"}\n```', "stop", "", "it called a tool instead"),
        ('<tool_call>{"name": "x"}</tool_call>', "stop", "", "it called a tool instead"),
        ("{braces} are used in the template", "stop", "{braces} are used in the template", ""),
        ("word " * 600, "stop", "", "its summary is too long"),
    ],
)
def test_what_is_taken_for_a_summary(text: str, finish: Finish, summary: str, why: str) -> None:
    reply = AssistantReplied(text, "", (), finish, "p", "m", Usage(), 0.1)
    assert usable(reply, replaced=2000, most=150) == (summary, why)


def test_a_summary_longer_than_what_it_stands_for_is_none() -> None:
    reply = AssistantReplied("word " * 60, "", (), "stop", "p", "m", Usage(), 0.1)
    assert usable(reply, replaced=50, most=400)[1] == "its summary is too long"


@given(st.integers(0, 4000))
def test_a_conversation_as_text_fits_its_room(characters: int) -> None:
    items = [told("user", 300, 1), told("assistant", 300, 2), told("tool", 3000, 3)]
    system, user = as_text(items, "ASK", characters)
    assert system.role == "system" and user.content.endswith("\n\nASK") and user.content.startswith("USER: x")
    assert len(user.content) <= max(characters, 200) + 120


HAPPENED: list[LoggedEvent] = [
    PromptSubmitted("fix the\nrounding"),
    AssistantReplied("I look.", "", (ToolCall("a", "read_file", "{}"),), "tool_calls", "p", "m", Usage(), 0.1),
    ToolFinished("a", "read_file", "src/a.py", "ok", "…", 0.1),
    ToolFinished("b", "run_command", "make test", "failed", "…", 0.1, exit_code=2),
    TurnEnded("interrupted"),
]


def test_a_digest_lists_what_happened() -> None:
    assert digest(HAPPENED, "", 4000).splitlines() == [
        "- the user asked: fix the rounding",
        "  - the assistant said: I look.",
        "  - read_file src/a.py",
        "  - run_command make test: failed (exit 2)",
        "  - it ended early: interrupted",
    ]


@given(st.text(max_size=400), st.integers(100, 2000), st.integers(1, 60))
def test_a_digest_has_the_latest_in_its_room_and_is_always_the_same(earlier: str, characters: int, times: int) -> None:
    events = [*HAPPENED * times]
    text = digest(events, earlier, characters)
    assert len(text) <= characters + 100
    assert text == digest(events, earlier, characters)


# ---- by hand ----


async def talked(session: Any, turns: int) -> None:
    for turn in range(turns):
        await collect(session, prompt(turn))


async def test_by_hand_the_beginning_gives_way_to_a_summary_with_what_the_user_wants(tmp_path: Path) -> None:
    with WindowServer(100_000, scripted) as server:
        async with session_of(server, tmp_path, profile="full") as session:
            await talked(session, 8)
            before = session.context_use().total
            events = [event async for event in session.compact("the colour")]
            (compacted,) = of(session, Compacted)
            assert events[-1] == compacted == session.summary
            assert compacted.trigger == "user" and compacted.before == pytest.approx(before, abs=4)
            assert session.context_use().total == pytest.approx(compacted.after, abs=4) and compacted.after < before / 2
            assert any(isinstance(event, ProviderStatus) and "summarising" in event.text for event in events)
            assert not any(isinstance(event, TextDelta) for event in events)
            asked = server.bodies[-1]
            assert "- above all: the colour" in asked["messages"][-1]["content"]
            assert asked["tool_choice"] == "none" and asked["max_tokens"] > 0
            sent = server.bodies[-2]["messages"]
            assert asked["messages"][:-1] == sent[: len(asked["messages"]) - 1]  # what a server has in its cache
            assert asked["tools"] == server.bodies[-2]["tools"]
            await collect(session, prompt(8))
            assert told_facts(server.bodies[-1]) == FACTS and not history_problems(server.bodies[-1]["messages"])
            assert not server.refused


async def test_going_back_to_before_a_summary_brings_everything_back(tmp_path: Path) -> None:
    with WindowServer(100_000, scripted) as server:
        async with session_of(server, tmp_path) as session:
            await talked(session, 8)
            sent = server.bodies[-1]["messages"]
            [_ async for _ in session.compact()]
            prompts = session.undoing.prompts()
            assert len(prompts) == 8
            await session.undoing.rewind(prompts[1], files=False, conversation=True)
            assert session.summary is None
            await collect(session, prompt(9))
            assert server.bodies[-1]["messages"][:-1] == sent[: len(server.bodies[-1]["messages"]) - 1]


async def test_a_summary_can_be_edited(tmp_path: Path) -> None:
    with WindowServer(100_000, scripted) as server:
        async with session_of(server, tmp_path) as session:
            with pytest.raises(StoreError, match="nothing was summarised"):
                await session.edit_summary("x")
            await talked(session, 6)
            [_ async for _ in session.compact()]
            made = session.summary
            (edited,) = await session.edit_summary("- only this\n")
            assert isinstance(edited, Compacted) and made is not None and edited == session.summary
            assert (edited.trigger, edited.summary, edited.before_seq) == ("edit", "- only this", made.before_seq)
            assert edited.messages == made.messages and edited.before == made.after and not edited.model
            await collect(session, prompt(7))
        assert "- only this" in str(server.bodies[-1]["messages"]) and "- goal: go on" not in str(server.bodies[-1])


async def test_where_nothing_can_be_shorter_that_is_said(tmp_path: Path) -> None:
    with WindowServer(100_000) as server:
        async with session_of(server, tmp_path) as session:
            for turn in range(2):
                with pytest.raises(NothingToCompact):
                    [_ async for _ in session.compact()]
                await collect(session, f"Turn {turn}: hi")
            assert not [body for body in server.bodies if asks_for_summary(body)]
            assert not session.busy


async def test_a_turn_and_a_compaction_do_not_run_at_once(tmp_path: Path) -> None:
    with WindowServer(100_000, scripted) as server:
        async with session_of(server, tmp_path) as session:
            await talked(session, 6)
            stream = session.compact()
            first = await anext(stream)
            assert isinstance(first, ProviderStatus) and session.busy
            with pytest.raises(RuntimeError):
                await collect(session, "and?")
            with pytest.raises(NothingToCompact):
                [_ async for _ in session.compact()]
            await stream.aclose()  # type: ignore[attr-defined]
            assert not session.busy and session.summary is None


async def test_a_summary_that_only_calls_tools_is_tried_as_text_without_tools(tmp_path: Path) -> None:
    def summary(body: dict[str, Any]) -> Reply:
        if body.get("tools"):
            return reply_calls([("read_file", {"file_path": "part1.txt"})])
        return reply_text("- goal: from the text")

    with WindowServer(100_000, scripted, summary=summary) as server:
        async with session_of(server, tmp_path) as session:
            await talked(session, 8)
            [_ async for _ in session.compact()]
            assert session.summary is not None and session.summary.summary == "- goal: from the text"
            assert [message["role"] for message in server.bodies[-1]["messages"]] == ["system", "user"]
            assert "USER: Turn 0:" in server.bodies[-1]["messages"][1]["content"]
            assert not [event for event in of(session, Noticed) if event.level == "warning"]


async def test_inside_a_long_turn_the_prompt_stays_and_no_call_is_parted_from_its_result(tmp_path: Path) -> None:
    def answer(body: dict[str, Any], number: int) -> Reply:
        done = sum(earlier not in server.summaries for earlier in range(number))
        if done < 40:
            return reply_calls([("read_file", {"file_path": f"part{done % 6}.txt"})], first=done + 1)
        return reply_text("Read all.")

    with WindowServer(8192, answer) as server:
        async with session_of(server, tmp_path, profile="full") as session:
            wish = "Turn 1: read all parts one after the other. The colour is teal-7."
            events = await collect(session, wish)
            assert isinstance(events[-1], TurnEnded) and events[-1].reason == "done"
            assert len(of(session, Compacted)) >= 2
            for body in server.bodies:
                assert wish in str(body["messages"]) and not history_problems(body["messages"])
                assert asks_for_summary(body) or number_of_results(body) or body is server.bodies[0]
            assert max(server.sizes) <= 8192


async def test_a_long_turn_goes_on_however_often_a_server_refuses_without_a_number(tmp_path: Path) -> None:
    def answer(body: dict[str, Any], number: int) -> Reply:
        done = sum(earlier not in {*server.summaries, *server.refused} for earlier in range(number))
        if done < 12:
            return reply_calls([("read_file", {"file_path": f"part{done % 6}.txt"})], first=done + 1)
        return reply_text("Read all.")

    with WindowServer(3000, answer, on_overflow="vaguely", unlisted=True) as server:
        async with session_of(server, tmp_path, profile="full") as session:
            events = await collect(session, "Turn 1: read all parts one after the other.")
            assert isinstance(events[-1], TurnEnded) and events[-1].reason == "done"
            assert len(server.refused) >= 1 and of(session, Compacted)


async def test_what_would_save_little_is_not_summarised_with_every_request(tmp_path: Path) -> None:
    with WindowServer(10_000) as server:
        async with session_of(server, tmp_path, profile="full", compact_at=0.1) as session:
            for turn in range(12):
                await collect(session, f"Turn {turn}: {prose(turn, 12)}")
            use = session.context_use()
            assert sum(part.tokens for part in use.parts if part.name in ("system", "tools")) > 1000  # already too much
            assert len(server.summaries) <= 3


def number_of_results(body: dict[str, Any]) -> int:
    """Results behind the last reply: what was asked for is seen, however little room there is."""
    return sum(message["role"] == "tool" for message in body["messages"][-1:])


async def test_what_a_server_elsewhere_takes_is_asked_beside_the_first_request(tmp_path: Path) -> None:
    asked = asyncio.Event()
    release = asyncio.Event()

    with WindowServer(8192) as server:
        async with session_of(server, tmp_path) as session:
            provider: Any = session.provider

            async def describe(model: str) -> ModelInfo:
                asked.set()
                await release.wait()
                return ModelInfo(model, 8192)

            session.provider = Elsewhere(provider, describe)  # type: ignore[assignment]
            events = await collect(session, "Turn 1: hello")
            assert isinstance(events[-1], TurnEnded) and events[-1].reason == "done"
            assert asked.is_set() and session.window is None  # nobody waited, and the question is withdrawn
            assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            release.set()
            await collect(session, "Turn 2: hello")
            assert (session.window, session.profile.name) == (8192, "full")


async def test_a_window_that_a_server_knows_only_of_loaded_models_is_learned_before_it_is_full(tmp_path: Path) -> None:
    def answer(body: dict[str, Any], number: int) -> Reply:
        return good_summary(body) if asks_for_summary(body) else scripted(body, number)

    with WindowServer(100) as unused, OllamaServer(answer, window=8192) as server:
        async with session_of(unused, tmp_path, profile="full") as session:
            settings = ProviderSettings(base_url=server.url, requires_api_key=False, max_retries=0, api="ollama")
            await session.provider.aclose()
            session.provider = OllamaProvider("fake", settings, server.url, "no key")
            await talked(session, 30)
            assert (session.window, session.context_use().source) == (8192, "server")
            assert of(session, Compacted) and not of(session, Noticed)
            shown = [seen for seen in server.others if seen.path.endswith("/api/show")]
            assert len(shown) == 2  # before the first request, and once it was loaded


class Elsewhere:
    """A provider that is not on this machine."""

    local = False

    def __init__(self, inner: Any, describe: Any) -> None:
        self._inner = inner
        self.describe = describe

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


async def test_a_compaction_that_is_stopped_logs_nothing(tmp_path: Path) -> None:
    with WindowServer(100_000, scripted) as server:
        async with session_of(server, tmp_path) as session:
            await talked(session, 6)
            count = len(session.records)
            seen: list[Event] = []
            async for event in session.compact():
                seen.append(event)
                session.interrupt()
            assert len(session.records) == count and not session.busy
            assert prose(1, 1)
