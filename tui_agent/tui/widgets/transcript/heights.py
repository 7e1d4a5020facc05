"""How many rows blocks take, about, without laying them out: a few microseconds each, whatever is in them."""

from tui_agent.tui.widgets.transcript.document import (
    AgentBlock,
    Block,
    NoticeBlock,
    ThoughtBlock,
    ToolBlock,
    UserBlock,
    WelcomeBlock,
)
from tui_agent.tui.widgets.transcript.tool_rows import estimated_rows

# What a row that ends between words leaves free, about.
_RAGGED = 3


def estimated_height(block: Block, width: int) -> int:
    """About how many rows a block takes at a width."""
    match block:
        case AgentBlock() if block.streaming:
            # It is in view or soon will be; to look at all of a growing text again and again would cost its square.
            return max(1, block.text.newlines + block.text.length // width)
        case AgentBlock():
            return _markdown_rows(str(block.text), width)
        case UserBlock():
            return _wrapped_rows(block.text, width)
        case ThoughtBlock() if not block.folded:
            return 1 + _wrapped_rows(str(block.text).strip("\n"), width)
        case ToolBlock():
            return estimated_rows(block, width)
        case NoticeBlock():
            return _wrapped_rows(block.text, width) + (_wrapped_rows(block.hint, width - 2) if block.hint else 0)
        case WelcomeBlock():
            return len(block.lines)
    return 1


def _wrapped_rows(text: str, width: int) -> int:
    """Rows of text wrapped at words; a blank line is a row."""
    lengths = list(map(len, text.split("\n")))
    room = max(1, width - min(_RAGGED, width // 4))
    return len(lengths) + sum((length - 1) // room for length in lengths if length > width)


def _markdown_rows(text: str, width: int) -> int:
    """As `_wrapped_rows`; blank lines beside each other are one row, and the end of code has none."""
    text = text.strip("\n")
    blank = text.count("\n\n\n")
    ends = (text.count("\n```") + text.startswith("```") + text.count("\n~~~")) // 2
    return max(1, _wrapped_rows(text, width) - blank - ends)
