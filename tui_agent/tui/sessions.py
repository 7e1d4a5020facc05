"""Which session is shown: the end of one that is continued at once, the rest above it when it has been read."""

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING

from tui_agent.conversation.errors import TuiAgentError
from tui_agent.tui.collecting import lasting
from tui_agent.tui.engine import Engine
from tui_agent.tui.greeting import Greeting
from tui_agent.tui.host import Host
from tui_agent.tui.theming import Symbols
from tui_agent.tui.transcript import Transcript

if TYPE_CHECKING:
    from tui_agent.conversation.events import Record
    from tui_agent.tui.face import Face

_EARLIER = "earlier"
"""What reads the turns before those that are shown; only those of the session that is shown."""

_seq = attrgetter("seq")


class Sessions:
    """Begins, continues and changes sessions; `shown` is called when the end of another one is in the transcript."""

    def __init__(
        self,
        face: "Face",
        engine: Engine,
        transcript: Transcript,
        greeting: Greeting,
        shown: Callable[[], None],
        *,
        symbols: Symbols,
    ) -> None:
        self._face = face
        self._engine = engine
        self._transcript = transcript
        self._greeting = greeting
        self._shown = shown
        self._symbols = symbols
        self._end: asyncio.Task[Sequence[Record]] | None = None

    # ---- the first one ----

    def begin(self, read_end: "Callable[[], Awaitable[Sequence[Record]]] | None") -> None:
        """Before the engine is there: show the end of the session to continue, or greet."""
        if read_end is None:
            self._greeting.show()
        else:
            self._end = asyncio.create_task(self._look_back(read_end))

    async def _look_back(self, read_end: "Callable[[], Awaitable[Sequence[Record]]]") -> "Sequence[Record]":
        """Nothing comes back if that fails."""
        try:
            end = await read_end()
        except TuiAgentError as error:
            self._greeting.show()
            self._face.say("error", error.message, error.hint)
            return ()
        await self._show_end(end)
        return end

    async def take_up_first(self, host: Host) -> None:
        """The engine is there: let it continue what `begin` was asked for; raises what keeps it from that."""
        if self._end is not None and (end := await self._end):
            await self._take_up(host, end)

    # ---- another one ----

    async def choose(self) -> None:
        """Let the user open an earlier session of this folder."""
        host = await self._engine.ready()
        if host is None:
            return
        if host.session.busy:
            self._face.say("info", "a turn is running", "stop it with esc, then open another session")
            return
        from tui_agent.tui.screens.sessions import SessionRow, SessionsScreen

        try:
            rows = [
                SessionRow(row.id, row.title, row.updated, row.turns, row.model, row.working_directory)
                for row in await host.sessions()
            ]
            chosen = await self._face.choose(SessionsScreen(rows, current=host.session.id, symbols=self._symbols))
            if chosen is not None and chosen != host.session.id and not host.session.busy:
                await self._open(host, chosen)
        except TuiAgentError as error:
            self._face.say("error", error.message, error.hint)

    async def _open(self, host: Host, beginning: str) -> None:
        with self._engine.opening():
            end = await host.end_of(beginning)
            await self._show_end(end)
            await self._take_up(host, end)

    async def start_over(self) -> None:
        """Begin a new session with an empty transcript; the old one is kept."""
        host = await self._engine.ready()
        if host is None:
            return
        if host.session.busy:
            self._face.say("info", "a turn is running", "stop it with esc first")
            return
        await host.fresh_session()
        self._greet()
        self._face.changed()

    # ---- what is shown ----

    def _greet(self) -> None:
        self._face.drop(_EARLIER)
        self._transcript.clear()
        self._greeting.show()

    async def _show_end(self, end: "Sequence[Record]") -> None:
        """Show the last turns of a session, or all of them."""
        self._face.drop(_EARLIER)
        await self._transcript.begin_with(end)
        self._shown()

    async def _take_up(self, host: Host, end: "Sequence[Record]") -> None:
        """Let the engine continue the session whose end is shown; what is before that follows when it has been read."""
        try:
            with lasting():
                records = await host.resume(end[0].session)
        except TuiAgentError:
            if host.session.records:
                await self._show_end(host.session.records)
            else:
                self._greet()
            raise
        for record in records[bisect_right(records, end[-1].seq, key=_seq) :]:  # from another window, just now
            self._face.show(record.event)
        earlier = records[: bisect_left(records, end[0].seq, key=_seq)]
        self._face.aside(partial(self._show_earlier, host, earlier), _EARLIER)
        self._face.changed()

    async def _show_earlier(self, host: Host, records: "Sequence[Record]") -> None:
        """Put the turns before those that are shown above them, then say what is wrong with the log, if anything is."""
        await self._transcript.put_above(records)
        try:
            problem = await host.check_log()
        except TuiAgentError as error:
            problem = error.message
        if problem:
            text = f"the log of this session is damaged: {problem}"
            self._face.say("warning", text, "what is shown may not be all of it")
