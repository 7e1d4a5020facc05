"""Finding in the transcript on a real terminal."""

import re
import sys
from pathlib import Path

from benchmarks.terminal import Terminal
from tests.fakes.chat_server import ChatServer, reply_text
from tests.project import Machine

COMMAND = [str(Path(sys.executable).with_name("tui-agent"))]

ANSWER = "\n\n".join(f"Paragraph {number} hides a needle in its hay**stack**." for number in range(60))


def test_what_is_looked_for_is_marked_gone_to_and_left_again(tmp_path: Path) -> None:
    with ChatServer([reply_text(ANSWER)]) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        with Terminal(COMMAND, columns=80, rows=24, env=machine.environ, cwd=str(machine.project)) as terminal:
            terminal.wait_for("›")
            terminal.send("hello\r")
            terminal.wait_for("Paragraph 59")
            terminal.send("\x06haystack")  # ctrl+f, and at once what to look for
            terminal.wait_for(r"find haystack .* 5\d of 60")
            terminal.send("\x1b[A" * 5)
            terminal.wait_for(r"find haystack .* 4\d of 60")
            terminal.send("\x15paragraph 7 ")  # ctrl+u
            terminal.wait_for(r"find paragraph 7 .* 1 of 1")
            terminal.wait_for("Paragraph 7 hides")
            terminal.send("\r")
            terminal.wait_for(r"n next")
            terminal.send("\x1b")
            terminal.settle(0.5)
            assert re.search("Paragraph 7 hides", terminal.text) and "find paragraph" not in terminal.text
            terminal.send("\x06\x15paragraph 1\\d\x1br")  # alt+r
            terminal.wait_for(r"regex  \d+ of 10")
            terminal.send("\x15zebra")
            terminal.wait_for("not found")
            terminal.send("\x1b")
            terminal.settle(0.5)
            assert "Paragraph 7 hides" in terminal.text
            terminal.send("\x11")  # ctrl+q
            assert terminal.wait_exit() == 0
