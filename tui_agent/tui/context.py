"""The model's window: how full it is, what fills it, and making room in it."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from tui_agent.config.model import Settings
from tui_agent.conversation.errors import TuiAgentError
from tui_agent.conversation.events import (
    AssistantReplied,
    Compacted,
    ModelSwitched,
    PromptSubmitted,
    ProviderStatus,
    ResultsTrimmed,
    Rewound,
    ToolFinished,
    TurnEnded,
)
from tui_agent.conversation.outbox import Outbox
from tui_agent.tui.engine import Engine
from tui_agent.tui.theming import Symbols

if TYPE_CHECKING:
    from tui_agent.agent.session import Session
    from tui_agent.agent.window import ContextUse
    from tui_agent.conversation.events import Event
    from tui_agent.tui.face import Face
    from tui_agent.tui.screens.context import ContextScreen
    from tui_agent.tui.widgets.context_lines import ContextFacts

COMPACTING = "compact"
"""The group of what makes room when the user asks for it."""


class Context:
    """That of the session in the engine.

    `use` is counted after whatever changes it much, in a thread, for the log may be long: never while an answer comes.
    `limit` is the window as far as anybody knows it.
    """

    def __init__(
        self,
        face: "Face",
        engine: Engine,
        settings: Callable[[], Settings],
        outbox: Outbox,
        go_on: Callable[[], None],
        remember: Callable[[str], None],
        *,
        symbols: Symbols,
    ) -> None:
        """`go_on` sends what was typed into `outbox` while room was made; `remember` keeps a text for the user."""
        self._face = face
        self._engine = engine
        self._settings = settings
        self._outbox = outbox
        self._go_on = go_on
        self._remember = remember
        self._symbols = symbols
        self._screen: ContextScreen | None = None
        self._looking = self._outdated = False
        self._told: int | None = None  # the window, by a server that was asked for its models
        self.use: ContextUse | None = None

    @property
    def limit(self) -> int | None:
        """Tokens of the window."""
        known = self.use.window if self.use is not None else None
        return known or self._told

    @property
    def used(self) -> int | None:
        """About the tokens of the next request; None while that is not known, or nothing was said yet."""
        session = self._session
        return None if self.use is None or session is None or not session.records else self.use.total

    @property
    def threshold(self) -> float:
        """The share of the window from which on it is nearly full."""
        share, use = self._settings().compact_at, self.use
        return share if use is None or use.window is None or use.room is None else min(share, use.room / use.window)

    # ---- how full it is ----

    def take(self, event: "Event") -> None:
        """Account for what happened."""
        match event:
            case ModelSwitched():
                self.learn_limit()
            case AssistantReplied() | TurnEnded() | Compacted() | ResultsTrimmed() | Rewound():
                self.look()
            case PromptSubmitted() | ToolFinished() if self._screen is not None:
                self.look()
            case _:
                pass

    def look(self) -> None:
        """Count again; while that is being done, once more behind it."""
        self._outdated = True
        if not self._looking:
            self._looking = True
            self._face.aside(self._look, "context", instead=False)

    async def _look(self) -> None:
        try:
            while self._outdated:
                self._outdated = False
                await self._count()
        finally:
            self._looking = False
        self._face.changed()

    async def _count(self) -> None:
        session = self._session
        if session is None:
            self.use = None
            return
        screen = self._screen
        use = await asyncio.to_thread(session.context_use)
        facts = None if screen is None else await asyncio.to_thread(self._facts, session, use)
        if session is not self._session:
            self._outdated = True  # another one was opened meanwhile
            return
        self.use = use
        if screen is not None and facts is not None:
            name = f"{session.provider.name} {self._symbols.separator} {session.model}"
            screen.show(facts, name, busy=session.busy, summary=session.summary is not None)

    @property
    def _session(self) -> "Session | None":
        host = self._engine.host
        return None if host is None or host.trouble is not None else host.session

    def learn_limit(self) -> None:
        """Another model may answer."""
        self._face.aside(self._learn_limit, "context length")

    async def _learn_limit(self) -> None:
        self._told = None
        self.look()
        if self._engine.host is not None:
            self._told = await self._engine.host.context_length()
            self.look()

    # ---- what fills it ----

    async def show(self) -> None:
        """Show what fills it, and do what is chosen there."""
        if await self._engine.ready() is None:
            return
        from tui_agent.tui.screens.context import ContextScreen

        self._screen = ContextScreen(symbols=self._symbols)
        self.look()
        try:
            chosen = await self._face.choose(self._screen)
        finally:
            self._screen = None
        if chosen == "compact":
            self.compact()
        elif chosen == "edit":
            await self.edit()

    def _facts(self, session: "Session", use: "ContextUse") -> "ContextFacts":
        from tui_agent.tui.widgets.context_lines import ContextFacts

        settings, summary = self._settings(), session.summary
        threshold = None
        if settings.compact == "auto" and use.window is not None and use.room is not None:
            threshold = min(round(use.window * settings.compact_at), use.room)
        return ContextFacts(
            use=use,
            provider=session.provider.name,
            limit=use.window or self._told,
            threshold=threshold,
            prompts={item.seq: _prompt_of(session, item.seq) for item in use.largest},
            turn=session.spent_in_turn(),
            session=session.spent(),
            currency=settings.currency,
            replaced=summary.messages if summary is not None else 0,
        )

    # ---- making room ----

    def compact(self, focus: str = "") -> None:
        """Let a model sum up the earlier conversation, with an eye on `focus`."""
        self._face.aside(partial(self._compact, focus), COMPACTING, instead=False)

    async def _compact(self, focus: str) -> None:
        from tui_agent.agent.making_room import NothingToCompact

        session = await self._idle()
        if session is None:
            return
        waited = bool(self._outbox.waiting)  # since a turn that went wrong; that is the user's to send
        done = False
        try:
            async with aclosing(session.compact(focus)) as happening:
                async for event in happening:
                    done = done or isinstance(event, Compacted)
                    self._face.show(event)
        except NothingToCompact as error:
            self._face.say("info", error.message, error.hint)
        except TuiAgentError as error:
            self._face.say("error", error.message, error.hint)
        else:
            if not done:
                self._face.say("info", "stopped; all goes on as it was")
        self._face.show(ProviderStatus(""))
        if done and not waited:
            self._go_on()

    async def edit(self) -> None:
        """Let the user edit the summary."""
        session = await self._idle()
        if session is None:
            return
        if (summary := session.summary) is None:
            self._face.say("info", "there is no summary yet", "/compact makes one of what was said before")
            return
        from tui_agent.tui.screens.summary import SummaryScreen

        root = session.executor.workspace.root.path
        screen = SummaryScreen(summary.summary, summary.origin, directory=root, busy=lambda: session.busy)
        text = await self._face.choose(screen)
        if text is None:
            if screen.typed.strip():
                self._remember(screen.typed)
            return
        with self._engine.opening():  # what is sent meanwhile waits for the end
            try:
                for event in await session.edit_summary(text):
                    self._face.show(event)
            except TuiAgentError as error:
                self._face.say("error", error.message, error.hint)
                self._face.give_back(text)

    async def _idle(self) -> "Session | None":
        """The session, if somebody answers there and nothing runs."""
        await self._engine.ready()
        session = self._session
        if session is None:
            self._face.say("info", "nobody is there yet who could answer")
        elif session.busy:
            self._face.say("info", "a turn is running", "stop it with esc first")
            return None
        return session


def _prompt_of(session: "Session", seq: int) -> str:
    """The prompt that a record belongs to; empty when it is one itself, or a summary, or there is none."""
    for record in reversed(session.records[: max(0, seq)]):
        match record.event:
            case PromptSubmitted(text=text):
                return "" if record.seq == seq else text[:200]
            case Compacted() if record.seq == seq:
                return ""
            case _:
                pass
    return ""
