"""Files come into their place at one stroke, with and without the system's help."""

import os
from pathlib import Path

import pytest

from tui_agent.conversation.errors import WorkspaceError
from tui_agent.workspace import putting
from tui_agent.workspace.files import write_atomically
from tui_agent.workspace.paths import Workspace
from tui_agent.workspace.putting import remove_leftovers


@pytest.fixture(params=[True, False], ids=["unnamed", "named"])
def unnamed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if not request.param:
        monkeypatch.setattr(putting, "_UNNAMED", 0)
    elif not putting._UNNAMED:
        pytest.skip("this system has no files without a name")
    return bool(request.param)


@pytest.mark.parametrize("old", [b"old", None])
def test_nothing_lies_beside_the_file_while_its_bytes_are_written(
    tmp_path: Path, unnamed: bool, old: bytes | None
) -> None:
    if old is not None:
        (tmp_path / "f").write_bytes(old)
        (tmp_path / "f").chmod(0o640)
    seen: list[list[str]] = []
    write_atomically(Workspace(tmp_path).resolve("f"), b"new", lambda _: seen.append(sorted(os.listdir(tmp_path))))
    here = [] if old is None else ["f"]
    assert (seen == [here]) is unnamed
    assert os.listdir(tmp_path) == ["f"] and (tmp_path / "f").read_bytes() == b"new"
    assert old is None or (tmp_path / "f").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("old", [b"old", None])
def test_what_stops_it_leaves_nothing(tmp_path: Path, unnamed: bool, old: bytes | None) -> None:
    def stop(_: int) -> None:
        raise WorkspaceError("no")

    if old is not None:
        (tmp_path / "f").write_bytes(old)
    with pytest.raises(WorkspaceError, match="no"):
        write_atomically(Workspace(tmp_path).resolve("f"), b"new", stop)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == ([] if old is None else [old])


@pytest.mark.promise("P28")
def test_what_a_killed_program_left_beside_a_file_is_removed_and_nothing_else(tmp_path: Path) -> None:
    stale = [".f.0123456789ab.tmp", ".f.ffffffffffff.tmp"]
    others = ["f", ".f.0123.tmp", ".g.0123456789ab.tmp", "f.0123456789ab.tmp"]
    for name in (*stale, *others):
        (tmp_path / name).write_text(name)
    (tmp_path / ".f.aaaaaaaaaaaa.tmp").symlink_to("f")
    remove_leftovers(Workspace(tmp_path).resolve("f"))
    assert sorted(os.listdir(tmp_path)) == sorted([*others, ".f.aaaaaaaaaaaa.tmp"])


def test_a_file_that_is_being_written_just_now_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(putting, "_UNNAMED", 0)
    place = Workspace(tmp_path).resolve("f")
    write_atomically(place, b"new", lambda _: remove_leftovers(place))
    assert (tmp_path / "f").read_bytes() == b"new"
