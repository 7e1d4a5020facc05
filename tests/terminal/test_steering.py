"""Typing while a turn runs, on a real pty: bursts, cut key sequences, a held escape, leaving with a queue."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.chat_server import ChatServer, Delay, Reply, finish, reply_steps, reply_text, text
from tests.project import Machine
from tests.stopwatch import Stopwatch
from tests.terminal.test_journey import launch, submit

SLOW = reply_steps(text("Thinking about it"), Delay(60), finish("stop"))


def respond(body: dict[str, Any], number: int) -> Reply:
    last = body["messages"][-1]["content"]
    return SLOW if last.endswith("slowly") else reply_text(f"Answer {number}.")


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer(respond) as made:
        yield made


def test_a_burst_is_queued_in_order_and_one_escape_gives_it_back(tmp_path: Path, server: ChatServer) -> None:
    with launch(Machine.under(tmp_path, {"fake": server.url}), columns=80, rows=24) as terminal:
        submit(terminal, "slowly")
        terminal.wait_for("Thinking about it")
        terminal.send("one\ttwo\rthree\tdra")  # in a single write, as over a slow line
        terminal.send("ft")
        terminal.wait_for("after this step  two")
        terminal.wait_for("after this turn  three")
        terminal.wait_for("draft")
        watch = Stopwatch(terminal.process.pid)
        terminal.send("\x1b")
        terminal.wait_for("turn stopped")
        assert watch.seconds < 0.5 + 0.1, "the terminal waits 0.1 s for the rest of a key sequence"
        terminal.wait_for(r"› two\n\s*\n\s*one\n\s*\n\s*three\n\s*draft")
        terminal.send("\x1b" * 3)
        terminal.settle(0.4)
        assert "again to go back" not in terminal.text and "filter by prompt" not in terminal.text
        terminal.send("\x11")
        assert terminal.wait_exit() == 0
        assert "not sent" not in terminal.text
    assert len(server.requests) == 1


def test_leaving_with_a_queue_says_so_and_the_next_start_has_it(tmp_path: Path, server: ChatServer) -> None:
    machine = Machine.under(tmp_path, {"fake": server.url})
    with launch(machine, columns=80, rows=24) as terminal:
        submit(terminal, "slowly")
        terminal.wait_for("Thinking about it")
        terminal.send("one\ttwo\t")
        terminal.wait_for("after this turn  two")
        terminal.send("\x11")
        assert terminal.wait_exit() == 0
        terminal.read()
        assert b"2 prompts were not sent; the up key brings them back" in terminal.raw
    with launch(machine, columns=80, rows=24) as terminal:
        terminal.wait_for("›")
        terminal.settle(0.3)
        terminal.send("\x1b[A")
        terminal.wait_for("› two")
        terminal.send("\x1b[A")
        terminal.wait_for("› one")
    assert len(server.requests) == 1


@pytest.mark.parametrize(("columns", "rows"), [(120, 40), (40, 10)])
def test_follow_ups_go_one_by_one_and_alt_keys_work_whole_and_cut(
    tmp_path: Path, server: ChatServer, columns: int, rows: int
) -> None:
    release = reply_steps(text("Thinking about it"), Delay(1.2), finish("stop"))
    server._respond = lambda body, number: release if number == 0 else respond(body, number)
    with launch(Machine.under(tmp_path, {"fake": server.url}), columns=columns, rows=rows) as terminal:
        submit(terminal, "go")
        terminal.wait_for("Thinking about it")
        terminal.send("first\tsecond\tthird\t")
        terminal.wait_for("third" if rows > 16 else "and 2 more")
        terminal.send("\x1b[1;3A")
        terminal.wait_for("› third")
        terminal.send(" time\t")
        server.wait_for_requests(4, 10)
        terminal.wait_for("Answer 3")
        sent = [[m["content"] for m in body["messages"] if m["role"] == "user"][-1] for body in server.bodies]
        assert sent == ["go", "first", "second", "third time"]
        terminal.settle(1.0)
        terminal.send("\x1b")  # alt+u, cut by the line
        terminal.settle(0.25)
        terminal.send("u")
        terminal.wait_for("› u")
        assert "filter by prompt" not in terminal.text
        terminal.send("\x7f")
        terminal.settle(1.2)
        terminal.send("\x1b")
        terminal.wait_for("esc again")
        terminal.send("\x1b")
        terminal.wait_for("filter by prompt")


def test_retry_on_the_terminal_goes_to_the_other_server(tmp_path: Path, server: ChatServer) -> None:
    machine = Machine.under(tmp_path, {"dead": "http://127.0.0.1:9/v1/", "fake": server.url}, start="dead")
    with launch(machine, columns=80, rows=24) as terminal:
        submit(terminal, "hello there")
        terminal.wait_for("/retry sends the prompt again")
        terminal.send("/retry fake\r")
        terminal.wait_for("Answer 0")
    assert json.dumps(server.bodies[-1]["messages"]).count("hello there") == 1


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
def test_however_the_program_ends_the_queue_is_found_at_the_next_start(
    tmp_path: Path, server: ChatServer, how: signal.Signals
) -> None:
    machine = Machine.under(tmp_path, {"fake": server.url})
    with launch(machine, columns=80, rows=24) as terminal:
        submit(terminal, "slowly")
        terminal.wait_for("Thinking about it")
        terminal.send("one\ttwo\thalf a thought")
        terminal.wait_for("half a thought")
        terminal.settle(0.3)
        terminal.process.send_signal(how)
        terminal.wait_exit()
    with launch(machine, columns=80, rows=24) as terminal:
        terminal.wait_for("›")
        terminal.settle(0.3)
        if how != signal.SIGKILL:  # which leaves nobody to keep what was not even queued
            terminal.send("\x1b[A")
            terminal.wait_for("› half a thought")
        terminal.send("\x1b[A")
        terminal.wait_for("› two")
        terminal.send("\x1b[A")
        terminal.wait_for("› one")
