"""What was typed and not sent when the program ends: it goes into the history of the prompt."""

import asyncio
from collections.abc import Iterable

from tui_agent.tui.history import LARGEST, PromptHistory


async def keep(texts: Iterable[str], past: PromptHistory) -> str:
    """Put into the history what is not in it, so that the last of `texts` is the newest; says what came of all."""
    waiting = [text for text in texts if text.strip()]
    for text in waiting:
        if text not in past.entries:
            past.add(text)
    await asyncio.to_thread(past.save)
    lost = sum(len(text) > LARGEST for text in waiting)
    kept = len(waiting) - lost
    said = []
    if kept:
        them = "it" if kept == 1 else "them"
        said.append(f"{_prompts(kept)} not sent; the up key brings {them} back")
    if lost:
        said.append(f"{_prompts(lost)} not sent and {'is' if lost == 1 else 'are'} too long to be kept")
    return "\n".join(said)


def _prompts(count: int) -> str:
    return f"{count} {'prompt was' if count == 1 else 'prompts were'}"
