"""A real HTTP server that speaks Ollama's own API, well or badly, as a script says.

In tests: `with OllamaServer([reply_text("hello")]) as server: …`; replies are those of the chat server, told in lines.
By hand:  `python -m tests.fakes.ollama_server --port 11434 --models qwen2.5:latest --window 4096`.
"""

import argparse
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from tests.fakes.chat_server import (
    DONE,
    ChatServer,
    Close,
    Delay,
    Reply,
    Reset,
    Responder,
    Seen,
    Stall,
    reply_body,
)

WHEN = "2026-08-01T12:00:00.000000Z"


class OllamaServer(ChatServer):
    """A scripted Ollama; arguments that are not named here are those of `ChatServer`.

    `models` are names or whole entries of `/api/tags`. `show` answers `/api/show` by model; a model without an entry
    gets a plain one. `loaded` are windows by model, as `/api/ps` tells them. With a `window` it counts prompts (four
    bytes of the body are a token): a request gets its `num_ctx`, else the window, and of a prompt that is longer only
    half a window is read, without a word. `refuse_unknown` refuses models that it does not have. `missing` are paths of
    the API that it does not have.
    """

    api = "ollama"
    chat_path = "/api/chat"
    keep_alive = b"\n"

    def __init__(
        self,
        script: Sequence[Reply] | Reply | Responder | None = None,
        *,
        models: Sequence[str | dict[str, Any]] = ("fake-model",),
        show: Mapping[str, dict[str, Any]] | None = None,
        loaded: Mapping[str, int] | None = None,
        window: int | None = None,
        refuse_unknown: bool = False,
        missing: Sequence[str] = (),
        **rest: Any,
    ) -> None:
        entries = [_tag(model) if isinstance(model, str) else model for model in models]
        super().__init__(script, models=[entry["name"] for entry in entries], show=show, **rest)
        self._entries = entries
        self._window = window
        self._loaded = dict(loaded or {})
        self._refuse_unknown = refuse_unknown
        self._missing = missing

    def _choose(self, seen: Seen) -> Reply:
        if any(seen.path.endswith(path) for path in self._missing):
            self.others.append(seen)
            return reply_body(404, "404 page not found", "text/plain")
        reply = super()._choose(seen)
        if not seen.path.endswith(self.chat_path):
            return reply
        model = seen.body.get("model", "")
        if self._refuse_unknown and model not in {entry["name"] for entry in self._entries}:
            return _unknown(model)
        if self._window is not None:
            self._loaded[model] = seen.body.get("options", {}).get("num_ctx", self._window)
        return reply

    def _other(self, seen: Seen) -> Reply:
        if seen.path == "/":
            return reply_body(200, "Ollama is running", "text/plain")
        if seen.path == "/api/version":
            return _json({"version": "0.32.9"})
        if seen.path == "/api/tags":
            return self._models_reply or _json({"models": self._entries})
        if seen.path == "/api/ps":
            return _json(
                {
                    "models": [
                        {**_tag(name), "context_length": count, "size_vram": 1} for name, count in self._loaded.items()
                    ]
                }
            )
        if seen.path == "/api/show":
            name = seen.body.get("model", "")
            known = {entry["name"] for entry in self._entries} | self._show.keys()
            return _json({**_plain_show(), **self._show.get(name, {})}) if name in known else _unknown(name)
        return super()._other(seen)

    def _encode(self, reply: Reply, seen: Seen) -> Iterable[bytes | Delay | Stall | Reset | Close]:
        if not seen.path.endswith(self.chat_path):
            return super()._encode(reply, seen)
        read = None
        if self._window is not None and reply.status == 200:
            size, window = seen.size // 4, self._loaded[seen.body["model"]]
            read = size if size <= window else window // 2 + 2
        return in_lines(reply, seen.body.get("model", ""), read)


def in_lines(reply: Reply, model: str, read: int | None = None) -> Iterator[bytes | Delay | Stall | Reset | Close]:
    """A reply of the chat server as Ollama sends it: one JSON object a line, calls whole and before the last line.

    `read` replaces the count of prompt tokens.
    """
    head = {"model": model, "created_at": WHEN}
    chunks = [step for step in reply.steps if isinstance(step, dict)]
    usage: dict[str, Any] = next((chunk["usage"] for chunk in chunks if chunk.get("usage")), {})
    ends = any(choice.get("finish_reason") for chunk in chunks for choice in chunk.get("choices", ()))
    calls: dict[Any, dict[str, Any]] = {}
    for step in reply.steps:
        if isinstance(step, dict):
            for choice in step.get("choices", ()):
                yield from _lines(head, choice.get("delta") or {}, calls)
                if reason := choice.get("finish_reason"):
                    yield from (
                        _line(head, {"role": "assistant", "content": "", "tool_calls": [call]})
                        for call in _whole(calls)
                    )
                    yield _done(head, reason, usage, read)
        elif step is DONE:
            if not ends:
                yield _done(head, "", usage, read)
        elif isinstance(step, bytes) and reply.status >= 400:
            yield _error(step)
        else:
            yield step


def call_line(name: str, arguments: Any, index: int | None = None, call_id: str | None = None) -> bytes:
    """A line with one call, with or without an index and an id."""
    call: dict[str, Any] = {"function": {"name": name, "arguments": arguments}}
    if index is not None:
        call["function"]["index"] = index
    if call_id is not None:
        call["id"] = call_id
    return _line({"model": "m", "created_at": WHEN}, {"role": "assistant", "content": "", "tool_calls": [call]})


def done_line(reason: str = "stop", **counts: Any) -> bytes:
    """The last line of a reply."""
    message = {"role": "assistant", "content": ""}
    return (
        json.dumps({"model": "m", "message": message, "done": True, "done_reason": reason, **counts}).encode() + b"\n"
    )


def _lines(head: dict[str, Any], delta: dict[str, Any], calls: dict[Any, dict[str, Any]]) -> Iterator[bytes]:
    for call in delta.get("tool_calls") or ():
        whole = calls.setdefault(call.get("index", 0), {"id": call.get("id"), "name": "", "arguments": ""})
        whole["name"] = call["function"].get("name") or whole["name"]
        whole["arguments"] += call["function"].get("arguments") or ""
    message: dict[str, Any] = {"role": "assistant", "content": delta.get("content") or ""}
    if thought := delta.get("reasoning_content"):
        message["thinking"] = thought
    if message["content"] or thought or not delta.get("tool_calls"):
        yield _line(head, message)


def _whole(calls: dict[Any, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for index, call in calls.items():
        with suppress(ValueError):  # a real Ollama hands on no call that it cannot parse
            arguments = json.loads(call["arguments"] or "{}")
            yield {"id": call["id"], "function": {"index": index, "name": call["name"], "arguments": arguments}}


def _line(head: dict[str, Any], message: dict[str, Any]) -> bytes:
    text = json.dumps({**head, "message": message, "done": False}, ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass") + b"\n"


def _done(head: dict[str, Any], reason: str, usage: dict[str, Any], read: int | None) -> bytes:
    told = {"tool_calls": "stop"}.get(reason, reason)
    counts = {"prompt_eval_count": usage.get("prompt_tokens") if read is None else read}
    counts["eval_count"] = usage.get("completion_tokens")
    # As in Go's `omitempty`: a count of nothing is left out.
    given = {name: count for name, count in counts.items() if count}
    last: dict[str, Any] = {**head, "message": {"role": "assistant", "content": ""}, "done": True}
    last |= {"done_reason": told} if told else {}
    return json.dumps({**last, "total_duration": 1, "load_duration": 1, **given}).encode() + b"\n"


def _error(body: bytes) -> bytes:
    """An error body of the OpenAI API as Ollama words it; anything else as it is."""
    with suppress(ValueError, TypeError, KeyError):
        return json.dumps({"error": json.loads(body)["error"]["message"]}).encode()
    return body


def _json(value: Any) -> Reply:
    return reply_body(200, json.dumps(value))


def _unknown(model: str) -> Reply:
    return reply_body(404, json.dumps({"error": f'model "{model}" not found, try pulling it first'}))


def _tag(name: str) -> dict[str, Any]:
    details = {"format": "gguf", "family": "qwen2", "parameter_size": "7.6B", "quantization_level": "Q4_K_M"}
    return {"name": name, "model": name, "modified_at": WHEN, "size": 1, "digest": "0" * 64, "details": details}


def _plain_show() -> dict[str, Any]:
    return {
        "details": _tag("")["details"],
        "model_info": {"general.architecture": "qwen2", "qwen2.context_length": 32768},
        "capabilities": ["completion", "tools"],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the demo until interrupted; prints the address first."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.ollama_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--models", default="qwen2.5:latest,llama3.2:latest")
    parser.add_argument("--window", type=int, default=4096, help="what a request gets that sets no num_ctx")
    options = parser.parse_args(arguments)
    with OllamaServer(
        models=options.models.split(","), port=options.port, window=options.window, refuse_unknown=True, pace=200
    ) as server:
        print(server.url.removesuffix("v1/"), flush=True)
        with suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)


if __name__ == "__main__":
    main()
