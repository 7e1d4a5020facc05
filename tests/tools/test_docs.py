"""`docs/tools.md` says what the program does."""

import json
import re
from pathlib import Path

import pytest

from tui_agent.sandbox import background, output
from tui_agent.tools import attempt, schema
from tui_agent.tools.builtin import command, files, finder, search, writing
from tui_agent.tools.builtin.desk import Desk
from tui_agent.tools.builtin.provider import BuiltinTools
from tui_agent.workspace.files import MAX_FILE_BYTES
from tui_agent.workspace.paths import Workspace

PAGE = (Path(__file__).parents[2] / "docs" / "tools.md").read_text()


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def table(columns: int) -> list[list[list[str]]]:
    rows = [[names(cell) for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| `")]
    return [row for row in rows if len(row) == columns]


def test_every_tool_is_there_with_its_arguments_and_other_names(tmp_path: Path) -> None:
    documented = {row[0][0]: row[1:] for row in table(4)}
    tools = BuiltinTools(Desk(Workspace(tmp_path))).tools
    assert list(documented) == [tool.spec.name for tool in tools]
    for tool in tools:
        required = tool.spec.parameters["required"]
        arguments = [name if name in required else f"{name}?" for name in tool.spec.parameters["properties"]]
        assert documented[tool.spec.name] == [arguments, list(tool.names), list(tool.argument_aliases)]


def test_the_repairs_are_the_ones_that_are_made(tmp_path: Path) -> None:
    tools = {tool.spec.name: tool for tool in BuiltinTools(Desk(Workspace(tmp_path))).tools}
    rows = table(3)
    assert len(rows) == 15
    for (written,), (taken,), (repair,) in rows:
        tool = tools["run_command" if "command" in taken else "read_file"]
        parsed = schema.parse_arguments(written)
        understood = schema.validate(tool.spec.parameters, parsed.arguments, tool.argument_aliases, tool.argument_fits)
        assert (*parsed.repairs, *understood.repairs) == (repair,)
        assert understood.arguments.items() >= json.loads(taken).items()


def test_the_bounds_are_the_ones_in_force() -> None:
    for number, unit in [
        (MAX_FILE_BYTES, "bytes"),
        (files.READ_LINES, "lines"),
        (files.READ_BYTES, "bytes"),
        (files.LINE_CHARACTERS, "characters of a line"),
        (files.LIST_ENTRIES, "entries"),
        (writing.SHOWN_BYTES, "bytes"),
        (search.GLOB_FILES, "files"),
        (search.GREP_MATCHES, "matches"),
        (search.GREP_BYTES, "bytes"),
        (finder.LINE_CHARACTERS, "characters of a line"),
        (search.MAX_CONTEXT, "lines of context"),
        (int(finder.SEARCH_SECONDS), "seconds"),
        (output.TAIL_BYTES, "bytes"),
        (command.DEFAULT_SECONDS, "seconds"),
        (background.MAX_LOG_BYTES, "bytes"),
        (attempt.MAX_RESULT_CHARACTERS, "characters"),
        (schema.MAX_CHARACTERS, "characters"),
    ]:
        assert f"{number:,} {unit}" in PAGE.replace("\n", " ")
    assert f"the first {output.HEAD_BYTES:,} and the last {output.TAIL_BYTES:,} bytes" in PAGE
    assert f"at most {command.MAX_SECONDS}" in PAGE


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "README.md").write_text("hello\n")
    monkeypatch.chdir(tmp_path)
    seen: list[str] = []
    exec(example, {"print": lambda result: seen.append(str(result))})
    assert seen == ["1\thello"]
