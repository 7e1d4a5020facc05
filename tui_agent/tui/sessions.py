"""Which session is shown: the end of one that is continued at once, the rest above it when it has been read."""

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, TypeGuard

from tui_agent.conversation.errors import TuiAgentError
from tui_agent.tui.collecting import lasting
from tui_agent.tui.engine import Engine
from tui_agent.tui.greeting import Greeting
from tui_agent.tui.host import Host
from tui_agent.tui.theming import Symbols
from tui_agent.tui.transcript import Transcript

if TYPE_CHECKING:
    from tui_agent.conversation.events import Record
    from tui_agent.store.log import SessionHeldError
    from tui_agent.tui.face import Face
    from tui_agent.tui.host import Archive

_EARLIER = "earlier"
"""What reads the turns before those that are shown; only those of the session that is shown."""

_INSTEAD = "instead"
"""What asks about a session that another window has open."""

_seq = attrgetter("seq")


def _is_held(error: TuiAgentError) -> "TypeGuard[SessionHeldError]":
    from tui_agent.store.log import SessionHeldError

    return isinstance(error, SessionHeldError)


def _archive(host: Host) -> "Archive | None":
    """None where no sessions are saved."""
    try:
        return host.archive
    except TuiAgentError:
        return None


def _unguarded(host: Host) -> str:
    archive = _archive(host)
    return "" if archive is None else archive.unguarded


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
        self._held: SessionHeldError | None = None

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
            if _is_held(error):
                self._held = error  # what to do is asked when the engine is there
            else:
                self._face.say("error", error.message, error.hint)
            return ()
        await self._show_end(end)
        return end

    async def take_up_first(self, host: Host) -> None:
        """The engine is there: let it continue what `begin` was asked for; raises what keeps it from that."""
        if self._end is not None and (end := await self._end):
            try:
                await self._take_up(host, end)
            except TuiAgentError as error:
                if not _is_held(error):
                    raise
                self._held = error
        if self._held is not None:
            held, self._held = self._held, None
            self._face.aside(partial(self._instead, host, held), _INSTEAD)

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
            rows = [SessionRow.of(row) for row in await host.sessions()]
            screen = SessionsScreen(rows, _archive(host), current=host.session.id, symbols=self._symbols)
            wanted = await self._face.choose(screen)
            if wanted is None or host.session.busy:
                return
            if wanted.what == "fork":
                await self._fork(host, wanted.session)
            elif wanted.what == "look":
                await self._look(host, wanted.session)
            elif wanted.session != host.session.id:
                await self._open(host, wanted.session)
        except TuiAgentError as error:
            self._face.say("error", error.message, error.hint)

    async def fork(self) -> None:
        """Go on in a copy of the open session, from a prompt that the user chooses."""
        host = await self._idle()
        if host is None:
            return
        if not host.session.id:
            self._face.say("info", "this session is empty: there is nothing to copy yet")
            return
        try:
            await self._fork(host, host.session.id)
        except TuiAgentError as error:
            self._face.say("error", error.message, error.hint)

    async def _fork(self, host: Host, session: str) -> None:
        from tui_agent.tui.archiving import choose_place

        before = await choose_place(self._face, host, session, self._symbols)
        if before is None or host.session.busy:
            return
        copy = await host.archive.fork(session, before)
        await self._open(host, copy.session)
        self._face.say("info", f"this is a copy: {copy.session}", f"{session} stays as it is")
        if copy.prompt:
            self._face.give_back(copy.prompt)

    async def _look(self, host: Host, session: str) -> None:
        from tui_agent.tui.archiving import look

        await look(self._face, host, session, self._symbols)

    async def _open(self, host: Host, beginning: str) -> None:
        try:
            with self._engine.opening():
                end = await host.end_of(beginning)
                await self._show_end(end)
                await self._take_up(host, end)
        except TuiAgentError as error:
            if not _is_held(error):
                raise
            await self._instead(host, error)

    async def _instead(self, host: Host, error: "SessionHeldError") -> None:
        """Another window has the session open, which is said before it is shown: copy it, or only look at it."""
        from tui_agent.tui.archiving import ask_about_held

        wanted = await ask_about_held(self._face, error, self._symbols)
        try:
            if wanted == "look":
                await self._look(host, error.session)
            elif wanted == "fork":
                await self._fork(host, error.session)
            else:
                self._face.say("info", error.message, error.hint)
        except TuiAgentError as failure:
            self._face.say("error", failure.message, failure.hint)

    async def _idle(self) -> Host | None:
        host = await self._engine.ready()
        if host is not None and host.session.busy:
            self._face.say("info", "a turn is running", "stop it with esc first")
            return None
        return host

    async def rename(self, name: str = "") -> None:
        """Give the open session a name."""
        if (host := await self._engine.ready()) is not None:
            from tui_agent.tui import archiving

            await archiving.rename(self._face, host, name, self._symbols)

    async def export(self, form: str = "") -> None:
        """Write the open session to a file."""
        if (host := await self._engine.ready()) is not None:
            from tui_agent.tui import archiving

            await archiving.export(self._face, host, form, self._symbols)

    async def replay(self, speed: str = "") -> None:
        """Show the open session once more as it happened."""
        if (host := await self._idle()) is not None:
            from tui_agent.tui import archiving

            await archiving.replay(self._face, host, speed, self._symbols)

    async def start_over(self) -> None:
        """Begin a new session with an empty transcript; the old one is kept."""
        host = await self._idle()
        if host is None:
            return
        with self._engine.opening():
            await host.fresh_session()
            self._greet()
        self._face.changed()

    # ---- what is shown ----

    def _greet(self) -> None:
        self._face.drop(_EARLIER)
        self._transcript.clear()
        self._greeting.show()
        self._shown()

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
        if unguarded := _unguarded(host):
            text = f"another window would not be told that this session is open here ({unguarded})"
            self._face.say("warning", text, "where two windows write to one session, the later goes on in a copy")
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
