"""Which control files are found, which are kept, and which a command is said to have made."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tui_agent.permissions import control_files
from tui_agent.permissions.control_files import ControlFiles, Lookout


def look(*roots: Path, with_: Lookout | None = None) -> ControlFiles:
    return (with_ or Lookout()).look(map(str, roots))


def plant(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")


def below(root: Path, paths: tuple[str, ...]) -> set[str]:
    return {os.path.relpath(path, root) for path in paths}


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", *words], cwd=folder, check=True)


def test_they_are_found_at_any_depth_but_not_among_dependencies(tmp_path: Path) -> None:
    plant(tmp_path, ".envrc", "a/b/.vscode/tasks.json", ".husky/pre-commit", "node_modules/x/.npmrc", "src/main.py")
    plant(tmp_path, "a/.MCP.json")
    assert below(tmp_path, look(tmp_path).protected) == {".envrc", "a/b/.vscode", ".husky", "a/.MCP.json"}


def test_files_that_are_obeyed_only_in_their_folder_are_found_there(tmp_path: Path) -> None:
    plant(tmp_path, ".cargo/config.toml", ".cargo/notes", "config.toml", ".config/systemd/user/x.service")
    plant(tmp_path, "a/.config/app.json", "a/systemd/x.service", "a/.gradle/init.gradle")
    assert below(tmp_path, look(tmp_path).protected) == {
        ".cargo/config.toml",
        ".config/systemd",
        "a/.gradle/init.gradle",
    }


def test_of_git_only_what_makes_it_run_programs_is_kept(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "sub").mkdir()
    git(tmp_path / "sub", "init", "-q")
    plant(tmp_path, ".git/modules/lib/x/HEAD", ".git/modules/lib/x/config", ".git/worktrees/w/commondir")
    found = look(tmp_path)
    assert below(tmp_path, found.git) == {".git", "sub/.git"}
    assert below(tmp_path, found.protected) == {
        ".git/config", ".git/hooks", ".git/modules/lib/x/config", ".git/modules/lib/x/hooks",
        ".git/worktrees/w/commondir", "sub/.git/config", "sub/.git/hooks",
    }  # fmt: skip
    assert found.elsewhere == ()


def test_the_repository_of_a_work_tree_is_known_by_both_ends(tmp_path: Path) -> None:
    main, tree = tmp_path / "main", tmp_path / "tree"
    main.mkdir()
    git(main, "init", "-q")
    git(main, "commit", "-q", "--allow-empty", "-m", "x")
    git(main, "worktree", "add", "-q", str(tree))
    found = look(tree)
    assert below(tmp_path, found.git) == below(tmp_path, found.elsewhere) == {"main/.git"}
    assert {"tree/.git", "main/.git/config", "main/.git/hooks"} <= below(tmp_path, found.protected)
    (main / ".git/worktrees/tree/gitdir").write_text("/elsewhere/.git\n")
    found = look(tree)
    assert (found.git, below(tmp_path, found.protected)) == ((), {"tree/.git"})


@pytest.mark.parametrize("text", ["", "gitdir:", "gitdir: /nowhere", "gitdir: .", "x\0y", "gitdir: \0"])
def test_a_git_file_that_leads_nowhere_is_only_kept(tmp_path: Path, text: str) -> None:
    (tmp_path / ".git").write_text(text)
    found = look(tmp_path)
    assert (found.git, found.elsewhere, below(tmp_path, found.protected)) == ((), (), {".git"})


def test_of_links_what_they_lead_to_is_kept_when_it_is_inside(tmp_path: Path) -> None:
    work = tmp_path / "work"
    plant(work, "scripts/hook", "real")
    plant(tmp_path, "outside")
    git(work, "init", "-q")
    for entry in (work / ".git" / "hooks").iterdir():
        entry.unlink()
    (work / ".git" / "hooks").rmdir()
    (work / ".git" / "hooks").symlink_to("../scripts")
    (work / ".envrc").symlink_to("real")
    (work / ".netrc").symlink_to("../outside")
    (work / ".exrc").symlink_to("gone")
    assert below(work, look(work).protected) == {".git/config", "scripts", "real"}


def test_a_folder_that_is_itself_one_is_kept_whole(tmp_path: Path) -> None:
    folder = tmp_path / ".vscode"
    folder.mkdir()
    assert look(folder).protected == (str(folder),)


def test_what_is_new_or_changed_is_named_and_nothing_else(tmp_path: Path) -> None:
    plant(tmp_path, ".envrc", "a/.npmrc", "a/x", ".vscode/tasks.json")
    lookout = Lookout()
    before = look(tmp_path, with_=lookout)
    plant(tmp_path, "a/y", "b/c/.mcp.json", ".vscode/more")
    (tmp_path / ".envrc").write_text("other")
    after = look(tmp_path, with_=lookout)
    assert below(tmp_path, tuple(after.changed_since(before))) == {".envrc", "b/c/.mcp.json"}
    assert after.changed_since(after) == []


def test_what_is_known_of_a_folder_is_not_read_again_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, "a/b/.envrc", "a/c/x")
    long_ago = time.time() - 100
    for folder in (tmp_path, tmp_path / "a", tmp_path / "a/b", tmp_path / "a/c"):
        os.utime(folder, (long_ago, long_ago))
    lookout = Lookout()
    before = look(tmp_path, with_=lookout)
    read: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: (read.append(str(path)), scandir(path))[1])
    assert look(tmp_path, with_=lookout) == before
    assert read == []
    plant(tmp_path, "a/c/.envrc")
    assert below(tmp_path, look(tmp_path, with_=lookout).protected) == {"a/b/.envrc", "a/c/.envrc"}
    assert read == [str(tmp_path / "a/c")]


def test_a_folder_that_changed_just_now_is_read_again(tmp_path: Path) -> None:
    lookout = Lookout()
    look(tmp_path, with_=lookout)
    status = tmp_path.stat()
    plant(tmp_path, ".envrc")
    os.utime(tmp_path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as if within one tick of the clock
    assert below(tmp_path, look(tmp_path, with_=lookout).protected) == {".envrc"}


def test_the_nearest_folders_come_first_where_there_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_files, "MOST_FOLDERS", 3)
    plant(tmp_path, "a/.envrc", "b/.envrc", "c/.envrc", "a/d/.envrc")
    assert below(tmp_path, look(tmp_path).protected) == {"a/.envrc", "b/.envrc"}


def test_a_folder_that_is_gone_has_none(tmp_path: Path) -> None:
    assert look(tmp_path / "gone") == ControlFiles()
