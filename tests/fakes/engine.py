"""Stands in for the embedded engine's process: the same order and answer, real HTTP, and no model.

A character is a token, what the slot knows is a text. The "model file" is JSON and says how loading goes: `seconds` it
takes, the `signal` or `exit` that ends it, the `error` it reports, how many bytes it `log`s. Prompts do the rest: the
word CRASH kills the engine after two pieces of the answer, CRASH-AT-ONCE before the first, HOLD path lets it wait in
mid-answer until that file is there. Each start adds a line "PID PARENT" to the model file's name + `.starts`, each
request one to `.requests`.
"""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

STEP = 100
"""Tokens read between two reports of progress."""
MAGIC = "SLOT "

order = json.loads(sys.stdin.buffer.readline())
job, key = order["job"], order["key"]
model = Path(job["model"])
slot = threading.Lock()
state = {"known": "", "used": False}


def note(ending: str, line: str) -> None:
    with model.with_name(model.name + ending).open("a") as file:
        file.write(line + "\n")


def render(body: dict[str, Any]) -> str:
    system = "".join(f"system: {message['content']}\n" for message in body["messages"] if message["role"] == "system")
    rest = "".join(
        f"{message['role']}: {message['content']}\n" for message in body["messages"] if message["role"] != "system"
    )
    return f"{system}tools: {json.dumps(body.get('tools', []))}\n{rest}"


def know(prompt: str) -> int:
    """Take a prompt into the slot; returns how much of it was known."""
    state["used"] = True
    known = str(state["known"])
    cached = next((place for place, (a, b) in enumerate(zip(known, prompt, strict=False)) if a != b), len(known))
    state["known"] = prompt
    return min(cached, len(prompt))


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass

    def answer(self, value: Any, status: int = 200) -> None:
        raw = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()

    def piece(self, value: Any) -> None:
        self.wfile.write(b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n")
        self.wfile.flush()

    def do_GET(self) -> None:
        assert self.headers["Authorization"] == f"Bearer {key}"
        used = {"id_task": 1} if state["used"] else {}
        self.answer([{"id": 0, "n_ctx": job["context_length"], "is_processing": slot.locked(), **used}])

    def do_POST(self) -> None:
        if self.headers["Authorization"] != f"Bearer {key}":
            self.answer({"error": {"message": "Invalid API Key"}}, 401)
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/apply-template":
            self.answer({"prompt": render(body)})
            return
        with slot:
            note(".requests", self.path)
            if self.path == "/completion":
                self.read(body["prompt"])
            elif self.path == "/slots/0?action=save":
                path = Path(job["slots"], body["filename"])
                path.write_text(MAGIC + str(state["known"]))
                self.answer({"n_saved": len(str(state["known"])), "n_written": path.stat().st_size})
            elif self.path == "/slots/0?action=restore":
                text = Path(job["slots"], body["filename"]).read_text()
                if not text.startswith(MAGIC):
                    os.abort()  # so does the real one
                state["known"] = text.removeprefix(MAGIC)
                self.answer({"n_restored": len(str(state["known"]))})
            else:
                self.chat(body)

    def read(self, prompt: str) -> None:
        cached, total = know(prompt), len(prompt)
        self.begin()
        for done in [*range(cached, total, STEP), total]:
            self.piece({"prompt_progress": {"total": total, "cache": cached, "processed": done, "time_ms": 1}})
        self.piece({"stop": True, "tokens_evaluated": total})

    def chat(self, body: dict[str, Any]) -> None:
        prompt = render(body)
        asked = body["messages"][-1]["content"]
        if "CRASH-AT-ONCE" in asked:
            os.kill(os.getpid(), signal.SIGKILL)
        cached = know(prompt)
        self.begin()
        words = [f"{job['name']} ", "says ", asked]
        for count, word in enumerate(words):
            if count == 2 and "CRASH" in asked:
                os.kill(os.getpid(), signal.SIGKILL)
            if count == 1 and "HOLD" in asked:
                gate = Path(asked.split()[1])
                while not gate.exists():
                    time.sleep(0.01)
            self.piece({"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]})
        state["known"] = prompt + "".join(words)
        self.piece({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        details = {"prompt_tokens": len(prompt), "completion_tokens": 3}
        self.piece({"choices": [], "usage": {**details, "prompt_tokens_details": {"cached_tokens": cached}}})
        self.piece(b"[DONE]")


def main() -> None:
    how = json.loads(model.read_text() or "{}")
    note(".starts", f"{os.getpid()} {os.getppid()}")
    print("x" * how.get("log", 0), file=sys.stderr, flush=True)
    time.sleep(how.get("seconds", 0))
    if "signal" in how:
        os.kill(os.getpid(), how["signal"])
    if "exit" in how:
        os._exit(how["exit"])
    if "error" in how:
        sys.stdout.write(json.dumps({"error": how["error"]}) + "\n")
        sys.stdout.flush()
        os._exit(1)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{server.server_address[1]}"}) + "\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
