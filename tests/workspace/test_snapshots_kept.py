"""What of a project is kept: what Git ignores and tracks, how much, and within which bounds."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.workspace.snapshot_bench import Bench
from tests.workspace.trees import dump
from tui_agent.workspace.snapshots.ignoring import read_index
from tui_agent.workspace.snapshots.index import Limits, Stopped, _Look

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
