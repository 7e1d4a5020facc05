"""Settings of a Git repository as Git itself sees them, read without running anything of the repository."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import Final

_SECONDS: Final = 2.0
_LISTED_BYTES: Final = 200_000
_GITLINK: Final = b"160000 "
"""The mode of a tracked repository."""


def list_config(git: str, directory: str, environment: Mapping[str, str]) -> bytes | None:
    """What `git config --list --show-scope -z` prints in a directory; None when it cannot be had. Takes
    milliseconds.

    Listing settings runs no hook, no pager and no monitor of the repository.
    """
    try:
        done = subprocess.run(
            [git, "--no-pager", "config", "--list", "--show-scope", "--includes", "-z"],
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    # Without any settings file Git ends with 1 and prints nothing.
    return done.stdout if done.returncode in (0, 1) else None


def tracked_files(git: str, directory: str, paths: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The first files that Git tracks under some paths of a directory, relative to it. Takes milliseconds.

    Listing them runs no hook, no pager, no filter and no monitor of the repository.
    """
    with suppress(OSError):
        listing = subprocess.Popen(
            [git, "--no-pager", "ls-files", "-z", "--", *paths],
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        timer = Timer(_SECONDS, listing.kill)
        timer.start()
        with listing:
            listed = listing.stdout.read(_LISTED_BYTES) if listing.stdout else b""
            listing.kill()
        timer.cancel()
        return [os.fsdecode(name) for name in listed.split(b"\0")[:-1]]
    return []


def holds_repositories(git: str, directory: str, environment: Mapping[str, str]) -> bool:
    """True when Git tracks a repository inside the one around a directory, as it does submodules, or when that cannot
    be told. Takes milliseconds.

    Git goes into such a repository to look for changes, and heeds its settings there; no `.gitmodules` is needed.
    """
    try:
        done = subprocess.run(
            [git, "--no-pager", "ls-files", "--stage", "-z", "--", ":/"],
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return True
    # Outside of any work tree Git ends with 128 and prints nothing.
    return b"\0" + _GITLINK in b"\0" + done.stdout


def has_submodules(directory: str) -> bool:
    """True when the repository around a directory has submodules, whose own settings Git would heed as well."""
    folder = Path(directory)
    for place in (folder, *folder.parents):
        if (place / ".git").exists():
            return (place / ".gitmodules").exists() or (place / ".git" / "modules").exists()
    return False
