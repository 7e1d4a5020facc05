"""What goes to a terminal that is gone."""

import io
import threading

import pytest

from tui_agent.tui.terminal_output import GuardedWriter


class Terminal(io.StringIO):
    """Takes `most` pieces; then it is gone."""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__()
        self.most = most
        self.error = error

    def write(self, text: str) -> int:
        if self.most == 0:
            raise self.error
        self.most -= 1
        return super().write(text)


@pytest.mark.promise("P32")
@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ValueError("I/O operation on closed file")])
@pytest.mark.parametrize("most", [0, 1, 50, 1_000])
def test_a_terminal_that_is_gone_holds_nobody_up(most: int, error: Exception) -> None:
    terminal = Terminal(most, error)
    writer = GuardedWriter(terminal)
    writer.start()
    done = threading.Event()

    def write() -> None:
        for _ in range(200):
            writer.write("x")
        writer.stop()
        done.set()

    threading.Thread(target=write, daemon=True).start()
    assert done.wait(10), "a write waits for ever"
    assert terminal.getvalue() == "x" * min(most, 200)
