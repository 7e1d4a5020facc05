"""Snapshots: what calls did is put back byte for byte, what others did since stays, and nothing else is touched."""

import hashlib
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.workspace.trees import Dump, change, changes, dump
from tui_agent.workspace.changes import ChangePlan, FileChange
from tui_agent.workspace.paths import Workspace
from tui_agent.workspace.snapshots.compare import compare
from tui_agent.workspace.snapshots.ignoring import read_index
from tui_agent.workspace.snapshots.index import Limits, Stopped, _Look
from tui_agent.workspace.snapshots.restore import Restored
from tui_agent.workspace.snapshots.snapshots import Snapshots, changed_over, new_name
from tui_agent.workspace.snapshots.states import Record
from tui_agent.workspace.snapshots.store import SnapshotError, SnapshotStore, size_of


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


# ---- what Git says ----


def git(bench: Bench, *words: str) -> None:
    identity = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "HOME": str(bench.store)}
    author = ["-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "init.defaultBranch=main"]
    environ = {**os.environ, **identity}
    subprocess.run(["git", *author, *words], cwd=bench.root, check=True, capture_output=True, env=environ)


@pytest.mark.parametrize("version", [2, 3, 4])
def test_ignored_files_are_left_out_but_tracked_and_written_ones_are_not(bench: Bench, version: int) -> None:
    root = bench.root
    (root / "build" / "deep").mkdir(parents=True)
    (root / ".gitignore").write_text("build/\n*.log\n!keep.log\n")
    for name in ("build/tracked", "build/deep/tracked", "build/other", "a.log", "keep.log", "src"):
        (root / name).write_text("1\n")
    git(bench, "init")
    git(bench, "add", "-f", "build/tracked", "build/deep/tracked", ".gitignore", "src")
    git(bench, "update-index", "--index-version", str(version))
    bench.write("b.log", b"1\n")
    before = dump(root)
    record = bench.shell("rm -r build; rm *.log src; echo 2 > a.log")
    restored = bench.undo(record)
    lost = {"build/other", "a.log"}
    assert {path for path in before if dump(root).get(path) != before[path]} == {"build/other", "a.log"} == lost
    assert bench.reasons(restored) == {"a.log": ".gitignore leaves it out, so it is not kept"}


def test_a_folder_that_is_ignored_is_named_when_it_is_gone(bench: Bench) -> None:
    bench.shell("echo /node_modules/ > .gitignore; mkdir node_modules; echo 1 > node_modules/x")
    record = bench.shell("rm -r node_modules; echo 1 > y")
    assert bench.reasons(bench.undo(record)) == {"node_modules/": ".gitignore leaves it out, so it is not kept"}
    assert not (bench.root / "y").exists()


def test_rules_that_change_change_what_is_kept(bench: Bench) -> None:
    bench.shell("mkdir d; echo 1 > d/a.log; echo 1 > d/b.txt; echo '*.log' > d/.gitignore")
    assert len(bench.shell("echo 2 > d/a.log; echo 2 > d/b.txt").changes) == 1
    bench.shell("rm d/.gitignore")
    record = bench.shell("echo 3 > d/a.log")
    bench.undo(record)
    assert (bench.root / "d" / "a.log").read_text() == "2\n"


def test_a_checkout_is_undone_but_for_gits_own_files_which_are_named(bench: Bench) -> None:
    (bench.root / "a").write_text("one\n")
    git(bench, "init")
    git(bench, "add", ".")
    git(bench, "commit", "-m", "one")
    git(bench, "checkout", "-b", "other")
    (bench.root / "a").write_text("two\n")
    (bench.root / "b").write_text("b\n")
    git(bench, "add", ".")
    git(bench, "commit", "-m", "two")
    record = bench.run(lambda: git(bench, "checkout", "main"))
    assert dump(bench.root)["a"][3] == b"one\n"
    reasons = bench.reasons(bench.undo(record))
    assert (bench.root / "a").read_text() == "two\n" and (bench.root / "b").exists()
    assert reasons == {".git": "Git's own files are not kept; other was checked out before"}


def test_an_index_that_is_damaged_costs_nothing_but_its_files(bench: Bench) -> None:
    git(bench, "init")
    (bench.root / ".gitignore").write_text("x\n")
    for data in (b"", b"DIRC", b"DIRC\0\0\0\2\xff\xff\xff\xff" + b"a" * 99, os.urandom(300)):
        (bench.root / ".git" / "index").write_bytes(data)
        assert len(bench.shell("date +%N > f").changes) == 1


# ---- how much is kept ----


def test_a_large_file_is_not_kept_and_named(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=Limits(file=1_000_000))
    (bench.root / "large").write_bytes(b"1" * 1_000_001)
    record = bench.shell("echo 2 > large; head -c 1000001 /dev/zero > made; echo 1 > small")
    reasons = bench.reasons(bench.undo(record))
    assert reasons == dict.fromkeys(("large", "made"), "it is larger than 1 MB, so it is not kept")
    assert (bench.root / "large").read_text() == "2\n" and not (bench.root / "small").exists()


def test_more_than_may_be_kept_at_once_is_kept_the_next_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=Limits(new=1_500_000))
    for name in "abc":
        (bench.root / name).write_bytes(name.encode() * 1_000_000)
    before = bench.snapshots.look()
    assert before.tree.gaps == (("", "there was more than 1 MB to keep"),)
    bench.snapshots.look()
    assert not bench.snapshots.look().tree.gaps
    assert not bench.undo(bench.shell("rm a b c")).left and len(dump(bench.root)) == 3


def test_too_many_files_are_named_and_what_was_not_looked_at_is_never_taken_for_new(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=Limits(entries=10))
    for number in range(30):
        folder = bench.root / f"d{number:02}"
        folder.mkdir()
        (folder / "f").write_text("1")
    record = bench.shell("rm -r d00 d01 d02; echo new > d29/f")
    restored = bench.undo(record)
    assert any("more than 10 files" in reason for reason in bench.reasons(restored).values())
    there = dump(bench.root)
    assert there["d29/f"][3] == b"new\n" and all(f"d{number:02}/f" in there for number in range(3, 30))


def test_what_was_not_looked_at_before_is_not_new_however_deep(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=Limits(entries=45))
    for number in range(30):
        (bench.root / f"d{number:02}" / "n").mkdir(parents=True)
        (bench.root / f"d{number:02}" / "n" / "f").write_text("1")
    record = bench.shell("rm -r d0* d10 d11 d12 d13 d14")
    there = dump(bench.root)
    bench.undo(record)
    assert dump(bench.root).items() >= there.items() and len(there) == 45


def test_no_time_left_is_named_and_nothing_known_is_forgotten(bench: Bench) -> None:
    bench.shell("mkdir d; echo 1 > d/f")
    time.sleep(0.12)  # until what was written is settled
    bench.snapshots.look()
    assert bench.snapshots.look(seconds=1e-9).tree.gaps
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Look, "_file", lambda *given: pytest.fail("a file is read again"))
        bench.snapshots.look()


def test_a_look_that_nobody_waits_for_ends(bench: Bench) -> None:
    bench.shell("mkdir d; echo 1 > d/f")
    with pytest.raises(Stopped):
        bench.snapshots.look(stopped=lambda: True)
    assert not bench.undo(bench.shell("rm -r d")).left and (bench.root / "d" / "f").exists()


def test_a_file_that_is_written_again_within_a_tick_is_noticed(bench: Bench) -> None:
    path = bench.root / "f"
    for number in range(30):
        path.write_text(f"{number:04}")
        before = bench.snapshots.look()
        status = path.stat()
        path.write_text(f"{number:03}x")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert len(bench.snapshots.finish(f"n{number}", before).changes) == 1


def test_a_file_that_was_just_written_is_read_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (bench.root / "f").write_text("1")
    folder = str(bench.root)
    assert not bench.snapshots.look().tree.folders[folder].entries["f"].settled
    now = time.time_ns
    monkeypatch.setattr("time.time_ns", lambda: now() + 10**9)
    assert bench.snapshots.look().tree.folders[folder].entries["f"].settled


def test_a_file_that_grows_all_the_time_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bench.root / "log"
    path.write_text("1")
    real = os.fstat

    def growing(descriptor: int) -> os.stat_result:
        status = real(descriptor)
        if status.st_ino == path.stat().st_ino:
            os.utime(path)
            with path.open("a") as file:
                file.write("x")
        return status

    before = bench.snapshots.look()
    monkeypatch.setattr("os.fstat", growing)
    path.write_text("2")
    record = bench.snapshots.finish("a", before)
    monkeypatch.undo()
    assert [change.after.lost for change in record.changes] == ["it changed while it was read"]


# ---- the store ----


def test_what_is_kept_is_for_its_owner_only(bench: Bench) -> None:
    bench.shell("echo 1 > f")
    for place, _, names in os.walk(bench.store):
        assert place == str(bench.store) or stat.S_IMODE(os.stat(place).st_mode) == 0o700
        assert all(stat.S_IMODE(os.stat(os.path.join(place, name)).st_mode) == 0o600 for name in names)


@given(st.binary(max_size=300) | st.binary(max_size=20).map(lambda data: data * 500))
def test_every_content_comes_back_as_it_was(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = SnapshotStore(Path(folder), "/x")
        sha = hashlib.sha256(data).digest()
        store.put([(sha, data)])
        assert store.get(sha) == data and store.known() == {sha}
        store.close()


def test_a_damaged_or_missing_content_is_a_reason_and_never_wrong_bytes(bench: Bench) -> None:
    (bench.root / "a").write_text("a" * 1000)
    (bench.root / "b").write_text("b" * 10)
    (bench.root / "c").write_text("c")
    record = bench.shell("rm a b c")
    bench.snapshots.close()
    (path,) = bench.store.glob("*/snapshots.db")
    with sqlite3.connect(path) as db:
        db.execute("UPDATE blobs SET data = x'00' WHERE packed = 1")
        db.execute("DELETE FROM blobs WHERE data = ?", (b"b" * 10,))
    db.close()
    reasons = bench.reasons(bench.undo(record))
    assert reasons == {"a": "its kept content is damaged", "b": "its content is not kept any more"}
    assert dump(bench.root).keys() == {"c"}


def test_a_store_that_is_no_database_is_put_aside(bench: Bench) -> None:
    bench.shell("echo 1 > f")
    bench.snapshots.close()
    (path,) = bench.store.glob("*/snapshots.db")
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.write_bytes(b"nonsense" * 1000)
    again = Snapshots(bench.store, bench.workspace)
    again.check()
    assert path.with_suffix(".damaged").exists()
    before = again.look()
    (bench.root / "f").unlink()
    again.put_back([again.finish("b", before)])
    assert (bench.root / "f").exists()
    again.close()


def test_a_newer_store_is_left_alone(bench: Bench) -> None:
    bench.shell("echo 1 > f")
    bench.snapshots.close()
    (path,) = bench.store.glob("*/snapshots.db")
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(SnapshotError, match="newer"):
        bench.snapshots.check()


def test_where_there_is_no_room_the_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path)
    bench.snapshots._store._least_free = 10**18
    with pytest.raises(SnapshotError, match="almost full"):
        bench.snapshots.check()
    (tmp_path / "in the way").write_text("x")
    other = Snapshots(tmp_path / "in the way", bench.workspace)
    with pytest.raises(SnapshotError, match="not a directory"):
        other.check()


def test_the_oldest_go_first_and_others_before_ours(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "project").mkdir(parents=True)
    other = Bench(tmp_path / "elsewhere")
    other.store = tmp_path / "snapshots"
    other.snapshots = Snapshots(other.store, other.workspace)
    other.run(lambda: (other.root / "f").write_bytes(os.urandom(12_000_000)))
    bench = Bench(tmp_path, most=40_000_000)
    in_use = size_of(tmp_path / "snapshots")
    assert in_use > 12_000_000
    names = []
    for number in range(8):
        name = f"call{number}"
        bench.run(lambda: (bench.root / "f").write_bytes(os.urandom(4_000_000)), name)
        names.append(name)
    assert len(list(bench.store.iterdir())) == 2  # in use
    other.snapshots.close()
    for number in range(8, 16):
        name = f"call{number}"
        bench.run(lambda: (bench.root / "f").write_bytes(os.urandom(4_000_000)), name)
        names.append(name)
        assert size_of(bench.store) < 60_000_000
    assert len(list(bench.store.iterdir())) == 1
    known = bench.snapshots.records(names)
    assert list(known) == names[-len(known) :] and 1 <= len(known) < 8 and bench.snapshots.pruned == 16 - len(known)
    restored, _ = bench.snapshots.put_back(list(known.values()))
    assert not restored.left


def test_two_programs_keep_in_the_same_place(bench: Bench) -> None:
    second = Snapshots(bench.store, bench.workspace)
    ours, theirs = bench.snapshots.look(), second.look()
    (bench.root / "f").write_text("1")
    one, two = bench.snapshots.finish("a", ours), second.finish("b", theirs)
    assert one.changes == two.changes and set(bench.snapshots.records(["a", "b"])) == {"a", "b"}
    second.close()


def test_it_goes_on_where_it_was_after_a_restart(bench: Bench) -> None:
    bench.shell("mkdir d; seq 100 > d/f; echo 1 > g")
    time.sleep(0.12)  # until what was written is settled
    bench.snapshots.look()
    bench.snapshots.close()
    again = Snapshots(bench.store, bench.workspace)
    read: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SnapshotStore, "put", lambda self, blobs: read.append(blobs))
        again.look()
    assert not read
    again.close()


# ---- real programs ----


def test_real_commands_are_undone(bench: Bench) -> None:
    (bench.root / "src").mkdir()
    for number in range(20):
        (bench.root / "src" / f"m{number}.py").write_text(f"def f( a,b ):\n  return {number}\n")
    bench.shell("mkdir -p build/lib; for i in $(seq 50); do echo $i > build/lib/o$i; done; ln -s lib build/current")
    before = dump(bench.root)
    commands = (
        "sed -i 's/return/yield/' src/*.py",
        "python3 -m ruff format src || ruff format src || sed -i 's/( a/(a/' src/*.py",
        "rm -r build",
        "chmod 600 src/m1.py; mv src/m2.py src/moved.py; ln -sf m3.py src/m4.py",
        "cp -r src copy; rm -rf src; mv copy/m5.py .",
    )
    records = []
    for command in commands:
        earlier = dump(bench.root)
        record = bench.shell(command)
        after = dump(bench.root)
        assert not bench.undo(record).left and _without_times(dump(bench.root)) == _without_times(earlier)
        bench.undo(bench.snapshots.records([_last(bench)])[_last(bench)])
        assert _without_times(dump(bench.root)) == _without_times(after)
        records.append(record)
    assert not bench.undo(*records).left
    assert dump(bench.root) == before


def _last(bench: Bench) -> str:
    (path,) = bench.store.glob("*/snapshots.db")
    with sqlite3.connect(path) as db:
        name = db.execute("SELECT name FROM records ORDER BY id DESC LIMIT 1").fetchone()[0]
    db.close()
    return str(name)


def test_a_killed_program_leaves_a_store_that_works(bench: Bench) -> None:
    for number in range(2_000):
        (bench.root / f"f{number}").write_text(f"{number}\n" * 50)
    code = """
import sys
from pathlib import Path
from tui_agent.workspace.paths import Workspace
from tui_agent.workspace.snapshots import index
from tui_agent.workspace.snapshots.snapshots import Snapshots
index._BATCH_BYTES = 50_000
snapshots = Snapshots(Path(sys.argv[1]), Workspace(sys.argv[2]))
print("go", flush=True)
snapshots.look()
"""
    for wait in (0.0, 0.02, 0.05):
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(bench.store), str(bench.root)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None and child.stdout.readline() == "go\n"
        time.sleep(wait)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    before = dump(bench.root)
    record = bench.shell("rm f1* f2*")
    assert not bench.undo(record).left and dump(bench.root) == before


def test_a_look_lets_other_threads_run(bench: Bench) -> None:
    for number in range(500):
        (bench.root / f"f{number}").write_text("x" * 2000)
    worst = 0.0
    done = threading.Event()

    def look() -> None:
        bench.snapshots.look()
        done.set()

    thread = threading.Thread(target=look)
    thread.start()
    while not done.is_set():
        start = time.monotonic()
        time.sleep(0.001)
        worst = max(worst, time.monotonic() - start)
    thread.join()
    assert worst < 0.5  # seconds; the interpreter is handed over every few milliseconds


@pytest.mark.slow
def test_a_storm_of_files_is_undone_and_redone(bench: Bench) -> None:
    for number in range(20_000):
        folder = bench.root / f"d{number % 500}"
        folder.mkdir(exist_ok=True)
        (folder / f"f{number}").write_text(f"{number}\n" * 30)
    bench.snapshots.look()
    before = dump(bench.root)
    made = bench.shell("mkdir s; cd s; for i in $(seq 200); do mkdir $i; (cd $i; seq 100 | split -l 1 -a 3); done")
    gone = bench.shell("rm -r d1* s/1*")
    assert len(made.changes) == 20_201
    assert not bench.undo(made, gone).left and dump(bench.root) == before


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_full_disk_is_said_and_costs_no_content(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        (tmp_path / "project").mkdir()
        snapshots = Snapshots(small, Workspace(tmp_path / "project"))
        with pytest.raises(SnapshotError, match="almost full"):
            snapshots.check()
        snapshots._store._least_free = 0
        (tmp_path / "project" / "large").write_bytes(os.urandom(8_000_000))
        with pytest.raises(SnapshotError, match="is full"):
            snapshots.look()
        (tmp_path / "project" / "large").unlink()
        (tmp_path / "project" / "f").write_text("1")
        before = snapshots.look()
        (tmp_path / "project" / "f").unlink()
        snapshots.put_back([snapshots.finish("a", before)])
        assert (tmp_path / "project" / "f").read_text() == "1"
        snapshots.close()
    finally:
        subprocess.run(["umount", small], check=False)


def test_nothing_changes_while_nothing_happens(bench: Bench) -> None:
    bench.shell("mkdir d; echo 1 > d/f; ln -s f d/l")
    first, second = bench.snapshots.look(), bench.snapshots.look()
    assert compare(first.tree, second.tree) == Record(())
    assert changed_over([]) == []


@pytest.mark.parametrize(
    "hostile",
    [
        "mkfifo .git/index",
        "mkfifo .gitignore .git/info/exclude",
        "rm -r .git; printf 'gitdir: a\\0b' > .git",
        "rm -r .git; echo 'gitdir: .git' > .git",
        "rm -r .git; mkfifo .git",
        "rm -r .git; ln -s / .git",
        "ln -s /dev/zero .gitignore",
        "head -c 200000 /dev/urandom | base64 -w 40 > .gitignore",
        "yes '**/*[a-z]*/**/x' | head -c 70000 > .gitignore",
    ],
)
def test_a_hostile_repository_holds_nothing_up_and_hides_nothing_it_says_nothing_of(bench: Bench, hostile: str) -> None:
    git(bench, "init")
    (bench.root / ".git" / "info" / "exclude").unlink(missing_ok=True)
    subprocess.run(["bash", "-c", hostile], cwd=bench.root, check=True, capture_output=True)
    start = time.process_time()
    assert len(bench.shell("date +%N > f").changes) == 1
    assert time.process_time() - start < 3


def test_shared_indexes_that_name_each_other_end(bench: Bench) -> None:
    git(bench, "init")
    (bench.root / "f").write_text("1")
    git(bench, "add", "f")
    git(bench, "update-index", "--split-index")
    (shared,) = (bench.root / ".git").glob("sharedindex.*")
    assert list(read_index(bench.root / ".git" / "index")) == ["f"]
    shared.write_bytes((bench.root / ".git" / "index").read_bytes())
    assert set(read_index(bench.root / ".git" / "index")) <= {"f"}


def test_a_folder_with_too_many_files_is_named(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=Limits(entries=50))
    (bench.root / "many").mkdir()
    for number in range(100):
        (bench.root / "many" / f"f{number}").touch()
    assert bench.snapshots.look().tree.gaps == ((str(bench.root / "many"), "more than 50 files"),)
