"""Snapshots: what calls did is put back byte for byte, what others did since stays, and nothing else is touched."""

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.workspace.trees import Dump, change, changes, dump
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


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


# ---- any mix of changes ----


class Journey(RuleBasedStateMachine):
    """Calls and other people's changes in any order; undone and redone."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.bench = Bench(Path(self._folder.name))
        self.calls: list[tuple[Record, Dump, Dump]] = []
        self.alone = True  # nobody else changed anything since the first call

    def teardown(self) -> None:
        self.bench.snapshots.close()
        self._folder.cleanup()

    def now(self) -> Dump:
        return dump(self.bench.root)

    @rule(what=st.lists(changes(), min_size=1, max_size=6))
    def command(self, what: list[tuple[object, ...]]) -> None:
        before = self.now()
        record = self.bench.run(lambda: [change(self.bench.root, each) for each in what])
        self.calls.append((record, before, self.now()))

    @rule(name=st.sampled_from(("a", "b/a", "c/c/c")), data=st.binary(max_size=5))
    def write(self, name: str, data: bytes) -> None:
        path = self.bench.root / name
        try:
            if path.is_symlink() or (path.exists() and not path.is_file()) or path.parent.resolve() != path.parent:
                return
        except OSError:
            return
        before = self.now()
        try:
            record = self.bench.write(name, data)
        except (FileExistsError, NotADirectoryError):
            return
        self.calls.append((record, before, self.now()))

    @rule(what=changes())
    def somebody_else(self, what: tuple[object, ...]) -> None:
        before = self.now()
        change(self.bench.root, what)
        self.alone = self.alone and (not self.calls or before == self.now())

    @rule(last=st.integers(1, 3))
    def undo_and_redo(self, last: int) -> None:
        chosen = self.calls[-last:]
        before = self.now()
        restored, name = self.bench.snapshots.put_back([record for record, _, _ in chosen])
        undone = self.now()
        changed = {path for _, old, new in chosen for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
        for path in before.keys() | undone.keys():
            if path not in changed:
                assert before.get(path) == undone.get(path), path
        if chosen and self.alone:
            wanted = chosen[0][1]
            if all(kind != ("other",) for _, old, new in chosen for kind in (*old.values(), *new.values())):
                assert _without_times(undone) == _without_times(wanted)
                assert not restored.left
                moved = {path for path in changed if _plain(before.get(path)) != _plain(wanted.get(path))}
                assert last > 1 or all(undone.get(path) == wanted.get(path) for path in moved)  # their times too
        records = self.bench.snapshots.records([name])
        self.bench.snapshots.put_back(list(records.values()))
        assert self.now() == before

    @invariant()
    def nothing_is_left_beside(self) -> None:
        assert not list(self.bench.root.rglob("*.tmp"))


def _plain(state: tuple[object, ...] | None) -> tuple[object, ...] | None:
    return (*state[:2], state[3]) if state is not None and state[0] == "file" else state


def _without_times(state: Dump) -> Dump:
    return {path: _plain(value) or () for path, value in state.items()}


TestJourney = Journey.TestCase
TestJourney.settings = settings(
    max_examples=60, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
