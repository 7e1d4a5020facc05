"""Answer one prompt without a screen.

examples:
  tui-agent invoke -m "explain what src/cart.py does"
  git diff | tui-agent invoke -m - --no-tools
  tui-agent invoke -m "run the tests" --approve all --output-format stream-json
  tui-agent invoke -m "rename Cart to Basket" --approve ask > answer.md
"""

import argparse
import os
import signal
import sys
from contextlib import aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tui_agent.cli.flags import add_engine, add_model, add_shared
from tui_agent.cli.signals import SIGNALS, ignore_signals

if TYPE_CHECKING:
    from tui_agent.config.load import LoadedSettings
    from tui_agent.headless.approver import StandingAnswer
    from tui_agent.headless.terminal_approver import TerminalApprover
    from tui_agent.headless.writers import Writer

AGENTS = ("convo",)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("-m", "--message", required=True, metavar="TEXT", help="the prompt; - reads it from stdin")
    parser.add_argument("-a", "--agent", choices=AGENTS, default="convo", help="the agent profile")
    parser.add_argument("--output-format", choices=("text", "json", "stream-json"), default="text")
    parser.add_argument("--json", dest="output_format", action="store_const", const="json", help="same as json output")
    parser.add_argument(
        "--approve",
        choices=("never", "read-only", "rules", "all", "ask"),
        default="rules",
        help="what is done of what asks: rules = what rules or the mode let happen unasked, nothing else (default), "
        "all = everything, ask = what you say yes to on the terminal, never = nothing, not even what a rule allows; "
        "read-only also takes the tools that change things away from the model",
    )
    tools = parser.add_mutually_exclusive_group()
    tools.add_argument("--tools", metavar="A,B", help="offer the model only these tools")
    tools.add_argument("--no-tools", action="store_true", help="offer the model no tools")
    parser.add_argument("--resume", metavar="ID", help="continue this session")
    parser.add_argument("--no-save", action="store_true", help="do not keep the session")
    add_model(parser)
    add_engine(parser)
    add_shared(parser)


def run(args: argparse.Namespace) -> int:
    """Run the turn; returns its exit code."""
    import asyncio

    from tui_agent.headless.writers import JsonWriter, TextWriter

    writer: Writer
    if args.output_format == "text":
        writer = TextWriter(sys.stdout.write, sys.stderr.write, terminal=sys.stdout.isatty())
    else:
        writer = JsonWriter(_write_line, sys.stderr.write, stream=args.output_format == "stream-json")
    stopped_by: list[int] = []
    code = asyncio.run(_turn(args, _prompt(args.message), writer, stopped_by))
    if stopped_by:
        ignore_signals()
        return 128 + stopped_by[0]
    return code


def _write_line(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()


def _prompt(message: str) -> str:
    from tui_agent.conversation.errors import UsageError

    if message != "-":
        text = message
    elif sys.stdin is None or sys.stdin.isatty():
        raise UsageError("-m - reads the prompt from stdin, which is a terminal", "pipe text into it, or give -m TEXT")
    else:
        text = sys.stdin.buffer.read().decode("utf-8", "replace")
    if not text.strip():
        raise UsageError("the prompt is empty")
    return text


def _allowing_nothing(args: argparse.Namespace, loaded: "LoadedSettings") -> "LoadedSettings":
    """The settings without what lets something be written or run unasked, but for commands that only read.

    Raises:
        UsageError: the command line asks for both.
    """
    from msgspec.structs import replace

    from tui_agent.conversation.errors import UsageError

    if args.command_allowlist:
        raise UsageError("--approve never runs nothing that --command-allowlist names", "take --approve rules")
    settings = loaded.settings
    reading = tuple(rule for rule in settings.permissions.allow if rule.strip().startswith("read("))
    return replace(
        loaded,
        settings=replace(
            settings,
            mode="plan" if settings.mode == "plan" else "ask",
            # The examples are about all of the rules.
            permissions=replace(settings.permissions, allow=reading, expect={}),
        ),
    )


def _approver(policy: str, project: Path) -> "StandingAnswer | TerminalApprover":
    """Who answers the questions of the turn.

    Raises:
        UsageError: a person should, and there is no terminal to ask on.
    """
    if policy != "ask":
        from tui_agent.headless.approver import StandingAnswer

        return StandingAnswer(policy)
    from tui_agent.headless.terminal import find_terminal
    from tui_agent.headless.terminal_approver import TerminalApprover
    from tui_agent.sandbox.editor import edited, editor_command, editor_named

    terminal = find_terminal()

    async def edit(data: bytes, name: str, *, needed: bool) -> bytes | None:
        if not (needed or editor_named(os.environ)):
            return None
        return await edited(editor_command(os.environ, project), data, name, terminal=terminal.fd)

    return TerminalApprover(terminal, edit)


async def _turn(args: argparse.Namespace, prompt: str, writer: "Writer", stopped_by: list[int]) -> int:
    """Run the turn; `stopped_by` gets the signals that came."""
    import asyncio

    from tui_agent.cli import wiring
    from tui_agent.cli.engine import open_engine
    from tui_agent.conversation.errors import ProviderError
    from tui_agent.headless.writers import TurnOutcome

    directory = wiring.working_directory(args)
    loaded = wiring.settings_from(args, directory)
    wiring.tell_held_back(loaded)
    if args.approve == "never":
        loaded = _allowing_nothing(args, loaded)
    approver = _approver(args.approve, directory)
    engine = await open_engine(args, directory, loaded, approver)
    outcome = TurnOutcome()

    def stop(number: int) -> None:
        if number == signal.SIGINT and approver.editing:
            return  # it is for the user's editor
        stopped_by.append(number)
        engine.session.interrupt()

    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        with suppress(NotImplementedError, ValueError, RuntimeError):
            loop.add_signal_handler(number, stop, number)
    try:
        if args.resume is not None:
            await engine.resume(args.resume)
        with suppress(ProviderError):  # the turn will say that no model can be found
            await engine.check_cost_limit(args)
        if stopped_by:  # before the turn had begun
            outcome.reason = "interrupted"
        else:
            # Closed here and not by the collector: when the reader of stdout leaves, the turn still ends in the log.
            async with aclosing(engine.session.run(prompt)) as events:
                async for event in events:
                    outcome.take(event)
                    writer.event(engine.session.id, event)
        writer.end(engine.session.id, outcome)
    finally:
        await engine.aclose()
    return outcome.exit_code
