"""Replies of the fake chat server: what a real or a broken model server could put on the wire, as plain data.

A reply is a list of steps. A `dict` is one chunk, sent as a `data:` frame with `id`, `object`, `created` and `model`
filled in; `bytes` go out as they are; the small classes below pause, hang, cut or reset the connection.
"""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

CallStyle = Literal[
    "indexed",  # as documented: id and name first, then only index and pieces of the arguments
    "interleaved",  # as documented, pieces of parallel calls mixed
    "same_index",  # every call has index 0, told apart by id
    "no_index",  # no index at all, id only in the first delta
    "null_ids",  # id, type and name are null in the later deltas
    "repeated_names",  # id, type and name repeated in every delta
    "new_ids",  # another id in every delta, name only in the first
    "no_ids",  # no id at all
    "duplicate_ids",  # every call has the same id
    "split_names",  # the name arrives in two pieces
    "object_arguments",  # arguments as a JSON object, not as text
    "whole",  # each call complete in one delta
    "last_piece_with_finish",  # the chunk with finish_reason carries the last piece of the arguments
    "index_gaps",  # indexes 1, 3, 5 …
]
ALL_STYLES: tuple[CallStyle, ...] = CallStyle.__args__  # type: ignore[attr-defined]  # a Literal's values

Call = tuple[str, dict[str, Any] | str]
"""A tool call: its name, and its arguments as an object or as the literal text a model wrote."""


@dataclass(frozen=True)
class Delay:
    """Nothing for this long."""

    seconds: float


@dataclass(frozen=True)
class Stall:
    """Nothing more, for ever; with `comment_every` keep-alive comments go on at that interval in seconds."""

    comment_every: float | None = None


@dataclass(frozen=True)
class Reset:
    """The connection is torn down with a TCP reset."""


@dataclass(frozen=True)
class Close:
    """The connection is closed in the middle of the body."""


Step = dict[str, Any] | bytes | Delay | Stall | Reset | Close

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Reply:
    """One HTTP response.

    `newline` replaces the line ends of all frames; `pieces` sends the body in parts of so many bytes, each its own HTTP
    chunk; `split_at` sends it in two parts; `pretty` spreads each frame over several `data:` lines; `pace` is in steps
    a second (default: the server's); `drop` resets the connection before any header; `mute` sends nothing at all, not
    even a header; `cut_at` ends the body behind so many bytes with `cut_by`.
    """

    steps: Sequence[Step] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "text/event-stream"
    newline: Literal["\n", "\r\n", "\r"] = "\n"
    pieces: int | None = None
    split_at: int | None = None
    pretty: bool = False
    pace: float | None = None
    chunked: bool = True
    drop: bool = False
    mute: bool = False
    cut_at: int | None = None
    cut_by: Stall | Reset | Close = field(default_factory=Close)

    def but(self, **changes: Any) -> "Reply":
        """The same reply with other fields."""
        return replace(self, **changes)


# ---- chunks ----


def delta(index: int = 0, finish_reason: str | None = None, **fields: Any) -> dict[str, Any]:
    """A chunk with one choice and these delta fields."""
    return {"choices": [{"index": index, "delta": fields, "finish_reason": finish_reason}]}


def text(piece: str) -> dict[str, Any]:
    """A piece of the answer."""
    return delta(content=piece)


def reasoning(piece: Any, name: Literal["reasoning_content", "reasoning"] = "reasoning_content") -> dict[str, Any]:
    """A piece of thinking, under either vendor's name."""
    return delta(**{name: piece})


def finish(reason: str = "stop") -> dict[str, Any]:
    """The chunk that says why the reply ended."""
    return delta(finish_reason=reason)


def usage(prompt: Any = 10, completion: Any = 5, cached: Any = 0, thinking: Any = 0) -> dict[str, Any]:
    """The usage chunk, with an empty list of choices as documented."""
    return {
        "choices": [],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": 0,
            "prompt_tokens_details": {"cached_tokens": cached},
            "completion_tokens_details": {"reasoning_tokens": thinking},
        },
    }


Cutting = int | Callable[[str], list[str]]
"""How a text is cut into pieces: so many characters each, or by a function."""


def cut(whole: str, size: Cutting) -> list[str]:
    """The text in pieces."""
    if callable(size):
        return size(whole)
    return [whole[i : i + size] for i in range(0, len(whole), size)]


def call_chunks(
    calls: Sequence[Call], style: CallStyle = "indexed", chunk: Cutting = 6, first: int = 1
) -> list[dict[str, Any]]:
    """The chunks of these tool calls in a server's style, without the finish chunk.

    Ids are `call_1`, `call_2`, … counted from `first`.
    """
    per_call = [_call_deltas(name, arguments, i, style, chunk, first + i) for i, (name, arguments) in enumerate(calls)]
    if style == "interleaved":
        longest = max((len(deltas) for deltas in per_call), default=0)
        ordered = [deltas[i] for i in range(longest) for deltas in per_call if i < len(deltas)]
    else:
        ordered = [d for deltas in per_call for d in deltas]
    return [delta(tool_calls=[d]) for d in ordered]


def _call_deltas(
    name: str, arguments: dict[str, Any] | str, position: int, style: CallStyle, chunk: Cutting, number: int
) -> list[dict[str, Any]]:
    written = arguments if isinstance(arguments, str) else json.dumps(arguments)
    call_id = "call_1" if style == "duplicate_ids" else f"call_{number}"
    head: dict[str, Any] = {"index": position, "id": call_id, "type": "function"}
    if style == "same_index":
        head["index"] = 0
    elif style == "index_gaps":
        head["index"] = 2 * position + 1
    elif style == "no_index":
        del head["index"]
    elif style == "no_ids":
        del head["id"]
    if style == "whole":
        return [{**head, "function": {"name": name, "arguments": written}}]
    if style == "object_arguments":
        parsed = arguments if isinstance(arguments, dict) else arguments or None
        return [{**head, "function": {"name": name, "arguments": parsed}}]
    if style == "split_names":
        middle = max(1, len(name) // 2)
        deltas: list[dict[str, Any]] = [{**head, "function": {"name": name[:middle], "arguments": ""}}]
        if name[middle:]:
            deltas.append({"index": head["index"], "function": {"name": name[middle:]}})
    else:
        deltas = [{**head, "function": {"name": name, "arguments": ""}}]
    for count, piece in enumerate(cut(written, chunk)):
        later: dict[str, Any] = {"function": {"arguments": piece}}
        if "index" in head:
            later["index"] = head["index"]
        if style == "null_ids":
            later |= {"id": None, "type": None}
            later["function"]["name"] = None
        elif style == "repeated_names":
            later |= {"id": call_id, "type": "function"}
            later["function"]["name"] = name
        elif style == "new_ids":
            later |= {"id": f"{call_id}_{count}"}
            later["function"]["name"] = ""
        deltas.append(later)
    return deltas


# ---- whole replies ----


def reply_text(answer: str, chunk: int = 3, thought: str = "", reason: str = "stop", with_usage: bool = True) -> Reply:
    """A well-behaved answer, `chunk` characters a chunk, after an optional thought."""
    steps: list[Step] = [delta(role="assistant", content="")]
    steps += [reasoning(piece) for piece in cut(thought, chunk)]
    steps += [text(piece) for piece in cut(answer, chunk)]
    steps.append(finish(reason))
    if with_usage:
        steps.append(usage(completion=math.ceil(len(answer) / 4)))
    return Reply([*steps, DONE])


def reply_calls(
    calls: Sequence[Call],
    parallel_style: CallStyle = "indexed",
    answer: str = "",
    reason: str = "tool_calls",
    chunk: Cutting = 6,
    first: int = 1,
) -> Reply:
    """Tool calls in a server's style, after an optional text; `first` numbers the ids."""
    steps: list[Step] = [delta(role="assistant", content="")]
    steps += [text(piece) for piece in cut(answer, 3)]
    chunks = call_chunks(calls, parallel_style, chunk, first)
    if parallel_style == "last_piece_with_finish" and chunks:
        chunks[-1]["choices"][0]["finish_reason"] = reason
        steps += chunks
    else:
        steps += [*chunks, finish(reason)]
    return Reply([*steps, usage(), DONE])


def reply_steps(*steps: Step) -> Reply:
    """Exactly these steps."""
    return Reply(steps)


def reply_error(
    status: int,
    message: str = "",
    retry_after: float | str | None = None,
    code: str | None = None,
    headers: dict[str, str] | None = None,
) -> Reply:
    """An error as the API documents it; `retry_after` in seconds or as an HTTP date."""
    error = {"message": message or f"error {status}", "type": "error", "param": None, "code": code}
    extra = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return reply_body(status, json.dumps({"error": error}), "application/json", {**extra, **(headers or {})})


def reply_body(
    status: int, body: str | bytes, content_type: str = "application/json", headers: dict[str, str] | None = None
) -> Reply:
    """Any body under any status."""
    raw = body.encode() if isinstance(body, str) else body
    return Reply([raw], status=status, headers=headers or {}, content_type=content_type)


def reply_html(status: int = 200) -> Reply:
    """The page of a proxy or of some other program."""
    return reply_body(status, "<!DOCTYPE html>\n<html><title>Welcome</title><h1>It works!</h1></html>", "text/html")


def reply_nothing() -> Reply:
    """The request is taken and never answered."""
    return Reply(mute=True)


def reply_reset() -> Reply:
    """The connection is reset before any header."""
    return Reply(drop=True)


def body_of(reply: Reply, model: str = "fake-model") -> bytes:
    """All bytes of the body, without pauses and cuts."""
    return b"".join(step for step in encode(reply, model) if isinstance(step, bytes))


def encode(reply: Reply, model: str) -> Iterable[bytes | Delay | Stall | Reset | Close]:
    """The reply's steps with each chunk as its bytes on the wire."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}
    prefix = json.dumps(head)[:-1]
    end = reply.newline
    for step in reply.steps:
        if isinstance(step, dict):
            if reply.pretty:
                lines = json.dumps({**head, **step}, indent=1).split("\n")
                yield ("".join(f"data: {line}{end}" for line in lines) + end).encode()
            else:
                yield f"data: {prefix}, {json.dumps(step, ensure_ascii=False)[1:]}{end}{end}".encode(
                    "utf-8", "surrogatepass"
                )
        elif step is DONE:
            yield f"data: [DONE]{end}{end}".encode()
        else:
            yield step
