"""Real sandboxes for tests, where the machine has them."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tui_agent.conversation.messages import ToolCall
from tui_agent.permissions.approval import Allow, Terms
from tui_agent.sandbox.choose import choose
from tui_agent.sandbox.enclosure import Sandbox
from tui_agent.tools.executor import ToolExecutor, ToolOutcome

WORKS = choose("auto", (str(Path(__file__).parent),), os.environ)
needs_bwrap = pytest.mark.skipif(not WORKS.on, reason=f"no sandbox here: {WORKS.reason}")


class On:
    """A policy that lets everything run on the same terms."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms

    def decide(self, tool: str, access: object) -> Allow:
        return Allow("a test", self.terms)

    def letting_reading_run(self) -> "On":
        return self


def boxed(folder: Path, *more: Path, terms: Terms = Terms(), sandbox: Sandbox = WORKS) -> ToolExecutor:  # noqa: B008
    """An executor whose commands run in a sandbox."""
    return ToolExecutor(folder, allowed_directories=more, policy=On(terms), sandbox=sandbox)


async def shell(executor: ToolExecutor, command: str, **arguments: Any) -> ToolOutcome:
    """Run a command through `run_command`; it may take 30 seconds."""
    async with asyncio.timeout(30):
        return await executor.run(ToolCall("c", "run_command", json.dumps({"command": command, **arguments})))
