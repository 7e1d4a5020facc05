"""What a question can be told besides what it asks: its rules, what they would have saved, and what an edit meets."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from tui_agent.tui.engine import Engine

if TYPE_CHECKING:  # imported with the first question
    from tui_agent.permissions.approval import ApprovalDecision, ApprovalRequest, Verdict
    from tui_agent.tui.fatigue import Asked


class Counsel(Protocol):
    """What the panel asks while a question is shown."""

    @property
    def where(self) -> str:
        """The file in which rules are saved."""
        ...

    @property
    def questions(self) -> "Sequence[Asked]":
        """The questions of the session, oldest first, the present one included."""
        ...

    async def judged(self, request: "ApprovalRequest", command: str) -> "Verdict":
        """What would be decided about the call with another command."""
        ...

    async def save(self, rules: Sequence[str]) -> None:
        """Save rules, and decide the next call by them.

        Raises:
            ConfigError: nothing was saved; message and hint say why and what to do.
        """
        ...


class SessionCounsel:
    """The counsel of the session that is open in the engine; another session begins with no questions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._session: object = None
        self._asked: list[Asked] = []

    @property
    def where(self) -> str:
        """As `Counsel.where`."""
        host = self._engine.host
        return "" if host is None else str(host.rules_file)

    @property
    def questions(self) -> "Sequence[Asked]":
        """As `Counsel.questions`; the latest `KEPT`."""
        self._begin()
        return self._asked

    def asked(self, request: "ApprovalRequest") -> None:
        """A question is put to the user."""
        from tui_agent.tui.fatigue import KEPT, Asked

        self._begin()
        self._asked = [*self._asked[1 - KEPT :], Asked(request)]

    def answered(self, request: "ApprovalRequest", answer: "ApprovalDecision") -> None:
        """It was answered."""
        self._asked = [asked._replace(answer=answer) if asked.request is request else asked for asked in self._asked]

    async def judged(self, request: "ApprovalRequest", command: str) -> "Verdict":
        """As `Counsel.judged`; in a thread, because the disk is looked at."""
        host = self._engine.host
        assert host is not None
        return await asyncio.to_thread(host.judge, request, command)

    async def save(self, rules: Sequence[str]) -> None:
        """As `Counsel.save`."""
        host = self._engine.host
        assert host is not None
        await host.save_rules(rules)

    def _begin(self) -> None:
        session = None if self._engine.host is None else self._engine.host.session
        if session is not self._session:
            self._session, self._asked = session, []


def with_command(request: "ApprovalRequest", command: str, verdict: "Verdict") -> "ApprovalRequest":
    """The question as it is shown with another command: taken apart and with the reasons of that one.

    It keeps its digest, because the answer is still one to the question that was asked.
    """
    from tui_agent.permissions.approval import Allow, Ask, CommandAccess, Refuse, Terms

    assert isinstance(request.access, CommandAccess)
    terms = Terms() if isinstance(verdict, Refuse) else verdict.terms
    reads = isinstance(verdict, Allow) and terms.read_only
    access = replace(request.access, command=command, network=terms.network, read_only=reads)
    shown = replace(request, access=access, session_grant="", only_reads=False, repairs=())
    match verdict:
        case Ask(reasons, parts):
            return replace(shown, reasons=reasons, parts=parts)
        case Allow(because):
            return replace(shown, reasons=(f"you changed it; as it is now it is covered: {because}",), parts=())
        case Refuse(reason):
            return replace(shown, reasons=(reason,), parts=())
