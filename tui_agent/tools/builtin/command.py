"""`run_command`: a shell command in the working directory."""

import signal
from collections.abc import Mapping
from typing import Any, Final

from tui_agent.conversation.errors import ToolError
from tui_agent.conversation.messages import ToolSpec
from tui_agent.permissions.approval import CommandAccess
from tui_agent.sandbox.process import Finished, run
from tui_agent.tools.builtin.desk import Desk, in_thread
from tui_agent.tools.protocol import Prepared, ToolContext, ToolResult
from tui_agent.tools.repair import Fit, as_command_line

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
        access = CommandAccess(
            command,
            str(self._desk.workspace.root.path),
            float(min(arguments["timeout"], MAX_SECONDS)),
            arguments["background"],
        )

        async def perform() -> ToolResult:
            self._desk.workspace.check()
            if access.background:
                return await self._start(command)
            finished = await run(command, self._desk.workspace.root.path, access.timeout, on_output=context.emit_output)
            return ToolResult(finished.exit_code == 0, _report(finished, access.timeout), (), finished.exit_code)

        return Prepared(command.strip().split("\n")[0][:TITLE_CHARACTERS], access, perform)

    async def _start(self, command: str) -> ToolResult:
        desk = self._desk
        desk.workspace = desk.workspace.with_readable(desk.background.directory)
        started = await desk.background.start(command, desk.workspace.root.path)
        if started.exit_code is None:
            return ToolResult(
                True, f"started in the background as process {started.pid}; its output goes to {started.log}"
            )
        output = (await in_thread(started.log.read_text, "utf-8", "replace"))[-4_000:]
        content = f"ended at once with exit code {started.exit_code}\n{output}"
        return ToolResult(started.exit_code == 0, content, (), started.exit_code)


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
