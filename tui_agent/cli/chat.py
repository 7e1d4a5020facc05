"""Open the UI in a project folder.

examples:
  tui-agent
  tui-agent ~/src/shop --provider ollama --model qwen2.5:latest
  tui-agent --continue
"""

import argparse
import gc
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tui_agent.cli.flags import add_engine, add_model, add_shared
from tui_agent.cli.signals import ignore_signals
from tui_agent.conversation.errors import UsageError

if TYPE_CHECKING:
    from tui_agent.conversation.events import Record
    from tui_agent.permissions.approval import Approver
    from tui_agent.tui.host import Host


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("path", metavar="PATH", nargs="?", help="the project folder (default: the current one)")
    resume = parser.add_mutually_exclusive_group()
    resume.add_argument("--continue", dest="latest", action="store_true", help="go on with this folder's last session")
    resume.add_argument("--resume", metavar="ID", help="go on with this session")
    parser.add_argument("--mode", choices=("plan", "ask", "accept-edits", "auto"), help="approval mode to start with")
    parser.add_argument("--theme", metavar="NAME", help="theme to start with")
    add_model(parser)
    add_engine(parser)
    add_shared(parser)


def run(args: argparse.Namespace) -> int:
    """Run the UI until the user leaves; returns the exit code."""
    _require_terminal()
    # Textual paints at most so often and makes a key wait for its turn; what changes often has paces of its own.
    os.environ.setdefault("TEXTUAL_FPS", "240")
    gc.disable()  # imports make no garbage worth looking for; the UI switches it on again after its first paint
    from tui_agent import __version__
    from tui_agent.cli import engine, wiring
    from tui_agent.config.locations import locations, shipped_themes
    from tui_agent.tui.app import TuiAgent
    from tui_agent.tui.host import Launch

    directory = wiring.working_directory(args)
    loaded = wiring.settings_from(args, directory)
    if loaded.settings.sandbox in ("bwrap", "docker"):
        wiring.find_sandbox(args, directory, loaded.settings)  # what is missing is said before a screen covers it
    wiring.check_cost_limit(args, loaded.settings)
    places = locations()

    async def open_host(approver: "Approver") -> "Host":
        # Imported in a thread, so that keys are echoed meanwhile.
        import asyncio

        from tui_agent.cli.logs import start_log

        start_log(args.log_level)
        await asyncio.to_thread(engine.import_engine)
        return await engine.open_engine(args, directory, loaded, approver, tolerant=True)

    launch = Launch(
        loaded=loaded,
        directory=directory,
        version=__version__,
        history=places.prompt_history,
        themes=(shipped_themes(), places.user_themes),
        open_host=open_host,
        warm_up=engine.import_client,
        reload=lambda: wiring.checked_settings(args, directory),
        read_end=end_reader(args, directory),
    )
    app = TuiAgent(launch)
    try:
        code = app.run(mouse=loaded.settings.ui.mouse)
    finally:
        ignore_signals()
    if app.fault is not None:
        raise app.fault
    return app.return_code or 0 if code is None else code


def end_reader(args: argparse.Namespace, directory: Path) -> "Callable[[], Awaitable[Sequence[Record]]] | None":
    """What reads the end of the session that the command line continues; None when it begins a new one."""
    if not args.latest and args.resume is None:
        return None

    async def read_end() -> "Sequence[Record]":
        import asyncio

        from tui_agent.cli import saved

        await asyncio.to_thread(saved.import_store)
        log = saved.open_log()
        try:
            named = await saved.latest_session(log, directory) if args.latest else args.resume
            return await saved.session_end(log, named)
        finally:
            await log.aclose()

    return read_end


def _require_terminal() -> None:
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout and sys.stdout.isatty()):
        raise UsageError(
            "the UI needs a terminal for input and output", "without one: tui-agent invoke -m TEXT  (-m - reads stdin)"
        )
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise UsageError(
            f"the UI cannot draw on this terminal (TERM={os.environ.get('TERM', '') or 'unset'})",
            "use another terminal, or: tui-agent invoke -m TEXT",
        )
