"""Import hygiene: nobody pays for a face or a client that is not used."""

import subprocess
import sys

import pytest

PROBE = """
import contextlib, io, sys
from tui_agent.cli.main import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main({words!r})
print(sorted(name for name in sys.modules if "." not in name))
"""


def modules_after(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(eval(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "words", [["--help"], ["invoke", "--help"], ["tools", "--help"], ["providers", "--help"], ["sessions", "--help"]]
)
def test_help_imports_neither_textual_nor_openai(words: list[str]) -> None:
    loaded = modules_after(PROBE.format(words=words))
    assert "tui_agent" in loaded
    assert not loaded & {
        "textual",
        "rich",
        "openai",
        "mcp",
        "httpx2",
        "pydantic",
        "yaml",
        "watchfiles",
        "asyncio",
        "ssl",
    }


def test_the_package_costs_nothing() -> None:
    code = "import sys; before = set(sys.modules); import tui_agent; print(sorted(set(sys.modules) - before))"
    assert modules_after(code) == {"tui_agent"}


def test_the_ui_is_imported_without_network_clients() -> None:
    loaded = modules_after("import sys, tui_agent.tui.app; print(sorted(sys.modules))")
    assert "textual" in loaded
    assert not loaded & {"openai", "mcp", "httpx2", "pydantic", "watchfiles", "markdown_it", "sqlite3", "rapidfuzz"}


FIRST_PAINT = """
import asyncio, pathlib, sys, tempfile
from tui_agent.config.load import load_settings
from tui_agent.config.locations import shipped_themes
from tui_agent.tui.app import TuiAgent
from tui_agent.tui.host import Launch

async def never(approver):
    await asyncio.Event().wait()

async def paint():
    folder = pathlib.Path(tempfile.mkdtemp())
    loaded = load_settings(config_file=None, project_dir=None, environ={}, flags={})
    app = TuiAgent(Launch(loaded, folder, "0", folder / "history", (shipped_themes(),), never, print, lambda: loaded))
    async with app.run_test() as pilot:
        await pilot.press("h", "i")
        assert app.chat.focused.text == "hi"
        print(sorted(sys.modules))

asyncio.run(paint())
"""


def test_the_first_paint_takes_keys_and_needs_no_network_client() -> None:
    loaded = modules_after(FIRST_PAINT)
    assert not loaded & {"openai", "mcp", "httpx2", "pydantic", "markdown_it"}
