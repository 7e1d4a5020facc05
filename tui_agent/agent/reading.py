"""Reads the conversation from a log that grows, without reading all of it before each request."""

from collections.abc import Sequence
from threading import Lock

from tui_agent.agent.context import Item, Placed, Projection, living, summary_among, without_rewound
from tui_agent.conversation.events import Compacted, LoggedEvent, Record, Rewound


class Conversation:
    """What a summary stands for is read once; what is sent anew each time. Safe to use in several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._restart([], small=False)

    def items(self, records: Sequence[Record], *further: LoggedEvent, small: bool) -> list[Item]:
        """The items of a whole log, as if these summaries and cuts were logged already; see `context.items`."""
        with self._lock:
            self._follow(records, small=small)
            known = [*self._known, *enumerate(further, start=self._place + 1)]
            return self._past.followed(known, summary_among(known))

    def summary(self, records: Sequence[Record]) -> Compacted | None:
        """The summary that is sent in place of the beginning of a whole log."""
        with self._lock:
            self._follow(records, small=self._small)
            return self._summary

    def _restart(self, records: Sequence[Record], *, small: bool) -> None:
        self._small = small
        self._past = Projection(small=small)
        self._begins = 0
        self._summary: Compacted | None = None
        self._place = len(records)
        self._last = records[-1].event if records else None
        self._known: list[Placed] = living(record.event for record in records)
        self._leave_out()

    def _follow(self, records: Sequence[Record], *, small: bool) -> None:
        place = self._place
        same = len(records) >= place and (not place or records[place - 1].event is self._last)
        if not same or small != self._small:
            self._restart(records, small=small)
            return
        for seq in range(place + 1, len(records) + 1):
            event = records[seq - 1].event
            begins = self._summary.before_seq if self._summary is not None else 0
            if isinstance(event, Compacted | Rewound) and event.before_seq < begins:
                self._restart(records, small=small)  # what was put aside counts again
                return
            if isinstance(event, Rewound):
                self._known = without_rewound(self._known, event)
            self._known.append((seq, event))
            self._place, self._last = seq, event
            if isinstance(event, Compacted | Rewound):
                self._leave_out()

    def _leave_out(self) -> None:
        """Put aside what the summary in force stands for."""
        self._summary = summary_among(self._known)
        if self._summary is None or self._summary.before_seq <= self._begins:
            return
        begins = self._summary.before_seq
        count = next(at for at, (seq, event) in enumerate(self._known) if seq >= begins or event is self._summary)
        for seq, event in self._known[:count]:
            self._past.leave_out(seq, event)
        del self._known[:count]
        self._begins = self._known[0][0]
