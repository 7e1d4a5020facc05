"""What the assistant may do without asking: the mode, gone through by a key, named, or chosen from what is told."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tui_agent.config.model import Settings
from tui_agent.conversation.events import Mode
from tui_agent.tui.engine import Engine
from tui_agent.tui.host import Host
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.welcome import reading_runs, what_asks, what_asks_now

if TYPE_CHECKING:
    from tui_agent.tui.face import Face

MODES: tuple[Mode, ...] = ("plan", "ask", "accept-edits", "auto")


class Modes:
    """The modes of the session in the engine."""

    def __init__(
        self, face: "Face", engine: Engine, settings: Callable[[], Settings], *, symbols: Symbols = UNICODE
    ) -> None:
        self._face = face
        self._engine = engine
        self._settings = settings
        self._symbols = symbols

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

    async def show(self) -> None:
        """Show what each mode permits here and now, and let the user choose one."""
        host = await self._engine.ready()
        if host is None:
            return
        from tui_agent.tui.screens.modes import ModeRow, ModesScreen

        rows = [ModeRow(mode, self.summary(host, mode), host.permits(mode), host.mode_problem(mode)) for mode in MODES]
        screen = ModesScreen(rows, host.session.mode, _surroundings(host), symbols=self._symbols)
        if (mode := await self._face.choose(screen)) is not None:
            await self.choose(mode)

    def summary(self, host: Host, mode: Mode) -> str:
        """What a mode lets happen unasked, in a sentence."""
        settings = self._settings()
        return what_asks(
            mode,
            reading=reading_runs(settings, host.session),
            rules=bool(settings.permissions.allow),
            sandboxed=host.session.executor.sandbox.on,
        )


def _surroundings(host: Host) -> list[str]:
    """Where commands run and where tools work, for people."""
    executor = host.session.executor
    roots = [f"{root.path}{'' if root.writable else ' (only reading)'}" for root in executor.workspace.roots]
    if not executor.allows_commands:
        said = "no command runs: --no-commands"
    elif executor.sandbox.on:
        said = f"commands run in {executor.sandbox.describe()}, without network but where you or a rule allow it"
    else:
        why = f" ({executor.sandbox.reason})" if executor.sandbox.reason else ""
        said = f"no sandbox{why}: a command that runs can do what you can"
    return [said, f"files are read and written in {', '.join(roots)}, and nowhere else"]
