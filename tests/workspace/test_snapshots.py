"""Snapshots: what calls did is put back byte for byte, what others did since stays, and nothing else is touched."""

import os
import stat
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.workspace.snapshot_bench import Bench
from tests.workspace.trees import Dump, change, changes, dump, plain, without_times
from tui_agent.workspace.paths import Workspace
from tui_agent.workspace.snapshots.snapshots import Snapshots
from tui_agent.workspace.snapshots.states import Record

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
                assert without_times(undone) == without_times(wanted)
                assert not restored.left
                moved = {path for path in changed if plain(before.get(path)) != plain(wanted.get(path))}
                assert last > 1 or all(undone.get(path) == wanted.get(path) for path in moved)  # their times too
        records = self.bench.snapshots.records([name])
        self.bench.snapshots.put_back(list(records.values()))
        assert self.now() == before

    @invariant()
    def nothing_is_left_beside(self) -> None:
        assert not list(self.bench.root.rglob("*.tmp"))


TestJourney = Journey.TestCase
TestJourney.settings = settings(
    max_examples=60, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)


# ---- what is kept ----


def test_a_write_keeps_bytes_mode_and_time_and_the_folders_it_made(bench: Bench) -> None:
    (bench.root / "a").write_bytes(b"old\xff\r\n")
    (bench.root / "a").chmod(0o640)
    os.utime(bench.root / "a", ns=(1, 12345678901))
    before = dump(bench.root)
    records = [bench.write("a", b"new"), bench.write("x/y/z", b"deep")]
    assert not bench.undo(*records).left
    assert dump(bench.root) == before
    assert (bench.root / "a").stat().st_mtime_ns == 12345678901


def test_modes_times_links_and_folders_come_back(bench: Bench) -> None:
    bench.shell(
        "mkdir -p d/e empty; echo 1 > d/e/f; ln -s d/e link; ln -s no dead; chmod 700 d; touch -d 2001-01-01 d/e/f"
    )
    before = dump(bench.root)
    records = [
        bench.shell("chmod 755 d d/e/f; mv d/e/f d/g; rm link; mkdir link; echo x > link/in; rm dead; echo y > dead"),
        bench.shell("rm -r d link empty; echo file > d; ln -s d empty; mkdir -p new/er"),
    ]
    restored = bench.undo(*records)
    assert not restored.left and dump(bench.root) == before


def test_a_folder_that_may_not_be_written_is_filled_and_closed_again(bench: Bench) -> None:
    bench.shell("mkdir d; echo 1 > d/f; chmod 500 d")
    before = dump(bench.root)
    record = bench.shell("chmod 700 d; rm -r d")
    assert not bench.undo(record).left and dump(bench.root) == before


def test_what_somebody_put_into_a_made_folder_keeps_it(bench: Bench) -> None:
    record = bench.shell("mkdir d; echo 1 > d/f")
    (bench.root / "d" / "mine").write_text("mine")
    assert bench.reasons(bench.undo(record)) == {"d": "it holds something else"}
    assert dump(bench.root).keys() == {"d", "d/mine"}


def test_a_change_between_two_calls_is_what_is_gone_back_to(bench: Bench) -> None:
    first = bench.shell("echo 1 > f")
    (bench.root / "f").write_text("mine\n")
    second = bench.shell("echo 2 > f")
    restored = bench.undo(first, second)
    assert (bench.root / "f").read_text() == "mine\n"
    assert "something else in between" in bench.reasons(restored)["f"]


def test_what_is_behind_somebodys_change_is_not_gone_back_to(bench: Bench) -> None:
    records = [bench.shell("echo x > f"), bench.shell("echo a > f"), bench.shell("echo b > f")]
    (bench.root / "f").write_text("a\n")
    records.append(bench.shell("echo d > f"))
    assert "something else in between" in bench.reasons(bench.undo(*records))["f"]
    assert (bench.root / "f").read_text() == "a\n"


def test_nothing_is_written_through_a_link_to_outside(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    record = bench.shell("mkdir d; echo 1 > d/f; echo 1 > g")
    (tmp_path / "outside" / "f").write_text("1\n")
    (bench.root / "d").rename(bench.root / "moved")
    (bench.root / "d").symlink_to(tmp_path / "outside")
    reasons = bench.reasons(bench.undo(record))
    assert reasons["d"] == "it was changed since"
    assert (tmp_path / "outside" / "f").read_text() == "1\n" and not (bench.root / "g").exists()


def test_pipes_sockets_and_devices_are_passed_over(bench: Bench) -> None:
    os.mkfifo(bench.root / "pipe")
    record = bench.shell("mkfifo another; rm pipe; mkfifo pipe; echo 1 > f; rm f; mkfifo f")
    assert not record.changes and stat.S_ISFIFO((bench.root / "f").lstat().st_mode)


def test_every_allowed_folder_is_kept_once(tmp_path: Path) -> None:
    (tmp_path / "project" / "inner").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    bench = Bench(tmp_path, tmp_path / "other", tmp_path / "project" / "inner")
    record = bench.run(lambda: [(tmp_path / name).write_text("1") for name in ("other/f", "project/inner/f")])
    assert len(record.changes) == 2
    bench.undo(record)
    assert not (tmp_path / "other" / "f").exists() and not (bench.root / "inner" / "f").exists()
    assert (bench.root / "inner").exists()


def test_our_own_folders_are_not_looked_into(tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / "data").mkdir(parents=True)
    workspace = Workspace(root)
    snapshots = Snapshots(root / "data" / "snapshots", workspace, [str(root / "data")])
    before = snapshots.look()
    assert set(before.tree.folders) == {str(root)}
    assert not snapshots.finish("a", before).changes
    snapshots.close()
