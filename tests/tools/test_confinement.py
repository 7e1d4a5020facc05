"""Every row of the path corpus, through the executor, with yes as the answer to every question."""

import asyncio
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tui_agent.permissions.approval import AllowOnce, ApprovalRequest
from tui_agent.tools.executor import ToolExecutor
from tui_agent.tools.protocol import ToolResult

DATA = Path(__file__).parent.parent / "data"
BASE = json.loads((DATA / "paths_base.json").read_text())
ROWS = [
    json.loads(line) for name in ("paths.jsonl", "paths_own.jsonl") for line in (DATA / name).read_text().splitlines()
]
LIMIT_SECONDS = 5


def build(root: Path, setup: dict[str, Any]) -> None:
    def fill(text: str) -> str:
        return text.replace("{ROOT}", str(root)).replace("{HOME}", str(root / "home"))

    for name in setup.get("dirs", ()):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, text in setup.get("files", {}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name, target in setup.get("symlinks", {}).items():
        (root / name).symlink_to(fill(target))
    for name, existing in setup.get("hardlinks", {}).items():
        os.link(root / existing, root / name)
    for name in setup.get("fifos", ()):
        os.mkfifo(root / name)
    for name in setup.get("sockets", ()):
        with socket.socket(socket.AF_UNIX) as made:
            here = os.getcwd()
            os.chdir((root / name).parent)  # the address must be short
            try:
                made.bind((root / name).name)
            finally:
                os.chdir(here)


def real(path: Path) -> Path:
    return path.resolve()


def outside(root: Path, allowed: list[Path]) -> dict[str, bytes | str]:
    """What is outside the allowed directories: names, and contents of regular files."""
    found: dict[str, bytes | str] = {}
    for folder, names, files in os.walk(root):
        for name in (*names, *files):
            path = Path(folder, name)
            if not any(path.is_relative_to(each) for each in allowed):
                found[str(path)] = path.read_bytes() if path.is_file() and not path.is_symlink() else "other"
    return found


class Yes:
    """Answers yes, after doing what happens in between."""

    def __init__(self, root: Path, allowed: list[Path], between: list[dict[str, Any]]) -> None:
        self.root = root
        self.allowed = allowed
        self.between = between
        self.asked = 0
        self.outside = outside(root, allowed)

    async def approve(self, request: ApprovalRequest) -> AllowOnce:
        self.asked += 1
        for action in self.between if self.asked == 1 else ():
            for verb, values in action.items():
                paths = [
                    Path(str(value).replace("{ROOT}", str(self.root)))
                    for value in (values if isinstance(values, list) else [values])
                ]
                match verb:
                    case "rename":
                        (self.root / paths[0]).rename(self.root / paths[1])
                    case "symlink":
                        (self.root / paths[0]).symlink_to(paths[1])
                    case "unlink":
                        (self.root / paths[0]).unlink()
                    case "rmdir":
                        (self.root / paths[0]).rmdir()
                    case "write":
                        (self.root / paths[0]).write_text(values[1])
        self.outside = outside(self.root, self.allowed)
        return AllowOnce(request.digest)


async def call(executor: ToolExecutor, tool: str, arg: str) -> ToolResult:
    from tui_agent.conversation.messages import ToolCall

    names = {"read": "read_file", "write": "write_file", "edit": "edit_file", "list": "list_directory"}
    arguments: dict[str, Any]
    match tool:
        case "read":
            arguments = {"file_path": arg}
        case "list":
            arguments = {"path": arg}
        case "write":
            await executor.run(ToolCall("r", "read_file", json.dumps({"file_path": arg})))
            arguments = {"file_path": arg, "content": "written\n"}
        case "edit":
            await executor.run(ToolCall("r", "read_file", json.dumps({"file_path": arg})))
            arguments = {"file_path": arg, "old_string": "SIDE", "new_string": "EDITED"}
        case "glob":
            arguments = {"pattern": arg}
        case _:
            arguments = {"pattern": "INSIDE|OUTSIDE|SHARED", "path": arg}
    name = names.get(tool) or {"glob": "glob_files", "grep": "grep_search"}[tool]
    outcome = await executor.run(ToolCall("c", name, json.dumps(arguments)))
    return outcome.result


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['id']} {row['tool']} {row['strength']}")
async def test_a_path_is_allowed_or_denied_as_the_corpus_says(
    row: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = real(tmp_path)
    build(root, BASE)
    build(root, row["setup"])
    monkeypatch.setenv("HOME", str(root / "home"))
    work = root / row["cwd"]
    monkeypatch.chdir(work)
    extra = [str(root / name) if name else "" for name in row["extra_dirs"]]
    allowed = [work, *(real(Path(name)) for name in extra if name)]
    approver = Yes(root, allowed, row.get("between", []))
    executor = ToolExecutor(work, allowed_directories=extra, approver=approver)
    arg = row["arg"].replace("{ROOT}", str(root)).replace("{HOME}", str(root / "home"))
    kept = {name: (root / name).read_bytes() for name in row.get("must_not_change", ())}

    async with asyncio.timeout(LIMIT_SECONDS):
        result = await call(executor, row["tool"], arg)

    assert "OUTSIDE" not in result.content.replace("INSIDE|OUTSIDE|SHARED", "")
    assert outside(root, allowed) == approver.outside
    for name, content in kept.items():
        assert (root / name).read_bytes() == content
    for text in row.get("must_contain", ()):
        assert text in result.content
    for text in row.get("must_not_contain", ()):
        assert text not in result.content.replace("INSIDE|OUTSIDE|SHARED", "").replace(arg, "")
    answer = "allow" if result.ok else "deny"
    if row["strength"] == "must":
        assert answer == row["expected"], f"{row['why']}: {result.content}"
    elif answer != row["expected"]:
        pytest.xfail(f"a matter of taste, answered {answer}: {row['why']}")
