"""Foreign text on a real terminal: whatever shows it, no byte of it steers, and what looks like markup is text."""

import asyncio
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.terminal import Display, Terminal
from tests.fakes.chat_server import ChatServer, reply_calls, reply_error, reply_text
from tests.project import Machine
from tests.terminal.terminal_bytes import (
    _SEQUENCE,
    LITERAL,
    SHORT,
    TEXTS,
    expect_clean,
    printed_problems,
    problems,
    tagged,
    without_sequences,
)
from tests.terminal.test_journey import COMMAND
from tui_agent.conversation.events import AssistantReplied, Noticed, PromptSubmitted, SessionStarted
from tui_agent.conversation.messages import Usage
from tui_agent.store.sqlite import SqliteLog
from tui_agent.text.sanitize import sanitize

HOSTILE = tagged(TEXTS)
NAMES = tuple(TEXTS)
PASTED = {name: text for name, text in SHORT.items() if "\n" not in text}


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer(models=["fake-model"]) as made:
        yield made


def script(server: ChatServer, *replies: object) -> None:
    server._respond = lambda body, number: replies[min(number, len(replies) - 1)]  # type: ignore[assignment,return-value]


class Sent(Display):
    """In place of an emulator, which takes longer than the program: every byte is judged anyhow."""

    def __init__(self, raw: bytearray) -> None:
        super().__init__(1, 1)
        self._raw = raw

    def feed(self, data: bytes) -> None:
        """It is in `raw` already."""

    @property
    def text(self) -> str:
        """What was sent lately, wherever it stands."""
        return _SEQUENCE.sub("", self._raw[-300_000:].decode("utf-8", "replace"))


def ui(machine: Machine, columns: int = 110, rows: int = 150, *, emulated: bool = False) -> Terminal:
    terminal = Terminal(COMMAND, columns=columns, rows=rows, env=machine.environ, cwd=str(machine.project))
    if not emulated:
        terminal._display = Sent(terminal.raw)
        terminal.screen = terminal._display.screen
    terminal.wait_for("›")
    terminal.settle(0.12)
    return terminal


def look_through(terminal: Terminal, pages: int = 4) -> None:
    """Scroll up and down again."""
    for key in ("\x1b[5~", "\x1b[6~"):
        for _ in range(pages):
            terminal.send(key)
            terminal.settle(0.05)


def paste(terminal: Terminal, text: str) -> None:
    """As a terminal sends it; it takes the end of a paste out of what is pasted."""
    terminal.send(b"\x1b[200~" + text.encode("utf-8", "replace").replace(b"\n", b"\r") + b"\x1b[201~")
    terminal.settle(0.06)


def literally(terminal: Terminal) -> None:
    text = without_sequences(bytes(terminal.raw))
    assert not [markup for markup in LITERAL if markup not in text]


def test_what_a_server_sends_and_what_is_copied_of_it(tmp_path: Path, server: ChatServer) -> None:
    """Answers in small and large pieces, a thought, and errors."""
    script(
        server,
        reply_text(tagged(SHORT), chunk=2),
        reply_text(HOSTILE, thought=tagged({f"th-{name}": text for name, text in TEXTS.items()}), chunk=500),
        reply_error(400, tagged(SHORT)),
        reply_error(500, HOSTILE, code="\x1b[2J\x9d0;x\x07"),
    )
    with ui(Machine.under(tmp_path, {"fake": server.url}, ui={"thoughts": "open"})) as terminal:
        terminal.send("hi\r")
        terminal.wait_for("more-10 ")
        terminal.settle()
        literally(terminal)
        terminal.send("\x1b[1;5A")  # ctrl+up, into the transcript
        terminal.settle()
        terminal.send("c")
        terminal.wait_for("copied")
        expect_clean(terminal, *SHORT, copied=sanitize(tagged(SHORT)))
        terminal.send("\x1b")
        terminal.settle(0.2)  # escape and a letter in one go are a key with alt
        thoughts_too = (*NAMES, *(f"th-{name}" for name in NAMES))
        for prompt, seen in (("again\r", thoughts_too), ("fail\r", ("te-007",)), ("fail\r", ("te-007",))):
            terminal.raw.clear()
            terminal.send(prompt)
            terminal.settle(0.3)
            look_through(terminal, 6 if prompt == "again\r" else 1)
            expect_clean(terminal, *seen)


def test_tool_rows_results_and_diffs(tmp_path: Path, server: ChatServer) -> None:
    machine = Machine.under(tmp_path, {"fake": server.url}, mode="accept-edits", permissions={"allow": ["cat"]})
    (machine.project / "hostile.txt").write_bytes(HOSTILE.encode())
    for name, text in SHORT.items():
        (machine.project / f"in-{name} {text.replace('/', '-')}".replace("\0", "-")).write_text("")
    calls: list[tuple[str, dict[str, object]]] = [
        ("read_file", {"file_path": "hostile.txt"}),
        ("list_directory", {"path": "."}),
        ("run_command", {"command": "cat hostile.txt"}),
        ("run_command", {"command": "cat hostile.txt hostile-2.txt"}),
        ("write_file", {"file_path": "made.txt", "content": f"{tagged(SHORT)}\n"}),
        ("write_file", {"file_path": "made too.txt", "content": HOSTILE}),
        ("grep_search", {"pattern": "te-0"}),
        *(("read_file", {"file_path": f"of-{name} {text}"}) for name, text in SHORT.items()),
        *((f"tool-{name} {text}", {}) for name, text in list(SHORT.items())[::5]),
    ]
    script(server, reply_calls(calls, chunk=4000), reply_text("all done"))
    with ui(machine, rows=200) as terminal:
        terminal.send("hi\r")
        terminal.wait_for("all done")
        terminal.send("\x0f")  # ctrl+o
        terminal.settle(0.12)
        look_through(terminal, 6)
        expect_clean(terminal, *NAMES, *(f"of-{name}" for name in SHORT), "tool-te-007")
        literally(terminal)


def test_a_question_and_the_review(tmp_path: Path, server: ChatServer) -> None:
    machine = Machine.under(tmp_path, {"fake": server.url})
    (machine.project / "there.txt").write_bytes(tagged(dict(reversed(SHORT.items()))).encode())
    path = "/".join(f"in-{name} {text.replace('/', '-')}" for name, text in PASTED.items())
    script(
        server,
        reply_calls([("run_command", {"command": HOSTILE})], chunk=9000),
        reply_calls([("read_file", {"file_path": "there.txt"})]),
        reply_calls([("write_file", {"file_path": "there.txt", "content": HOSTILE})], chunk=9000),
        reply_calls([("write_file", {"file_path": path, "content": HOSTILE})], chunk=9000),
        reply_calls([("read_file", {"file_path": f"{path}/.env"})], chunk=9000),
        reply_text("all done"),
    )
    with ui(machine, rows=160) as terminal:
        terminal.send("hi\r")
        terminal.wait_for("wants to run")
        terminal.settle(0.45)
        shown = without_sequences(bytes(terminal.raw))
        for code in ("<U+202E>", "<U+2066>", "<U+200F>", "<U+00AD>", "<U+0085>", "<U+001B>", "<U+0008>"):
            assert code in shown, code
        look_through(terminal, 2)
        expect_clean(terminal, *NAMES)
        terminal.send("n")
        terminal.wait_for("wants to change")
        terminal.settle(0.45)
        terminal.send("c")
        terminal.settle(0.12)
        paste(terminal, tagged(PASTED, " "))
        terminal.send("\x1b")
        terminal.settle(0.45)
        paste(terminal, tagged(PASTED, " "))  # not an answer: it belongs to the prompt
        terminal.send("\x15")
        terminal.settle(0.45)
        terminal.send("\x12")  # ctrl+r
        terminal.settle(0.45)
        look_through(terminal)
        terminal.send("v")
        terminal.settle(0.12)
        look_through(terminal, 2)
        expect_clean(terminal, *NAMES)
        literally(terminal)


def test_what_is_pasted_everywhere(tmp_path: Path, server: ChatServer) -> None:
    script(server, reply_text("noted"))
    with ui(Machine.under(tmp_path, {"fake": server.url})) as terminal:
        line = tagged(PASTED, " ")
        paste(terminal, HOSTILE)
        look_through(terminal, 1)
        terminal.send("\r")
        terminal.wait_for("noted")
        look_through(terminal)
        for opening in ("\x06", "\x10", "\x1bOQ", "\x1bOR"):  # find, palette, models, sessions
            terminal.send(opening)
            terminal.settle(0.12)
            paste(terminal, "".join(f"{TEXTS[name]} " for name in ("more-3", "te-015", "more-9", "te-039")))
            paste(terminal, line[:400])
            terminal.send("\x1b")
            terminal.settle(0.1)
            terminal.send("\x1b")
            terminal.settle(0.1)
        expect_clean(terminal, *NAMES)
        paste(terminal, f"/mode {line}")
        terminal.send("\r")
        terminal.wait_for("no mode is called")
        expect_clean(terminal, *PASTED)
    sent = server.bodies[0]["messages"][-1]["content"]
    assert "\x1b" not in sent and "\u202e" not in sent


def test_the_names_in_the_status_bar(tmp_path: Path, server: ChatServer) -> None:
    """Folder, branch and model, on a line that has room for all of them."""
    made = Machine.under(tmp_path, {"fake": server.url})
    names = [f"{name} {text}" for name, text in PASTED.items()]
    server._models = [{"id": "all " + " ".join(names)}]
    folder = tmp_path.joinpath(*(f"in-{name.replace('/', '-')}" for name in names))
    folder.mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text(f"ref: refs/heads/{' '.join(f'on-{name}' for name in names)}\n")
    machine = replace(made, project=folder)
    with ui(machine, columns=4000, rows=10) as terminal:
        terminal.wait_for("on-more-10")  # the branch is looked up meanwhile
        expect_clean(terminal, *(f"in-{name}" for name in PASTED), *(f"on-{name}" for name in PASTED))
        terminal.send("\x1bOQ")  # f2
        terminal.wait_for("all te-007")
        terminal.send("all")
        terminal.settle(0.12)
        terminal.raw.clear()
        terminal.send("\r")
        terminal.wait_for("fake · all te-007")
        expect_clean(terminal, *PASTED)
        literally(terminal)


def test_the_names_of_models_and_files_to_choose_from(tmp_path: Path, server: ChatServer) -> None:
    machine = Machine.under(tmp_path, {"fake": server.url})
    server._models = [{"id": f"{name} {text}"} for name, text in PASTED.items()]
    for name, text in PASTED.items():
        (machine.project / f"of-{name} {text.replace('/', '-')}").write_text("")
    with ui(machine, rows=60, emulated=True) as terminal:
        terminal.send("\x1bOQ")  # f2
        terminal.wait_for("te-007")
        for words, last in (("te-0", "te-089"), ("more-", "more-10")):  # all that fit a filter are listed
            terminal.send("\x15")  # ctrl+u
            terminal.settle()
            terminal.send(words)
            terminal.wait_for(last)
        expect_clean(terminal, *PASTED)
        literally(terminal)
        terminal.send("\x1b")
        terminal.settle()
        terminal.raw.clear()
        terminal.send("@of-te")
        terminal.wait_for("of-te-0")
        expect_clean(terminal, "of-te-058 a [-] b")


def keep(machine: Machine) -> None:
    """A session for each text, with the text in every place."""

    async def write() -> None:
        log = SqliteLog(machine.home / "data" / "sessions.db")
        for number, (name, text) in enumerate(SHORT.items()):
            what = f"{name} {text}"
            session = f"20260101-{number:04d}-abc123"
            last = await log.create(session, SessionStarted(str(machine.project), what, what, "ask", "0"), 1.0 + number)
            for event in (
                PromptSubmitted(what),
                AssistantReplied(what, "", (), "stop", "fake", "fake", Usage(), 0.1),
                Noticed("warning", what, what),
            ):
                last = await log.append(last, event, 2.0 + number)
        await log.aclose()

    asyncio.run(write())


def test_earlier_sessions(tmp_path: Path, server: ChatServer) -> None:
    machine = Machine.under(tmp_path, {"fake": server.url})
    keep(machine)
    with ui(machine, rows=60, emulated=True) as terminal:
        terminal.send("\x1bOR")  # f3
        terminal.wait_for("te-089")
        expect_clean(terminal, *SHORT)
        literally(terminal)
        terminal.send("\r")
        terminal.wait_for("you")
        expect_clean(terminal)
    listed = printed(machine, "sessions", "list")
    assert len(listed.splitlines()) == len(SHORT), "a row each"
    for number in range(0, len(SHORT), 6):
        assert b"agent: " in printed(machine, "sessions", "show", f"20260101-{number:04d}-abc123")


def printed(machine: Machine, *words: str, stdin: bytes = b"") -> bytes:
    """What a command prints, and whether it is clean."""
    done = subprocess.run(
        [*COMMAND, *words], cwd=machine.project, env=machine.environ, input=stdin, capture_output=True, timeout=60
    )
    output = done.stdout + done.stderr
    assert printed_problems(output) == []
    return output


def test_commands_that_print(tmp_path: Path, server: ChatServer) -> None:
    machine = Machine.under(tmp_path, {"fake": server.url})
    names = [f"{name} {text}" for name, text in PASTED.items()]
    server._models = [{"id": name} for name in names]
    (machine.project / "hostile.txt").write_bytes(HOSTILE.encode())
    (machine.project / ".git").mkdir()
    (machine.project / ".git" / "HEAD").write_text(f"ref: refs/heads/{names[0]} {names[8]}\n")
    assert b"U+202E" in printed(machine, "permissions", "check", HOSTILE)
    assert b"[/bold]" in printed(machine, "permissions", "check", "rm '[/bold]' \U000e0041")
    assert b"te-089" in printed(machine, "tools", "call", "read_file", "--args", '{"file_path": "hostile.txt"}')
    assert b"te-007" in printed(machine, "tools", "call", "run_command", "--yes", "--args", '{"command": "cat h*"}')
    line = tagged(PASTED, " ")
    for words in (
        ("tools", "call", line),
        ("tools", "show", line),
        ("invoke", "-m", "hi", "--model", line),
        ("invoke", "-m", "hi", "--provider", line),
        ("sessions", "show", line),
        ("config", "show", "--config", line),
        ("trust", line[:200]),
        ("invoke", "-m", "hi", f"--{line}"),
    ):
        assert b"te-007" in printed(machine, *words), words
    assert b"te-007" in printed(machine, "providers", "models", "fake")
    printed(machine, "doctor")


def test_an_answer_without_a_screen(tmp_path: Path, server: ChatServer) -> None:
    machine = Machine.under(tmp_path, {"fake": server.url})
    script(server, reply_calls([("run_command", {"command": HOSTILE})], chunk=9000), reply_text(HOSTILE, chunk=500))
    command = [*COMMAND, "invoke", "-m", "hi"]
    with Terminal(command, env=machine.environ, cwd=str(machine.project)) as terminal:
        terminal.wait_exit(20)
        raw = bytes(terminal.raw)
    assert printed_problems(raw) == []
    text = raw.decode()
    assert not [name for name in NAMES if name not in text]
    assert not [markup for markup in LITERAL if markup not in text]


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_the_judge_sees_what_is_not_sanitised(name: str) -> None:
    """It objects to every text that could do harm, as it is, and to none that was sanitised."""
    text = TEXTS[name]
    frame = "\x1b[1;1H\x1b[38;5;1m{}\x1b[0m\r\n"
    assert problems(frame.format(sanitize(text)).expandtabs().encode()) == []
    if printed_problems(text.encode()):
        assert problems(frame.format(text).encode("utf-8", "surrogatepass"))
