"""Tricks and plain lines of our own, family by family; the plain ones are run as well."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.permissions import hostile, milliseconds
from tests.permissions.test_read_only import SET_UP, run_all, sandboxed, state_of
from tui_agent.cli.rules import scene_of
from tui_agent.permissions.decision import Scene, decide
from tui_agent.permissions.folders import MOST_ENTRIES, read_by
from tui_agent.permissions.read_only.verdict import Search
from tui_agent.permissions.rules import Rules, parse_rules

ROWS = [
    json.loads(line) for line in (Path(__file__).parents[1] / "data" / "commands_own.jsonl").read_text().splitlines()
]
READING = Rules(read_only=True)
SCENE = Scene("/project", ("/project",), resolve=lambda path: path)
GROUPS = sorted({row["group"] for row in ROWS if row["class"] == "needs_approval"})


def commands(kind: str, group: str = "") -> list[str]:
    return [row["command"] for row in ROWS if row["class"] == kind and group in ("", row["group"])]


@pytest.mark.parametrize("group", GROUPS)
def test_no_trick_runs_unasked(group: str) -> None:
    lines = commands("needs_approval", group)
    assert lines
    assert [line for line in lines if decide(line, READING, SCENE).decision == "allow"] == []


def test_by_default_nothing_runs_unasked() -> None:
    assert [row["command"] for row in ROWS if decide(row["command"], Rules(), SCENE).decision == "allow"] == []


def test_what_plainly_reads_runs() -> None:
    lines = commands("read_only")
    assert len(lines) > 350
    assert [line for line in lines if decide(line, READING, SCENE).decision != "allow"] == []


@sandboxed
def test_what_plainly_reads_changes_nothing(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    subprocess.run(
        ["bash", "-ec", SET_UP], cwd=project, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}, check=True
    )
    before = state_of(tmp_path)
    run_all(commands("read_only"), tmp_path, project)
    assert state_of(tmp_path) == before


@pytest.mark.parametrize(
    ("allowed", "command", "covered"),
    [
        ("git log", "git log HEAD@{1}", True),
        ("git log", "git log HEAD@{1} | sh", False),
        ("find", r"find . \( -name a \)", True),
        ("find .", r"find . \( -name a \); rm x", False),
        ("grep", r'grep "a\.b$" x', True),
        ("grep", 'grep "$(rm x)" x', False),
        ("grep", 'grep "`rm x`" x', False),
        ("grep", r'grep "\`rm x\`" x', True),
        ("grep", r'grep "\\$(rm x)" x', False),
        ("npm test", "npm test ! x", True),
        ("npm test", "! npm test", False),
        ("npm test", "npm te@{st}", False),
        ("npm test", r"npm \test", False),
    ],
)
def test_escapes_that_are_read_are_read_right(allowed: str, command: str, covered: bool) -> None:
    assert (decide(command, Rules(allow=parse_rules([allowed])), SCENE).decision == "allow") is covered


@pytest.mark.parametrize(
    ("command", "decision"),
    [
        *(
            (line, "allow")
            for line in ("cd src; cat a", "cd src | ls", "cd src || ls", "cd src && ls; ls", "cd src && cd .. && cat a")
        ),
        *(
            (line, "allow")
            for line in ("ls && cd src", "ls; cd src && cat ../a", "cd src && ls | cat ../a && cat ../a")
        ),
        *(
            (line, "ask")
            for line in ("cd src; cat ../a", "cd src || cat ../a", "cd src && ls; cat ../a", "cd src | cat ../a")
        ),
        *(
            (line, "ask")
            for line in ("ls || cd src && cat ../a", "cd src && cd ..; cat ../a", "ls | cd src && cat ../a")
        ),
        *(
            (line, "ask")
            for line in ("cd src && cd /etc; ls", "cd && ls", "cd src x && ls", "cd src <a && ls", "cd ..; ls")
        ),
        ("cd a; cd b; cd c; cd d; ls", "ask"),
    ],
)
def test_a_command_is_judged_in_every_place_where_it_may_run(command: str, decision: str) -> None:
    assert decide(command, READING, SCENE).decision == decision


def test_two_dots_are_judged_as_the_shell_and_as_the_system_read_them(tmp_path: Path) -> None:
    """`cd link/..` leads to where the link stands; files of that name lie elsewhere too."""
    for name in ("project/deep/er/x", "project/deep/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    project = tmp_path / "project"
    (project / "link").symlink_to("deep/er")
    (tmp_path / "outside").touch()
    (project / "x").symlink_to(tmp_path / "outside")
    scene = scene_of(project, [project])
    assert decide("cat deep/x", READING, scene).decision == "allow"
    for command in ("cd link/.. && cat x", "cd link && cd .. && cat x"):
        assert "outside" in decide(command, READING, scene).reasons[0]


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_git_asks_where_a_repository_is_tracked_inside_another(tmp_path: Path) -> None:
    """`git status` runs the filters of such a repository, though there is no `.gitmodules`."""
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "a.txt").touch()
    scene = scene_of(tmp_path, [tmp_path])
    make = (
        "git init -q . && git add . && git -c user.name=a -c user.email=a@example.invalid commit -q --allow-empty -m x"
    )
    subprocess.run(["bash", "-c", make], cwd=inner, check=True)
    subprocess.run(["bash", "-c", "git init -q . && git add a.txt"], cwd=tmp_path, check=True)
    assert decide("git status", READING, scene).decision == "allow"
    subprocess.run(["bash", "-c", "git -c advice.addEmbeddedRepo=false add inner"], cwd=tmp_path, check=True)
    assert "submodules" in decide("git status", READING, scene).reasons[0]


@pytest.mark.parametrize("length", [999, 2_400, 9_990])
def test_no_line_takes_long(length: int) -> None:
    """100 ms is the promise, of processor time; five times that, for machines that are slow."""
    slow = {name: milliseconds(line, 2) for name, line in hostile(length).items()}
    assert max(slow.values()) < 500, slow


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., str]:
    """Makes files of a project and decides about commands there, with a look at the disk."""
    for name in ("a.txt", "src/a.py", "src/.env", "keys/server.pem", "node_modules/x/cert.pem", ".git/credentials"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/out").symlink_to("/etc/passwd")
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/b.py").write_text("x")

    scene = scene_of(tmp_path, [tmp_path])

    def asked(command: str, rules: Rules = READING) -> str:
        return "; ".join(decide(command, rules, scene).reasons)

    return asked


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("grep -rn x .", "may hold secrets"),
        ("grep -d recurse x .", "may hold secrets"),
        ("grep -r x src", "src/.env"),
        ("cd src && grep -r x", "src/.env"),
        ("grep -rn x --include='.e*' .", "src/.env"),
        ("grep -r x --exclude=a --include='*.py' src", "src/.env"),
        ("rg x", "server.pem"),
        ("rg x src -g '.e*'", "src/.env"),
        ("rg x src -g 'src/{a,.env}'", "src/.env"),
        ("rg x src -t all", "src/.env"),
        ("diff -r src plain", "src/.env"),
        ("diff src plain", "src/.env"),
        ("diff -r linked plain", "outside the working directory"),
    ],
)
def test_a_search_asks_when_it_would_read_a_secret_file(tree: Callable[..., str], command: str, found: str) -> None:
    assert found in tree(command)


@pytest.mark.parametrize(
    "command",
    [
        "grep -rn x plain",
        "grep -n x a.txt",
        "grep -rn x --include='*.py' .",
        "grep -rn x --exclude-dir=keys --exclude-dir src .",
        "rg x src",
        "rg -tpy x",
        "rg -g '*.py' x",
        "rg --files",
        "find . -name '*.pem'",
        "diff -r --no-dereference linked plain",
        "diff . plain",
        "grep -r x linked",
    ],
)
def test_a_search_that_reads_none_does_not_ask(tree: Callable[..., str], command: str) -> None:
    assert tree(command) == ""


def test_rules_about_reading_hold_for_commands_too(tree: Callable[..., str]) -> None:
    known = Rules(allow=parse_rules(["read(src/.env)", "read(keys/**)"]), read_only=True)
    assert tree("grep -rn x .", known) == ""
    assert tree("cat src/.env", known) == ""
    kept = Rules(deny=parse_rules(["read(src/**)"]), ask=parse_rules(["read(plain/b.py)"]), read_only=True)
    assert "deny: read(src/**)" in tree("cat src/a.py", kept)
    assert "deny: read(src/**)" in tree("rg x src", kept)
    assert "ask: read(plain/b.py)" in tree("grep -r x plain", kept)


def test_the_look_at_the_disk_is_bounded(tmp_path: Path) -> None:
    for number in range(MOST_ENTRIES + 200):
        (tmp_path / f"{number}").touch()
    seen = 0

    def wanted(_path: str) -> bool:
        nonlocal seen
        seen += 1
        return False

    assert read_by(Search((str(tmp_path),)), wanted) == ""
    assert 0 < seen <= MOST_ENTRIES
    assert read_by(Search((str(tmp_path / "0"), str(tmp_path / "none"))), wanted) == ""


def test_folders_that_are_links_to_each_other_end_the_look(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b").symlink_to(tmp_path)
    (tmp_path / "a/z.pem").touch()
    found = read_by(Search((str(tmp_path),), links=True), lambda path: path.endswith(".pem"))
    assert found.endswith("a/z.pem")


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_git_grep_asks_about_what_is_tracked(tmp_path: Path) -> None:
    for name in (".env", "a.txt", "sub/b.txt", "sub/k.pem"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "a.txt", "sub"], cwd=tmp_path, check=True)
    scene = scene_of(tmp_path, [tmp_path])
    assert "sub/k.pem" in decide("git grep x", READING, scene).reasons[0]
    assert ".env" in decide("git grep --untracked x", READING, scene).reasons[0]
    assert decide("git grep x -- a.txt", READING, scene).decision == "allow"
    assert decide("git -C sub status", READING, scene).decision == "allow"
