"""What goes to a terminal: a terminal that is gone takes nothing more, and holds nobody up."""

import logging
import os
from contextlib import suppress

from textual.drivers._writer_thread import WriterThread


class GuardedWriter(WriterThread):
    """Goes on taking what is written when the terminal was closed.

    The thread of Textual ends with the first write that fails. Its queue has a bound, so whoever writes a few frames
    more, or wants it to stop, waits for ever: a closed window left a process behind that hung.
    """

    def run(self) -> None:
        """Write until told to stop, or as long as there is a terminal; then only take."""
        try:
            super().run()
        except (OSError, ValueError) as error:
            logging.getLogger(__name__).info("the terminal is gone: %s", error)
            self._let_go()
            while self._queue.get() is not None:
                pass

    def _let_go(self) -> None:
        """Let what is left in buffers go nowhere: flushing it at the exit would fail, and be the exit code."""
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.dup2(nowhere, self._file.fileno())
            finally:
                os.close(nowhere)


def guard_output() -> None:
    """Let Textual's terminal driver use it; it offers no other place to choose one."""
    from textual.drivers import linux_driver

    vars(linux_driver)["WriterThread"] = GuardedWriter
