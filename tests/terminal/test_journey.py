"""The installed program on a real pty, from launch to file on disk and back again."""

import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from tests.fakes.chat_server import ChatServer, Stall, delta, reply_calls, reply_steps, reply_text, text
from tests.project import Machine

COMMAND = [str(Path(sys.executable).with_name("tui-agent"))]

WRITE = reply_calls(
    [("write_file", {"file_path": "hello.py", "content": "print('hello')\n"})], answer="I will write it."
)


def launch(machine: Machine, *words: str, columns: int = 120, rows: int = 40) -> Terminal:
    return Terminal([*COMMAND, *words], columns=columns, rows=rows, env=machine.environ, cwd=str(machine.project))


def submit(terminal: Terminal, prompt: str) -> None:
    terminal.wait_for("›")
    terminal.send(prompt)
    terminal.wait_for(re.escape(prompt))
    terminal.send("\r")


def answer(terminal: Terminal, key: str) -> None:
    """Answer the question that is shown, once it takes keys."""
    terminal.wait_for(r"\by (allow )?once")
    terminal.settle(0.6)
    terminal.send(key)


@pytest.fixture
def servers() -> Iterator[list[ChatServer]]:
    made = [
        ChatServer([WRITE, reply_text("The file is there."), reply_text("Noted.")], pace=200),
        ChatServer([reply_text("Beta here.")]),
    ]
    for server in made:
        server.start()
    yield made
    for server in made:
        server.stop()


def machine(tmp_path: Path, servers: list[ChatServer]) -> Machine:
    return Machine.under(tmp_path, {"alpha": servers[0].url, "beta": servers[1].url})


@pytest.mark.parametrize(("columns", "rows"), [(120, 40), (80, 24), (40, 10)])
def test_from_question_to_file_on_disk(tmp_path: Path, servers: list[ChatServer], columns: int, rows: int) -> None:
    made = machine(tmp_path, servers)
    with launch(made, columns=columns, rows=rows) as terminal:
        submit(terminal, "write hello")
        answer(terminal, "y")
        terminal.wait_for("The file is there")
        assert (made.project / "hello.py").read_text() == "print('hello')\n"
        terminal.send("\x11")  # ctrl+q
        assert terminal.wait_exit() == 0
    for mode in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?2004l", b"\x1b[?1000l"):
        assert mode in terminal.raw, f"{mode!r} was not sent: the terminal is not restored"


def test_a_denial_with_a_comment_reaches_the_model_and_the_row_says_denied(
    tmp_path: Path, servers: list[ChatServer]
) -> None:
    made = machine(tmp_path, servers)
    with launch(made) as terminal:
        submit(terminal, "write hello")
        answer(terminal, "c")
        terminal.settle(0.3)
        terminal.send("call it main.py\r")
        terminal.wait_for("The file is there")
        assert re.search(r"write_file.*denied", terminal.text)
        assert not (made.project / "hello.py").exists()
    result = servers[0].bodies[1]["messages"][-1]
    assert result["role"] == "tool" and "call it main.py" in result["content"] and "denied" in result["content"]


def test_switching_the_provider_goes_on_with_the_same_conversation(tmp_path: Path, servers: list[ChatServer]) -> None:
    made = machine(tmp_path, servers)
    with launch(made) as terminal:
        submit(terminal, "write hello")
        answer(terminal, "n")
        terminal.wait_for("The file is there")
        terminal.send("\x1bOQ")  # f2
        terminal.wait_for("provider and model")
        terminal.wait_for(r"beta .* ms ")
        terminal.send("beta")
        terminal.settle(0.3)
        terminal.send("\r")
        terminal.wait_gone("provider and model")
        terminal.wait_for(r"beta · fake-model")
        submit(terminal, "who are you")
        terminal.wait_for("Beta here")
    sent = [message["content"] for message in servers[1].bodies[0]["messages"]]
    assert sent[1] == "write hello" and sent[-1] == "who are you" and "The file is there." in sent


def test_continue_shows_the_whole_transcript_again(tmp_path: Path, servers: list[ChatServer]) -> None:
    made = machine(tmp_path, servers)
    with launch(made) as terminal:
        submit(terminal, "write hello")
        answer(terminal, "y")
        terminal.wait_for("The file is there")
        terminal.send("\x11")
        terminal.wait_exit()
    with launch(made, "--continue") as terminal:
        for part in ("write hello", "I will write it", r"write_file\s+hello.py", "The file is there"):
            terminal.wait_for(part)
        submit(terminal, "and now")
        terminal.wait_for("Noted")
    contents = [message["content"] for message in servers[0].bodies[-1]["messages"]]
    assert contents[1] == "write hello" and contents[-1] == "and now"


@pytest.mark.promise("P12")
def test_escape_stops_a_stalled_answer_and_the_session_stays_usable(tmp_path: Path) -> None:
    script = [reply_steps(delta(role="assistant"), text("Half an ans"), Stall()), reply_text("Again, whole.")]
    with ChatServer(script) as server, launch(Machine.under(tmp_path, {"alpha": server.url})) as terminal:
        submit(terminal, "go")
        terminal.wait_for("Half an ans")
        terminal.send("\x1b")
        assert server.wait_for_disconnect(3)
        terminal.wait_for("turn stopped")
        submit(terminal, "once more")
        terminal.wait_for("Again, whole")


@pytest.mark.parametrize(("focus", "rings"), [("\x1b[O", True), ("\x1b[O\x1b[I", False)])
def test_the_terminal_bell_calls_a_user_who_is_elsewhere(
    tmp_path: Path, servers: list[ChatServer], focus: str, rings: bool
) -> None:
    with launch(machine(tmp_path, servers)) as terminal:
        terminal.wait_for("›")
        submit(terminal, "write hello")
        terminal.send(focus)
        terminal.wait_for(r"\by (allow )?once")
        terminal.settle()
        assert (b"\x07" in re.sub(rb"\x1b\][^\x07]*\x07", b"", bytes(terminal.raw))) is rings


@pytest.mark.promise("P2", "P4")
def test_a_server_that_is_down_is_named_and_the_text_is_kept_in_history(tmp_path: Path) -> None:
    with launch(Machine.under(tmp_path, {"alpha": "http://localhost:9/v1/"})) as terminal:
        submit(terminal, "anyone there")
        terminal.wait_for("Connection refused to localhost:9")
        terminal.wait_for("start-fake --now")
        terminal.send("\x1b[A")
        terminal.wait_for("› anyone there")


@pytest.mark.promise("P32")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_program_and_restores_the_terminal(tmp_path: Path, number: int, code: int) -> None:
    with launch(Machine.under(tmp_path, {"alpha": "http://localhost:9/v1/"})) as terminal:
        terminal.wait_for("›")
        terminal.settle(0.5)
        terminal.process.send_signal(number)
        assert terminal.wait_exit(5) == code
    assert b"\x1b[?1049l" in terminal.raw


@pytest.mark.promise("P41")
def test_keys_typed_before_the_question_is_armed_stay_in_the_prompt(tmp_path: Path, servers: list[ChatServer]) -> None:
    made = machine(tmp_path, servers)
    with launch(made) as terminal:
        submit(terminal, "write hello")
        # As someone who goes on typing while the answer streams in: never 400 ms without a key.
        for _ in range(120):
            terminal.send("y")
            terminal.settle(0.02, 0.05)
            if "waiting for you" in terminal.text:
                break
        for _ in range(20):
            terminal.send("y")
            terminal.settle(0.02, 0.05)
        assert "waiting for you" in terminal.text
        assert not (made.project / "hello.py").exists()
        assert re.search(r"› y{10}", terminal.text)


PASTE = b"\x1b[200~list\x1b[31mred\ry\ry\x1b]0;title\x07y y\r\x1b[201~"


def test_a_paste_with_escape_sequences_stays_a_paste(tmp_path: Path, servers: list[ChatServer]) -> None:
    made = machine(tmp_path, servers)
    with launch(made) as terminal:
        terminal.wait_for("›")
        terminal.settle(0.5)
        terminal.send(PASTE)
        terminal.wait_for("listred|list.31mred")
        terminal.settle(0.5)
        assert not servers[0].requests


def test_a_paste_with_escape_sequences_answers_no_question(tmp_path: Path, servers: list[ChatServer]) -> None:
    made = machine(tmp_path, servers)
    with launch(made) as terminal:
        submit(terminal, "write hello")
        terminal.wait_for("waiting for you")
        terminal.settle(0.8)
        terminal.send(PASTE)
        terminal.settle(0.5)
        assert "waiting for you" in terminal.text
        assert not (made.project / "hello.py").exists()
        assert len(servers[0].requests) == 1
