"""Conversation events become blocks, live as they happen or later from the log alone, with the same picture."""

from collections.abc import Callable, Iterable

from tui_agent.conversation.events import (
    AsideAnswered,
    AssistantReplied,
    CallGrowing,
    CallStarted,
    Compacted,
    DecisionMade,
    Event,
    FilesRestored,
    LoggedEvent,
    ModelSwitched,
    Noticed,
    Nudged,
    PromptSubmitted,
    ReasoningDelta,
    Record,
    RequestStarted,
    ResultsTrimmed,
    Retrying,
    Rewound,
    TextDelta,
    ToolFinished,
    ToolOutput,
    TurnEnded,
)
from tui_agent.conversation.messages import ToolCall
from tui_agent.tui.widgets.transcript.beside import aside_block
from tui_agent.tui.widgets.transcript.changes import compacted_block, restored_block, rewound_notice, turn_block
from tui_agent.tui.widgets.transcript.document import (
    UNFINISHED,
    AgentBlock,
    Block,
    Document,
    NoticeBlock,
    SwitchBlock,
    ThoughtBlock,
    ToolBlock,
    UserBlock,
)

RETRY = "/retry sends the prompt again, /retry PROVIDER to another model"
# Causes of a turn's end that may be gone the next time, or with another server; without one the reply broke off.
_ONCE_MORE = frozenset({"", "unreachable", "timeout", "limited", "server", "protocol"})
_APPROVED = {"user": "approved", "session": "allowed for this session", "policy": ""}
# The argument that says best what a call is about, when the engine did not say it.
_TELLING = ("file_path", "path", "command", "pattern", "query", "url", "name")


def blocks_of(
    records: Iterable[Record],
    thoughts_folded: bool = True,
    changes_key: Callable[[], str] = str,
    currency: Callable[[], str] = lambda: "$",
) -> list[Block]:
    """The blocks of logged turns that are over; a log may be cut into such parts wherever a turn ends."""
    document = Document()
    projector = Projector(document, thoughts_folded, changes_key, currency)
    for record in records:
        projector.apply(record.event)
    projector.close()
    return document.blocks


class Projector:
    """Feeds one document.

    Logged events are whole and win over what was streamed before them; transient events only show progress.
    `RequestStarted`, `Retrying`, `ModeChanged` and `SessionStarted` draw nothing here: the status line shows them.
    """

    def __init__(
        self,
        document: Document,
        thoughts_folded: bool = True,
        changes_key: Callable[[], str] = str,
        currency: Callable[[], str] = lambda: "$",
    ) -> None:
        """`changes_key` tells the key that shows the changes of a turn, `currency` what its cost is in."""
        self.document = document
        self.thoughts_folded = thoughts_folded
        self._changes_key = changes_key
        self._currency = currency
        self._answer: AgentBlock | None = None
        self._thought: ThoughtBlock | None = None
        self._blank = ""  # white space that came before the first word of the answer
        self._cut: AgentBlock | None = None  # the answer that ended early, until it is known why
        self._notice: NoticeBlock | None = None  # the last one of the turn
        self._trimmed: tuple[ResultsTrimmed, NoticeBlock] | None = None  # the last time, and its line
        self._writing: dict[int, ToolBlock] = {}
        self._calls: dict[str, ToolBlock] = {}
        self._requests: list[LoggedEvent] = []  # of the turn that is shown, as far as they were answered
        self._in_turn = False

    def apply(self, event: Event) -> None:
        """Show what happened."""
        match event:
            case TextDelta():
                self._text(event.text)
            case ReasoningDelta():
                self._reasoning(event.text)
            case CallGrowing():
                self._growing(event)
            case CallStarted():
                self._started(event.call, event.title)
            case ToolOutput():
                self._output(event)
            case PromptSubmitted():
                if not self._in_turn:
                    self._requests, self._in_turn, self._notice = [], True, None
                self._end_reply()
                self.document.add(UserBlock(text=event.text))
            case AssistantReplied():
                self._replied(event)
            case DecisionMade():
                self._decided(event)
            case ToolFinished():
                self._finished(event)
            case ModelSwitched():
                self.document.add(SwitchBlock(provider=event.provider, model=event.model))
            case Nudged():
                self.apply(event.notice)
            case ResultsTrimmed():
                self._results_trimmed(event)
            case Compacted():
                self._requests.append(event)
                self.document.add(compacted_block(event))
            case Noticed():
                self._notice = self.document.add(NoticeBlock(level=event.level, text=event.text, hint=event.hint))
            case TurnEnded():
                self._turn_ended()
                if event.reason == "error" and event.cause in _ONCE_MORE:
                    self._name_retry()
                if event.reason in ("interrupted", "denied"):
                    self._stopped()
                self._cut = None
                if row := turn_block(event, self._requests, self._changes_key(), self._currency()):
                    self.document.add(row)
                self._requests, self._in_turn = [], False
            case FilesRestored():
                self.document.add(restored_block(event))
            case AsideAnswered():
                # What is still being written is logged after it.
                self.document.add(aside_block(event), before=self._thought or self._answer or self._first_writing())
            case Rewound():
                self.apply(rewound_notice(event))
            case RequestStarted() | Retrying():
                self._end_reply()
            case _:
                pass

    def close(self) -> None:
        """The log ends here: what had no end was interrupted."""
        self._turn_ended()

    # ---- the reply that is being streamed ----

    def _results_trimmed(self, event: ResultsTrimmed) -> None:
        """Several times with nothing in between are one line."""
        if self._trimmed is not None and self.document.blocks[-1:] == [self._trimmed[1]]:
            before, block = self._trimmed
            results, saved = max(before.results, event.results), before.saved + event.saved
            event = ResultsTrimmed(event.before_seq, event.limit, results, saved)
            block.text = event.notice.text
            self.document.touch(block)
        else:
            notice = event.notice
            block = self.document.add(NoticeBlock(level=notice.level, text=notice.text, hint=notice.hint))
            self._notice = block
        self._trimmed = event, block

    def _text(self, text: str) -> None:
        if self._answer is None:
            self._blank += text
            if not self._blank.strip():
                return
            text, self._blank = self._blank, ""
            self._answer = AgentBlock(streaming=True)
            self._answer.text.append(text)
            self.document.add(self._answer, before=self._first_writing())
            self._still_thinking(False)
            return
        self.document.append_text(self._answer, text)

    def _reasoning(self, text: str) -> None:
        if self._thought is None:
            if not text.strip():
                return
            self._thought = ThoughtBlock(streaming=True, started=self.document.clock(), folded=self.thoughts_folded)
            self._thought.text.append(text)
            self.document.add(self._thought, before=self._answer or self._first_writing())
            return
        self.document.append_text(self._thought, text)

    def _still_thinking(self, streaming: bool) -> None:
        thought = self._thought
        if thought is not None and thought.streaming != streaming:
            thought.streaming = streaming
            if thought.started is not None and not streaming:
                thought.seconds = self.document.clock() - thought.started
            self.document.touch(thought)

    def _growing(self, event: CallGrowing) -> None:
        self._still_thinking(False)
        block = self._writing.get(event.index)
        if block is None:
            block = ToolBlock(name=event.name, written=event.characters)
            self._writing[event.index] = self.document.add(block)
            return
        block.name = event.name or block.name
        block.written = event.characters
        self.document.touch(block)

    def _first_writing(self) -> ToolBlock | None:
        return next(iter(self._writing.values()), None)

    def _replied(self, event: AssistantReplied) -> None:
        """The whole reply: it replaces what was streamed where they differ."""
        self._requests.append(event)
        if event.reasoning.strip():
            if self._thought is None:
                before = self._answer or self._first_writing()
                self._thought = self.document.add(ThoughtBlock(folded=self.thoughts_folded), before=before)
            if str(self._thought.text) != event.reasoning:
                self._thought.text.replace(event.reasoning)
            self._thought.streaming = False
            self._thought.seconds = event.reasoning_seconds
            self._thought.started = None
            self.document.touch(self._thought)
        elif self._thought is not None:
            self.document.remove(self._thought)
        self._cut = None
        if event.text.strip():
            if self._answer is None:
                self._answer = self.document.add(AgentBlock(), before=self._first_writing())
            if str(self._answer.text) != event.text:
                self._answer.text.replace(event.text)
            self._answer.streaming = False
            if event.finish == "incomplete":
                self._cut = self._answer
                self._cut.note = "the answer was cut off here"
            self.document.touch(self._answer)
        elif self._answer is not None:
            self.document.remove(self._answer)
        for call in event.tool_calls:
            self._started(call, "")
        self._answer = self._thought = None
        self._end_reply()

    def _end_reply(self) -> None:
        """What a request left unfinished goes: it is sent again, or its calls were dropped."""
        for block in self._writing.values():
            self.document.remove(block)
        self._writing.clear()
        self._blank = ""
        if self._answer is not None:
            self._answer.streaming = False
            self.document.touch(self._answer)
        self._still_thinking(False)
        self._answer = self._thought = None

    # ---- calls ----

    def _open_call(self, call_id: str) -> ToolBlock | None:
        """The call of this id that has not ended; servers use ids again in later replies."""
        block = self._calls.get(call_id)
        return block if block is not None and block.status in UNFINISHED else None

    def _started(self, call: ToolCall, title: str) -> None:
        block = self._open_call(call.id)
        if block is None:
            first = next(iter(self._writing), None)
            block = self.document.add(ToolBlock()) if first is None else self._writing.pop(first)
            block.call_id, block.name, block.status = call.id, call.name, "waiting"
            self._calls[call.id] = block
        block.title = title or block.title or _title(call.arguments)
        self.document.touch(block)

    def _output(self, event: ToolOutput) -> None:
        block = self._open_call(event.call_id)
        if block is not None:
            self._running(block)
            self.document.append_output(block, event.text)

    def _running(self, block: ToolBlock) -> None:
        if block.status != "running":
            block.status = "running"
            block.started = self.document.clock()

    def _decided(self, event: DecisionMade) -> None:
        block = self._open_call(event.call_id)
        if block is None:
            return
        if event.outcome == "allowed":
            block.note = _allowed(event)
            block.title = event.command.strip().split("\n", 1)[0][:200] or block.title
            self._running(block)
        else:
            block.status = "denied"
            block.note = event.comment or ("" if event.by == "user" else "; ".join(event.reasons))
        self.document.touch(block)

    def _finished(self, event: ToolFinished) -> None:
        block = self._calls.get(event.call_id)
        if block is None or block.status not in (*UNFINISHED, "denied"):
            block = self.document.add(ToolBlock(call_id=event.call_id))
            self._calls[event.call_id] = block
        block.name = event.tool or block.name
        block.title = event.title or block.title
        block.status = event.status
        block.content = event.content
        block.files = event.files
        block.seconds = event.seconds
        block.exit_code = event.exit_code
        block.repairs = event.repairs
        block.started = None
        block.tail = ""
        block.written = 0
        self.document.touch(block)

    def _turn_ended(self) -> None:
        self._end_reply()
        for block in self._calls.values():
            if block.status in UNFINISHED:
                block.status, block.note, block.started = "cancelled", "interrupted", None
                self.document.touch(block)
        self._calls.clear()

    def _name_retry(self) -> None:
        """Below what went wrong with the server."""
        if self._notice is not None and self._notice.level == "error":
            self._notice.hint = f"{self._notice.hint}\n{RETRY}".strip()
            self.document.touch(self._notice)

    def _stopped(self) -> None:
        """The user stopped the turn, which is all that there is to say about an answer without an end."""
        if self._cut is not None:
            self._cut.note = ""
            self.document.touch(self._cut)
        self.document.add(NoticeBlock(level="info", text="turn stopped"))


def _allowed(event: DecisionMade) -> str:
    """How it came to be allowed, and what was allowed with it."""
    more = [
        f"always: {event.rule}" if event.rule else "",
        "edited by you" if event.edited else "",
        "with network" if event.network else "",
        "commands that only read run unasked from now on" if event.reading else "",
    ]
    return ", ".join(filter(None, (_APPROVED[event.by], *more)))


def _title(arguments: str) -> str:
    """A line for a call from its arguments, malformed or not."""
    import msgspec

    try:
        values = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return ""
    if not isinstance(values, dict):
        return ""
    for key in (*_TELLING, *values):
        value = values.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip().split("\n", 1)[0][:200]
    return ""
