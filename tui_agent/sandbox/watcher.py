"""A process that ends running commands when ours has gone without ending them, as after `kill -9`.

It reads a pipe that the kernel closes however we end. What it was told of and not told the end of, it kills.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import IO, Final

from tui_agent.sandbox.tree import ProcessTree

LAST_SECONDS: Final = 10.0

_PASSED: Final = ("PATH", "HOME", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DOCKER_HOST", "DOCKER_CONTEXT")
_lock: Final = threading.Lock()


class Watch:
    """One command that is looked after."""

    def __init__(self, mark: str) -> None:
        self._mark = mark

    def end(self) -> None:
        """Nothing of it runs any more; to be called once."""
        _tell([self._mark, 0, []])


def watch(tree: ProcessTree, last: Sequence[str]) -> Watch:
    """Have the processes of a command killed, and a program run after that (none if `last` is empty), if we vanish."""
    _tell([tree.mark, tree.pid, list(last)])
    return Watch(tree.mark)


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
    """Read orders, each a line `[mark, pid, last]` with pid 0 for the end; at the end of them kill what is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    running: dict[str, tuple[int, list[str]]] = {}
    for line in sys.stdin.buffer:
        mark, pid, last = json.loads(line)
        if pid:
            running[mark] = (pid, last)
        else:
            running.pop(mark, None)
    for mark, (pid, last) in running.items():
        ProcessTree(mark, pid).kill()
        if last:
            with suppress(OSError, subprocess.SubprocessError):
                subprocess.run(last, stdin=subprocess.DEVNULL, timeout=LAST_SECONDS, check=False)


if __name__ == "__main__":
    main()
