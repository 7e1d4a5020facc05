"""The embedded engine itself, with the small model: `pytest -m model tests/providers/test_embedded_model.py`."""

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.providers.embedded_stage import until
from tests.providers.support import end_of, text_of
from tui_agent.config.locations import Locations, locations
from tui_agent.config.model import ProviderSettings
from tui_agent.conversation.errors import ProviderError
from tui_agent.conversation.events import ProviderStatus, TextDelta
from tui_agent.conversation.messages import Message, ToolSpec
from tui_agent.providers.embedded.catalogue import MODELS
from tui_agent.providers.embedded.download import installed
from tui_agent.providers.embedded.provider import EmbeddedProvider
from tui_agent.providers.protocol import ChatRequest, ProviderEvent

MODEL = MODELS[1]
SECONDS = 300.0
SYSTEM = "You are a helpful assistant in a terminal. " + " ".join(
    f"Rule {number}: be short and exact, and invent nothing." for number in range(1, 16)
)
READ = ToolSpec(
    "read_file",
    "Read a text file.",
    {"type": "object", "properties": {"file_path": {"type": "string"}}, "required": ["file_path"]},
)

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(
        importlib.util.find_spec("xllamacpp") is None, reason="no engine: pip install 'tui-agent[local]'"
    ),
    pytest.mark.skipif(
        installed(MODEL, locations().models) is None,
        reason=f"no model in {locations().models}: tui-agent models pull {MODEL.name}",
    ),
]


def asking(text: str, *, tools: tuple[ToolSpec, ...] = (), most: int = 24) -> ChatRequest:
    messages = (Message("system", SYSTEM), Message("user", text))
    return ChatRequest("", messages, tools, temperature=0.0, max_tokens=most)


async def events_of(provider: EmbeddedProvider, request: ChatRequest) -> list[ProviderEvent]:
    async with asyncio.timeout(SECONDS):
        return [event async for event in provider.stream(request)]


def engine_of(provider: EmbeddedProvider) -> int:
    """The process that computes."""
    assert provider._engine is not None
    process = provider._engine.task.result().lease._process
    assert process is not None
    (child,) = psutil.Process(process.pid).children()
    return child.pid


class Room:
    """Providers that share folders for engines and prompts; the model is where it always is."""

    def __init__(self, root: Path) -> None:
        self.places = Locations(root / "config", locations().data, root / "state", root / "cache")
        self.made: list[EmbeddedProvider] = []

    def provider(self, **settings: Any) -> EmbeddedProvider:
        fields = {"default_model": MODEL.name, "context_length": 2048, **settings}
        made = ProviderSettings(api="embedded", requires_api_key=False, **fields)
        self.made.append(EmbeddedProvider("embedded", made, os.environ, places=self.places))
        return self.made[-1]

    def prompts(self) -> list[Path]:
        return sorted(self.places.prompts.iterdir())


@pytest.fixture
async def room(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Room]:
    room = Room(tmp_path_factory.mktemp("m"))
    yield room
    for provider in room.made:
        await provider.aclose()


async def test_it_answers_and_calls_a_tool(room: Room) -> None:
    provider = room.provider()
    events = await events_of(provider, asking("What is the capital of France?"))
    assert "Paris" in text_of(events)
    usage = end_of(events).usage
    assert usage.prompt_tokens is not None and usage.prompt_tokens > 150
    assert usage.completion_tokens

    events = await events_of(provider, asking("Read the file notes.txt", tools=(READ,), most=60))
    (call,) = end_of(events).calls
    assert (call.name, "notes.txt" in call.arguments) == ("read_file", True)

    told = (
        *asking("Read the file notes.txt").messages,
        Message("assistant", "", tool_calls=(call,)),
        Message("tool", "The password is swordfish.", tool_call_id=call.id, tool_name=call.name),
    )
    end = end_of(
        await events_of(provider, ChatRequest("", told, (READ,), tool_choice="none", temperature=0.0, max_tokens=40))
    )
    assert end.calls == ()
    assert end.usage.cached_tokens is not None and end.usage.prompt_tokens is not None
    assert end.usage.prompt_tokens - end.usage.cached_tokens < 60  # the tools are still in the prompt


async def test_the_window_is_the_one_that_was_asked_for_and_a_longer_prompt_is_an_error(room: Room) -> None:
    provider = room.provider()
    with pytest.raises(ProviderError) as caught:
        await events_of(provider, asking("word " * 3000))
    assert caught.value.kind == "context"
    assert (await provider.describe("")).context_length == 2048


async def test_a_prompt_is_not_read_again_by_the_next_engine(room: Room) -> None:
    first = room.provider()
    beginning = ChatRequest("", asking("").messages[:1], (READ,))
    async with asyncio.timeout(SECONDS):
        told = [status.text async for status in first.prime(beginning)]
    assert told[0] == f"loading {MODEL.name}"
    one = end_of(await events_of(first, asking("Name a river.", tools=(READ,)))).usage
    await first.aclose()
    (path,) = room.prompts()

    second = room.provider()
    events = await events_of(second, asking("Say hello to Ada.", tools=(READ,)))
    usage = end_of(events).usage
    assert not any("reading" in event.text for event in events if isinstance(event, ProviderStatus))
    assert usage.cached_tokens is not None and usage.prompt_tokens is not None
    assert one.cached_tokens == usage.cached_tokens
    assert usage.prompt_tokens - usage.cached_tokens < 20

    await second.aclose()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    third = end_of(await events_of(room.provider(), asking("Say hello to Ada.", tools=(READ,)))).usage
    assert third.cached_tokens == usage.cached_tokens  # read anew before the request
    assert len(room.prompts()) == 1


async def test_two_clients_use_one_engine_at_once(room: Room) -> None:
    one, two = room.provider(), room.provider()
    answers = await asyncio.gather(
        events_of(one, asking("What is the capital of France?")),
        events_of(two, asking("What is the capital of Italy?")),
    )
    assert ["Paris" in text_of(answers[0]), "Rome" in text_of(answers[1])] == [True, True]
    leases = [provider._engine.task.result().lease for provider in (one, two) if provider._engine is not None]
    assert [lease.report.clients for lease in leases] == [2, 2]
    assert leases[0].report.url == leases[1].report.url


async def test_leaving_an_answer_early_frees_the_engine(room: Room) -> None:
    provider = room.provider()
    async with aclosing(provider.stream(asking("Count from one to a thousand in words.", most=1500))) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    async with asyncio.timeout(60):
        assert text_of(await events_of(provider, asking("Say hello.")))


async def test_an_engine_that_is_killed_in_mid_answer_is_started_again(room: Room) -> None:
    provider = room.provider()
    events: list[ProviderEvent] = []
    async with asyncio.timeout(SECONDS):
        async for event in provider.stream(asking("Count from one to a thousand in words.", most=1500)):
            if isinstance(event, TextDelta) and text_of(events) == "":
                os.kill(engine_of(provider), signal.SIGKILL)
            events.append(event)
    end = end_of(events)
    assert end.finish == "incomplete"
    assert "was killed (signal 9)" in end.error
    events = await events_of(provider, asking("What is the capital of France?"))
    assert isinstance(events[0], ProviderStatus)
    assert events[0].text == f"the engine had stopped: loading {MODEL.name}"
    assert "Paris" in text_of(events)


PARENT = """
import asyncio, os, sys
from pathlib import Path
from tests.providers.test_embedded_model import Room, asking, engine_of

async def main():
    provider = Room(Path(sys.argv[1])).provider()
    told = provider.prime(asking(""))
    if sys.argv[2] == "loading":
        print(await anext(told), flush=True)
        await asyncio.sleep(3600)
    async for _ in told:
        pass
    print(engine_of(provider), os.getpid(), flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


def program_of(room: Room, when: str) -> "subprocess.Popen[bytes]":
    here = Path(__file__).parent.parent.parent
    command = [sys.executable, "-c", PARENT, str(room.places.config.parent), when]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=here)


@pytest.mark.parametrize("when", ["loading", "loaded"])
async def test_kill_9_of_the_program_leaves_no_process(room: Room, when: str) -> None:
    with program_of(room, when) as program:
        assert program.stdout is not None
        assert await asyncio.to_thread(program.stdout.readline)
        family = psutil.Process(program.pid)
        count = 2 if when == "loaded" else 1
        await until(lambda: len(family.children(recursive=True)) >= count, "the engine")
        started = family.children(recursive=True)
        program.kill()
    await until(lambda: not any(process.is_running() for process in started), "the end of the engine")


async def test_kill_9_of_the_supervisor_ends_an_engine_that_is_loading(room: Room) -> None:
    provider = room.provider()
    waiting = asyncio.ensure_future(events_of(provider, asking("hello")))
    await until(lambda: _engines(), "the engine")
    (engine,) = _engines()
    engine.parent().kill()
    await until(lambda: not engine.is_running(), "the end of the engine")
    with pytest.raises(ProviderError, match="stopped while it loaded"):
        await waiting


def _engines() -> list[psutil.Process]:
    """The engines below this process that have come as far as taking their order."""
    family = psutil.Process().children(recursive=True)
    return [each for each in family if _loads(each)]


def _loads(process: psutil.Process) -> bool:
    try:
        ours = "tui_agent.providers.embedded.child" in process.cmdline()
        return ours and any("xllamacpp" in mapped.path for mapped in process.memory_maps())
    except psutil.NoSuchProcess:  # it ended meanwhile, as a zombie too
        return False


@pytest.mark.parametrize("content", [b"GGUF", b"no model at all" * 1000])
async def test_a_file_that_is_no_model_is_said_to_be_none(room: Room, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "broken.gguf"
    file.write_bytes(content)
    with pytest.raises(ProviderError) as caught:
        await events_of(room.provider(model_file=str(file)), asking("hello"))
    assert caught.value.kind == "model"
    assert f"cannot load {file}: " in caught.value.message
    assert "`model_file` must be a whole GGUF file; its log: " in caught.value.hint


async def test_a_model_that_was_cut_is_said_to_be_damaged(room: Room, tmp_path: Path) -> None:
    whole = installed(MODEL, locations().models)
    assert whole is not None
    file = tmp_path / "cut.gguf"
    with whole.open("rb") as source:
        file.write_bytes(source.read(50_000_000))
    with pytest.raises(ProviderError, match="corrupted or incomplete"):
        await events_of(room.provider(model_file=str(file)), asking("hello"))
