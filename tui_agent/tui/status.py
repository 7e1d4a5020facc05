"""What the bar at the top says: from the engine as soon as there is one, from the settings until then."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tui_agent.config.model import Settings
from tui_agent.conversation.events import ToolFinished, TurnEnded
from tui_agent.tui.background import Background
from tui_agent.tui.context import Context
from tui_agent.tui.engine import Engine
from tui_agent.tui.welcome import reading_runs
from tui_agent.tui.widgets.status_bar import StatusInfo
from tui_agent.workspace.git import branch

if TYPE_CHECKING:
    from tui_agent.conversation.events import Event
    from tui_agent.tui.face import Face


class Status:
    """Knows besides what has to be asked for: the branch of `directory`."""

    def __init__(
        self,
        face: "Face",
        engine: Engine,
        context: Context,
        background: Background,
        settings: Callable[[], Settings],
        *,
        directory: Path,
    ) -> None:
        self._face = face
        self._directory = directory
        self._engine = engine
        self._context = context
        self._background = background
        self._settings = settings
        self._branch = ""

    @property
    def info(self) -> StatusInfo:
        """What is known now."""
        settings, host = self._settings(), self._engine.host
        project = str(self._directory)
        if host is not None and host.trouble is not None:
            return StatusInfo(project=project, branch=self._branch, mode=host.session.mode)
        session = host.session if host is not None else None
        provider = session.provider.name if session else settings.provider
        configured = settings.providers.get(provider)
        return StatusInfo(
            project=project,
            branch=self._branch,
            provider=provider,
            model=(session.model if session else settings.model or (configured.default_model if configured else "")),
            profile="small" if session and session.profile.name == "small" else "",
            mode=session.mode if session else settings.mode,
            reading=reading_runs(settings, session),
            background=self._background.running,
            sandbox=session.executor.sandbox.describe() if session else "",
            context_used=self._context.used,
            context_limit=self._context.limit,
            context_full=self._context.threshold,
        )

    def take(self, event: "Event") -> None:
        """Account for what happened."""
        if isinstance(event, ToolFinished | TurnEnded):
            self.look_at_branch()

    def look_at_branch(self) -> None:
        """The branch may be another one."""
        self._face.aside(self._look_at_branch, "branch")

    async def _look_at_branch(self) -> None:
        self._branch = await asyncio.to_thread(branch, self._directory)
        self._face.changed()
