"""List, show and call the tools that a model is offered.

examples:
  tui-agent tools list
  tui-agent tools show edit_file
  tui-agent tools call read_file --args '{"file_path": "README.md"}'
  tui-agent tools call run_command --args '{"command": "ls"}' --yes --json
  tui-agent tools call --jsonl < rows.jsonl
"""

import argparse
import json
import os
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING, Any

from tui_agent.cli.flags import add_engine, add_shared
from tui_agent.cli.signals import SIGNALS, ignore_signals
from tui_agent.conversation.errors import EXIT_DONE, EXIT_FAILED, EXIT_REFUSED, EXIT_USAGE, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tui_agent.conversation.messages import ToolSpec
    from tui_agent.permissions.approval import ApprovalDecision, ApprovalRequest, Approver, CommandPart
    from tui_agent.tools.attempt import ToolOutcome
    from tui_agent.tools.executor import ToolExecutor


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the verbs."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="the tools on offer", epilog="example: tui-agent tools list --json")
    showing = verbs.add_parser("show", help="one tool with its parameters", epilog="example: tui-agent tools show grep")
    showing.add_argument("name", metavar="NAME", help="the tool, or an alias of it")
    calling = verbs.add_parser(
        "call",
        help="run one tool, or many with --jsonl",
        epilog="""example: tui-agent tools call glob_files --args '{"pattern": "*.py"}'""",
    )
    calling.add_argument("name", metavar="NAME", nargs="?", help="the tool, or an alias of it")
    calling.add_argument("--args", metavar="JSON", help="its arguments, a JSON object (default: none)")
    calling.add_argument("--yes", action="store_true", help="answer yes to every question")
    calling.add_argument(
        "--jsonl",
        action="store_true",
        help='read {"id","name","args"} rows on standard input and answer each with one row; all share one session',
    )
    for verb in (listing, showing, calling):
        verb.add_argument("--json", action="store_true", help="print JSON")
        add_shared(verb)
        add_engine(verb)


def run(args: argparse.Namespace) -> int:
    """Run the verb; returns the exit code."""
    if args.verb == "call":
        for number in SIGNALS:
            signal.signal(number, _leave)
    executor = _executor(args)
    try:
        match args.verb:
            case "list":
                return _list(executor, as_json=args.json)
            case "show":
                return _show(executor, args.name, as_json=args.json)
            case _ if args.jsonl:
                return _call_rows(executor, args)
            case _:
                return _call(executor, args)
    finally:
        executor.close()


def _leave(number: int, frame: FrameType | None) -> None:
    """End as the signal asks, but not before what runs was stopped: `run` sees to that on its way out."""
    ignore_signals()
    raise SystemExit(128 + number)


def _executor(args: argparse.Namespace) -> "ToolExecutor":
    from tui_agent.cli import wiring
    from tui_agent.cli.rules import rules_from, scene_of
    from tui_agent.permissions.policy import RulePolicy
    from tui_agent.sandbox.enclosure import Sandbox

    approver: Approver | None = None
    if getattr(args, "yes", False):
        approver = _Yes()
    elif sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty():
        approver = _Asking()
    directory = wiring.working_directory(args)
    loaded = wiring.settings_from(args)
    wiring.tell_held_back(loaded)
    sandbox = wiring.find_sandbox(args, directory, loaded.settings) if args.verb == "call" else Sandbox()
    executor = wiring.build_executor(args, directory, approver, sandbox)
    scene = scene_of(directory, [root.path for root in executor.workspace.roots])
    executor.policy = RulePolicy(loaded.settings.mode, rules_from(loaded), scene, sandbox.on)
    return executor


def _list(executor: "ToolExecutor", *, as_json: bool) -> int:
    specs = executor.specs()
    if as_json:
        sys.stdout.write(json.dumps([_described(spec) for spec in specs]) + "\n")
    else:
        width = max(len(spec.name) for spec in specs)
        sys.stdout.write("".join(f"{spec.name:<{width}}  {spec.description}\n" for spec in specs))
    return EXIT_DONE


def _show(executor: "ToolExecutor", name: str, *, as_json: bool) -> int:
    spec = next((spec for spec in executor.specs() if spec.name == executor.canonical(name)), None)
    if spec is None:
        raise UsageError(f"there is no tool {name[:100]!a}", "`tui-agent tools list` names them")
    if as_json:
        sys.stdout.write(json.dumps(_described(spec)) + "\n")
        return EXIT_DONE
    sys.stdout.write(f"{spec.name}\n  {spec.description}\n\n")
    required = spec.parameters.get("required", ())
    for parameter, schema in spec.parameters["properties"].items():
        notes = [schema["type"], *([] if parameter in required else ["optional"])]
        if "default" in schema:
            notes.append(f"default {json.dumps(schema['default'])}")
        if "description" in schema:
            notes.append(schema["description"])
        sys.stdout.write(f"  {parameter}: {', '.join(notes)}\n")
    return EXIT_DONE


# What is printed is plain JSON; it has no narrower type.
def _described(spec: "ToolSpec") -> dict[str, Any]:
    return {"name": spec.name, "description": spec.description, "parameters": spec.parameters}


def _call(executor: "ToolExecutor", args: argparse.Namespace) -> int:
    from tui_agent.conversation.messages import ToolCall
    from tui_agent.text.sanitize import sanitize

    if args.name is None:
        raise UsageError("which tool? name one, or give --jsonl", "`tui-agent tools list` names them")
    outcome = executor.run_and_wait(ToolCall("call", args.name, args.args or ""))
    if args.json:
        sys.stdout.write(json.dumps(_row(outcome)) + "\n")
    else:
        stream = sys.stdout if outcome.result.ok else sys.stderr
        stream.write(sanitize(outcome.result.content) + "\n")
    return _exit_code(outcome)


def _call_rows(executor: "ToolExecutor", args: argparse.Namespace) -> int:
    """One row out for each row in, in order; a row that cannot be used is answered like any other."""
    if args.name is not None or args.args is not None:
        raise UsageError("--jsonl reads names and arguments from its rows", "leave out NAME and --args")
    for line in sys.stdin.buffer:
        if line.strip():
            sys.stdout.write(json.dumps(_answer(executor, line)) + "\n")
            sys.stdout.flush()
    return EXIT_DONE


def _answer(executor: "ToolExecutor", line: bytes) -> dict[str, Any]:
    from tui_agent.conversation.messages import ToolCall

    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return _failed(None, f"the row is not JSON: {error}")
    if not isinstance(row, dict):
        return _failed(None, "the row is not a JSON object")
    name, given = row.get("name"), row.get("args", {})
    if not isinstance(name, str):
        return _failed(row.get("id"), "the row has no name")
    raw = given if isinstance(given, str) else json.dumps(given)
    return {"id": row.get("id"), **_row(executor.run_and_wait(ToolCall("call", name, raw)))}


# A row's id is any JSON value.
def _failed(identity: Any, error: str) -> dict[str, Any]:
    return {"id": identity, "ok": False, "content": None, "error": error}


def _row(outcome: "ToolOutcome") -> dict[str, Any]:
    result = outcome.result
    if result.ok:
        return {"ok": True, "content": result.content, "error": None}
    return {"ok": False, "content": None, "error": result.content}


def _exit_code(outcome: "ToolOutcome") -> int:
    if outcome.result.ok:
        return EXIT_DONE
    if not outcome.understood:
        return EXIT_USAGE
    return EXIT_REFUSED if outcome.status == "denied" else EXIT_FAILED


class _Yes:
    """`--yes`."""

    async def approve(self, request: "ApprovalRequest") -> "ApprovalDecision":
        from tui_agent.permissions.approval import AllowOnce

        return AllowOnce(request.digest)


class _Asking:
    """Asks on the terminal; anything but `y` or `yes` is no."""

    async def approve(self, request: "ApprovalRequest") -> "ApprovalDecision":
        import termios

        from tui_agent.permissions.approval import AllowOnce, Denied

        question = _question(request)
        # What was typed before the question is there is no answer to it.
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
        sys.stderr.write(question)
        sys.stderr.flush()
        answer = (await _line(sys.stdin.fileno())).strip().lower()
        return AllowOnce(request.digest) if answer in (b"y", b"yes") else Denied()


async def _line(terminal: int) -> bytes:
    """A line typed at the terminal; waiting for it can be cancelled."""
    import asyncio

    loop = asyncio.get_running_loop()
    line = b""
    while not line.endswith(b"\n"):
        typed = asyncio.Event()
        loop.add_reader(terminal, typed.set)
        try:
            await typed.wait()
        finally:
            loop.remove_reader(terminal)
        piece = os.read(terminal, 4096)
        if not piece:
            break
        line += piece
    return line


def _question(request: "ApprovalRequest") -> str:
    from tui_agent.permissions.approval import CommandAccess, WriteAccess
    from tui_agent.text.sanitize import sanitize
    from tui_agent.workspace.diff import diff_plan, unified

    match request.access:
        case CommandAccess(command, directory, seconds, background, sandbox, network):
            where = f"in {directory}, " + ("in the background" if background else f"{seconds:g} s at most")
            kept = f"sandbox {sandbox}, {'with' if network else 'without'} network" if sandbox else "no sandbox"
            shown = "\n".join([f"{command}\n({where}, {kept})", *_parts(request.parts)])
        case WriteAccess(plan):
            shown = "\n".join(unified(diff, sys.maxsize, sys.maxsize) for diff in diff_plan(plan))
        case _:
            shown = request.title
    repaired = f"\nrepaired: {'; '.join(request.repairs)}" if request.repairs else ""
    why = "\n".join(["", *(f"asks because: {reason}" for reason in request.further_reasons)])
    text = f"{request.tool} wants to run:\n{shown}{repaired}{why}"
    return sanitize(text, "approval") + "\nallow? [y/N] "


def _parts(parts: "Sequence[CommandPart]") -> "Iterator[str]":
    """The simple commands of a line that has several, each in a line with what covers it or why it asks."""
    from tui_agent.text.sanitize import sanitize

    for number, part in enumerate(parts if len(parts) > 1 else (), 1):
        said = sanitize(f"{part.text}   {part.covered_by or f'asks: {part.reason}'}", "approval")
        yield f"  {number}  {said.replace(chr(10), '<U+000A>')}"
