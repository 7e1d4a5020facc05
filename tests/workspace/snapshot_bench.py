"""A project under snapshots: what commands and tools do in it, and taking that back."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from tui_agent.workspace.changes import ChangePlan, FileChange
from tui_agent.workspace.paths import Workspace
from tui_agent.workspace.snapshots.index import Limits
from tui_agent.workspace.snapshots.restore import Restored
from tui_agent.workspace.snapshots.snapshots import Snapshots, new_name
from tui_agent.workspace.snapshots.states import Record


class Bench:
    """A project and its snapshots."""

    def __init__(self, folder: Path, *allowed: Path, limits: Limits | None = None, most: int = 10**9) -> None:
        self.root = folder / "project"
        self.root.mkdir(exist_ok=True)
        self.store = folder / "snapshots"
        self.workspace = Workspace(self.root, allowed)
        self.snapshots = Snapshots(self.store, self.workspace, (), limits, most)

    def run(self, work: Callable[[], object], name: str = "") -> Record:
        """What a command does between two looks."""
        before = self.snapshots.look()
        work()
        return self.snapshots.finish(name or new_name(), before)

    def shell(self, command: str) -> Record:
        return self.run(lambda: subprocess.run(["bash", "-c", command], cwd=self.root, check=True, capture_output=True))

    def write(self, name: str, after: bytes) -> Record:
        """What a tool writes."""
        path = self.root / name
        before = path.read_bytes() if path.exists() else None
        plan = ChangePlan((FileChange(str(path), name, before, after, None),))
        states = self.snapshots.states(plan)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(after)
        return self.snapshots.finish_write(new_name(), plan, states)

    def undo(self, *records: Record) -> Restored:
        return self.snapshots.put_back(records)[0]

    def reasons(self, restored: Restored) -> dict[str, str]:
        return {self.snapshots.name_of(left.path): left.reason for left in restored.left}
