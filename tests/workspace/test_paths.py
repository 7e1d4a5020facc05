"""Where a path may lead, and how it is opened."""

import os
from pathlib import Path

import pytest

from tui_agent.conversation.errors import RefusedError, WorkspaceError
from tui_agent.workspace import paths
from tui_agent.workspace.paths import Workspace, open_beneath, open_parent


@pytest.fixture(params=["openat2", "each component"])
def opening(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without the kernel's help."""
    if request.param == "openat2":
        if paths._openat2() is None:
            pytest.skip("this kernel has no openat2")
    else:
        monkeypatch.setattr(paths, "_openat2", lambda: None)


def test_names_are_relative_inside_the_working_directory_and_absolute_in_allowed_ones(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "more").mkdir()
    workspace = Workspace(tmp_path / "work", (tmp_path / "more",))
    assert workspace.resolve("a/../b").name == "b"
    assert workspace.resolve(".").name == "."
    assert workspace.resolve(f"{tmp_path}/more/x").name == str(tmp_path.resolve() / "more" / "x")


def test_what_is_outside_is_refused_by_name_with_the_way_to_allow_it(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"^\.\./x is outside") as caught:
        Workspace(tmp_path).resolve("../x")
    assert "--allowed-dirs" in caught.value.hint


@pytest.mark.parametrize("empty", ["", "  ", Path()])
def test_an_empty_allowed_directory_allows_nothing(
    tmp_path: Path, empty: str | Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    workspace = Workspace(tmp_path / "work", (empty,))
    for text in ("/etc/passwd", str(tmp_path / "elsewhere" / "x")):
        with pytest.raises(RefusedError):
            workspace.resolve(text)


@pytest.mark.parametrize("text", ["", "a\0b", "a\ud800", "x" * 300, "a/" * 3_000])
def test_text_that_is_no_path_is_refused_as_such(tmp_path: Path, text: str) -> None:
    with pytest.raises(WorkspaceError):
        Workspace(tmp_path).resolve(text)


def test_a_loop_of_links_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError), pytest.MonkeyPatch.context():
        open_beneath(Workspace(tmp_path).resolve("a"), os.O_RDONLY)


def test_a_missing_working_or_allowed_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="gone"):
        Workspace(tmp_path / "gone")
    with pytest.raises(WorkspaceError, match="gone"):
        Workspace(tmp_path, (tmp_path / "gone",))
    (tmp_path / "file").touch()
    with pytest.raises(WorkspaceError, match="not a directory"):
        Workspace(tmp_path / "file")


@pytest.mark.promise("P38")
def test_a_working_directory_that_vanished_or_was_replaced_is_never_another_one(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    workspace = Workspace(work)
    location = workspace.resolve("f")
    work.rename(tmp_path / "old")
    with pytest.raises(WorkspaceError, match="cannot be used any more"):
        workspace.resolve("f")
    work.mkdir()
    (work / "f").write_text("of another directory")
    with pytest.raises(WorkspaceError, match="replaced"):
        workspace.resolve("f")
    with pytest.raises(WorkspaceError, match="replaced"):
        open_beneath(location, os.O_RDONLY)


def test_a_readable_directory_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "logs").mkdir()
    workspace = Workspace(tmp_path / "work").with_readable(tmp_path / "logs")
    workspace.resolve(f"{tmp_path}/logs/1.log")
    with pytest.raises(RefusedError):
        workspace.resolve(f"{tmp_path}/logs/1.log", for_write=True)


@pytest.mark.usefixtures("opening")
@pytest.mark.parametrize("swapped", ["d", "d/e", "d/e/f"])
def test_a_link_that_takes_the_place_of_a_judged_component_is_not_followed(tmp_path: Path, swapped: str) -> None:
    (tmp_path / "work/d/e").mkdir(parents=True)
    (tmp_path / "work/d/e/f").write_text("inside")
    (tmp_path / "out/e").mkdir(parents=True)
    (tmp_path / "out/e/f").write_text("outside")
    (tmp_path / "out/f").write_text("outside")
    location = Workspace(tmp_path / "work").resolve("d/e/f")
    os.close(open_beneath(location, os.O_RDONLY))
    (tmp_path / "work" / swapped).rename(tmp_path / "was")
    target = {"d": "out", "d/e": "out", "d/e/f": "out/f"}[swapped]
    (tmp_path / "work" / swapped).symlink_to(tmp_path / target)
    with pytest.raises(OSError):
        open_beneath(location, os.O_RDONLY)


@pytest.mark.usefixtures("opening")
def test_parents_are_made_only_beneath_the_root(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "out").mkdir()
    location = Workspace(tmp_path / "work").resolve("a/b/new")
    (tmp_path / "work/a").symlink_to(tmp_path / "out")
    with pytest.raises(OSError), open_parent(location, create=True):
        pass
    assert not list((tmp_path / "out").iterdir())
    (tmp_path / "work/a").unlink()
    with open_parent(location, create=True):
        assert (tmp_path / "work/a/b").is_dir()


def test_a_sibling_whose_name_only_begins_alike_is_outside(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work-secret").mkdir()
    for text in ("../work-secret/x", f"{tmp_path}/work-secret", f"{tmp_path}/worker"):
        with pytest.raises(RefusedError):
            Workspace(tmp_path / "work").resolve(text)


def test_one_more_readable_directory_leaves_the_others_what_they_were(tmp_path: Path) -> None:
    work, logs = tmp_path / "work", tmp_path / "logs"
    work.mkdir()
    logs.mkdir()
    workspace = Workspace(work)
    work.rename(tmp_path / "moved")
    work.mkdir()
    grown = workspace.with_readable(logs)
    with pytest.raises(WorkspaceError, match="replaced"):
        grown.check()
    assert grown.with_readable(logs) is grown
