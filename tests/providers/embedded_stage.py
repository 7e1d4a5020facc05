"""A user's folders, a pretended model, and providers whose engine is the fake one."""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tui_agent.config.locations import Locations
from tui_agent.config.model import ProviderSettings
from tui_agent.conversation.events import ProviderStatus
from tui_agent.conversation.messages import Message, ToolSpec
from tui_agent.providers.embedded.engine import EngineFolders, EngineSpec
from tui_agent.providers.embedded.messages import EngineJob
from tui_agent.providers.embedded.provider import EmbeddedProvider
from tui_agent.providers.protocol import ChatRequest, ProviderEvent

FAKE = (sys.executable, str(Path(__file__).parent.parent / "fakes" / "engine.py"))
SYSTEM = "Be short. " * 40
READ = ToolSpec("read_file", "Read a file.", {"type": "object", "properties": {"file_path": {"type": "string"}}})
SECONDS = 20.0


def request(text: str = "", *, system: str = SYSTEM, tools: tuple[ToolSpec, ...] = (READ,)) -> ChatRequest:
    """A first request; without text only what it begins with."""
    messages = (Message("system", system),) if system else ()
    return ChatRequest("", (*messages, Message("user", text)) if text else messages, tools)


async def until(condition: Callable[[], Any], what: str) -> None:
    """Wait for something that other processes do; one that does not happen fails."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {SECONDS:g} s: {what}"
        await asyncio.sleep(0.01)


class Stage:
    """Everything below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.places = Locations(root / "config", root / "data", root / "state", root / "cache")
        self.model = root / "fake.gguf"
        # The engine's processes must find the same source as the tests.
        source = str(Path(__file__).parent.parent.parent)
        self.environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": source, "SECRET_API_KEY": "not for the engine"}
        self._providers: list[EmbeddedProvider] = []
        self.load_with()

    def load_with(self, **how: Any) -> None:
        """How the fake engine loads from now on; see there."""
        self.model.write_text(json.dumps(how))

    def provider(self, **settings: Any) -> EmbeddedProvider:
        """Another client; they are closed at the end."""
        made = ProviderSettings(api="embedded", model_file=str(self.model), requires_api_key=False, **settings)
        provider = EmbeddedProvider("embedded", made, self.environ, places=self.places, command=FAKE)
        self._providers.append(provider)
        return provider

    async def close(self) -> None:
        """Close all clients; nothing may be left of any engine."""
        for provider in self._providers:
            await provider.aclose()
        await until(lambda: not self.alive(), f"end of {self.alive()}")

    def starts(self) -> list[tuple[int, int]]:
        """The engine's and its supervisor's process id of each start."""
        lines = self._lines(".starts")
        return [(int(engine), int(supervisor)) for engine, supervisor in map(str.split, lines)]

    def requests(self) -> list[str]:
        """What the slot was used for, oldest first."""
        return self._lines(".requests")

    def engines(self) -> list[int]:
        """Those of the started engines that still run."""
        return [engine for engine, _ in self.starts() if _runs(engine)]

    def alive(self) -> list[int]:
        """Those of the started processes that still run."""
        return [pid for pair in self.starts() for pid in pair if _runs(pid)]

    def prompts(self) -> list[Path]:
        """The files of saved prompts."""
        return sorted(self.places.prompts.iterdir()) if self.places.prompts.is_dir() else []

    @property
    def log(self) -> Path:
        """The engine's log."""
        return self.places.logs / "engine-fake.log"

    @property
    def socket(self) -> Path:
        """The supervisor's socket."""
        (path,) = self.places.engines.glob("*.sock")
        return path

    def spec(self) -> tuple[EngineSpec, EngineFolders]:
        """An engine of this stage, without a provider around it."""
        job = EngineJob(str(self.model), "fake", 8192, 1, "", "")
        return EngineSpec(job, "1", "1"), EngineFolders(self.places.engines, self.places.logs)

    def _lines(self, ending: str) -> list[str]:
        path = self.model.with_name(self.model.name + ending)
        return path.read_text().splitlines() if path.exists() else []


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def talk(provider: EmbeddedProvider, text: str, **more: Any) -> list[ProviderEvent]:
    """All events of one request; one that hangs fails."""
    async with asyncio.timeout(SECONDS):
        return [event async for event in provider.stream(request(text, **more))]


async def prime(provider: EmbeddedProvider, **more: Any) -> list[str]:
    """What the provider does to get ready."""
    async with asyncio.timeout(SECONDS):
        return [status.text async for status in provider.prime(request(**more))]


def statuses(events: list[ProviderEvent]) -> list[str]:
    """What was told before and between."""
    return [event.text for event in events if isinstance(event, ProviderStatus)]
