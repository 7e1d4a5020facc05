"""What a search found, looked at again without following any link, before it is shown.

`rg` walks by names. Between reading a directory and opening what is in it a name may have become a link to outside.
"""

import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from tui_agent.conversation.errors import WorkspaceError
from tui_agent.tools.builtin.finder import LINE_CHARACTERS, FileRows, Row
from tui_agent.tools.builtin.python_search import transcoded
from tui_agent.workspace.files import read_regular
from tui_agent.workspace.paths import Location, open_parent


class Confirmed(NamedTuple):
    """What was found where it was said to be, and how many files are left out, wholly or in part."""

    files: list[FileRows]
    left_out: int


def confirm_names(start: Location, names: Sequence[str]) -> list[str]:
    """Those that are regular files below `start`. Blocks: about 20 µs for each directory and 3 µs for each name."""
    there: list[str] = []
    for folder, group in groupby(names, lambda name: name.rpartition("/")[0]):
        inside = list(group)
        try:
            with open_parent(replace(start, path=start.path / inside[0])) as directory:
                there += [name for name in inside if _is_file(directory, name[len(folder) :].lstrip("/"))]
        except (OSError, WorkspaceError):
            continue  # the directory has gone, or has become a link
    return there


def _is_file(directory: int, name: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except OSError:
        return False


def confirm_rows(start: Location, files: Sequence[FileRows]) -> Confirmed:
    """The rows that stand in files below `start` just like this. Blocks: it reads the files."""
    confirmed = []
    for file in files:
        rows = _confirmed(replace(start, path=start.path / file.path), file.rows)
        confirmed.append(FileRows(file.path, rows))
    whole = sum(len(now.rows) == len(then.rows) for now, then in zip(confirmed, files, strict=True))
    return Confirmed([file for file in confirmed if file.rows], len(files) - whole)


def _confirmed(location: Location, rows: Sequence[Row]) -> list[Row]:
    try:
        data, _ = read_regular(location)
    except WorkspaceError:
        return []
    lines = transcoded(data).split(b"\n", max((row.number for row in rows), default=0))
    return [row for row in rows if row.number <= len(lines) and _stands(row, lines[row.number - 1])]


def _stands(row: Row, line: bytes) -> bool:
    text = line.decode("utf-8", "replace").removesuffix("\r")
    return row.text == text[:LINE_CHARACTERS] and row.cut == max(0, len(text) - LINE_CHARACTERS)
