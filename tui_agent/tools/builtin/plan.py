"""`update_plan`: the steps of a longer task, for the user to follow."""

from collections.abc import Mapping
from typing import Any, Final

from tui_agent.conversation.errors import ToolError
from tui_agent.conversation.messages import ToolSpec
from tui_agent.permissions.approval import NoAccess
from tui_agent.tools.protocol import Prepared, ToolContext, ToolResult
from tui_agent.tools.repair import Fit

MAX_ITEMS: Final = 50
MARKS: Final = {"pending": "[ ]", "in_progress": "[>]", "completed": "[x]"}


class UpdatePlan:
    """It touches nothing: the plan is in the call itself, and the result repeats it."""

    spec = ToolSpec(
        "update_plan",
        "Show the user the steps of a task and how far each is. Send all steps each time.",
        {
            "type": "object",
            "properties": {
                "items": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "step": {"type": "string"},
                            "status": {"type": "string", "enum": list(MARKS), "default": "pending"},
                        },
                        "required": ["step"],
                    },
                }
            },
            "required": ["items"],
        },
    )
    names = ()
    argument_aliases = {"plan": "items", "steps": "items", "todos": "items", "tasks": "items"}
    argument_fits: Mapping[str, Fit] = {}

    async def prepare(self, arguments: Mapping[str, Any], context: ToolContext) -> Prepared:
        """As `Tool.prepare`."""
        items = arguments["items"]
        if len(items) > MAX_ITEMS:
            raise ToolError(f"the plan has {len(items)} items; at most {MAX_ITEMS} can be followed")
        done = sum(item["status"] == "completed" for item in items)
        content = "\n".join(f"{MARKS[item['status']]} {item['step']}" for item in items) or "[the plan is empty]"

        async def perform() -> ToolResult:
            return ToolResult(True, content)

        return Prepared(f"{done} of {len(items)} done", NoAccess(), perform)
