"""The folders of tui-agent, the session log and the log file."""

import os
import re
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from tui_agent.cli.checkup.rows import Row, Section, State, size
from tui_agent.config.locations import CONFIG_VARIABLE, DATA_VARIABLE, Locations
from tui_agent.conversation.errors import StoreError

LITTLE_SPACE = 200_000_000
"""Bytes free below which a warning is due; sessions and logs grow slowly."""
ENTRIES = 20_000
"""Directory entries that are counted for the size of a folder, at most."""
CHECK_SECONDS = 0.8
"""For looking for damage in the session log."""
TAIL_BYTES = 200_000

_ERROR_LINE = re.compile(
    r'^\{"time": "(\d{4}-\d\d-\d\d)T(\d\d:\d\d)[^"]*", "level": "(?:ERROR|CRITICAL)"', re.MULTILINE
)


def folders(where: Locations) -> Section:
    """Each folder: where it is, how large, and whether it can be written; and how much room its disk has."""
    rows: list[Row] = []
    space: dict[int, tuple[Path, int]] = {}
    for name, folder in (
        ("settings", where.config),
        ("data", where.data),
        ("models", where.models),
        ("snapshots", where.snapshots),
        ("state", where.state),
        ("logs", where.logs),
        ("cache", where.cache),
    ):
        row = _folder(name, folder)
        if name == "snapshots" and row.state == "ok" and folder.is_dir():
            from tui_agent.workspace.snapshots.store import MOST_BYTES  # SQLite is not free

            row = replace(row, text=f"{row.text} of at most {size(MOST_BYTES)}; the oldest go first")
        known = any(row.fix == other.fix for other in rows)
        rows.append(replace(row, fix="") if known else row)
        there = existing(folder)
        try:
            device = there.stat().st_dev
            space.setdefault(device, (there, shutil.disk_usage(there).free))
        except OSError:
            continue  # the row of the folder says what is wrong with it
    for folder, free in space.values():
        fix = "free some disk space: sessions are not saved when it is full" if free < LITTLE_SPACE else ""
        rows.append(Row("free space", "warning" if fix else "ok", f"{size(free)} on the disk of {folder}", fix))
    return Section("folders", tuple(rows))


def existing(path: Path) -> Path:
    """The path, or the nearest one above it that is there."""
    return next((place for place in (path, *path.parents) if os.path.lexists(place)), path)


def _folder(name: str, folder: Path) -> Row:
    # Settings are only read, so nothing is lost when their folder cannot be written.
    only_read = name == "settings"
    trouble: State = "info" if only_read else "warning"
    fix = "" if only_read else f"make it writable, or set {DATA_VARIABLE}: sessions and logs are not kept"
    if folder.is_relative_to("/nonexistent"):
        return Row(name, trouble, "there is no home folder", f"set HOME, or {DATA_VARIABLE} and {CONFIG_VARIABLE}")
    there = existing(folder)
    if not there.is_dir():
        return Row(name, trouble, f"{folder}: {there} is not a folder", "move what is there away")
    if there != folder:
        if os.access(there, os.W_OK | os.X_OK):
            return Row(name, "ok", f"{folder}, made when it is needed")
        return Row(name, trouble, f"{folder} is not there, and {there} cannot be written", fix)
    if reason := write_trouble(folder):
        return Row(name, trouble, f"{folder} cannot be written: {reason}", fix)
    return Row(name, "ok", f"{folder}, {_size_of(folder)}")


def write_trouble(folder: Path) -> str:
    """Why nothing can be written to a folder, found by doing it with a file that has no name; empty when it can."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
            file.flush()
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return ""


def _size_of(folder: Path) -> str:
    total = count = 0
    for place, _, names in os.walk(folder):
        for name in names:
            count += 1
            if count > ENTRIES:
                return f"more than {size(total)}"
            try:
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 - thousands of them
            except OSError:
                continue  # gone meanwhile
    return size(total)


def session_log(path: Path) -> Section:
    """Whether sessions can be read and continued."""
    return Section("session log", tuple(_session_log(path)))


def _session_log(path: Path) -> Iterator[Row]:
    try:
        bytes_ = path.stat().st_size
    except FileNotFoundError:
        yield Row("file", "ok", f"{path}: no sessions yet")
        return
    except OSError as error:
        yield Row("file", "failed", f"{path} cannot be read: {error.strerror}", "check its permissions")
        return
    # Imported only now: SQLite is not free.
    from tui_agent.store.inspection import inspect, write_locked

    away = "move the file away: a new one is made at the next start"
    try:
        state = inspect(path, CHECK_SECONDS)
        locked = write_locked(path)
    except StoreError as error:
        yield Row("file", "failed", error.message, f"check its permissions; if it is damaged, {away}")
        return
    yield Row("file", "ok", f"{path}, {size(bytes_)}, {state.sessions} sessions, {state.events} events")
    if state.schema > state.known:
        text = f"version {state.schema}, which a newer tui-agent wrote; this one knows {state.known}"
        yield Row("schema", "failed", text, f"update tui-agent, or set {DATA_VARIABLE} to another folder")
    else:
        later = "" if state.schema == state.known else f", becomes {state.known} at the next start"
        yield Row("schema", "ok", f"version {state.schema}{later}")
    if state.fault is None:
        yield Row("integrity", "info", f"no damage found in {CHECK_SECONDS:g} s; it is too large to look at all of it")
    else:
        yield Row(
            "integrity", "failed" if state.fault else "ok", state.fault or "no damage", away if state.fault else ""
        )
    if locked:
        text = "another program has been writing for too long: sessions cannot be saved meanwhile"
        yield Row("lock", "warning", text, f"end the tui-agent that hangs; `fuser {shlex.quote(str(path))}` names it")
    else:
        yield Row("lock", "ok", "nobody holds it")


def log_file(folder: Path) -> Section:
    """What the log has to say, without repeating any of it."""
    rows = []
    for path in log_files(folder)[:1]:
        try:
            text = tail(path)
        except OSError as error:
            rows.append(Row("log", "warning", f"{path} cannot be read: {error.strerror}", "check its permissions"))
            continue
        found = _ERROR_LINE.findall(text)
        if found:
            count = f"{len(found)} error{'' if len(found) == 1 else 's'}"
            last = " ".join(found[-1])
            rows.append(Row("log", "warning", f"{count}, the last one at {last}: {path}", "look at its end"))
        else:
            rows.append(Row("log", "ok", f"no errors in {path}"))
    for path in sorted(folder.glob("engine-*.log")):
        try:
            status = path.stat()
        except OSError:
            continue  # gone meanwhile
        written = time.strftime("%Y-%m-%d %H:%M", time.localtime(status.st_mtime))
        rows.append(Row("engine log", "info", f"{path}, {size(status.st_size)}, written {written}"))
    nothing = Row("log", "ok", f"nothing was logged yet; it will be in {folder / 'tui-agent.log'}")
    return Section("log", tuple(rows) or (nothing,))


def log_files(folder: Path) -> list[Path]:
    """Our log file and the ones from before it, newest first."""
    names = ["tui-agent.log", *(f"tui-agent.log.{number}" for number in range(1, 10))]
    return [folder / name for name in names if os.path.isfile(folder / name)]  # noqa: PTH113 - a folder may be closed to us


def tail(path: Path) -> str:
    """The last lines of a file, TAIL_BYTES at most; never a part of a line.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, end - TAIL_BYTES))
        data = file.read(TAIL_BYTES)
    if start:
        data = data.partition(b"\n")[2]
    return data.decode("utf-8", "replace")
