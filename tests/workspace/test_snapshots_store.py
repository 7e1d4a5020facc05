"""Where snapshots are kept: private, bounded, whole after any accident; and real programs under them."""

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
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workspace.snapshot_bench import Bench
from tests.workspace.trees import dump, without_times
from tui_agent.workspace.paths import Workspace
from tui_agent.workspace.snapshots.compare import compare
from tui_agent.workspace.snapshots.snapshots import Snapshots, changed_over
from tui_agent.workspace.snapshots.states import Record
from tui_agent.workspace.snapshots.store import SnapshotError, SnapshotStore, size_of

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
        "python3 -m ruff format --no-cache src || ruff format --no-cache src || sed -i 's/( a/(a/' src/*.py",
        "rm -r build",
        "chmod 600 src/m1.py; mv src/m2.py src/moved.py; ln -sf m3.py src/m4.py",
        "cp -r src copy; rm -rf src; mv copy/m5.py .",
    )
    records = []
    for command in commands:
        earlier = dump(bench.root)
        record = bench.shell(command)
        after = dump(bench.root)
        assert not bench.undo(record).left and without_times(dump(bench.root)) == without_times(earlier)
        bench.undo(bench.snapshots.records([_last(bench)])[_last(bench)])
        assert without_times(dump(bench.root)) == without_times(after)
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
