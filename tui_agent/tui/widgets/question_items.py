"""What a question says around the thing that is asked about: facts, reasons, and what is known about its rules."""

from collections.abc import Callable, Sequence

from tui_agent.permissions.approval import ApprovalRequest, CommandAccess, ForeignAccess, ReadAccess, WriteAccess
from tui_agent.permissions.proposals import Proposal
from tui_agent.tui.fatigue import TIRING, similar
from tui_agent.tui.theming import Symbols
from tui_agent.tui.widgets.command_items import command_items
from tui_agent.tui.widgets.diff_cells import Item, Note
from tui_agent.tui.widgets.diff_items import Laid, counts_text, json_items, text_items
from tui_agent.tui.widgets.diff_text import one_line
from tui_agent.workspace.diff import FileDiff

KeyOf = Callable[[str], str]
"""The key of an action as people read it; "" when the question has none for it."""


def wants(request: ApprovalRequest, diffs: Sequence[FileDiff], symbols: Symbols) -> tuple[str, str, str]:
    """What is wanted, of which file, and how many lines of it."""
    access = request.access
    title = one_line(request.title)
    if isinstance(access, CommandAccess):
        return "wants to run a command", "", ""
    if isinstance(access, ForeignAccess):
        return "wants to run", "", ""
    if isinstance(access, ReadAccess):
        return "wants to read", title, ""
    if len(diffs) == 1:
        verb = "create" if diffs[0].kind == "created" else "change"
        return f"wants to {verb}", one_line(diffs[0].name), counts_text(diffs[0], symbols)
    return (f"wants to write {len(diffs)} files", "", "") if diffs else ("asks for", title, "")


def content(request: ApprovalRequest, symbols: Symbols, width: int, tail: Sequence[Item]) -> Laid:
    """What is asked about, when it is no change of files, and `tail` below it."""
    access = request.access
    if isinstance(access, CommandAccess):
        return text_items(access.command, symbols, width=width, tail=tail)
    if isinstance(access, ForeignAccess):
        return json_items(access.arguments, symbols, width=width, tail=tail)
    if isinstance(access, ReadAccess):
        return text_items("\n".join(access.paths), symbols, width=width, tail=tail)
    return Laid([[Note(request.title, "text"), *tail]])


def facts(request: ApprovalRequest, diffs: Sequence[FileDiff], symbols: Symbols, key_of: KeyOf) -> list[Item]:
    """What is known about it besides the content, and why it asks."""
    access = request.access
    items: list[Item] = []
    if isinstance(access, CommandAccess):
        items += command_items(access, request, symbols, key_of("allow_reading"))
    elif isinstance(access, ForeignAccess):
        items.append(Note("what this tool does cannot be seen from here"))
    elif isinstance(access, WriteAccess):
        for change, diff in zip(access.plan.changes, diffs, strict=True):
            counts = f"  {counts_text(diff, symbols)}" if len(diffs) > 1 else ""
            items.append(Note(f"writes {change.path}{counts}"))
    if request.repairs:
        repairs = "; ".join(map(one_line, request.repairs)).replace("→", symbols.arrow)
        items.append(Note(f"repaired: {repairs}", "faint"))
    if not isinstance(access, CommandAccess):
        items += (Note(f"ask because: {reason}") for reason in request.reasons)
    return items


def about_rules(
    request: ApprovalRequest, offers: Sequence[Proposal], earlier: Sequence[ApprovalRequest], key: str
) -> list[Item]:
    """That the like of it was asked often, or why no rule can cover it; `key` opens the line for rules."""
    saving = similar(request, earlier) if key else None
    if saving is not None and saving.asked >= TIRING:
        said = f"asked {saving.asked} times; {key} {one_line(saving.rule)} would have saved {saving.saved}"
        return [Note(said, "muted")]
    impossible = next((offer.reason for offer in offers if not offer.possible), "")
    told = any(impossible in reason for reason in request.reasons)
    return [Note(f"no rule can cover it: {impossible}", "faint")] if impossible and not told else []


def grants(request: ApprovalRequest, always: str | None) -> list[Item]:
    """What the keys for the session and for rules cover, for when the key line has no room to say it."""
    said = [f"for this session: {request.session_grant}"] if request.session_grant else []
    return [Note(text, "faint") for text in (*said, *([f"always: {one_line(always)}"] if always else []))]
