"""The list of files behind `@`: made once, kept, renewed beside the asking."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tui_agent.conversation.errors import ToolError
from tui_agent.tools import project_files
from tui_agent.tools.project_files import ProjectFiles
from tui_agent.workspace.paths import Location, Workspace


class Project:
    """Its listings, each held until `ready` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.names = ["b/Cart.py", "a.py", "b.py", "cart_of_all.py"]
        self.listings = 0
        self.running = 0
        self.trouble: Exception | None = None
        self.ready = asyncio.Event()
        self.ready.set()
        monkeypatch.setattr(project_files, "list_files", self._list)
        monkeypatch.setattr(project_files, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.now = 100.0
        self.files = ProjectFiles(Workspace(root).resolve("."))

    async def _list(self, start: Location, pattern: str, *, in_order: bool) -> AsyncGenerator[list[str], None]:
        self.listings += 1
        self.running += 1
        try:
            await self.ready.wait()
            if self.trouble is not None:
                raise self.trouble
            for name in self.names:
                yield [name]
        finally:
            self.running -= 1

    async def settled(self) -> None:
        """Let a listing beside the asking come to its end."""
        while self.files._listing is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Project:
    return Project(monkeypatch, tmp_path)


async def test_files_contain_what_was_typed_shortest_first(project: Project) -> None:
    assert await project.files.containing("", 50) == ["a.py", "b.py", "b/Cart.py", "cart_of_all.py"]
    assert await project.files.containing("CART", 50) == ["b/Cart.py", "cart_of_all.py"]
    assert await project.files.containing("", 1) == ["a.py"]
    assert await project.files.containing("zzz", 50) == []
    assert project.listings == 1


async def test_letters_typed_while_the_first_list_is_made_share_it(project: Project) -> None:
    project.ready.clear()
    asked = [asyncio.create_task(project.files.containing(typed, 50)) for typed in ("c", "ca", "car")]
    await asyncio.sleep(0.01)
    for superseded in asked[:2]:
        superseded.cancel()
    project.ready.set()
    assert await asked[2] == ["b/Cart.py", "cart_of_all.py"]
    assert project.listings == 1


async def test_an_old_list_answers_while_a_new_one_is_made(project: Project) -> None:
    await project.files.containing("", 50)
    project.now += project_files.KEPT_SECONDS - 1
    assert await project.files.containing("new", 50) == []
    assert project.listings == 1
    project.now += 2
    project.names.append("new.py")
    project.ready.clear()
    assert await project.files.containing("new", 50) == []
    assert await project.files.containing("a.py", 50) == ["a.py"]
    project.ready.set()
    await project.settled()
    assert await project.files.containing("new", 50) == ["new.py"]
    assert project.listings == 2


async def test_the_old_list_serves_on_when_a_new_one_cannot_be_made(project: Project) -> None:
    await project.files.containing("", 50)
    project.now += 60
    project.trouble = ToolError("it took too long")
    assert await project.files.containing("a.py", 50) == ["a.py"]
    await project.settled()
    assert await project.files.containing("a.py", 50) == ["a.py"]
    assert project.listings == 2


async def test_trouble_with_the_first_list_is_told_and_tried_again(project: Project) -> None:
    project.trouble = ToolError("it took too long")
    with pytest.raises(ToolError):
        await project.files.containing("a", 50)
    project.trouble = None
    assert await project.files.containing("a.py", 50) == ["a.py"]


async def test_memory_is_bounded(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_files, "MAX_FILES", 2)
    assert len(await project.files.containing("", 50)) == 2
    assert project.running == 0


async def test_closing_stops_a_listing(project: Project) -> None:
    project.ready.clear()
    asked = asyncio.create_task(project.files.containing("a", 50))
    await asyncio.sleep(0.01)
    await project.files.aclose()
    assert project.running == 0
    with pytest.raises(asyncio.CancelledError):
        await asked


async def test_it_lists_what_is_there_but_nothing_ignored_hidden_or_linked(tmp_path: Path) -> None:
    for name in ("src/main.py", ".hidden", "build/out.py", ".gitignore"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("build/\n")
    (tmp_path / "link.py").symlink_to("src/main.py")
    files = ProjectFiles(Workspace(tmp_path).resolve("."))
    assert await files.containing("", 50) == ["src/main.py"]
