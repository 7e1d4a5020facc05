"""Taking back: what calls changed in files, and the conversation from a prompt on. The log only ever grows."""

import asyncio
from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from tui_agent.agent.cancellation import uninterrupted
from tui_agent.conversation.errors import StoreError, TuiAgentError
from tui_agent.conversation.events import (
    DecisionMade,
    FileDelta,
    FilesRestored,
    LoggedEvent,
    PromptSubmitted,
    Record,
    RestoreKind,
    Rewound,
    TurnEnded,
)
from tui_agent.workspace.changes import ChangePlan
from tui_agent.workspace.diff import diff_change
from tui_agent.workspace.snapshots import states
from tui_agent.workspace.snapshots.restore import Restored
from tui_agent.workspace.snapshots.snapshots import Snapshots, changed_over

Scope = Literal["turn", "call"]

MOST_LOGGED = 100
"""Files and paths left alone that the log names of one restoring."""
MOST_COUNTED = 2_000_000
"""Bytes, before and after, in which lines are counted."""
TITLE = 200


class NothingToUndo(StoreError):
    """There is nothing that could be taken back, and why."""


class Prompt(NamedTuple):
    """A prompt that the session can go back to; `time` in Unix seconds."""

    seq: int
    time: float
    text: str


class Past(NamedTuple):
    """What the log says of changes that are not undone, and of those that are.

    `prompts` are still part of the conversation. `done` are the snapshots of calls, oldest first, by their turn, and
    `since` the same by the prompts before them; both know of what was rewound without its files too.
    """

    prompts: tuple[Prompt, ...]
    done: tuple[tuple[str, ...], ...]
    since: tuple[tuple[int, tuple[str, ...]], ...]
    undone: tuple[FilesRestored, ...]


class _Calls(NamedTuple):
    """What holds of the calls since a prompt, or of a redo; `opens` where undoing stops."""

    seq: int
    opens: bool
    names: list[str]


class _Undone(NamedTuple):
    """What was undone, so many prompts into the session, and the names as they were before."""

    event: FilesRestored
    prompts: int
    before: list[tuple[str, ...]]


def past(records: Sequence[Record]) -> Past:
    """Read the log."""
    prompts: list[Prompt] = []
    calls: list[_Calls] = []
    undone: list[_Undone] = []
    asked, running = 0, False
    for record in records:
        match record.event:
            case PromptSubmitted() as event:
                prompts.append(Prompt(record.seq, record.time, event.text))
                calls.append(_Calls(record.seq, not running, []))
                asked, running = asked + 1, True
            case TurnEnded():
                running = False
            case DecisionMade(outcome="allowed", snapshot=name) if name and calls:
                if name not in calls[-1].names:
                    calls[-1].names.append(name)
            case FilesRestored(kind="redo") as event:
                taken = [one for one in undone if one.event.calls == event.calls]
                undone = [one for one in undone if one.event.calls != event.calls]
                if event.count and calls:
                    if taken and taken[-1].prompts == asked:
                        _put_back(calls, taken[-1])
                    elif event.snapshot:  # since then it is no part of its turn, but undone before that
                        calls.append(_Calls(calls[-1].seq, True, [event.snapshot]))
            case FilesRestored() as event:
                if event.count:
                    undone.append(_Undone(event, asked, [tuple(one.names) for one in calls]))
                for one in calls:
                    one.names[:] = [name for name in one.names if name not in event.calls]
            case Rewound(before_seq=seq):
                prompts = [prompt for prompt in prompts if prompt.seq < seq]
            case _:
                pass
    done: list[list[str]] = []
    for _, opens, names in calls:
        if opens:
            done.append([])
        done[-1] += names
    since = tuple((seq, tuple(names)) for seq, _, names in calls)
    return Past(tuple(prompts), tuple(map(tuple, done)), since, tuple(one.event for one in undone))


def _put_back(calls: Sequence[_Calls], undone: _Undone) -> None:
    """Let what was undone hold again in its place."""
    for one, before in zip(calls, undone.before, strict=False):
        one.names[:] = [name for name in before if name in one.names or name in undone.event.calls]


class Logging(Protocol):
    """What undoing needs of its session."""

    @property
    def records(self) -> Sequence[Record]:
        """Everything logged so far."""
        ...

    @property
    def busy(self) -> bool:
        """True while a turn runs."""
        ...

    async def record(self, event: LoggedEvent) -> list[LoggedEvent]:
        """Log an event and say what was logged."""
        ...


class Undoing:
    """Undoes, redoes and rewinds for one session; without `snapshots` nothing of files can be undone."""

    def __init__(self, session: Logging, snapshots: Snapshots | None) -> None:
        self._session = session
        self._snapshots = snapshots

    def prompts(self) -> tuple[Prompt, ...]:
        """The prompts that the session can go back to, oldest first."""
        return past(self._session.records).prompts

    def last_turn(self) -> tuple[Prompt, ...]:
        """The prompt that opened the last turn of the conversation, and those that steered it, in order."""
        turns: list[list[Prompt]] = []
        running = False
        for record in self._session.records:
            match record.event:
                case PromptSubmitted() as event:
                    if not (running and turns):
                        turns.append([])
                    turns[-1].append(Prompt(record.seq, record.time, event.text))
                    running = True
                case TurnEnded():
                    running = False
                case Rewound(before_seq=seq):
                    kept = ([prompt for prompt in turn if prompt.seq < seq] for turn in turns)
                    turns = [turn for turn in kept if turn]
                case _:
                    pass
        return tuple(turns[-1]) if turns else ()

    async def changed_since(self, prompt: Prompt) -> int:
        """How many files are not as they were before a prompt, as far as calls changed them; 0 when nobody knows."""
        return (await self.counts(self._since(prompt)))[0]

    async def undo(self, scope: Scope = "turn") -> list[LoggedEvent]:
        """Take back what the last turn that changed files changed, or its last such call; what was logged comes back.

        Raises:
            StoreError: there is nothing to undo, a turn is running, or the snapshots cannot be read.
        """
        self._idle()
        done = past(self._session.records).done
        for turn in reversed(done):
            known = await self._known(turn)
            if changing := [name for name in turn if name in known]:
                return await self._restore("undo", changing[-1:] if scope == "call" else changing, known)
        raise NothingToUndo("nothing to undo: no call of this session changed a file that is not undone")

    async def redo(self) -> list[LoggedEvent]:
        """Put back again what was undone last; raises as `undo` does."""
        self._idle()
        undone = past(self._session.records).undone
        if not undone:
            raise NothingToUndo("nothing to redo")
        last = undone[-1]
        known = await self._known([last.snapshot])
        if last.snapshot not in known:
            raise NothingToUndo("it cannot be redone: what was undone is not kept any more")
        return await self._restore("redo", [last.snapshot], known, calls=last.calls)

    async def rewind(self, prompt: Prompt, *, files: bool, conversation: bool) -> list[LoggedEvent]:
        """Go back to before a prompt: the files, the conversation, or both; raises as `undo` does.

        Of the files, what calls changed since then is taken back.
        """
        self._idle()
        logged: list[LoggedEvent] = []
        if files:
            names = self._since(prompt)
            known = await self._known(names)
            if changing := [name for name in names if name in known]:
                logged += await self._restore("rewind", changing, known)
            elif not conversation:
                raise NothingToUndo("no file was changed since then by a call that is not undone")
        if conversation:
            logged += await self._session.record(Rewound(prompt.seq, prompt.text[:TITLE]))
        return logged

    async def counts(self, names: Sequence[str]) -> tuple[int, int, int]:
        """How many files these calls left other than they were, and lines added and removed, 0 if too many to count."""
        if self._snapshots is None or not names:
            return 0, 0, 0
        return await asyncio.to_thread(_counts, self._snapshots, names)

    async def last_changes(self) -> tuple[ChangePlan, int]:
        """What the last turn that changed files did to them, as far as it is not undone and not too much to show.

        Also how many files there are in all; raises as `undo` does.
        """
        done = past(self._session.records).done
        for turn in reversed(done):
            known = await self._known(turn)
            if changing := [known[name] for name in turn if name in known]:
                assert self._snapshots is not None
                return await asyncio.to_thread(self._snapshots.plan, changed_over(changing))
        raise NothingToUndo("no call of this session changed a file that is not undone")

    def _idle(self) -> None:
        if self._session.busy:
            raise NothingToUndo("a turn is running", "stop it with esc first")

    def _since(self, prompt: Prompt) -> list[str]:
        return [name for seq, names in past(self._session.records).since if seq >= prompt.seq for name in names]

    async def _known(self, names: Sequence[str]) -> dict[str, states.Record]:
        if self._snapshots is None:
            raise NothingToUndo("what calls change is not kept in this run")
        known = await asyncio.to_thread(self._snapshots.records, names)
        return {name: record for name, record in known.items() if record.changes}

    async def _restore(
        self, kind: RestoreKind, names: Sequence[str], known: dict[str, states.Record], calls: Sequence[str] = ()
    ) -> list[LoggedEvent]:
        assert self._snapshots is not None
        snapshots = self._snapshots

        def restore() -> FilesRestored:
            restored, snapshot = snapshots.put_back([known[name] for name in names])
            return _event(snapshots, kind, tuple(calls or names), restored, snapshot)

        async def both() -> list[LoggedEvent]:
            return await self._session.record(await asyncio.to_thread(restore))

        return await uninterrupted(both())


def _event(
    snapshots: Snapshots, kind: RestoreKind, calls: tuple[str, ...], restored: Restored, snapshot: str
) -> FilesRestored:
    plan, _ = snapshots.plan(restored.changes, MOST_COUNTED)
    counted = {change.path: diff_change(change) for change in plan.changes[:MOST_LOGGED]}
    files = []
    for change in restored.changes[:MOST_LOGGED]:
        diff = counted.get(_text(change.path))
        name = snapshots.name_of(change.path) + ("/" if "folder" in (change.before.kind, change.after.kind) else "")
        created = change.before.kind == "absent"
        files.append(FileDelta(_shown(name), diff.added if diff else 0, diff.removed if diff else 0, "", created))
    left = tuple((_shown(snapshots.name_of(item.path)), item.reason) for item in restored.left[:MOST_LOGGED])
    counts = (len(restored.changes), len(restored.left))
    return FilesRestored(kind, calls, tuple(files), left, *counts, snapshot, snapshots.pruned)


def _counts(snapshots: Snapshots, names: Sequence[str]) -> tuple[int, int, int]:
    try:
        known = snapshots.records(names)
        changes = changed_over([known[name] for name in names if name in known])
        plan, total = snapshots.plan(changes, MOST_COUNTED)
    except TuiAgentError:
        return 0, 0, 0
    if total > len(plan.changes) + _not_text(changes):
        return total, 0, 0
    diffs = [diff_change(change) for change in plan.changes]
    return total, sum(diff.added for diff in diffs), sum(diff.removed for diff in diffs)


def _not_text(changes: Sequence[states.Change]) -> int:
    """Files of which only the mode changed, or whose content is not kept: they have no lines to count."""
    kinds = ("file", "link")
    return sum(
        change.before.kind in kinds
        and change.after.kind in kinds
        and (change.before.content == change.after.content or bool(change.before.lost or change.after.lost))
        for change in changes
    )


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _shown(name: str) -> str:
    """Without what no log can hold."""
    return name.encode("utf-8", "replace").decode()
