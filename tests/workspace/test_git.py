"""The branch is read from files; git is never run."""

import subprocess
from pathlib import Path

from tui_agent.workspace.git import branch


def git(directory: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words]
    return subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True).stdout.strip()


def repository(path: Path) -> Path:
    path.mkdir()
    git(path, "init", "-q", "-b", "feature/cart")
    git(path, "commit", "-q", "--allow-empty", "-m", "one")
    return path


def test_the_branch_is_found_from_a_folder_below(tmp_path: Path) -> None:
    below = repository(tmp_path / "r") / "src" / "deep"
    below.mkdir(parents=True)
    assert branch(below) == "feature/cart"


def test_a_detached_head_is_a_short_hash(tmp_path: Path) -> None:
    top = repository(tmp_path / "r")
    git(top, "checkout", "-q", "--detach")
    assert git(top, "rev-parse", "HEAD").startswith(branch(top))
    assert len(branch(top)) == 8


def test_a_worktree_has_its_own_branch(tmp_path: Path) -> None:
    top = repository(tmp_path / "r")
    git(top, "worktree", "add", "-q", "-b", "side", str(tmp_path / "w"))
    assert branch(tmp_path / "w") == "side"


def test_no_repository_and_a_broken_one_have_no_branch(tmp_path: Path) -> None:
    assert branch(tmp_path) == ""
    (tmp_path / ".git").write_text("gitdir: \0nonsense")
    assert branch(tmp_path) == ""
