"""A window that fills, on a real pty: room is made and seen, and the summary that the user edited is what is sent."""

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.chat_server import Reply, reply_text
from tests.fakes.window_server import WindowServer
from tests.project import Machine
from tests.terminal.terminal_bytes import expect_clean
from tests.terminal.test_journey import launch, submit

WINDOW = 8_192
LONG = "The colour is teal-7. " + "It is said at length so that room has to be made. " * 110


@pytest.mark.parametrize(("columns", "rows"), [(100, 32), (40, 10)])
def test_a_full_window_becomes_a_summary_that_the_user_edits(tmp_path: Path, columns: int, rows: int) -> None:
    def answer(body: dict[str, Any], number: int) -> Reply:
        words = str(body["messages"][-1]["content"]).split()
        return reply_text(f"{LONG} Answered:{words[-1]}.", chunk=2_000)

    with WindowServer(WINDOW, answer) as server:
        machine = Machine.under(tmp_path, {"alpha": server.url}, sandbox="off")
        with launch(machine, columns=columns, rows=rows) as terminal:
            asked = 0
            while not server.summaries and asked < 8:
                submit(terminal, f"question {asked}")
                terminal.wait_for(f"Answered:{asked}.")
                asked += 1
            submit(terminal, "/context")
            terminal.wait_for("of 8,192 tokens")
            terminal.wait_for("c make room")  # the key for editing has no room in the foot of a small screen
            terminal.send("e")
            terminal.wait_for("goal: go on")
            terminal.settle(0.3)
            terminal.send("Mine: ochre-9. ")
            terminal.wait_for("edited by you")
            terminal.send("\x13")
            terminal.wait_for("summary +edited")
            submit(terminal, "the last question")
            terminal.wait_for("Answered:question.")
            expect_clean(terminal)
    assert len(server.summaries) == 1 and not server.refused and max(server.sizes) <= WINDOW
    before, after = (str(body["messages"]) for body in server.bodies[-2:])
    assert "goal: go on" in before and "ochre" not in before and "Mine: ochre-9. - goal: go on" in after
    # The questions go with it word by word, and what was asked last is asked last.
    assert all(f"question {number}" in after for number in range(asked))
    assert server.bodies[-1]["messages"][-1]["content"].endswith("the last question")
