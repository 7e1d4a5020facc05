"""The events of a session.

Logged events are whole items: the log keeps them and everything else is derived from them. Transient events are
seen by faces while something happens and are never stored.
"""

from typing import Literal

from msgspec import Struct

from tui_agent.conversation.messages import Finish, ToolCall, Usage

Mode = Literal["plan", "ask", "accept-edits", "auto"]
Level = Literal["info", "warning", "error"]
ToolStatus = Literal["ok", "failed", "denied", "cancelled"]
TurnReason = Literal["done", "max_iterations", "interrupted", "denied", "error", "limit"]


class SessionStarted(Struct, frozen=True, tag="session_started"):
    """The first event of every log."""

    working_directory: str
    provider: str
    model: str
    mode: Mode
    version: str


class PromptSubmitted(Struct, frozen=True, tag="prompt_submitted"):
    """The user's text; it opens a turn. `files` are the files of the project that it names."""

    text: str
    files: tuple[str, ...] = ()


class AssistantReplied(Struct, frozen=True, tag="assistant_replied"):
    """One whole reply, or what had arrived of it when it was cut (`finish == "incomplete"`).

    Tool calls of an incomplete or length-cut reply are dropped before the event is made: they never ran.
    `seconds` is the time from request to last byte; `reasoning_seconds` the part spent on reasoning text. `estimate` is
    our own count of the tokens of the request, 0 when there is none, and `written` that of the reply where the server
    did not report one; `cost` what the reply cost in the currency of the
    settings, None where no price is known.
    """

    text: str
    reasoning: str
    tool_calls: tuple[ToolCall, ...]
    finish: Finish
    provider: str
    model: str
    usage: Usage
    seconds: float
    reasoning_seconds: float = 0.0
    estimate: int = 0
    cost: float | None = None
    written: int = 0


class DecisionMade(Struct, frozen=True, tag="decision_made"):
    """How a call was decided, by whom, and the hash of what was shown when a person decided.

    `network`: the command may use the network from inside its sandbox. `reading`: the user let commands that provably
    only read run unasked for the rest of the session. `edited`: what was allowed is what the user made of the proposal;
    for a command that is `command`. `rule` is a rule that the user saved with the answer. `snapshot` is the name under
    which what the call changes is kept, for undoing it; empty when nothing is.
    """

    call_id: str
    tool: str
    outcome: Literal["allowed", "denied"]
    by: Literal["user", "session", "policy"]
    reasons: tuple[str, ...] = ()
    comment: str = ""
    digest: str = ""
    network: bool = False
    reading: bool = False
    edited: bool = False
    command: str = ""
    rule: str = ""
    snapshot: str = ""


class FileDelta(Struct, frozen=True):
    """One file changed by a call; `diff` is a unified diff, bounded, for showing later."""

    path: str
    added: int
    removed: int
    diff: str
    created: bool = False


class ToolFinished(Struct, frozen=True, tag="tool_finished"):
    """The result of one call; `content` is what the model is told, `title` the short line shown beside the name.

    `repairs` says how the call as written was understood where it was not quite right: "path → file_path".
    """

    call_id: str
    tool: str
    title: str
    status: ToolStatus
    content: str
    seconds: float
    files: tuple[FileDelta, ...] = ()
    exit_code: int | None = None
    repairs: tuple[str, ...] = ()


class ModelSwitched(Struct, frozen=True, tag="model_switched"):
    """From the next request on, this provider and model answer."""

    provider: str
    model: str


class ModeChanged(Struct, frozen=True, tag="mode_changed"):
    """The approval mode from now on."""

    mode: Mode


class Noticed(Struct, frozen=True, tag="noticed"):
    """Something the user should know: what happened and, in `hint`, what to do."""

    level: Level
    text: str
    hint: str = ""


class Nudged(Struct, frozen=True, tag="nudged"):
    """The program's own word to a model that ended too soon; `reason` says why, for people."""

    text: str
    reason: str

    @property
    def notice(self) -> Noticed:
        """It as people see it."""
        return Noticed("info", f"the model was told to go on: {self.reason}")


class TurnEnded(Struct, frozen=True, tag="turn_ended"):
    """The turn is over; the session waits for the next prompt.

    `cause` names what went wrong when `reason` is "error": a `ProviderErrorKind`, or "internal". `files` is how many
    files are not as they were when it began, with lines `added` and `removed` where they could be counted. `window` is
    how many tokens the server said that it takes, when it refused the request as too long.
    """

    reason: TurnReason
    cause: str = ""
    files: int = 0
    added: int = 0
    removed: int = 0
    window: int = 0


RestoreKind = Literal["undo", "redo", "rewind"]


class FilesRestored(Struct, frozen=True, tag="files_restored"):
    """The user put files back to what they were before calls, or after them again.

    `calls` are the snapshots of those calls. `files` are the first paths (without diffs) of `count` in all; `left` the
    first of `alone` that were left as they are, and why. `snapshot` is what the restoring itself is kept under;
    `pruned` the number of calls that can no longer be undone, for want of room.
    """

    kind: RestoreKind
    calls: tuple[str, ...]
    files: tuple[FileDelta, ...]
    left: tuple[tuple[str, str], ...] = ()
    count: int = 0
    alone: int = 0
    snapshot: str = ""
    pruned: int = 0


class Rewound(Struct, frozen=True, tag="rewound"):
    """The conversation goes on from before record `before_seq`; what is between is not sent any more.

    `prompt` is the beginning of the prompt that stood there.
    """

    before_seq: int
    prompt: str = ""


class ResultsTrimmed(Struct, frozen=True, tag="results_trimmed"):
    """To save room, results of tools before record `before_seq` are sent with at most `limit` characters from now on.

    `results` is how many that makes shorter, `saved` about how many tokens it saves.
    """

    before_seq: int
    limit: int
    results: int = 0
    saved: int = 0

    @property
    def notice(self) -> Noticed:
        """It as people see it."""
        results = f"{self.results:,} older result{'' if self.results == 1 else 's'} of tools"
        saved = f" · about {self.saved:,} tokens less" if self.saved else ""
        return Noticed("info", f"trimmed {results} to {self.limit:,} characters{saved}")


CompactionTrigger = Literal["user", "full", "overflow", "edit"]
_REASONS: dict[CompactionTrigger, str] = {
    "user": ": you asked for it",
    "full": ": the window was nearly full",
    "overflow": ": the server refused the request as too long",
    "edit": "",
}


class Compacted(Struct, frozen=True, tag="compacted"):
    """From now on `summary` is sent in place of what is before record `before_seq`.

    `trigger` is why: the user asked for it, the window was nearly full, a server refused a request as too long, or the
    user edited the summary. `provider` and `model` wrote it; they are empty when no model could, and then it is a plain
    list of what happened. With the summary, the user's prompts before that record go on being sent word by word, the
    first and the last up to `quoted` characters in all. `before` and `after` are about the tokens of a request,
    `messages` how many the summary stands for, 0 where nobody counted. `window` is how many tokens the server said that
    it takes, when it refused a request; 0 when it did not say. `requests` is how many were made for it, those that gave
    no summary included; `usage` and `cost` are those of all of them.
    """

    before_seq: int
    summary: str
    trigger: CompactionTrigger
    provider: str = ""
    model: str = ""
    quoted: int = 0
    before: int = 0
    after: int = 0
    usage: Usage = Usage()
    cost: float | None = None
    messages: int = 0
    window: int = 0
    requests: int = 0

    @property
    def headline(self) -> str:
        """What it did, in a line for people: a name, a colon, and what became of what."""
        sizes = f" · about {self.before:,} → {self.after:,} tokens" if self.before else ""
        if self.trigger == "edit":
            return f"summary: edited by you{sizes}"
        what = f"{self.messages:,} message{'' if self.messages == 1 else 's'}" if self.messages else "what was before"
        return f"made room: {what} became {'a summary' if self.provider else 'a list of what was done'}{sizes}"

    @property
    def origin(self) -> str:
        """Who wrote the summary and why, in a sentence for people."""
        if self.trigger == "edit":
            return "as you left it"
        who = f"written by {self.provider} · {self.model}" if self.provider else "no model could write a summary"
        return who + _REASONS[self.trigger]


class AsideAnswered(Struct, frozen=True, tag="aside_answered"):
    """A question that was asked beside the conversation, and the answer; no later request has it."""

    question: str
    answer: str
    finish: Finish
    provider: str
    model: str
    usage: Usage = Usage()
    seconds: float = 0.0
    cost: float | None = None


class RequestStarted(Struct, frozen=True, tag="request_started"):
    """A request left for the model; `prompt_tokens` is our estimate of its size."""

    provider: str
    model: str
    iteration: int
    prompt_tokens: int


class Retrying(Struct, frozen=True, tag="retrying"):
    """The request failed before anything was shown; it is sent again after `seconds`."""

    attempt: int
    attempts: int
    seconds: float
    reason: str


class ProviderStatus(Struct, frozen=True, tag="provider_status"):
    """What a provider does before it can answer, in a few words for people: "loading qwen2.5-coder-1.5b".

    An empty text takes the last one back.
    """

    text: str


class TextDelta(Struct, frozen=True, tag="text_delta"):
    """A piece of the answer."""

    text: str


class ReasoningDelta(Struct, frozen=True, tag="reasoning_delta"):
    """A piece of the model's thinking."""

    text: str


class CallGrowing(Struct, frozen=True, tag="call_growing"):
    """A tool call is being written by the model: its name, and how many characters of arguments so far."""

    index: int
    name: str
    characters: int


class CallStarted(Struct, frozen=True, tag="call_started"):
    """A call was understood and is about to be decided and run."""

    call: ToolCall
    title: str


class ToolOutput(Struct, frozen=True, tag="tool_output"):
    """A piece of what a running tool prints."""

    call_id: str
    text: str


LoggedEvent = (
    SessionStarted
    | PromptSubmitted
    | AssistantReplied
    | DecisionMade
    | ToolFinished
    | ModelSwitched
    | ModeChanged
    | Noticed
    | Nudged
    | TurnEnded
    | FilesRestored
    | Rewound
    | ResultsTrimmed
    | Compacted
    | AsideAnswered
)
TransientEvent = (
    RequestStarted | Retrying | ProviderStatus | TextDelta | ReasoningDelta | CallGrowing | CallStarted | ToolOutput
)
Event = LoggedEvent | TransientEvent


class Record(Struct, frozen=True):
    """A logged event in its place: `seq` counts from 1, `time` is Unix seconds (for people, never for order).

    `hash` is SHA-256 over the previous record's hash, the sequence number, the time and the event's JSON.
    """

    session: str
    seq: int
    time: float
    event: LoggedEvent
    hash: str
