"""The built-in tools as one provider: finds the tool, understands the arguments, prepares the call."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from tui_agent.conversation.errors import ToolError
from tui_agent.conversation.messages import ToolCall, ToolSpec
from tui_agent.tools.builtin.command import RunCommand
from tui_agent.tools.builtin.desk import Desk
from tui_agent.tools.builtin.files import ListDirectory, ReadFile
from tui_agent.tools.builtin.plan import UpdatePlan
from tui_agent.tools.builtin.search import GlobFiles, GrepSearch
from tui_agent.tools.builtin.writing import EditFile, WriteFile
from tui_agent.tools.protocol import Prepared, Tool, ToolContext, ToolResult
from tui_agent.tools.schema import parse_arguments, validate


class BuiltinTools:
    """The tools of PRODUCT.md over one desk; `commands=False` leaves out the one that runs commands."""

    def __init__(self, desk: Desk, *, commands: bool = True) -> None:
        tools: list[Tool] = [
            ReadFile(desk),
            WriteFile(desk),
            EditFile(desk),
            ListDirectory(desk),
            GlobFiles(desk),
            GrepSearch(desk),
            RunCommand(desk),
            UpdatePlan(),
        ]
        self.tools: Final[Sequence[Tool]] = tools
        self._offered: Final = [tool.spec for tool in tools if commands or not isinstance(tool, RunCommand)]
        self._by_name: Final[Mapping[str, Tool]] = {
            name: tool for tool in tools for name in (tool.spec.name, *tool.names)
        }

    def get_tools(self) -> Sequence[ToolSpec]:
        """The tools on offer."""
        return self._offered

    def can_handle(self, name: str) -> bool:
        """True for the name of a tool and its aliases, also of one that is not on offer."""
        return name in self._by_name

    def canonical(self, name: str) -> str:
        """The tool's own name for any name it answers to."""
        return self._by_name[name].spec.name

    async def prepare(self, call: ToolCall, context: ToolContext) -> Prepared:
        """Understand the call.

        Raises:
            ToolError, WorkspaceError: it cannot be done.
        """
        tool = self._by_name.get(call.name)
        if tool is None:
            raise ToolError(f"unknown tool {call.name!a}")
        parsed = parse_arguments(call.arguments)
        understood = validate(
            tool.spec.parameters,
            parsed.arguments,
            tool.argument_aliases,
            tool.argument_fits,
            (tool.spec.name, *tool.names),
        )
        prepared = await tool.prepare(understood.arguments, context)
        return replace(prepared, repairs=(*parsed.repairs, *understood.repairs, *prepared.repairs))

    async def execute(self, call: ToolCall, context: ToolContext) -> ToolResult:
        """Prepare and perform a call that was already allowed."""
        return await (await self.prepare(call, context)).perform()
