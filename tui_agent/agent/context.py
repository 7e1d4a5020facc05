"""From the log to what the model is sent: a pure projection."""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from tui_agent.agent.prompt import PLAN_OVER, plan_words
from tui_agent.agent.shortening import Past, cut_result, in_place_of
from tui_agent.conversation.events import (
    AssistantReplied,
    Compacted,
    DecisionMade,
    FilesRestored,
    LoggedEvent,
    Mode,
    ModeChanged,
    Nudged,
    PromptSubmitted,
    ResultsTrimmed,
    Rewound,
    SessionStarted,
    ToolFinished,
    TurnEnded,
)
from tui_agent.conversation.messages import Message, ToolCall, ToolSpec
from tui_agent.providers.protocol import ChatRequest
from tui_agent.text.tokens import estimate
from tui_agent.tools.schema import MAX_CHARACTERS

CUT_REPLY = "[this reply was cut off here]"
NOT_RUN = "not run: the turn was interrupted"
MOST_NAMED = 20
"""Files that are named to a model when they were put back."""
CUT_RUN = "interrupted while it ran; it may have been done in part"

PartName = Literal["system", "tools", "summary", "files", "results", "conversation"]
"""What a request is made of: `files` are what files were read, `results` what all other tools said."""

FILE_TOOL = "read_file"

TITLE = 60
"""Characters of a prompt or an answer that stand for it."""

_TITLES: dict[type, str] = {Nudged: "told to go on", FilesRestored: "files put back", Compacted: "summary"}


Placed = tuple[int, LoggedEvent]
"""An event with the number of its record."""


class Item(NamedTuple):
    """One message, before the user's that follow each other are joined.

    `seq` is the record it comes from, of a result without one that of its call.
    """

    message: Message
    seq: int
    part: PartName
    event: LoggedEvent | None = None

    @property
    def title(self) -> str:
        """What it is, for people."""
        match self.event:
            case ToolFinished() as done:
                return f"{done.tool} {done.title}".strip()
            case PromptSubmitted() as prompt:
                return f"prompt: {' '.join(prompt.text[:TITLE].split())}"
            case AssistantReplied(text=text) as reply if text.strip() or not reply.tool_calls:
                return f"answer: {' '.join(text[:TITLE].split())}"
            case AssistantReplied() as reply:
                return f"call of {', '.join(dict.fromkeys(call.name for call in reply.tool_calls))}"
            case _:
                return self.message.tool_name or _TITLES.get(type(self.event), self.part)


def messages(events: Iterable[LoggedEvent], system: str, *, small: bool = False) -> tuple[Message, ...]:
    """The conversation as messages.

    What was rewound is not in it. Every tool call gets exactly one result, right behind its reply and in the order of
    the calls, whatever happened to it; prompts that follow each other become one user message; a cut reply is marked as
    such. What was compacted is there as its summary, and results that were trimmed are cut.
    """
    return joined([Message("system", system)], items(events, small=small))


def joined(beginning: Iterable[Message], rest: Iterable[Item]) -> tuple[Message, ...]:
    """The messages of the items behind a beginning, what the user says in a row as one."""
    sent = [*beginning]
    behind = len(sent)
    for item in rest:
        if item.message.role == "user" and len(sent) > behind and sent[-1].role == "user":
            sent[-1] = Message("user", f"{sent[-1].content}\n\n{item.message.content}")
        else:
            sent.append(item.message)
    return tuple(sent)


def items(events: Iterable[LoggedEvent], *, small: bool = False) -> list[Item]:
    """The conversation as items, oldest first; see `messages`."""
    known = living(events)
    return Projection(small=small).followed(known, summary_among(known))


def living(events: Iterable[LoggedEvent]) -> list[Placed]:
    """The events of a whole log, with their numbers, without those that were rewound.

    What was done to files goes on to hold, and so do summaries and cuts of what is all before the place that was gone
    back to: without them the window would be full again.
    """
    kept: list[Placed] = []
    for seq, event in enumerate(events, start=1):
        if isinstance(event, Rewound):
            kept = without_rewound(kept, event)
        kept.append((seq, event))
    return kept


def without_rewound(known: Sequence[Placed], rewound: Rewound) -> list[Placed]:
    """Of these events those that still hold after going back."""
    back = rewound.before_seq
    return [one for one in known if one[0] < back or _only_before(one[1], back)]


def summary_among(known: Sequence[Placed]) -> Compacted | None:
    """The summary in force, the last one of these events."""
    return next((event for _, event in reversed(known) if isinstance(event, Compacted)), None)


def _only_before(event: LoggedEvent, seq: int) -> bool:
    return isinstance(event, Compacted | ResultsTrimmed) and event.before_seq <= seq


class Projection:
    """Takes the events in order: first what a summary stands for, then what is sent."""

    def __init__(self, *, small: bool) -> None:
        self._small = small
        self._past = Past()
        self._asked: list[Item] = []
        self._mode: Mode = "ask"
        self._planning = False
        self._trims: list[ResultsTrimmed] = []
        self._items: list[Item] = []
        self._open: dict[str, ToolCall] = {}
        self._open_seq = 0
        self._results: dict[str, tuple[int, ToolFinished]] = {}
        self._begun: set[str] = set()

    def followed(self, known: Sequence[Placed], summary: Compacted | None) -> list[Item]:
        """The items when these events follow what a summary stood for so far, and this one is in force now."""
        begins = summary.before_seq if summary is not None else 0
        projection = self._copy()
        projection._trims = [event for _, event in known if isinstance(event, ResultsTrimmed)]
        for seq, event in known:
            if seq < begins:
                projection.leave_out(seq, event)
            else:
                projection._take(seq, event)
        projection._close_calls()
        if summary is None:
            return projection._items
        place = next(seq for seq, event in reversed(known) if event is summary)
        beginning = Item(Message("user", in_place_of(projection._past, summary)), place, "summary", summary)
        return [beginning, *projection._asked, *projection._items]

    def _copy(self) -> "Projection":
        copy = Projection(small=self._small)
        past = self._past
        copy._past = Past([*past.prompts], past.quoted, {**past.changed})
        copy._asked, copy._mode, copy._planning = [*self._asked], self._mode, self._planning
        return copy

    def leave_out(self, seq: int, event: LoggedEvent) -> None:
        """Take the next event of what is not sent any more."""
        match event:
            case SessionStarted() | ModeChanged():
                self._mode = event.mode
            case PromptSubmitted():
                # The prompts of a turn that still went on there are sent as they were: it is about them.
                self._asked.append(self._prompt(seq, event))
                self._past.prompts.append(event.text)
            case TurnEnded():
                self._asked.clear()
                self._past.quoted = len(self._past.prompts)
            case ToolFinished() | FilesRestored():
                self._past.changed |= dict.fromkeys(file.path for file in event.files)
            case _:
                pass

    def _take(self, seq: int, event: LoggedEvent) -> None:
        match event:
            case SessionStarted() | ModeChanged():
                self._mode = event.mode
            case PromptSubmitted():
                self._add(self._prompt(seq, event))
            case FilesRestored() if event.count:
                self._add(_said(seq, restored_note(event), event))
            case ToolFinished():
                if event.call_id in self._open:
                    self._results.setdefault(event.call_id, (seq, event))
            case DecisionMade(outcome="allowed"):
                self._begun.add(event.call_id)
            case Nudged():
                self._add(_said(seq, event.text, event))
            case AssistantReplied():
                self._close_calls()
                if (reply := _reply(event)) is not None:
                    self._items.append(Item(reply, seq, "conversation", event))
                    self._open = {call.id: call for call in reply.tool_calls}
                    self._open_seq = seq
            case _:
                pass

    def _prompt(self, seq: int, event: PromptSubmitted) -> Item:
        text = event.text + (_named(event.files) if self._small else "")
        planning, self._planning = self._planning, self._mode == "plan"
        if self._planning:
            text += plan_words(small=self._small)
        elif planning:
            text += PLAN_OVER
        return _said(seq, text, event)

    def _add(self, item: Item) -> None:
        self._close_calls()
        self._items.append(item)

    def _close_calls(self) -> None:
        for call in self._open.values():
            seq, done = self._results.get(call.id, (self._open_seq, None))
            content = self._cut(seq, done.content) if done else CUT_RUN if call.id in self._begun else NOT_RUN
            result = Message("tool", content, tool_call_id=call.id, tool_name=call.name)
            part: PartName = "files" if (done.tool if done else call.name) == FILE_TOOL else "results"
            self._items.append(Item(result, seq, part, done))
        self._open = {}
        self._results = {}
        self._begun = set()

    def _cut(self, seq: int, content: str) -> str:
        limit = min((trim.limit for trim in self._trims if seq < trim.before_seq), default=None)
        return content if limit is None else cut_result(content, limit)


def restored_note(event: FilesRestored) -> str:
    """What a model is told of files that were put back."""
    done = "put back again what they had undone" if event.kind == "redo" else "undid what was changed"
    names = [file.path for file in event.files[:MOST_NAMED]]
    more = f" and {event.count - len(names):,} more" if event.count > len(names) else ""
    return f"[The user {done} in {', '.join(names)}{more}. Read these files again before you change them.]"


def _named(files: Sequence[str]) -> str:
    """A word to a small model about the files that a prompt names: it tells what is in the project from what is not."""
    return "".join(f" [{name}: not read yet]" for name in files)


def _said(seq: int, text: str, event: LoggedEvent) -> Item:
    return Item(Message("user", text), seq, "conversation", event)


def _reply(event: AssistantReplied) -> Message | None:
    if event.finish == "incomplete":
        return Message("assistant", f"{event.text}\n{CUT_REPLY}") if event.text.strip() else None
    if not event.text.strip() and not event.tool_calls:
        return None
    calls = tuple(ToolCall(call.id, call.name, _valid(call.arguments)) for call in event.tool_calls)
    return Message("assistant", event.text, tool_calls=calls)


@lru_cache(maxsize=256)
def _valid(arguments: str) -> str:
    """The arguments as a JSON object; servers answer 400 to a history with anything else in it.

    What was too long to be used is left out: no model's window would hold it, and the session could not go on.
    """
    if len(arguments) > MAX_CHARACTERS:
        return json.dumps({"omitted": f"{len(arguments):,} characters"})
    try:
        if isinstance(json.loads(arguments), dict):
            return arguments
    except (ValueError, RecursionError):
        pass
    return "{}"


def request_size(request: ChatRequest) -> int:
    """About how many tokens a request has, by our own count."""
    return sum(map(message_size, request.messages)) + sum(map(tool_size, request.tools))


def message_size(message: Message) -> int:
    """About how many tokens a message has."""
    return _size(message.content) + sum(_size(call.name) + _size(call.arguments) for call in message.tool_calls)


def tool_size(tool: ToolSpec) -> int:
    """About how many tokens the description of a tool has."""
    return _size(f"{tool.name} {tool.description} {tool.parameters}")


_SIZES: dict[tuple[int, int], int] = {}
"""Of every request nearly all was in the one before. The texts themselves are not kept: some have megabytes."""
_MOST_SIZES = 32_768
"""A session of 10,000 events has about 13,000 texts."""


def _size(text: str) -> int:
    known = (len(text), hash(text))
    if (size := _SIZES.get(known)) is None:
        if len(_SIZES) >= _MOST_SIZES:
            _SIZES.clear()
        size = _SIZES[known] = estimate(text)
    return size
