"""A session as it happened, event by event, with the time between them."""

import re
from collections.abc import Iterator, Sequence

from tui_agent.conversation.events import AssistantReplied, Event, Record, TextDelta

LONGEST_PAUSE = 2.0
"""Seconds that one event or answer takes at most, at any speed."""
_STEPS_PER_SECOND = 20
_WORDS = re.compile(r"\S+\s*|\s+")


def scenes(records: Sequence[Record], speed: float) -> Iterator[tuple[float, Event]]:
    """Each event and the seconds to wait before it, `speed` times as fast as it was; answers come word by word."""
    before = records[0].time if records else 0.0
    for record in records:
        pause = min(max(0.0, record.time - before) / speed, LONGEST_PAUSE)
        before = record.time
        if isinstance(record.event, AssistantReplied) and record.event.text:
            words = _WORDS.findall(record.event.text)
            took = min(max(record.event.seconds, 0.2) / speed, LONGEST_PAUSE)
            size = max(1, -(-len(words) // max(1, round(took * _STEPS_PER_SECOND))))
            steps = -(-len(words) // size)
            for start in range(0, len(words), size):
                yield took / steps, TextDelta("".join(words[start : start + size]))
            pause = 0.0
        yield pause, record.event
