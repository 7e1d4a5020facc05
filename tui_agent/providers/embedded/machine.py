"""What this machine offers the embedded engine: its extension, the processor's instructions, its cores."""

import math
import os
import platform
import socket
from pathlib import Path

from tui_agent.conversation.errors import ProviderError

INSTALL = "pip install 'tui-agent[local]'"
PACKAGE = "xllamacpp"
NEEDED = ("avx2", "fma", "f16c")
"""The engine's instructions on x86 processors: it has no other code for older ones, which kill it."""
MOST_THREADS = 16

_CPUINFO = Path("/proc/cpuinfo")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def engine_version() -> str:
    """The version of the installed engine.

    Raises:
        ProviderError: it is not installed, or cannot run here.
    """
    import importlib.metadata

    if not hasattr(socket, "AF_UNIX") or os.name != "posix":
        raise ProviderError(
            "unreachable", "The embedded model runs on Linux and macOS only", "use a local model server instead"
        )
    try:
        version = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        raise ProviderError("unreachable", "The embedded engine is not installed", f"install it: {INSTALL}") from None
    if missing := missing_instructions(_read(_CPUINFO), platform.machine()):
        raise cannot_run(missing)
    return version


def cannot_run(missing: tuple[str, ...] = NEEDED) -> ProviderError:
    """The error for a processor without these instructions."""
    return ProviderError(
        "unreachable",
        f"This processor cannot run the embedded engine: it lacks {' and '.join(name.upper() for name in missing)}",
        "use a model server on another machine, or a provider in the cloud",
    )


def missing_instructions(cpuinfo: str, machine: str) -> tuple[str, ...]:
    """Which of the needed instructions this /proc/cpuinfo does not list; nothing where it lists none."""
    if machine.lower() not in ("x86_64", "amd64"):
        return ()
    flags = next((line.split(":", 1)[1].split() for line in cpuinfo.splitlines() if line.startswith("flags")), None)
    return tuple(name for name in NEEDED if name not in flags) if flags else ()


def threads() -> int:
    """How many threads to compute with: one for each core that we may use, 16 at most."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    return count_threads(_read(_CPUINFO), allowed, _read(_QUOTA))


def count_threads(cpuinfo: str, allowed: set[int], quota: str) -> int:
    """The cores among the `allowed` processors, no more than the quota of a container ("max 100000") grants.

    Two threads on one core, or more than the quota, make the engine slower: each waits for the slowest.
    """
    cores: dict[int, tuple[str, str]] = {}
    for block in cpuinfo.split("\n\n"):
        fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in block.split("\n"))}
        number = fields.get("processor", "")
        if number.isdecimal() and "core id" in fields:
            cores[int(number)] = (fields.get("physical id", ""), fields["core id"])
    count = len({cores.get(number, (number,)) for number in allowed})
    limit, _, period = quota.partition(" ")
    if limit.isdecimal() and period.strip().isdecimal() and int(period):
        count = min(count, math.ceil(int(limit) / int(period)))
    return max(1, min(count, MOST_THREADS))


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
