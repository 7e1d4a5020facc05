"""How long something took, without what the machine gave to others meanwhile."""

import os
import time
from pathlib import Path

NANO = 1e-9


class Stopwatch:
    """Starts when it is made. Promises about time are for a machine that is not busy, and tests run side by side.

    Time in which threads could have gone on and had no processor is not counted, by Linux's own account (the second
    figure of `schedstat`, in ns): of the threads of this process, which is the UI in most tests and the
    servers in all, and of the processes `others`.
    """

    def __init__(self, *others: int) -> None:
        self._pids = (os.getpid(), *others)
        self._waited = self._waiting()
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the beginning, without the waiting for a processor."""
        passed = time.monotonic() - self._begun
        return passed - max(0.0, self._waiting() - self._waited)

    def _waiting(self) -> float:
        waited = 0
        for pid in self._pids:
            for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                try:
                    waited += int(file.read_text().split()[1])
                except OSError:
                    pass  # the thread ended meanwhile
        return waited * NANO
