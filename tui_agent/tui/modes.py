"""What the assistant may do without asking: the mode, gone through by a key or named."""

from typing import TYPE_CHECKING

from tui_agent.conversation.events import Mode
from tui_agent.tui.engine import Engine

if TYPE_CHECKING:
    from tui_agent.tui.face import Face

MODES: tuple[Mode, ...] = ("plan", "ask", "accept-edits", "auto")


class Modes:
    """The modes of the session in the engine."""

    def __init__(self, face: "Face", engine: Engine) -> None:
        self._face = face
        self._engine = engine

    async def cycle(self) -> None:
        """Go to the next mode that can be chosen here."""
        host = await self._engine.ready()
        if host is None:
            return
        place = MODES.index(host.session.mode)
        for mode in (*MODES[place + 1 :], *MODES[:place]):
            if not host.mode_problem(mode):
                await self.choose(mode)
                return

    async def choose(self, name: str) -> None:
        """Go to a mode; what keeps that from happening is said."""
        host = await self._engine.ready()
        if host is None:
            return
        mode = next((mode for mode in MODES if mode == name), None)
        if mode is None:
            self._face.say("warning", f"no mode is called {name}", f"modes are {', '.join(MODES)}")
        elif problem := host.mode_problem(mode):
            self._face.say("warning", problem)
        else:
            for event in await host.session.set_mode(mode):
                self._face.show(event)
            self._face.changed()
