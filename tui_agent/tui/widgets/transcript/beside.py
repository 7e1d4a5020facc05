"""What was asked beside the conversation, as a block."""

from tui_agent.conversation.events import AsideAnswered
from tui_agent.tui.widgets.transcript.document import ToolBlock

TITLE = "beside the conversation"


def aside_block(event: AsideAnswered) -> ToolBlock:
    """The question in the row, the answer folded under it, with all of a question that is longer than a line."""
    question, answer = event.question.strip(), event.answer.strip()
    first, _, more = question.partition("\n")
    return ToolBlock(
        name=TITLE,
        title=first,
        note=" · ".join(filter(None, (event.provider, event.model))),
        status="cancelled" if event.finish == "incomplete" else "ok",
        content=f"{question}\n\n{answer}" if more else answer,
        seconds=event.seconds,
    )
