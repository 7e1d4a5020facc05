"""Disks that are small, full or read-only, for one program and whatever it starts.

The program gets a view of the file system of its own, in which a folder is another disk; nothing is left of it when the
program has ended, and no rights are needed where the system lets everybody have such views.
"""

import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

OWN_VIEW = ("unshare", "--user", "--map-root-user", "--mount", "bash", "-c")


def _possible() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run([*OWN_VIEW, "mount -t tmpfs tmpfs /mnt"], capture_output=True, check=False)
    return tried.returncode == 0


needs_disks = pytest.mark.skipif(not _possible(), reason="this system lets nobody have a view of his own")


def on_small_disk(folder: Path, size: str, command: Sequence[str]) -> list[str]:
    """The command with `folder` as an empty disk of this size."""
    line = f"mount -t tmpfs -o size={size} tmpfs {shlex.quote(str(folder))} && exec {shlex.join(command)}"
    return [*OWN_VIEW, line]


def read_only(folder: Path, command: Sequence[str]) -> list[str]:
    """The command with `folder` as it is, on a disk that cannot be written."""
    where = shlex.quote(str(folder))
    return [
        *OWN_VIEW,
        f"mount --bind {where} {where} && mount -o remount,bind,ro {where} && exec {shlex.join(command)}",
    ]


def run(command: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run such a command to its end."""
    return subprocess.run(
        command, cwd=cwd, env=dict(environ), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )
