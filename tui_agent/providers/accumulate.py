"""Put the pieces of streamed tool calls together, whatever a server does with indexes, ids and names.

Rules from what real servers send (PROTOCOLS §2.1, B1–B9, P13, P14, P17): a call is found by (index, id), then by
index, then by id, then it is the last one; a new id with a name opens a new call, a new id without a name goes on with
the open one; ids and names are never appended to themselves; nothing that arrives twice makes a call run twice.
"""

import json
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from tui_agent.conversation.events import CallGrowing
from tui_agent.conversation.messages import ToolCall
from tui_agent.providers.surrogates import mend


def new_call_id() -> str:
    """An id for a call that came without one."""
    return f"call_{uuid.uuid4().hex[:16]}"


@dataclass(slots=True)
class _Open:
    """A call that is being written."""

    index: int | None
    id: str
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    characters: int = 0

    def written(self) -> str:
        """The arguments so far; joined lazily, because they can be megabytes in thousands of pieces."""
        if len(self.pieces) > 1:
            self.pieces = ["".join(self.pieces)]
        return self.pieces[0] if self.pieces else ""

    def is_whole(self) -> bool:
        """The arguments are a complete JSON object, which nothing can follow."""
        return bool(self.pieces) and self.pieces[-1].rstrip().endswith("}") and _is_object(self.written())


class CallAccumulator:
    """Feed it the `tool_calls` lists of the deltas in order, then ask for the calls.

    `taken` are ids that the conversation has used already: a server that numbers its calls from zero in every reply
    gets other ids for them.
    """

    def __init__(self, taken: Collection[str] = (), make_id: Callable[[], str] = new_call_id) -> None:
        self._open: list[_Open] = []
        self._taken = taken
        self._make_id = make_id

    def __bool__(self) -> bool:
        return bool(self._open)

    def feed(self, deltas: Any) -> list[CallGrowing]:
        """Take one delta's `tool_calls` (any JSON value) and tell which calls grew."""
        if isinstance(deltas, Mapping):
            deltas = [deltas]
        if not isinstance(deltas, list):
            return []
        grown: dict[int, CallGrowing] = {}
        for delta in deltas:
            if isinstance(delta, Mapping):
                place = self._take(delta)
                if place is not None:
                    call = self._open[place]
                    grown[place] = CallGrowing(place, mend(call.name), call.characters)
        return list(grown.values())

    def calls(self) -> tuple[ToolCall, ...]:
        """The calls in the order in which they were opened, each with an id of its own."""
        used = set(self._taken)
        calls = []
        for call in self._open:
            if not call.name and not call.pieces:
                continue
            call_id = mend(call.id)
            while not call_id or call_id in used:
                call_id = self._make_id()
            used.add(call_id)
            calls.append(ToolCall(call_id, mend(call.name), mend(call.written())))
        return tuple(calls)

    def _take(self, delta: Mapping[str, Any]) -> int | None:
        function = delta.get("function")
        if not isinstance(function, Mapping):
            function = delta if "name" in delta or "arguments" in delta else {}
        name = function.get("name")
        name = name if isinstance(name, str) else ""
        arguments = _as_text(function.get("arguments"))
        index = delta.get("index")
        index = index if isinstance(index, int) and not isinstance(index, bool) else None
        given = delta.get("id")
        call_id = str(given) if isinstance(given, str | int) and not isinstance(given, bool) else ""
        if not (name or arguments or call_id):
            return None

        place = self._find(index, call_id, name)
        if place is not None and name and self._open[place].pieces:
            call = self._open[place]
            if call.name not in ("", name):
                place = None
            elif arguments and call.is_whole():
                if arguments == call.written():
                    return place
                if not call_id or call_id != call.id:
                    place = None
        if place is None:
            self._open.append(_Open(index, call_id))
            place = len(self._open) - 1
        call = self._open[place]
        call.id = call.id or call_id
        call.index = index if call.index is None else call.index
        if name and not call.pieces and name != call.name:
            call.name += name
        elif name and not call.name:
            call.name = name
        if arguments and not (isinstance(function.get("arguments"), Mapping) and call.written() == arguments):
            call.pieces.append(arguments)
            call.characters += len(arguments)
        return place

    def _find(self, index: int | None, call_id: str, name: str) -> int | None:
        """The open call that a delta belongs to, or None for a new one."""
        latest = range(len(self._open) - 1, -1, -1)
        if call_id:
            for place in latest:
                call = self._open[place]
                if call.id == call_id and (index is None or call.index is None or call.index == index):
                    return place
        if index is not None:
            candidate = next((place for place in latest if self._open[place].index == index), None)
        else:
            candidate = next(iter(latest), None)
        if candidate is None or not call_id or not name:
            return candidate
        # A new id and a name: another call, unless the open one is still waiting for its id.
        call = self._open[candidate]
        return candidate if not call.id and not call.pieces and call.name in ("", name) else None


def _as_text(arguments: Any) -> str:
    if isinstance(arguments, str):
        return arguments
    if arguments is None:
        return ""
    return json.dumps(arguments, ensure_ascii=False)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
