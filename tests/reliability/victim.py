"""The program as it is, but for one thing: at a chosen place it kills itself as `kill -9` would.

`python -m tests.reliability.victim PLACE NUMBER -- chat …` runs it and kills it the NUMBERth time that PLACE is
reached. `python -m tests.reliability.victim` alone has everything imported and forks a child for each line of JSON on
its standard input: `argv`, `cwd`, `env`, `out`, `err`, `kill` ([PLACE, NUMBER] or null), `trace` (a file or null).

A place is a call out of our own code that reaches the disk, the log, a process or the server, or a step of the engine,
just before it and just behind it: `store/sqlite.py:_append>execute+`.
"""

import json
import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import tui_agent

OURS = str(Path(tui_agent.__file__).parent) + "/"
ROOMS = ("store/", "workspace/", "tools/", "sandbox/", "agent/")
STEPS = (
    *("agent/session.py", "agent/turn.py", "agent/book.py", "agent/making_room.py", "agent/summarising.py"),
    *("agent/fallback.py", "tools/executor.py", "tools/recording.py"),
)
"""Modules of which every function is a place."""
CALLS = {
    *("execute", "executemany", "executescript", "commit", "close", "open", "write", "flush", "link", "rename"),
    *("unlink", "fsync", "mkdir", "replace", "put_nowait", "ftruncate", "fchmod", "fork_exec"),
}


class Places:
    """Counts the places that are reached; kills at one of them, or writes them all down."""

    def __init__(self, kill: tuple[str, int] | None) -> None:
        self.reached: list[str] = []
        self._kill = kill
        self._counts: Counter[str] = Counter()
        self._known: dict[CodeType, str | None] = {}

    def watch(self) -> None:
        """From now on, in this thread and in all that are started."""
        threading.setprofile(self._see)
        sys.setprofile(self._see)

    def _see(self, frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if code not in self._known:
            self._known[code] = _file(code)
        file = self._known[code]
        if file is None:
            return
        if event[0] == "c":
            if event == "call":
                if file not in STEPS:
                    return
                name = f"{file}:{code.co_name}("
            else:
                callee = getattr(argument, "__name__", "")
                if callee not in CALLS:
                    return
                name = f"{file}:{code.co_name}>{callee}{'-' if event == 'c_call' else '+'}"
        elif event == "return" and file in STEPS:
            name = f"{file}:{code.co_name})"
        else:
            return
        self._counts[name] += 1
        number = self._counts[name]
        self.reached.append(f"{name} {number}")  # a file would not bear being written to by several threads
        if self._kill == (name, number):
            os.kill(os.getpid(), signal.SIGKILL)


def _file(code: CodeType) -> str | None:
    if not code.co_filename.startswith(OURS):
        return None
    file = code.co_filename[len(OURS) :]
    return file if file.startswith(ROOMS) and not code.co_name.startswith("<") else None


def _run(argv: list[str], kill: tuple[str, int] | None, trace: str | None) -> int:
    from tui_agent.cli.main import main

    places = Places(kill)
    if kill or trace:
        places.watch()
    code = main(argv)
    if trace:
        Path(trace).write_text("\n".join(places.reached))
    return code


def _child(job: dict[str, Any]) -> None:
    os.setsid()
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    for descriptor, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, job["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, job["err"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        os.dup2(os.open(path, flags, 0o600), descriptor)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in ((0, "r"), (1, "w"), (2, "w")))
    code = 70
    try:
        code = _run(job["argv"], tuple(job["kill"]) if job["kill"] else None, job["trace"])
        sys.stdout.flush()
    except SystemExit as left:
        code = int(left.code or 0)
    finally:
        os._exit(code)


def _serve() -> None:
    from tui_agent.cli import engine, invoke, sessions  # noqa: F401 - for their imports

    engine.import_engine()
    engine.import_client()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            _child(json.loads(line))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    if len(sys.argv) == 1:
        _serve()
    else:
        place, number, _, *words = sys.argv[1:]
        trace_to = place.removeprefix("trace=") if place.startswith("trace=") else None
        sys.exit(_run(words, None if trace_to else (place, int(number)), trace_to))
