"""Questions on a terminal: what is shown, which lines answer, and that nothing else does."""

import asyncio
import os
import pty
import re
import termios
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tui_agent.conversation.errors import ToolError
from tui_agent.headless import terminal as terminal_module
from tui_agent.headless.question import body, facts, folded, head
from tui_agent.headless.terminal import Terminal
from tui_agent.headless.terminal_approver import TerminalApprover
from tui_agent.permissions.approval import (
    Access,
    AllowForSession,
    AllowOnce,
    AllowReading,
    ApprovalDecision,
    ApprovalRequest,
    CommandAccess,
    CommandPart,
    Denied,
    ForeignAccess,
    ReadAccess,
    Reviewed,
    WriteAccess,
)
from tui_agent.workspace.changes import ChangePlan, FileChange

QUIET = 0.06


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal_module, "SILENCE", QUIET)


def change(name: str = "a.py", before: bytes | None = b"one\n", after: bytes = b"two\n") -> FileChange:
    return FileChange(f"/w/{name}", name, before, after, None)


def request(access: Access, **fields: object) -> ApprovalRequest:
    return ApprovalRequest("c1", "a_tool", "the title", access, ("it asks",), "d1", **fields)  # type: ignore[arg-type]


COMMAND = request(CommandAccess("make it", "/w", 60.0, sandbox="bwrap"), session_grant="this exact command")
WRITE = request(WriteAccess(ChangePlan((change(),))), session_grant="writes to a.py")


class Person:
    """Sits at a pty; `seen` is all that was written for them."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        self.seen = ""
        self.edits: list[bytes | Exception | None] = []
        self.edited: list[bytes] = []
        self.approver = TerminalApprover(Terminal(self.slave, self._see), self._edit)
        self.questions = 0

    def _see(self, text: str) -> None:
        self.seen += text

    async def _edit(self, data: bytes, name: str, *, needed: bool) -> bytes | None:
        self.edited.append(data)
        made = self.edits.pop(0)
        if isinstance(made, Exception):
            raise made
        return made

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    async def until(self, text: str, count: int = 1) -> None:
        for _ in range(400):
            if self.seen.count(text) >= count:
                return
            await asyncio.sleep(0.005)
        raise AssertionError(f"no {text!r} in\n{self.seen}")

    async def reply(self, text: str) -> None:
        """Answer the next question as soon as it takes an answer."""
        self.questions += 1
        await self.until("q (stop): ", self.questions)
        self.type(text)

    def modes(self) -> list[object]:
        return termios.tcgetattr(self.slave)

    def close(self) -> None:
        for fd in (self.master, self.slave):
            try:
                os.close(fd)
            except OSError:
                pass


@pytest.fixture
async def person() -> AsyncIterator[Person]:
    made = Person()
    yield made
    made.close()


@asynccontextmanager
async def asking(person: Person, asked: ApprovalRequest) -> AsyncIterator["asyncio.Task[ApprovalDecision]"]:
    task = asyncio.create_task(person.approver.approve(asked))
    try:
        yield task
    finally:
        task.cancel()


READS = request(CommandAccess("ls", "/w", 60.0), only_reads=True)


@pytest.mark.parametrize(
    ("asked", "typed", "decision"),
    [
        (COMMAND, "y\n", AllowOnce("d1")),
        (COMMAND, " YES \n", AllowOnce("d1")),
        (COMMAND, "s\n", AllowForSession("d1")),
        (COMMAND, "w\n", AllowOnce("d1", network=True)),
        (COMMAND, "n\n", Denied()),
        (COMMAND, "no\n", Denied()),
        (COMMAND, "q\n", Denied(stop=True)),
        (COMMAND, "c use npm\n", Denied("use npm")),
        (READS, "o\n", AllowReading("d1")),
        (WRITE, "session\n", AllowForSession("d1")),
    ],
)
async def test_a_word_and_enter_answer(
    person: Person, asked: ApprovalRequest, typed: str, decision: ApprovalDecision
) -> None:
    before = person.modes()
    async with asking(person, asked) as answer:
        await person.reply(typed)
        assert await answer == decision
    assert person.modes() == before


@pytest.mark.parametrize(
    "typed", ["\n", "ye\n", "y now\n", "yy\n", "  \n", "s\n", "w\n", "o\n", "yes please\n", "Y?\n"]
)
async def test_nothing_else_does(person: Person, typed: str) -> None:
    asked = request(CommandAccess("make", "/w", 60.0))  # nothing to grant, no sandbox, does not only read
    async with asking(person, asked) as answer:
        await person.reply(typed)
        await person.reply("n\n")
        assert await answer == Denied()
    assert "nothing is answered" in person.seen
    for word in ("s(ession)", "w(ith", "o (let"):
        assert word not in person.seen


async def test_what_was_typed_before_the_question_answers_nothing(person: Person) -> None:
    person.type("y\ny\ny")
    async with asking(person, COMMAND) as answer:
        await person.until("ask because")
        for _ in range(6):  # held keys: each begins the wait anew
            await asyncio.sleep(QUIET / 2)
            assert "q (stop)" not in person.seen
            person.type("y\n")
        await person.until("q (stop): ")
        await asyncio.sleep(0.05)
        assert not answer.done()
        person.type("n\n")
        assert await answer == Denied()


async def test_the_wait_is_as_long_as_on_the_screen(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert terminal_module.SILENCE == 0.4
    began = time.monotonic()
    async with asking(person, COMMAND) as answer:
        await person.reply("y\n")
        await answer
    assert time.monotonic() - began >= 0.4


async def test_a_paste_of_several_lines_answers_nothing(person: Person) -> None:
    async with asking(person, COMMAND) as answer:
        await person.reply("y\nrm -rf build\n")
        await person.until("that was a paste")
        await person.reply("y\nand the beginning of a line")
        await person.until("that was a paste", 2)
        await person.reply("n\n")
        assert await answer == Denied()


async def test_the_end_of_input_is_no_and_stop(person: Person) -> None:
    async with asking(person, COMMAND) as answer:
        await person.reply("\x04")
        assert await answer == Denied("the terminal was closed", stop=True, by="policy")


async def test_a_terminal_that_goes_away_is_no_and_stop(person: Person) -> None:
    async with asking(person, COMMAND) as answer:
        await person.until("q (stop): ")
        os.close(person.master)
        assert await answer == Denied("the terminal was closed", stop=True, by="policy")


@pytest.mark.parametrize("moment", ["ask because", "q (stop): ", "why not?"])
async def test_being_cancelled_gives_the_terminal_back(person: Person, moment: str) -> None:
    before = person.modes()
    async with asking(person, COMMAND) as answer:
        if moment == "why not?":
            await person.reply("c\n")
        await person.until(moment)
        answer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answer
    assert person.modes() == before


async def test_two_questions_are_asked_one_after_the_other(person: Person) -> None:
    async with asking(person, COMMAND) as first, asking(person, WRITE) as second:
        await person.reply("y\n")
        assert await first == AllowOnce("d1")
        assert "wants to change" not in person.seen.partition("q (stop)")[0]
        await person.reply("n\n")
        assert await second == Denied()


async def test_a_comment_may_be_asked_for_and_what_is_typed_at_once_is_kept(person: Person) -> None:
    async with asking(person, COMMAND) as answer:
        await person.reply("c\n")
        await person.until("why not?")
        person.type("use \u202enpm\n")
        assert await answer == Denied("use <U+202E>npm")


# ---- what is shown ----


async def test_everything_that_the_screen_shows_is_there(person: Person) -> None:
    parts = CommandPart("npm test", "allow: npm test"), CommandPart("git push", reason="`git push` is not covered")
    access = CommandAccess("npm test && git \u200bpush\x1b[2J", "/w/shop", 60.0, background=True)
    asked = request(access, parts=parts, position=2, total=3, repairs=("cmd → command",))
    async with asking(person, asked) as answer:
        await person.reply("n\n")
        await answer
    for part in (
        "a_tool wants to run a command  (2 of 3)",
        "  1  npm test && git <U+200B>push<U+001B>[2J",
        "1 line, 25 characters, 2 hidden",
        "no sandbox: it can do what you can; in /w/shop; runs in the background",
        "1  npm test   allow: npm test",
        "2  git push   asks: `git push` is not covered",
        "repaired: cmd → command",
        "ask because: it asks",
    ):
        assert part in person.seen, part
    assert "\x1b" not in person.seen


async def test_more_and_all_of_it_can_be_read_before_answering(person: Person) -> None:
    text = "".join(f"line {number}\n" for number in range(200))
    asked = request(WriteAccess(ChangePlan((change("long.txt", None, text.encode()),))))
    async with asking(person, asked) as answer:
        await person.until("q (stop): ")
        assert person.seen.count("\n") < 40 and "lines more (m: more)" in person.seen
        assert "ask because: it asks" in person.seen
        while "line 199" not in person.seen:
            await person.reply("m\n")
            await asyncio.sleep(0.01)
        assert [int(found) for found in re.findall(r"\+line (\d+)", person.seen)] == list(range(200))
        await person.reply("d\n")
        await person.until("line 199", 2)
        await person.reply("y\n")
        assert await answer == AllowOnce("d1")


texts = st.text(st.characters(codec=None), max_size=60)  # also lone surrogates and controls


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(texts, texts, st.binary(max_size=80), st.binary(max_size=80))
def test_no_text_steers_the_terminal(one: str, other: str, before: bytes, after: bytes) -> None:
    accesses: list[Access] = [
        CommandAccess(one, other, 1.0),
        ReadAccess((one, other)),
        ForeignAccess({one: other}),
        WriteAccess(ChangePlan((FileChange(one, other, before, after, None), change(one, None, after)))),
    ]
    for access in accesses:
        asked = ApprovalRequest(
            "c", one, other, access, (one,), "d", 1, 2, other, (one,), (CommandPart(one, reason=other),) * 2
        )
        lines = [head(asked, edited=False), *body(asked, "", ()), *facts(asked, "", ())]
        for line in folded(lines, 80):
            assert not re.search(
                "[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b-\u200f\ud800-\udfff]", line
            )


# ---- editing ----


async def test_a_command_is_edited_shown_and_only_then_allowed(person: Person) -> None:
    person.edits = [b"make \xe2\x80\xaeother\n"]
    async with asking(person, COMMAND) as answer:
        await person.reply("e\n")
        await person.until("edited by you")
        assert not answer.done() and "make <U+202E>other" in person.seen
        assert "s(ession)" not in person.seen.rpartition("edited by you")[2]
        await person.reply("s\n")
        await person.until("nothing is answered")
        await person.reply("y\n")
        assert await answer == AllowOnce("d1", command="make \u202eother")
    assert person.edited == [b"make it"]


async def test_an_edited_command_has_the_network_only_by_a_word_of_its_own(person: Person) -> None:
    proposed = request(CommandAccess("make it", "/w", 60.0, sandbox="bwrap", network=True))
    for word, network in [("y", False), ("w", True)]:
        person.edits = [b"make other\n"]
        async with asking(person, proposed) as answer:
            await person.until("with network")
            await person.reply("e\n")
            await person.until("without network")
            await person.reply(f"{word}\n")
            assert await answer == AllowOnce("d1", command="make other", network=network)
        person.seen, person.questions = "", 0


async def test_without_an_editor_a_line_is_asked_for(person: Person) -> None:
    person.edits = [None]
    async with asking(person, COMMAND) as answer:
        await person.reply("e\n")
        await person.until("the command in one line: ")
        person.type("make other\n")
        await person.reply("y\n")
        assert await answer == AllowOnce("d1", command="make other")


async def test_a_command_that_is_put_back_is_the_proposed_one_again(person: Person) -> None:
    person.edits = [b"other\n", b"make it\n"]
    async with asking(person, COMMAND) as answer:
        await person.reply("e\n")
        await person.reply("e\n")
        await person.reply("s\n")
        assert await answer == AllowForSession("d1")
    assert person.edited == [b"make it", b"other"]


async def test_a_change_is_edited_and_exactly_that_is_answered(person: Person) -> None:
    made = b"three \xff\r\n"
    person.edits = [made]
    async with asking(person, WRITE) as answer:
        await person.reply("e\n")
        await person.until("edited by you")
        assert "+three" in person.seen.rpartition("edited by you")[2]
        await person.reply("y\n")
        assert await answer == AllowOnce("d1", files=(Reviewed(made),))


Failing = Callable[[], Awaitable[None]]


@pytest.mark.parametrize(
    ("asked", "left", "said"),
    [
        (WRITE, ToolError("vi ended with 1", "nothing is taken over"), "vi ended with 1: nothing is taken over"),
        (WRITE, b"", "a.py was left empty"),
        (COMMAND, b" \n", "there is no command left"),
    ],
)
async def test_an_edit_that_comes_to_nothing_leaves_the_question_as_it_was(
    person: Person, asked: ApprovalRequest, left: bytes | Exception, said: str
) -> None:
    person.edits = [left]
    async with asking(person, asked) as answer:
        await person.reply("e\n")
        await person.until(said)
        await person.reply("y\n")
        assert await answer == AllowOnce("d1")
