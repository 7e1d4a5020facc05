"""What the engine has read is kept for the next start: only what every conversation begins with, and never harmful."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.providers.embedded_stage import SYSTEM, Stage, prime, request, statuses, talk, until
from tests.providers.support import end_of, text_of
from tui_agent.conversation.errors import ProviderError
from tui_agent.conversation.messages import Message
from tui_agent.providers.embedded import slots as slots_module
from tui_agent.providers.embedded.api import EngineApi, Reading, _reading
from tui_agent.providers.embedded.child import BATCH_TOKENS
from tui_agent.providers.embedded.running import _progress
from tui_agent.providers.embedded.slots import SlotStore
from tui_agent.providers.protocol import ChatRequest

READ, SAVE, RESTORE, CHAT = "/completion", "/slots/0?action=save", "/slots/0?action=restore", "/v1/chat/completions"


@pytest.fixture
async def stage(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr("tui_agent.providers.embedded.launch.engine_version", lambda: "1.0")
    stage = Stage(tmp_path_factory.mktemp("e"))
    yield stage
    await stage.close()


async def primed_once(stage: Stage) -> Path:
    """An engine was there, has read the beginning, and is gone again."""
    provider = stage.provider()
    await prime(provider)
    await provider.aclose()
    (path,) = stage.prompts()
    return path


async def test_only_the_beginning_is_kept(stage: Stage) -> None:
    provider = stage.provider()
    assert (await prime(provider))[0] == "loading fake"
    await talk(provider, "my secret question")
    (path,) = stage.prompts()
    assert path.read_text().startswith(f"SLOT system: {SYSTEM}\ntools: [")
    assert path.read_text().endswith("user: ")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_the_next_start_does_not_read_it_again(stage: Stage) -> None:
    path = await primed_once(stage)
    provider = stage.provider()
    events = await talk(provider, "hello")
    assert stage.requests() == [READ, SAVE, RESTORE, CHAT]
    assert statuses(events) == ["loading fake", ""]
    assert end_of(events).usage.cached_tokens == len(path.read_text()) - len("SLOT ")


async def test_without_priming_the_first_request_keeps_it_too(stage: Stage) -> None:
    await talk(stage.provider(), "hello")
    assert stage.requests() == [READ, SAVE, CHAT]


async def test_examples_before_the_conversation_are_kept_with_the_beginning(stage: Stage) -> None:
    examples = (*request("1 + 1?").messages, Message("assistant", "2"))
    beginning = ChatRequest("", examples, request().tools, temperature=0.0)
    first = stage.provider()
    [status async for status in first.prime(beginning)]
    await first.aclose()
    (path,) = stage.prompts()
    assert path.read_text().endswith("user: 1 + 1?\nassistant: 2\nuser: ")

    def question(text: str) -> ChatRequest:
        return ChatRequest("", (*examples, Message("user", text)), request().tools, tool_choice="none")

    second = stage.provider()
    [status async for status in second.prime(beginning)]
    for text in ("one", "two"):
        events = [event async for event in second.stream(question(text))]
        assert end_of(events).usage.cached_tokens == len(path.read_text()) - len("SLOT ")
    assert stage.requests() == [READ, SAVE, RESTORE, CHAT, CHAT]


async def test_a_question_that_comes_while_the_beginning_is_read_waits_for_that(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go = asyncio.Event(), asyncio.Event()
    read = EngineApi.read

    async def slowly(self: EngineApi, prompt: str) -> AsyncIterator[Reading]:
        reading.set()
        await go.wait()
        async for step in read(self, prompt):
            yield step

    examples = (*request("1 + 1?").messages, Message("assistant", "2"))
    provider = stage.provider()
    monkeypatch.setattr(EngineApi, "read", slowly)

    async def priming() -> None:
        async for _ in provider.prime(ChatRequest("", examples, request().tools)):
            pass

    async def asking() -> None:
        async for _ in provider.stream(ChatRequest("", (*examples, Message("user", "go")), request().tools)):
            pass

    primed = asyncio.ensure_future(priming())
    await reading.wait()
    asked = asyncio.ensure_future(asking())
    await asyncio.wait({asked}, timeout=0.1)
    assert stage.requests() == []
    go.set()
    await asyncio.gather(primed, asked)
    assert stage.requests() == [READ, SAVE, CHAT]


async def test_other_tools_are_another_beginning(stage: Stage) -> None:
    await primed_once(stage)
    await prime(stage.provider(), tools=())
    assert stage.requests() == [READ, SAVE, READ, SAVE]
    assert len(stage.prompts()) == 2


async def test_a_request_that_begins_with_nothing_is_not_primed(stage: Stage) -> None:
    provider = stage.provider()
    assert await prime(provider, system="", tools=()) == ["loading fake"]
    await talk(provider, "hello", system="", tools=())
    assert stage.requests() == [CHAT]


async def test_a_short_beginning_is_not_kept(stage: Stage) -> None:
    await talk(stage.provider(), "hello", system="Be brief.", tools=())
    assert stage.requests() == [READ, CHAT]


@pytest.mark.parametrize("harm", [b"", b"SLOT", b"SLOT x" * 100])
async def test_a_harmed_file_means_a_cold_start(stage: Stage, harm: bytes) -> None:
    path = await primed_once(stage)
    whole = path.read_bytes()
    path.write_bytes(harm)
    assert text_of(await talk(stage.provider(), "hello")) == "fake says hello"
    assert stage.requests() == [READ, SAVE, READ, SAVE, CHAT]
    assert [other.read_bytes() for other in stage.prompts()] == [whole]


async def test_a_file_that_kills_the_engine_is_not_tried_twice(stage: Stage) -> None:
    path = await primed_once(stage)
    poison = path.with_name("poison")
    poison.write_bytes(b"no such form")
    path.unlink()
    poison.rename(path.with_name(slots_module._name(path.name.split("-")[0], poison)))
    provider = stage.provider()
    with pytest.raises(ProviderError, match=r"crashed \(signal 6\)"):
        await prime(provider)
    assert stage.prompts() == []
    assert text_of(await talk(provider, "hello")) == "fake says hello"


async def test_what_another_window_put_there_in_the_meantime_is_not_kept(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = EngineApi.save

    async def late(self: EngineApi, name: str) -> tuple[int, int]:
        saved, size = await save(self, name)
        return saved + 1, size

    monkeypatch.setattr(EngineApi, "save", late)
    await prime(stage.provider())
    assert stage.requests() == [READ, SAVE]
    assert stage.prompts() == []


async def test_a_file_that_was_cut_by_a_full_disk_is_not_kept(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    save = EngineApi.save

    async def cut(self: EngineApi, name: str) -> tuple[int, int]:
        saved, size = await save(self, name)
        path = stage.places.prompts / name
        path.write_bytes(path.read_bytes()[:-10])
        return saved, size

    monkeypatch.setattr(EngineApi, "save", cut)
    await prime(stage.provider())
    assert stage.prompts() == []


async def test_without_a_folder_for_prompts_it_works_too(stage: Stage) -> None:
    stage.places.cache.write_text("a file where a folder should be")
    assert text_of(await talk(stage.provider(), "hello")) == "fake says hello"
    assert stage.requests() == [READ, CHAT]


async def test_priming_leaves_the_conversation_of_another_window_alone(stage: Stage) -> None:
    await primed_once(stage)
    one, two = stage.provider(), stage.provider()
    await talk(one, "hello")
    before = len(stage.requests())
    await prime(two)
    assert len(stage.requests()) == before


async def test_who_is_alone_gets_another_beginning_from_its_file(stage: Stage) -> None:
    provider = stage.provider()
    await talk(provider, "one", tools=())
    await talk(provider, "two")
    await provider.aclose()
    again = stage.provider()
    before = len(stage.requests())
    await talk(again, "one", tools=())
    await talk(again, "two")
    assert stage.requests()[before:] == [RESTORE, CHAT, RESTORE, CHAT]


async def test_priming_does_not_wait_for_a_busy_engine(stage: Stage, tmp_path: Path) -> None:
    one, two = stage.provider(), stage.provider()
    gate = tmp_path / "gate"
    answer = asyncio.ensure_future(talk(one, f"HOLD {gate}"))
    await until(lambda: CHAT in stage.requests(), "the request")
    await prime(two, tools=())
    assert stage.requests() == [READ, SAVE, CHAT]
    gate.touch()
    await answer


async def test_a_prompt_that_arrives_while_the_engine_gets_ready_waits_for_it(stage: Stage) -> None:
    stage.load_with(seconds=0.3)
    provider = stage.provider()
    priming = asyncio.ensure_future(prime(provider))
    await until(stage.starts, "a start")
    events = await talk(provider, "hello")
    assert text_of(events) == "fake says hello"
    assert statuses(events)[0] == "loading fake"
    await priming
    assert stage.requests() == [READ, SAVE, CHAT]


async def test_priming_for_something_else_is_given_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = asyncio.Event()
    read = EngineApi.read

    async def slowly(self: EngineApi, prompt: str) -> AsyncIterator[Reading]:
        if not reading.is_set():
            reading.set()
            await asyncio.sleep(3600)
        async for step in read(self, prompt):
            yield step

    provider = stage.provider()
    monkeypatch.setattr(EngineApi, "read", slowly)
    priming = asyncio.ensure_future(prime(provider, tools=()))
    await reading.wait()
    assert text_of(await talk(provider, "hello")) == "fake says hello"
    assert await priming == ["loading fake"]


async def test_a_long_prompt_is_read_with_progress_and_what_was_known_is_counted_right(stage: Stage) -> None:
    provider = stage.provider()
    first = await talk(provider, "hello")
    known = end_of(first).usage.prompt_tokens
    assert known is not None
    messages = (*request("hello").messages, Message("assistant", "hi"), Message("user", "word " * 400))
    events = [event async for event in provider.stream(ChatRequest("", messages, request().tools))]
    assert any(text.startswith("reading the prompt: ") for text in statuses(events))
    usage = end_of(events).usage
    assert usage.prompt_tokens is not None and usage.prompt_tokens > known + 2000
    assert usage.cached_tokens is not None and known <= usage.cached_tokens < known + 100


async def test_a_short_prompt_is_sent_without_further_ado(stage: Stage) -> None:
    provider = stage.provider()
    await talk(provider, "hello")
    events = await talk(provider, "again")
    assert statuses(events) == []
    assert stage.requests()[2:] == [CHAT, CHAT]


async def test_what_was_asked_before_counts_as_known(stage: Stage) -> None:
    provider = stage.provider()
    long = "word " * 400
    assert any("reading" in text for text in statuses(await talk(provider, long)))
    messages = (*request(long).messages, Message("assistant", "yes"), Message("user", "and now?"))
    events = [event async for event in provider.stream(ChatRequest("", messages, request().tools))]
    assert statuses(events) == []
    assert stage.requests()[-2:] == [CHAT, CHAT]


def store(tmp_path: Path) -> SlotStore:
    tmp_path.mkdir(exist_ok=True)
    return SlotStore(tmp_path)


def put(slots: SlotStore, key: str, content: bytes, age: float) -> Path:
    path = slots.unfinished()
    path.write_bytes(content)
    assert slots.keep(path, key, len(content))
    (kept,) = slots.folder.glob(f"{key}-*")
    now = kept.stat().st_mtime
    os.utime(kept, (now - age, now - age))
    return kept


def test_the_oldest_prompts_make_room(tmp_path: Path) -> None:
    slots = store(tmp_path)
    for number in range(slots_module.MOST_FILES + 3):
        put(slots, f"key{number:02}", b"x" * number, 100 - number)
    kept = sorted(path.name.split("-")[0] for path in tmp_path.iterdir())
    assert kept == [f"key{number:02}" for number in range(3, slots_module.MOST_FILES + 3)]


def test_use_keeps_a_prompt(tmp_path: Path) -> None:
    slots = store(tmp_path)
    for number in range(slots_module.MOST_FILES):
        put(slots, f"key{number:02}", b"x", 100 - number)
    assert slots.find("key00") is not None
    put(slots, "new", b"x", 0)
    assert slots.find("key00") is not None
    assert slots.find("key01") is None


def test_many_bytes_make_room_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots_module, "MOST_BYTES", 250)
    slots = store(tmp_path)
    for number in range(4):
        put(slots, f"key{number}", b"x" * 100, 100 - number)
    assert sorted(path.name.split("-")[0] for path in tmp_path.iterdir()) == ["key2", "key3"]


def test_what_a_dead_process_left_unfinished_goes(tmp_path: Path) -> None:
    slots = store(tmp_path)
    left, fresh = slots.unfinished(), slots.unfinished()
    for path, age in ((left, slots_module.LEFT_SECONDS + 60), (fresh, 0)):
        path.write_bytes(b"half")
        now = path.stat().st_mtime
        os.utime(path, (now - age, now - age))
    stranger = tmp_path / "notes.txt"
    stranger.write_text("not ours")
    put(slots, "key", b"x", 0)
    assert (left.exists(), fresh.exists(), stranger.exists()) == (False, True, True)


@given(content=st.binary(min_size=1, max_size=200), place=st.integers(0, 199), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, place: int, bit: int
) -> None:
    slots = store(tmp_path_factory.mktemp("slots"))
    path = put(slots, "key", content, 0)
    assert slots.find("key") == path
    harmed = bytearray(content)
    harmed[place % len(content)] ^= 1 << bit
    path.write_bytes(harmed)
    assert slots.find("key") is None
    assert not path.exists()


@given(st.text())
def test_no_line_of_the_stream_is_too_strange(line: str) -> None:
    assert _reading(line) is None
    assert _reading(f"data: {line}") is None


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 10_000))
def test_progress_is_a_percentage_of_what_is_new(total: int, cached: int, done: int) -> None:
    total = max(total, cached)
    done = min(max(done, cached), total)
    text = _progress(Reading(total, cached, done))
    little = done == total or total - cached <= BATCH_TOKENS
    assert text == "" if little else 0 <= int(text.split()[-2]) < 100
