"""A process that ends running commands when ours has gone without ending them, as after `kill -9`.

It reads a pipe that the kernel closes however we end. What it was told of and not told the end of, it kills.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import IO, Any, Final

from tui_agent.sandbox.tree import ProcessTree

LAST_SECONDS: Final = 10.0
STARTING_SECONDS: Final = 0.2
"""A process that was just being started when we vanished carries its mark by then."""

_PASSED: Final = (
    *("PATH", "HOME", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH"),
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"),
    "DOCKER_API_VERSION",
)
_lock: Final = threading.Lock()


class Watch:
    """One command that is looked after, from before it starts: told of afterwards, it could outlive us in between.

    `last` is a program that is run after its processes were killed; none if empty.
    """

    def __init__(self, mark: str, last: Sequence[str]) -> None:
        self._mark = mark
        self._last = list(last)
        _tell([mark, 0, self._last])

    def started(self, pid: int) -> None:
        """Its first process."""
        _tell([self._mark, pid, self._last])

    def end(self) -> None:
        """Nothing of it runs any more."""
        _tell([self._mark])


def _tell(order: list[object]) -> None:
    # Where there is no watcher, or no longer one, commands run all the same.
    with suppress(OSError, ValueError), _lock:
        pipe = _pipe()
        pipe.write(json.dumps(order).encode() + b"\n")
        pipe.flush()


@cache
def _pipe() -> IO[bytes]:
    """To the watcher, which is started with the first command."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", __name__],
        cwd="/",
        env={name: os.environ[name] for name in _PASSED if name in os.environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # what ends us from the keyboard must not end it before
    )
    assert process.stdin is not None
    _kept.append(process)
    return process.stdin


_kept: Final[list["subprocess.Popen[bytes]"]] = []
"""It is never waited for: it ends after us."""


def main() -> None:
    """Read orders, each a line `[mark, pid, last]`, or `[mark]` for the end; at the end of them kill what is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    running: dict[str, list[Any]] = {}
    for line in sys.stdin.buffer:
        mark, *more = json.loads(line)
        running.pop(mark, None)
        if more:
            running[mark] = more
    if running:
        time.sleep(STARTING_SECONDS)
    for mark, (pid, last) in running.items():
        ProcessTree(mark, pid).kill()
        if last:
            with suppress(OSError, subprocess.SubprocessError):
                subprocess.run(last, stdin=subprocess.DEVNULL, timeout=LAST_SECONDS, check=False)


if __name__ == "__main__":
    main()
