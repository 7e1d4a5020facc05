"""What changed between two looks: only where both looked can be told what was made and what was taken away."""

import os
from collections.abc import Iterator, Mapping
from typing import Final

from tui_agent.workspace.snapshots.entries import Entry, Folder, Tree
from tui_agent.workspace.snapshots.states import ABSENT, Change, Left, Record

MOST_LEFT: Final = 100
"""Paths that are named of which nothing is kept."""

IGNORED: Final = ".gitignore leaves it out, so it is not kept"


def compare(before: Tree, after: Tree) -> Record:
    """The changes from one look to the next."""
    changes: list[Change] = []
    left: list[Left] = []
    made: set[str] = set()
    gone: set[str] = set()
    for path in sorted(before.folders.keys() | after.folders.keys()):
        old, new = before.folders.get(path), after.folders.get(path)
        if old is new:
            continue
        parent, _, name = path.rpartition("/")
        if old is None:
            if parent not in made and not _without(before.folders, parent, name):
                continue  # it was not looked at before, and may have been there
            made.add(path)
        if new is None:
            if parent not in gone and not _without(after.folders, parent, name):
                continue
            gone.add(path)
        changes += _changes(path, old.entries if old else {}, new.entries if new else {})
        if len(left) < MOST_LEFT and path not in gone and path not in made:
            left += _ignored(path, old, new)
    left += [Left(os.fsencode(path), reason) for path, reason in dict((*before.gaps, *after.gaps)).items()]
    return Record(tuple(changes), tuple(left[:MOST_LEFT]))


def _without(folders: Mapping[str, Folder], parent: str, name: str) -> bool:
    """Whether the folder above was looked at and has no folder of this name."""
    if parent not in folders:
        return False
    entry = folders[parent].entries.get(name)
    return (entry is None or not entry.is_folder) and name not in folders[parent].ignored


def _changes(path: str, old: Mapping[str, Entry], new: Mapping[str, Entry]) -> Iterator[Change]:
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before is after or (before is not None and after is not None and not before.differs(after)):
            continue
        yield Change(
            os.fsencode(f"{path}/{name}"), before.state if before else ABSENT, after.state if after else ABSENT
        )


def _ignored(path: str, old: Folder | None, new: Folder | None) -> Iterator[Left]:
    if old is None or new is None or old.ignored == new.ignored:
        return
    for name in sorted(old.ignored.keys() | new.ignored.keys()):
        if old.ignored.get(name) != new.ignored.get(name) and name not in old.entries and name not in new.entries:
            slash = "/" if (old.ignored.get(name) or new.ignored[name])[0] else ""
            yield Left(os.fsencode(f"{path}/{name}{slash}"), IGNORED)
