"""After a program was killed: what its unfinished calls may have left beside the files that they were to write."""

from collections.abc import Iterable
from contextlib import suppress

from tui_agent.conversation.errors import TuiAgentError
from tui_agent.conversation.events import AssistantReplied, DecisionMade, Record, ToolFinished
from tui_agent.conversation.messages import ToolCall
from tui_agent.tools.builtin.files import FILE_ALIASES
from tui_agent.tools.schema import parse_arguments
from tui_agent.workspace.paths import Workspace
from tui_agent.workspace.putting import remove_leftovers


def unfinished(records: Iterable[Record]) -> list[ToolCall]:
    """The calls that were allowed and have no result."""
    calls: dict[str, ToolCall] = {}
    begun: set[str] = set()
    for record in records:
        match record.event:
            case AssistantReplied() as event:
                calls.update((call.id, call) for call in event.tool_calls)
            case DecisionMade(outcome="allowed") as event:
                begun.add(event.call_id)
            case ToolFinished() as event:
                begun.discard(event.call_id)
    return [calls[call] for call in begun if call in calls]


def tidy(records: Iterable[Record], workspace: Workspace) -> None:
    """Remove temporary files of the unfinished calls; blocks for as long as it takes to list a few folders."""
    for call in unfinished(records):
        with suppress(OSError, TuiAgentError):
            arguments = parse_arguments(call.arguments).arguments
            for name in ("file_path", *FILE_ALIASES):
                if isinstance(path := arguments.get(name), str):
                    remove_leftovers(workspace.resolve(path, for_write=True))
