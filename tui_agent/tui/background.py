"""The commands that keep running: counted, shown, and told about when they end."""

from typing import TYPE_CHECKING

from tui_agent.conversation.events import ToolFinished
from tui_agent.text.sanitize import one_line
from tui_agent.tui.engine import Engine
from tui_agent.tui.theming import Symbols

if TYPE_CHECKING:
    from tui_agent.conversation.events import Event
    from tui_agent.sandbox.background import BackgroundCommand, BackgroundCommands
    from tui_agent.tui.face import Face
    from tui_agent.tui.screens.background import BackgroundScreen

_LONGEST = 60
_SECONDS = 5.0


class Background:
    """Those of the session that is open; no other session's run."""

    def __init__(self, face: "Face", engine: Engine, *, symbols: Symbols) -> None:
        self._face = face
        self._engine = engine
        self._symbols = symbols
        self._screen: BackgroundScreen | None = None

    @property
    def running(self) -> int:
        """How many there are."""
        commands = self._commands
        return 0 if commands is None else sum(command.running for command in commands.list())

    @property
    def _commands(self) -> "BackgroundCommands | None":
        host = self._engine.host
        return None if host is None else host.session.executor.background

    def take(self, event: "Event") -> None:
        """Account for what happened: a tool may have left something running."""
        if isinstance(event, ToolFinished) and (commands := self._commands) is not None:
            commands.on_end = self._ended

    def _ended(self, command: "BackgroundCommand") -> None:
        from tui_agent.sandbox.background import how_it_ended

        if self._screen is not None:
            self._screen.ended()
        elif not command.stopped:
            name = one_line(command.command)
            name = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"
            self._face.tell(f"in the background: {name} {how_it_ended(command)}", _SECONDS)
        self._face.changed()

    async def show(self) -> None:
        """Show them with what they print, and let the user stop them."""
        commands = self._commands
        if commands is None or not commands.list():
            self._face.say(
                "info", "nothing was started in the background", "the model can leave a server running there"
            )
            return
        from tui_agent.tui.screens.background import BackgroundScreen

        self._screen = BackgroundScreen(commands.list(), commands.stop, symbols=self._symbols)
        try:
            await self._face.choose(self._screen)
        finally:
            self._screen = None
            self._face.changed()
