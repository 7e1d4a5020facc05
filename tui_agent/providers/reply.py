"""Read the chunks of one reply, tolerantly, into provider events."""

from collections.abc import Collection, Mapping
from typing import Any

from tui_agent.conversation.events import CallGrowing, ReasoningDelta, TextDelta
from tui_agent.conversation.messages import Finish, Usage
from tui_agent.providers.accumulate import CallAccumulator
from tui_agent.providers.protocol import Finished
from tui_agent.providers.surrogates import PairJoiner
from tui_agent.providers.thoughts import ThoughtSplitter

FINISHES: Mapping[str, Finish] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "safety": "content_filter",
}
"""What servers call the ends that are not plain `stop`; an unknown word passes as stop (PROTOCOLS §2.5)."""

Piece = TextDelta | ReasoningDelta | CallGrowing


class ErrorFrame(Exception):
    """The stream reports an error; `value` is what the `error` field holds."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self.value = value


class ReplyReader:
    """Feed it decoded chunks in order; `finished` says that a finish reason was seen."""

    def __init__(self, taken_ids: Collection[str] = ()) -> None:
        self.finished = False
        self._finish: Finish | None = None
        self._usage = Usage()
        self._calls = CallAccumulator(taken_ids)
        self._thoughts = ThoughtSplitter()
        self._content = PairJoiner()
        self._reasoning = PairJoiner()

    def feed(self, chunk: Any) -> list[Piece]:
        """What a chunk adds, in the order reasoning, text, calls.

        Raises:
            ErrorFrame: the chunk is or carries an error.
        """
        if not isinstance(chunk, Mapping):
            raise ErrorFrame(chunk)
        if chunk.get("error"):
            raise ErrorFrame(chunk["error"])
        pieces: list[Piece] = []
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, Mapping) and choice.get("index") in (0, None):
                self._choice(choice, pieces)
        self._count(chunk.get("usage"))
        if isinstance(vendor := chunk.get("x_groq"), Mapping):
            self._count(vendor.get("usage"))
        return pieces

    def rest(self) -> list[Piece]:
        """What was held back, once the stream is over."""
        pieces: list[Piece] = []
        if thought := self._reasoning.finish():
            pieces.append(ReasoningDelta(thought))
        self._split(self._content.finish(), pieces)
        for kind, text in self._thoughts.finish():
            pieces.append(TextDelta(text) if kind == "text" else ReasoningDelta(text))
        return pieces

    def end(self, *, calls: bool = True) -> Finished:
        """The last event of a stream that came to its end; without `calls` none is taken from it.

        Calls of a reply that was cut by length or by a filter are dropped: their arguments may be half there.
        """
        finish = self._finish or "stop"
        made = self._calls.calls() if calls and finish in ("stop", "tool_calls") else ()
        if finish in ("stop", "tool_calls"):
            finish = "tool_calls" if made else "stop"
        return Finished(finish, made, self._usage)

    def broken(self, error: str) -> Finished:
        """The last event of a stream that broke off after something was shown."""
        return Finished("incomplete", (), self._usage, error)

    def _choice(self, choice: Mapping[str, Any], pieces: list[Piece]) -> None:
        if choice.get("error"):
            raise ErrorFrame(choice["error"])
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, Mapping):
            if thought := _plain(delta.get("reasoning_content")) or _plain(delta.get("reasoning")):
                self._think(thought, pieces)
            content = delta.get("content")
            if isinstance(content, list):
                for part in content:
                    if isinstance(part, Mapping) and part.get("type") in ("thinking", "reasoning"):
                        self._think(_plain(part), pieces)
                    else:
                        self._split(self._content.feed(_plain(part)), pieces)
            elif content:
                self._split(self._content.feed(_plain(content)), pieces)
            if refusal := delta.get("refusal"):
                self._split(self._content.feed(_plain(refusal)), pieces)
            if calls := delta.get("tool_calls"):
                pieces.extend(self._calls.feed(calls))
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            if reason == "error":
                raise ErrorFrame("the server ended the reply with an error")
            self._finish = FINISHES.get(reason, "stop")
            self.finished = True
        self._count(choice.get("usage"))

    def _think(self, thought: str, pieces: list[Piece]) -> None:
        if thought := self._reasoning.feed(thought):
            pieces.append(ReasoningDelta(thought))

    def _split(self, text: str, pieces: list[Piece]) -> None:
        if text:
            for kind, part in self._thoughts.feed(text):
                pieces.append(TextDelta(part) if kind == "text" else ReasoningDelta(part))

    def _count(self, usage: Any) -> None:
        if isinstance(usage, Mapping) and usage:
            self._usage = read_usage(usage)


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Token counts, where missing, null, negative or odd ones are None."""

    def count(holder: Any, *names: str) -> int | None:
        for name in names:
            value = holder.get(name) if isinstance(holder, Mapping) else None
            if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**53:
                return int(value)
        return None

    cached = count(usage.get("prompt_tokens_details"), "cached_tokens")
    return Usage(
        prompt_tokens=count(usage, "prompt_tokens", "input_tokens"),
        completion_tokens=count(usage, "completion_tokens", "output_tokens"),
        cached_tokens=cached if cached is not None else count(usage, "prompt_cache_hit_tokens", "cached_tokens"),
        reasoning_tokens=count(usage.get("completion_tokens_details"), "reasoning_tokens"),
    )


def merge(pieces: list[Piece]) -> list[Piece]:
    """Neighbouring pieces of one kind as one, and of a call's growth only the last: less work for every face."""
    merged: list[Piece] = []
    run: list[str] = []
    for place, piece in enumerate(pieces):
        following = pieces[place + 1] if place + 1 < len(pieces) else None
        if isinstance(piece, CallGrowing):
            if not (isinstance(following, CallGrowing) and following.index == piece.index):
                merged.append(piece)
            continue
        run.append(piece.text)
        if type(following) is not type(piece):
            merged.append(type(piece)("".join(run)))
            run = []
    return merged


def _plain(value: Any) -> str:
    """The text of a string, of a part, or of a list of parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return next(filter(None, (_plain(value.get(name)) for name in ("text", "content", "thinking", "summary"))), "")
    if isinstance(value, list):
        return "".join(_plain(part) for part in value)
    return ""
