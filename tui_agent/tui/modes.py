"""What the assistant may do without asking: the mode, gone through by a key or named."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tui_agent.config.model import Settings
from tui_agent.conversation.events import Mode
from tui_agent.tui.engine import Engine
from tui_agent.tui.welcome import what_asks_now

if TYPE_CHECKING:
    from tui_agent.tui.face import Face

MODES: tuple[Mode, ...] = ("plan", "ask", "accept-edits", "auto")


class Modes:
    """The modes of the session in the engine."""

    def __init__(self, face: "Face", engine: Engine, settings: Callable[[], Settings]) -> None:
        self._face = face
        self._engine = engine
        self._settings = settings

    async def cycle(self) -> None:
        """Go to the next mode that can be chosen here, and say why another was left out."""
        host = await self._engine.ready()
        if host is None:
            return
        place = MODES.index(host.session.mode)
        left_out = ""
        for mode in (*MODES[place + 1 :], *MODES[:place]):
            if problem := host.mode_problem(mode):
                left_out = problem
            else:
                await self.choose(mode, left_out)
                return

    async def choose(self, name: str, left_out: str = "") -> None:
        """Go to a mode; what it lets happen unasked is said, and else what keeps that from happening."""
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
            told = f"{mode}: {what_asks_now(self._settings(), host.session)}"
            self._face.tell(f"{told}\n{left_out}" if left_out else told, 4)
