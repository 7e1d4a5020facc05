"""What the bar at the top says: from the engine as soon as there is one, from the settings until then."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tui_agent.config.model import Settings
from tui_agent.conversation.events import ModelSwitched, ToolFinished, TurnEnded
from tui_agent.tui.background import Background
from tui_agent.tui.engine import Engine
from tui_agent.tui.transcript import Transcript
from tui_agent.tui.welcome import reading_runs
from tui_agent.tui.widgets.status_bar import StatusInfo
from tui_agent.workspace.git import branch

if TYPE_CHECKING:
    from tui_agent.conversation.events import Event
    from tui_agent.tui.face import Face


class Status:
    """Knows besides what has to be asked for: the branch of `directory` and how much the model can read."""

    def __init__(
        self,
        face: "Face",
        engine: Engine,
        transcript: Transcript,
        background: Background,
        settings: Callable[[], Settings],
        *,
        directory: Path,
    ) -> None:
        self._face = face
        self._directory = directory
        self._engine = engine
        self._transcript = transcript
        self._background = background
        self._settings = settings
        self._branch = ""
        self._context_limit: int | None = None

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
            context_used=self._transcript.progress.context_used,
            context_limit=self._context_limit,
        )

    def take(self, event: "Event") -> None:
        """Account for what happened."""
        if isinstance(event, ToolFinished | TurnEnded):
            self.look_at_branch()
        elif isinstance(event, ModelSwitched):
            self.learn_context_length()

    def look_at_branch(self) -> None:
        """The branch may be another one."""
        self._face.aside(self._look_at_branch, "branch")

    async def _look_at_branch(self) -> None:
        self._branch = await asyncio.to_thread(branch, self._directory)
        self._face.changed()

    def learn_context_length(self) -> None:
        """Another model may answer."""
        self._face.aside(self._learn_context_length, "context length")

    async def _learn_context_length(self) -> None:
        self._context_limit = None
        if self._engine.host is not None:
            self._context_limit = await self._engine.host.context_length()
            self._face.changed()
