"""`run_command`: a shell command in the working directory."""

import signal
from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from tui_agent.conversation.errors import ToolError
from tui_agent.conversation.messages import ToolSpec
from tui_agent.permissions.approval import CommandAccess, Terms
from tui_agent.sandbox.enclosure import Enclosure
from tui_agent.sandbox.process import Finished, run
from tui_agent.tools.builtin.desk import Desk, in_thread
from tui_agent.tools.builtin.enclosing import Around, around, made_or_changed, notes
from tui_agent.tools.protocol import Prepared, ToolContext, ToolResult
from tui_agent.tools.repair import Fit, as_command_line
from tui_agent.workspace.paths import open_root

DEFAULT_SECONDS: Final = 120
MAX_SECONDS: Final = 600
MAX_COMMAND_BYTES: Final = 100_000
TITLE_CHARACTERS: Final = 200


class RunCommand:
    """Standard output and error come back together, with the exit code."""

    spec = ToolSpec(
        "run_command",
        "Run a bash command in the working directory. It gets no input. Returns its output and exit code.",
        {
            "type": "object",
            "properties": {
                "command": {"type": "string"},
                "timeout": {
                    "type": "number",
                    "description": f"seconds, at most {MAX_SECONDS}",
                    "minimum": 1,
                    "default": DEFAULT_SECONDS,
                },
                "background": {"type": "boolean", "description": "keep it running, e.g. a server", "default": False},
            },
            "required": ["command"],
        },
    )
    names = ("bash",)
    argument_aliases = {
        "cmd": "command",
        "shell_command": "command",
        "timeout_seconds": "timeout",
        "run_in_background": "background",
    }
    argument_fits: Mapping[str, Fit] = {"command": as_command_line}

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def prepare(self, arguments: Mapping[str, Any], context: ToolContext) -> Prepared:
        """As `Tool.prepare`."""
        command: str = arguments["command"]
        _check(command)
        self._desk.workspace.check()
        sandbox = self._desk.sandbox
        access = CommandAccess(
            command,
            str(self._desk.workspace.root.path),
            float(min(arguments["timeout"], MAX_SECONDS)),
            arguments["background"],
            sandbox.describe() if sandbox.on else "",
        )
        return self._prepared(access, context)

    def _prepared(self, access: CommandAccess, context: ToolContext) -> Prepared:
        async def perform() -> ToolResult:
            # Open from now on: the command runs in this very directory, and never in one that takes its place.
            with open_root(self._desk.workspace.root) as directory:
                return await (self._start if access.background else self._run)(access, context, directory)

        def on_terms(terms: Terms) -> Prepared:
            return self._prepared(replace(access, network=terms.network, read_only=terms.read_only), context)

        def on_command(command: str) -> Prepared:
            _check(command)
            return self._prepared(replace(access, command=command), context)

        title = access.command.strip().split("\n")[0][:TITLE_CHARACTERS]
        return Prepared(title, access, perform, on_terms=on_terms, on_command=on_command)

    async def _run(self, access: CommandAccess, context: ToolContext, directory: int) -> ToolResult:
        enclosure, before = await self._around(access)
        finished = await run(
            access.command,
            self._desk.workspace.root.path,
            access.timeout,
            on_output=context.emit_output,
            enclosure=enclosure,
            descriptor=directory,
        )
        control = await in_thread(made_or_changed, self._desk, before)
        failed = finished.exit_code != 0
        said = notes(enclosure, access.command, failed, finished.output, control)
        report = "\n".join([_report(finished, access.timeout), *said])
        return ToolResult(not failed, report, (), finished.exit_code)

    async def _start(self, access: CommandAccess, context: ToolContext, directory: int) -> ToolResult:
        desk = self._desk
        desk.workspace = desk.workspace.with_readable(desk.background.directory)
        enclosure, _ = await self._around(access)
        started = await desk.background.start(
            access.command, desk.workspace.root.path, enclosure=enclosure, descriptor=directory
        )
        if started.exit_code is None:
            where = f"its output, and how it ends, goes to {started.log}"
            return ToolResult(True, f"started in the background as process {started.pid}; {where}")
        output = (await in_thread(started.log.read_text, "utf-8", "replace"))[-4_000:]
        content = f"it did not keep running\n{output.strip()}"
        return ToolResult(started.exit_code == 0, content, (), started.exit_code)

    async def _around(self, access: CommandAccess) -> Around:
        """The sandbox of a command; every directory that it may use is still the one that was allowed."""
        for root in self._desk.workspace.roots:
            with open_root(root):
                pass
        if not self._desk.sandbox.on:
            return Around(Enclosure(), None)
        return await in_thread(around, self._desk, Terms(access.network, access.read_only))


def _check(command: str) -> None:
    if not command.strip():
        raise ToolError("the command is empty")
    if "\0" in command:
        raise ToolError("a command cannot hold a NUL character")
    try:
        size = len(command.encode())
    except UnicodeEncodeError as error:
        raise ToolError("the command holds a lone surrogate, which no program can be given") from error
    if size > MAX_COMMAND_BYTES:
        raise ToolError(f"the command is too long: {size:,} bytes; the limit is {MAX_COMMAND_BYTES:,}. Write a script")


def _report(finished: Finished, limit: float) -> str:
    """What went wrong stands before the output, what went well behind it."""
    wrong = ""
    if finished.timed_out:
        wrong = f"stopped: it ran longer than {limit:g} s"
    elif finished.exit_code < 0:
        wrong = f"killed by signal {_signal(-finished.exit_code)}"
    elif finished.exit_code:
        wrong = f"exit code {finished.exit_code}"
        if finished.exit_code > 128 and (name := _signal(finished.exit_code - 128)).startswith("SIG"):
            wrong += f" ({name})"
    lines = [finished.output.rstrip("\n") or "(no output)"]
    if finished.cut:
        lines.append("[to read what was cut, run it again with its output sent to a file, and read that]")
    if wrong:
        lines.insert(0, wrong)
    elif finished.output.strip("\n"):
        lines.append("[exit code 0]")
    else:
        lines = ["(no output), exit code 0"]
    if finished.killed and not finished.timed_out:
        lines.append(
            "[processes it left running were killed; use background: true for something that must go on running]"
        )
    return "\n".join(lines)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
