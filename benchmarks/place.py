"""A machine of the benchmarks' own: folders for settings, data and a project, and the installed program in them."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.recording import Recording, Screen, shows
from benchmarks.server import MODEL, Server
from tui_agent.conversation.events import LoggedEvent, SessionStarted
from tui_agent.store.sqlite import SqliteLog

PROGRAM = Path(sys.executable).with_name("tui-agent")

PROMPT = "›"


class Place:
    """`home` has everything the program may write; `project` is the folder it works in."""

    def __init__(self, home: Path, server: Server) -> None:
        self.home = home
        self.server = server
        self.project = home / "project"
        self.project.mkdir()
        (home / "config").mkdir()
        (home / "config" / "config.yaml").write_text(
            f"provider: bench\nproviders:\n  bench: {{base_url: '{server.url}', default_model: {MODEL},"
            " requires_api_key: false, max_retries: 0}\n"
        )

    @property
    def env(self) -> Mapping[str, str]:
        """The environment of programs: nothing of this machine but PATH."""
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.home),
            "TUI_AGENT_CONFIG_DIR": str(self.home / "config"),
            "TUI_AGENT_DATA_DIR": str(self.home / "data"),
        }

    def launch(self, *words: str) -> Recording:
        """The installed program on a pty."""
        return Recording([str(PROGRAM), *words], self.env, str(self.project))

    def opened(self, *words: str) -> Recording:
        """The same, once it takes prompts and has done what it does after its first paint."""
        program = self.launch(*words)
        try:
            program.when(shows(PROMPT))
            program.quiet(0.6)
            program.catch_up()
        except BaseException:
            program.close()
            raise
        return program

    def log(self, name: str, events: Iterable[LoggedEvent]) -> None:
        """Write a session through the store, as the engine does."""
        asyncio.run(self._log(name, events))

    async def _log(self, name: str, events: Iterable[LoggedEvent]) -> None:
        log = SqliteLog(self.home / "data" / "sessions.db")
        at = time.time()
        last = await log.create(name, SessionStarted(str(self.project), "bench", MODEL, "ask", "bench"), at)
        for event in events:
            last = await log.append(last, event, at)
        await log.aclose()


@contextmanager
def place() -> Iterator[Place]:
    """A place with a server, for the time of the block; nothing of it is left behind."""
    with tempfile.TemporaryDirectory(prefix="tui-agent-bench-") as folder, Server() as server:
        yield Place(Path(folder), server)


def submit(program: Recording, prompt: str) -> float:
    """Type a prompt, see it on the screen, and send it; the moment of the enter key."""
    program.send(prompt)
    program.when(lambda screen: prompt_text(screen).startswith(prompt))
    return program.send("\r")


def prompt_row(screen: Screen) -> int:
    """The row of the prompt; -1 when there is none."""
    rows = screen.rows
    return next((at for at in range(len(rows) - 1, -1, -1) if rows[at][:4].lstrip().startswith(PROMPT)), -1)


def prompt_text(screen: Screen) -> str:
    """What stands in the first row of the prompt."""
    at = prompt_row(screen)
    return "" if at < 0 else screen.rows[at].partition(PROMPT)[2].strip()
