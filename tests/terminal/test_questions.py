"""Questions about commands on a real pty, in a real sandbox: parts, the network, and reading that runs unasked."""

import re
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from tests.fakes.chat_server import ChatServer, reply_calls, reply_text
from tests.project import Machine
from tests.sandbox.boxes import needs_bwrap
from tests.terminal.test_journey import launch, submit


def run(*commands: str) -> list[object]:
    """A turn that runs these, one in each reply."""
    return [*(reply_calls([("run_command", {"command": command})]) for command in commands), reply_text("All done.")]


def answer(terminal: Terminal, key: str, question: str) -> None:
    """Answer a question once it is shown and takes keys."""
    terminal.wait_for(question)
    terminal.settle(0.6)
    terminal.send(key)


@needs_bwrap
@pytest.mark.parametrize(("columns", "rows"), [(120, 40), (40, 10)])
def test_a_command_of_three_parts_under_rules_can_be_read_and_denied(tmp_path: Path, columns: int, rows: int) -> None:
    with ChatServer(run("npm test && ls -la | xargs rm")) as server:
        machine = Machine.under(
            tmp_path, {"alpha": server.url}, permissions={"allow": ["npm test"], "read_only_commands": "allow"}
        )
        with launch(machine, columns=columns, rows=rows) as terminal:
            if columns > 40:
                terminal.wait_for(r"asks first, but for commands that only\s+read and what your rules\s+allow")
                terminal.wait_for(r"ask \+reads")
            submit(terminal, "tidy up")
            terminal.wait_for(r"npm test && ls -la \| xargs rm")
            terminal.settle(0.7)
            seen = terminal.text
            for _ in range(9 if rows < 40 else 0):
                terminal.send("\x1b[B")
                terminal.settle(0.08)
                seen += terminal.text
            assert re.search(r"1  npm test +allow: npm test", seen)
            assert re.search(r"2  ls -la +read-only", seen)
            assert "3  xargs rm" in seen
            assert "runs in bwrap, without network" in re.sub(r"\s*\n\W*", " ", seen)
            assert "n deny" in terminal.text
            terminal.send("n")
            terminal.wait_for("All done")


@needs_bwrap
def test_the_network_is_allowed_for_one_command_and_the_row_says_so(tmp_path: Path) -> None:
    count = "echo there are $(($(wc -l < /proc/net/dev) - 3)) more"
    with ChatServer(run(count, f"{count}  ")) as server:
        machine = Machine.under(tmp_path, {"alpha": server.url})
        with launch(machine) as terminal:
            submit(terminal, "look")
            answer(terminal, "wait", r"w once \+ network")
            terminal.wait_for("› wait")  # a word is no answer
            terminal.settle(0.7)
            assert "w once + network" in terminal.text
            terminal.send("w")
            answer(terminal, "y", r"(?s)approved, with network.*w once \+ network")
            terminal.wait_for("All done")
            assert len(re.findall("with network", terminal.text)) == 1
    results = [message["content"] for message in server.bodies[-1]["messages"] if message["role"] == "tool"]
    assert "there are 0 more" in results[1]
    with_network = int(re.search(r"there are (\d+) more", results[0])[1])  # type: ignore[index]
    assert with_network == len(Path("/proc/net/dev").read_text().splitlines()) - 3


@needs_bwrap
def test_commands_that_only_read_run_unasked_from_the_answer_on_until_the_session_is_left(tmp_path: Path) -> None:
    with ChatServer([*run("ls -la", "cat notes.txt", "touch made"), *run("ls -l")]) as server:
        machine = Machine.under(tmp_path, {"alpha": server.url})
        (machine.project / "notes.txt").write_text("the notes\n")
        with launch(machine) as terminal:
            submit(terminal, "look around")
            answer(terminal, "o", "o let reading run")
            answer(terminal, "n", "touch made")  # what only read did not ask any more
            terminal.wait_for("All done")
            assert "commands that only read run unasked from now on" in terminal.text
            assert "ask +reads" in terminal.text
            terminal.send("\x1bOS")  # f4: a new session
            terminal.wait_gone("All done")
            terminal.wait_gone(r"\+reads")
            submit(terminal, "again")
            answer(terminal, "n", "o let reading run")
            terminal.wait_for("All done")
    contents = [message["content"] for message in server.bodies[3]["messages"] if message["role"] == "tool"]
    assert "the notes" in contents[1] and "denied by the user" in contents[2]
    assert not (machine.project / "made").exists()
