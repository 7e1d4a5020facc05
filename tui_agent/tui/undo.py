"""Taking back: what calls changed, and the conversation from a prompt on; and looking at it once more."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tui_agent.config.model import Settings
from tui_agent.conversation.errors import TuiAgentError
from tui_agent.tui.engine import Engine
from tui_agent.tui.host import Host
from tui_agent.tui.theming import Symbols

if TYPE_CHECKING:
    from tui_agent.agent.undo import Prompt, Undoing
    from tui_agent.conversation.events import LoggedEvent
    from tui_agent.tui.face import Face


class Undo:
    """What the session of the engine can take back."""

    def __init__(self, face: "Face", engine: Engine, settings: Callable[[], Settings], *, symbols: Symbols) -> None:
        self._face = face
        self._engine = engine
        self._settings = settings
        self._symbols = symbols

    async def undo(self, what: str = "") -> None:
        """Take back what the last turn changed, or with `call` its last call."""
        if what not in ("", "call", "turn"):
            hint = "/undo takes the last turn back, /undo call its last call"
            self._face.say("warning", f"{what} cannot be undone", hint)
            return
        await self._take_back(lambda undoing: undoing.undo("call" if what == "call" else "turn"))

    async def redo(self) -> None:
        """Put back again what was undone last."""
        await self._take_back(lambda undoing: undoing.redo())

    async def rewind(self) -> None:
        """Let the user choose a prompt to go back to before, and what goes back."""
        host = await self._idle_host()
        if host is None:
            return
        from tui_agent.tui.screens.rewind import RewindScreen

        prompts = host.session.undoing.prompts()
        if not prompts:
            self._face.say("info", "there is no prompt to go back to")
            return
        chosen = await self._face.choose(RewindScreen(prompts, symbols=self._symbols))
        if chosen is None:
            return
        prompt, goes = chosen
        done = await self._take_back(
            lambda undoing: undoing.rewind(prompt, files="files" in goes, conversation="conversation" in goes)
        )
        if done and "conversation" in goes:
            self._face.give_back(prompt.text)

    async def go_back(self, prompt: "Prompt") -> bool:
        """Go back to before a prompt with the conversation, and leave files alone; False when that cannot be."""
        return await self._take_back(lambda undoing: undoing.rewind(prompt, files=False, conversation=True))

    async def changes(self) -> None:
        """Show what the last turn that changed files did to them, as one diff against how they were before it."""
        host = await self._engine.ready()
        if host is None:
            return
        try:
            plan, total = await host.session.undoing.last_changes()
        except TuiAgentError as error:
            self._face.say("info", error.message, error.hint)
            return
        if not plan.changes:
            self._face.say("info", "no text was changed, only modes or folders", "/undo takes it back")
            return
        from tui_agent.tui.screens.review import ReviewScreen

        shown = len(plan.changes)
        title = "last turn" if shown == total else f"last turn, {shown:,} of {total:,} files"
        layout = self._settings().ui.diff
        await self._face.choose(ReviewScreen(plan, title, layout=layout, symbols=self._symbols))

    async def _idle_host(self) -> Host | None:
        host = await self._engine.ready()
        if host is not None and host.session.busy:
            self._face.say("info", "a turn is running", "stop it with esc first")
            return None
        return host

    async def _take_back(self, work: "Callable[[Undoing], Awaitable[list[LoggedEvent]]]") -> bool:
        """Do it and show what came of it; False when there was nothing to do. A prompt sent meanwhile waits."""
        host = await self._idle_host()
        if host is None:
            return False
        with self._engine.opening():
            try:
                events = await work(host.session.undoing)
            except TuiAgentError as error:
                self._face.say("info", error.message, error.hint)
                return False
            for event in events:
                self._face.show(event)
        self._face.changed()
        return True
