"""Processes that tests leave or must not leave."""

import psutil

_LASTING = {"tui_agent.sandbox.watcher", "tests.reliability.victim"}


def children() -> list[psutil.Process]:
    """Ours, with theirs, but those that an earlier test may have started for the tests behind it."""
    found = psutil.Process().children(recursive=True)
    return [each for each in found if not _LASTING.intersection(_words(each))]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
