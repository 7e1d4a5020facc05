"""What the user can do about prompts besides sending them: look through what waits, send one again, go back."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tui_agent.conversation.outbox import Outbox
from tui_agent.tui.engine import Engine
from tui_agent.tui.models import Models
from tui_agent.tui.theming import Symbols
from tui_agent.tui.turns import Turns
from tui_agent.tui.twice import AGAIN, Twice
from tui_agent.tui.undo import Undo
from tui_agent.tui.welcome import shortest

if TYPE_CHECKING:
    from tui_agent.tui.face import Face


class Steering:
    """`remember` puts a text into the history of the prompt."""

    def __init__(
        self,
        face: "Face",
        engine: Engine,
        models: Models,
        turns: Turns,
        undo: Undo,
        outbox: Outbox,
        keys: Callable[[], Mapping[str, str]],
        remember: Callable[[str], None],
        *,
        symbols: Symbols,
    ) -> None:
        self._face = face
        self._engine = engine
        self._models = models
        self._turns = turns
        self._undo = undo
        self._outbox = outbox
        self._keys = keys
        self._remember = remember
        self._symbols = symbols
        self._twice = Twice()
        self._warned = 0  # the place of the prompt of which was said that its turn changed files

    # ---- what waits ----

    @property
    def stuck(self) -> bool:
        """Whether something waits, and nothing goes on that it would be sent in or after."""
        waits = bool(self._outbox.waiting) and not self._outbox.texts("ready")
        return waits and not self._turns.going and not self._engine.busy

    @property
    def hint(self) -> str:
        """The keys for what waits."""
        key = {name: shortest(self._keys(), f"chat.{name}") for name in ("send", "interrupt", "take_back", "queued")}
        if self.stuck:
            return f"{key['send']} sends, {key['interrupt']} takes back"
        return f"{key['take_back']} edits, {key['queued']} lists"

    async def show(self) -> None:
        """Let the user look it through; meanwhile nothing of it is sent."""
        if not self._outbox.waiting:
            key = shortest(self._keys(), "chat.queue")
            self._face.say("info", "nothing is queued", f"while a turn runs, {key} queues what you have typed")
            return
        from tui_agent.tui.screens.queued import QueuedScreen

        self._turns.hold()
        try:
            left = await self._face.choose(QueuedScreen(self._outbox, self._remember, symbols=self._symbols))
        finally:
            self._turns.release()
        if left:
            self._face.give_back(left)

    # ---- once more ----

    async def retry(self, name: str = "") -> None:
        """Go back to before the last prompt and send it again, to "provider" or "provider/model" if one is named."""
        host = await self._engine.ready()
        if host is None:
            return
        if self._turns.going or host.session.busy:
            self._face.say("info", "a turn is running", "stop it with esc, then /retry")
            return
        undoing = host.session.undoing
        prompts = undoing.last_turn()
        if not prompts:
            self._face.say("info", "there is no prompt to send again")
            return
        first = prompts[0]
        if self._warned != first.seq and (count := await undoing.changed_since(first)):
            self._warned = first.seq
            what = "1 file, which stays as it is" if count == 1 else f"{count:,} files, which stay as they are"
            hint = "/undo puts back what was there; /retry once more sends the prompt all the same"
            self._face.say("warning", f"the last turn changed {what}", hint)
            return
        if name and not await self._models.choose(name):
            return
        if await self._undo.go_back(first):
            self._outbox.put_first([prompt.text for prompt in prompts], "step")
            self._turns.go_on()

    # ---- escape, twice ----

    def typed(self, key: str, at: float) -> None:
        """A key was pressed, wherever; `at` is its time."""
        self._twice.typed(key, at)

    def escape(self, at: float) -> None:
        """Escape in the empty prompt, while nothing runs that it would stop."""
        host = self._engine.host
        if host is None or not host.session.records:
            return
        match self._twice.pressed(at, self._turns.idle_since):
            case "first":
                key = shortest(self._keys(), "prompt.twice")
                self._face.tell(f"{key} again to go back to an earlier prompt", AGAIN)
            case "second":
                self._face.aside(self._undo.rewind, "rewind")
