"""Questions beside the conversation: asked on a screen of their own, answered also while nobody looks at that."""

import logging
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from tui_agent.conversation.errors import TuiAgentError
from tui_agent.conversation.events import LoggedEvent
from tui_agent.text.sanitize import one_line
from tui_agent.tui.engine import Engine
from tui_agent.tui.host import Host
from tui_agent.tui.talk import COMMAND, Talk
from tui_agent.tui.theming import Symbols
from tui_agent.tui.widgets.activity import Activity

if TYPE_CHECKING:
    from tui_agent.tui.face import Face
    from tui_agent.tui.screens.beside import BesideScreen

BESIDE = "beside"
"""The group of what asks."""


class Aside:
    """One question at a time; the user may leave it going and come back to it."""

    def __init__(self, face: "Face", engine: Engine, nobody: Callable[[], None], *, symbols: Symbols) -> None:
        """`nobody` says that no model answers yet."""
        self._face = face
        self._engine = engine
        self._nobody = nobody
        self._symbols = symbols
        self._talk = Talk()
        self._screen: BesideScreen | None = None
        self._meanwhile = Activity()

    async def ask(self, question: str = "") -> None:
        """Ask this, or let the user say what; while a question is being answered, show that."""
        host = await self._engine.ready()
        if host is None or host.trouble is not None:
            self._give_back(question)
            if host is not None:
                self._nobody()
            elif (failure := self._engine.failure) is not None:
                self._face.say("error", failure.message, failure.hint)
            return
        if self._screen is not None:
            self._give_back(question)
            return
        if self._talk.going and question.strip():
            self._give_back(question)
            self._face.tell("one question at a time: the last one is still being answered", 4)
        if not self._talk.going:
            self._talk = Talk()
            if question.strip():
                self._begin(host, question.strip())
        await self._look(host)

    async def _look(self, host: Host) -> None:
        from tui_agent.tui.screens.beside import BesideScreen

        talk = self._talk
        session = host.session
        answerer = " · ".join(filter(None, (session.provider.name, session.model)))
        begin = partial(self._begin, host)
        self._screen = screen = BesideScreen(talk, begin, answerer, symbols=self._symbols)
        screen.meanwhile = self._meanwhile
        try:
            await self._face.choose(screen)
        finally:
            self._screen = None
        self._give_back(screen.behind if talk.going else screen.draft)

    def meanwhile(self, activity: Activity) -> None:
        """What the turn does."""
        self._meanwhile = activity
        if self._screen is not None:
            self._screen.show_meanwhile(activity)

    def stop(self) -> None:
        """Stop what is being answered, of whichever session; what had come is kept."""
        self._talk.stop()

    def _begin(self, host: Host, question: str) -> None:
        self._talk.begin(question)
        self._talk.stop = host.session.stop_aside
        self._face.aside(partial(self._run, host, self._talk), BESIDE)

    async def _run(self, host: Host, talk: Talk) -> None:
        session = host.session
        problem: TuiAgentError | None = None
        try:
            async with aclosing(session.aside(talk.question)) as happening:
                async for event in happening:
                    talk.take(event)
                    # Another session may be shown by now: the log of its own has it.
                    if isinstance(event, LoggedEvent) and host.session is session:
                        self._face.show(event)
        except TuiAgentError as error:
            problem = error
        except Exception as error:  # a fault of ours costs the answer, not the question
            logging.getLogger(__name__).exception("question beside failed")
            problem = TuiAgentError(f"internal error: {error!r}", "the session goes on")
        finally:
            talk.end(problem)
        if self._screen is None:
            self._tell_end(talk)

    def _tell_end(self, talk: Talk) -> None:
        """It ended while the user was elsewhere."""
        if talk.problem is not None:
            self._face.say("error", talk.problem.message, talk.problem.hint)
        if talk.answer is not None:
            whole = talk.answer.finish != "incomplete"
            said = "answered beside the conversation" if whole else "what had come of the answer is in the transcript"
            self._face.tell(f"{said}: {one_line(talk.question)[:60]}", 4)
            self._face.call_back()
        else:
            self._give_back(talk.question)

    def _give_back(self, question: str) -> None:
        if question.strip():
            self._face.give_back(f"{COMMAND} {question.strip()}")
