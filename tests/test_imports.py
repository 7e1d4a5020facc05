"""Import hygiene: nobody pays for a face or a client that is not used."""

import subprocess
import sys
from graphlib import TopologicalSorter

import grimp
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
from tui_agent.cli import chat, wiring
from tui_agent.config.load import load_settings
from tui_agent.config.locations import shipped_themes
from tui_agent.tui.app import TuiAgent
from tui_agent.tui.host import Launch
from tui_agent.tui.screens.chat import ChatScreen

async def never(approver):
    await asyncio.Event().wait()

painted = []
ChatScreen._after_first_paint = lambda screen: painted.append(sorted(sys.modules))

async def paint():
    folder = pathlib.Path(tempfile.mkdtemp())
    loaded = load_settings(config_file=None, project_dir=None, environ={}, flags={})
    app = TuiAgent(Launch(loaded, folder, "0", folder / "history", (shipped_themes(),), never, print, lambda: loaded))
    async with app.run_test() as pilot:
        await pilot.press("h", "i")
        assert app.chat.focused.text == "hi"
        print(painted[0])

asyncio.run(paint())
"""

LATER = {
    *(
        "openai",
        "mcp",
        "httpx2",
        "httpcore2",
        "anyio",
        "pydantic",
        "markdown_it",
        "pygments",
        "rapidfuzz",
        "watchfiles",
    ),
    *("sqlite3", "_sqlite3", "json", "hashlib", "multiprocessing", "email", "http", "importlib.metadata", "rapidfuzz"),
    *("textual.widgets._markdown", "rich.markdown", "rich.syntax", "rich.traceback", "rich.progress"),
}
"""What others wrote and the first paint does not show."""

OURS_LATER = (
    *("agent", "providers", "tools", "store", "headless", "sandbox", "workspace.diff", "workspace.intraline"),
    *("tui.start", "tui.palette", "tui.finder", "tui.screens.picker", "tui.screens.sessions", "tui.screens.help"),
    *("tui.screens.review", "tui.screens.themes", "tui.widgets.answer_bar", "tui.widgets.approval_panel"),
    *("tui.widgets.choices", "tui.widgets.diff_", "tui.widgets.transcript.markdown", "tui.widgets.transcript.reader"),
    *("tui.widgets.transcript.blocks", "tui.widgets.transcript.diff_rows", "config.watch"),
)
"""The same of ours: beginnings of names below `tui_agent`."""


def test_the_first_paint_takes_keys_and_imports_nothing_that_it_does_not_show() -> None:
    loaded = modules_after(FIRST_PAINT)
    assert not loaded & LATER
    ours = {name.removeprefix("tui_agent.") for name in loaded if name.startswith("tui_agent.")}
    assert {name for name in ours if name.startswith(OURS_LATER)} == set()
    assert "tui.screens.chat" in ours


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports for the type checker count as well: whoever reads a module of a circle has to read them all."""
    graph = grimp.build_graph("tui_agent", cache_dir=None)
    imported = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    order = list(TopologicalSorter(imported).static_order())  # raises CycleError, which names the circle
    assert order.index("tui_agent.tui.app") > order.index("tui_agent.tui.screens.chat")
