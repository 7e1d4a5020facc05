"""Questions of a run without a screen, asked on a terminal: a word and Enter answer, and nothing else does."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from tui_agent.conversation.errors import TuiAgentError
from tui_agent.headless.question import after, body, facts, folded, head
from tui_agent.headless.terminal import Closed, Terminal
from tui_agent.permissions.approval import (
    AllowForSession,
    AllowOnce,
    AllowReading,
    ApprovalDecision,
    ApprovalRequest,
    CommandAccess,
    Denied,
    Reviewed,
    WriteAccess,
)
from tui_agent.text.sanitize import sanitize


class Edit(Protocol):
    """The user's editor on their terminal."""

    async def __call__(self, data: bytes, name: str, *, needed: bool) -> bytes | None:
        """Let the user edit the content of a file called so; unless `needed`, None when they named no editor.

        Raises:
            TuiAgentError: it came to nothing.
        """
        ...


FACTS: Final = 30
"""Lines about a question that are written at once; `m` writes more."""
_LEFT_FOR_FACTS: Final = 14
_FEWEST: Final = 10


@dataclass(slots=True)
class _Asked:
    """A question, and what the user has made of what was proposed so far."""

    request: ApprovalRequest
    command: str = ""
    files: tuple[Reviewed, ...] = ()
    waiting: list[str] = field(default_factory=list)

    @property
    def edited(self) -> bool:
        return bool(self.command or self.files)


class TerminalApprover:
    """Asks on `terminal`, one question at a time. `editing` is true while the user's editor has the terminal."""

    def __init__(self, terminal: Terminal, edit: Edit) -> None:
        self._terminal = terminal
        self._edit = edit
        self._lock = asyncio.Lock()
        self.editing = False

    async def approve(self, request: ApprovalRequest) -> ApprovalDecision:
        """As `Approver`; a terminal that is closed denies and stops the turn."""
        async with self._lock:
            try:
                with self._terminal.opened():
                    return await self._decided(_Asked(request))
            except asyncio.CancelledError:
                self._terminal.write("\n")
                raise
            except Closed:
                return Denied("the terminal was closed", stop=True, by="policy")

    async def _decided(self, asked: _Asked) -> ApprovalDecision:
        self._show(asked)
        while True:
            line = await self._terminal.answer(self._choices(asked))
            if line is None:
                self._show(asked)
                continue
            word, _, rest = line.strip().partition(" ")
            if (decision := await self._answered(asked, word.casefold(), rest.strip())) is not None:
                return decision

    async def _answered(self, asked: _Asked, word: str, rest: str) -> ApprovalDecision | None:
        """The decision that a word is, or None after it was done what it says."""
        request = asked.request
        digest = request.digest
        if rest and word not in ("c", "comment"):
            word = ""
        match word:
            case "y" | "yes":
                return AllowOnce(digest, command=asked.command, files=asked.files)
            case "w" | "network" if self._offers_network(asked):
                return AllowOnce(digest, network=True, command=asked.command)
            case "s" | "session" if self._offers_session(asked):
                return AllowForSession(digest)
            case "o" | "reading" if request.only_reads and not asked.edited:
                return AllowReading(digest)
            case "n" | "no":
                return Denied()
            case "c" | "comment":
                comment = rest or (await self._terminal.line("why not? the model reads this: ")).strip()
                return Denied(sanitize(comment)) if comment else None
            case "q" | "stop":
                return Denied(stop=True)
            case "e" | "edit" if isinstance(request.access, CommandAccess | WriteAccess):
                await self._change(asked)
            case "d" | "diff":
                self._write(body(request, asked.command, asked.files))
            case "m" | "more" if asked.waiting:
                self._write_more(asked)
            case _:
                self._terminal.write("nothing is answered; write one of these words, and Enter\n")
        return None

    # ---- what is shown ----

    def _show(self, asked: _Asked) -> None:
        """Write the question: what fits on the terminal, the rest waits for `m`."""
        request = asked.request
        about = facts(request, asked.command, asked.files)
        columns, rows = self._terminal.size
        fit = max(_FEWEST, rows - min(len(about), _LEFT_FOR_FACTS) - 4)
        lines = folded(body(request, asked.command, asked.files), columns)
        self._terminal.write(f"\n{head(request, edited=asked.edited)}\n")
        self._write(lines[:fit])
        asked.waiting = lines[fit:]
        self._tell_rest(asked)
        told = folded(about, columns)
        self._write(told[:FACTS])
        asked.waiting += told[FACTS:]
        if told[FACTS:]:
            self._tell_rest(asked)

    def _write_more(self, asked: _Asked) -> None:
        """Write a screen of what waits."""
        fit = max(_FEWEST, self._terminal.size[1] - 3)
        self._write(asked.waiting[:fit])
        del asked.waiting[:fit]
        self._tell_rest(asked)

    def _tell_rest(self, asked: _Asked) -> None:
        if asked.waiting:
            count = len(asked.waiting)
            self._terminal.write(f"... {count:,} {'line' if count == 1 else 'lines'} more (m: more)\n")

    def _write(self, lines: list[str]) -> None:
        self._terminal.write("".join(f"{line}\n" for line in lines))

    def _choices(self, asked: _Asked) -> str:
        access = asked.request.access
        words = ["y(es)", "n(o)"]
        if self._offers_session(asked):
            words.append("s(ession)")
        if self._offers_network(asked):
            words.append("w(ith network)")
        if asked.request.only_reads and not asked.edited:
            words.append("o (let reading run)")
        words.append("c(omment)")
        if isinstance(access, CommandAccess | WriteAccess):
            words.append("e(dit)")
        words += ["d(iff)" if isinstance(access, WriteAccess) else "d (all of it)", "q (stop)"]
        return f"{_in_lines(words, self._terminal.size[0] - 3)}: "

    def _offers_session(self, asked: _Asked) -> bool:
        return bool(asked.request.session_grant) and not asked.edited

    def _offers_network(self, asked: _Asked) -> bool:
        access = asked.request.access
        if not isinstance(access, CommandAccess):
            return False
        return bool(access.sandbox) if asked.command else access.network_offered

    # ---- editing ----

    async def _change(self, asked: _Asked) -> None:
        """Let the user edit the command, or every file of the change, and show what came of it; it allows nothing."""
        try:
            if isinstance(asked.request.access, WriteAccess):
                await self._change_files(asked, asked.request.access)
            elif isinstance(asked.request.access, CommandAccess):
                await self._change_command(asked, asked.request.access)
        except TuiAgentError as error:
            hint = f": {error.hint}" if error.hint else ""
            self._terminal.write(sanitize(f"{error.message}{hint}\n", "approval"))
            return
        self._show(asked)

    async def _change_command(self, asked: _Asked, access: CommandAccess) -> None:
        before = asked.command or access.command
        with self._lent():
            made = await self._edit(before.encode("utf-8", "surrogateescape"), "command.sh", needed=False)
        if made is None:
            text = await self._terminal.line("the command in one line: ")
        else:
            text = made.decode("utf-8", "surrogateescape").removesuffix("\n")
        if not text.strip():
            raise TuiAgentError("there is no command left, so it stays as it was")
        asked.command = "" if text == access.command else text

    async def _change_files(self, asked: _Asked, access: WriteAccess) -> None:
        made = []
        for place, change in enumerate(access.plan.changes):
            before = after(change, asked.files, place)
            with self._lent():
                edited = await self._edit(before, change.name, needed=True)
            if not edited and before:
                raise TuiAgentError(f"{change.name} was left empty, so it stays as it was")
            made.append(Reviewed(edited))
        as_proposed = all(file.after == change.after for file, change in zip(made, access.plan.changes, strict=True))
        asked.files = () if as_proposed else tuple(made)

    @contextmanager
    def _lent(self) -> Iterator[None]:
        self.editing = True
        try:
            with self._terminal.lent():
                yield
        finally:
            self.editing = False


def _in_lines(words: list[str], width: int) -> str:
    """The words, none of them broken."""
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + 2 + len(word) > width:
            lines.append("")
        lines[-1] += f"  {word}" if lines[-1] else word
    return "\n".join(lines)
