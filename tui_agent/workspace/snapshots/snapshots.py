"""What the engine uses: looking before and after, writing down what changed, and putting it back."""

import os
import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tui_agent.conversation.errors import WorkspaceError
from tui_agent.workspace.changes import ChangePlan, FileChange
from tui_agent.workspace.paths import Root, Workspace
from tui_agent.workspace.snapshots.compare import compare
from tui_agent.workspace.snapshots.entries import Tree
from tui_agent.workspace.snapshots.ignoring import head, top_of
from tui_agent.workspace.snapshots.index import Index, Limits
from tui_agent.workspace.snapshots.restore import Restored, look_at, restore
from tui_agent.workspace.snapshots.states import ABSENT, Change, Left, Record, State, net
from tui_agent.workspace.snapshots.store import MOST_BYTES, SnapshotError, SnapshotStore

MOST_SHOWN_FILES: Final = 200
MOST_SHOWN_BYTES: Final = 8_000_000
"""What of many changes is compared line by line."""
SHORT_SECONDS: Final = 2.0
"""For looking at what a command did, when there was no time before it to look at everything."""


class Before(NamedTuple):
    """All that a command may change, before it; `heads` is what Git had checked out in the roots."""

    tree: Tree
    heads: tuple[tuple[str, str], ...]


class Counts(NamedTuple):
    """How many files, and lines in them; the lines are 0 where there were too many to count."""

    files: int
    added: int
    removed: int


class Snapshots:
    """Snapshots of one workspace. Everything blocks; one thread at a time gets in.

    `folder` is where the snapshots of all workspaces are, `excluded` are folders that are not looked into.
    """

    def __init__(
        self,
        folder: Path,
        workspace: Workspace,
        excluded: Iterable[str] = (),
        limits: Limits | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._limits = limits or Limits()
        self._workspace = workspace
        self._roots: tuple[Root, ...] = tuple(root for root in workspace.roots if root.writable)
        self._store = SnapshotStore(folder, str(workspace.root.path), most=most_bytes)
        self._index = Index(self._store, self._roots, excluded, self._limits)
        self._touched: set[str] = set()
        self._lock = threading.Lock()
        self.gaps: tuple[tuple[str, str], ...] = ()
        """What the last look left out, and why."""

    @property
    def pruned(self) -> int:
        """Calls that can no longer be undone, because there was no room for what they changed."""
        return self._store.pruned

    def check(self) -> None:
        """Raises SnapshotError when nothing can be kept."""
        self._store.check()

    def look(self, seconds: float = 0.0, stopped: Callable[[], bool] = lambda: False) -> Before:
        """Keep all that a command may change; `seconds` to do it in (default: the limit), or until it is `stopped`.

        Raises:
            SnapshotError: it cannot be kept.
            WorkspaceError: a root is not there any more.
            Stopped: it was.
        """
        with self._lock:
            heads = tuple((top, head(top)) for root in self._roots if (top := top_of(str(root.path))))
            tree = self._index.look(self._touched.copy(), stopped, seconds)
            self.gaps = tree.gaps
            return Before(tree, heads)

    def finish(self, name: str, before: Before, seconds: float = 0.0) -> Record:
        """See what a command changed since `before`, and keep it under a name; raises as `look` does."""
        # Where there was no time to look at all of it before, looking further now would tell nothing.
        after = self.look(seconds or (SHORT_SECONDS if before.tree.short else 0.0))
        record = compare(before.tree, after.tree)
        left = tuple(
            Left(os.fsencode(f"{top}/.git"), f"Git's own files are not kept; {was} was checked out before")
            for (top, was), (_, now) in zip(before.heads, after.heads, strict=False)
            if was != now
        )
        record = Record(record.changes, (*left, *record.left))
        if record.changes or record.left:
            self._store.save(name, record)
        return record

    # ---- writes ----

    def states(self, plan: ChangePlan) -> dict[bytes, State]:
        """What is at the paths of a plan, and at those of the folders that it has to make; contents are kept.

        Raises:
            SnapshotError: it cannot be kept.
        """
        self._store.check()
        found: dict[bytes, State] = {}
        for change in plan.changes:
            path = Path(change.path)
            for place in (path, *path.parents):
                key = os.fsencode(place)
                try:
                    found[key] = look_at(key, self._roots, self._limits.file)
                except (WorkspaceError, OSError):
                    break
                if place != path and found[key].kind != "absent":
                    del found[key]
                    break
            self._touched.add(change.path)
        return self._kept(plan, found, before=True)

    def finish_write(self, name: str, plan: ChangePlan, before: dict[bytes, State]) -> Record:
        """Keep what a plan changed, under a name; raises SnapshotError."""
        after: dict[bytes, State] = {}
        for path in before:
            try:
                after[path] = look_at(path, self._roots, self._limits.file)
            except (WorkspaceError, OSError):
                after[path] = State("file", lost="it cannot be read")
        changed = {path: state for path, state in after.items() if not _alike(state, before[path])}
        kept = self._kept(plan, changed, before=False)
        changes = tuple(Change(path, before[path], kept[path]) for path in sorted(kept))
        if changes:
            self._store.save(name, Record(changes))
        return Record(changes)

    def _kept(self, plan: ChangePlan, states: dict[bytes, State], *, before: bool) -> dict[bytes, State]:
        """The states, with the contents of the plan in the store; what is not as planned is not kept."""
        import hashlib

        blobs = []
        for change in plan.changes:
            path, data = os.fsencode(change.path), change.before if before else change.after
            state = states.get(path, ABSENT)
            if state.kind != "file":
                continue
            if data is not None and hashlib.sha256(data).digest() == state.content:
                blobs.append((state.content, data))
            else:
                states[path] = State("file", state.mode, state.mtime, state.content, "it changed while it was written")
        self._store.put(blobs)
        return states

    # ---- back ----

    def records(self, names: Sequence[str]) -> dict[str, Record]:
        """What is kept under these names; raises SnapshotError."""
        return self._store.records(names)

    def put_back(self, records: Sequence[Record]) -> tuple[Restored, str]:
        """Undo calls, given oldest first. What that changed is kept under the name that comes back; "" if it cannot be.

        Raises:
            SnapshotError: the store cannot be used; nothing was changed then.
        """
        with self._lock:
            restored = restore(net(records).values(), self._roots, self._store, self._limits.file)
            left = {item.path: item.reason for record in records for item in record.left}
            left |= {item.path: item.reason for item in restored.left}
            name = new_name()
            try:
                if restored.changes:
                    self._store.save(name, Record(restored.changes))
            except SnapshotError:
                name = ""
            return Restored(restored.changes, tuple(Left(*item) for item in sorted(left.items()))), name

    def plan(self, changes: Iterable[Change], most_bytes: int = MOST_SHOWN_BYTES) -> tuple[ChangePlan, int]:
        """The changes as files before and after, as far as they are not too many; and how many files there are in all.

        A file that was removed has no bytes after; links stand for themselves as text. Contents that are not kept any
        more are left out.
        """
        shown: list[FileChange] = []
        total, size = 0, 0
        for change in changes:
            if "folder" in (change.before.kind, change.after.kind) and _is_folder_only(change):
                continue
            total += 1
            if len(shown) >= MOST_SHOWN_FILES or size > most_bytes:
                continue
            try:
                before, after = self._bytes(change.before), self._bytes(change.after)
            except SnapshotError:
                continue
            size += len(before or b"") + len(after or b"")
            if size > most_bytes:
                continue
            if before != after:
                shown.append(
                    FileChange(os.fsdecode(change.path), self.name_of(change.path), before, after or b"", None)
                )
        return ChangePlan(tuple(shown)), total

    def name_of(self, path: bytes) -> str:
        """How a kept path is shown."""
        return self._workspace.name_of(Path(os.fsdecode(path))) + ("/" if path.endswith(b"/") else "")

    def _bytes(self, state: State) -> bytes | None:
        if state.lost:
            raise SnapshotError(state.lost)
        if state.kind == "file":
            return self._store.get(state.content)
        return state.content if state.kind == "link" else None

    def close(self) -> None:
        """Close the store; the next use opens it again."""
        self._store.close()


def changed_over(records: Sequence[Record]) -> list[Change]:
    """What several calls, oldest first, came to: each path from what it was to what it is, in the order of paths."""
    return [Change(step.path, step.target, step.expected) for _, step in sorted(net(records).items())]


def new_name() -> str:
    """A name for what one call changes."""
    return secrets.token_hex(8)


def _alike(state: State, other: State) -> bool:
    """Whether nothing was done, whatever is kept of it."""
    return (state.kind, state.mode, state.content) == (other.kind, other.mode, other.content)


def _is_folder_only(change: Change) -> bool:
    return {change.before.kind, change.after.kind} <= {"folder", "absent"}
