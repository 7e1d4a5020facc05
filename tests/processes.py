"""Processes that tests leave or must not leave."""

import psutil


def children() -> list[psutil.Process]:
    """Ours, with theirs, but the one that looks after commands: an earlier test may have started it."""
    found = psutil.Process().children(recursive=True)
    return [each for each in found if "tui_agent.sandbox.watcher" not in _words(each)]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
