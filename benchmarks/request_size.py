"""Bytes and estimated tokens of the first request for "hi" in an empty folder.

    python -m benchmarks.request_size

Budget: 6 KB in all. Prompt tokens cost a small local model on two cores 5 to 25 ms each, before its first word.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tui_agent.text.tokens import estimate

BUDGET = 6 * 1024

_CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
_ANSWER = "".join(
    f"data: {json.dumps({**_CHUNK, 'choices': [{'index': 0, 'delta': delta, 'finish_reason': reason}]})}\n\n"
    for delta, reason in (({"role": "assistant", "content": "hi"}, None), ({}, "stop"))
)


class Handler(BaseHTTPRequestHandler):
    """Keeps the body of the request and answers with one word."""

    bodies: list[bytes] = []

    def do_POST(self) -> None:
        """Answer a chat request."""
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(f"{_ANSWER}data: [DONE]\n\n".encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def first_request() -> bytes:
    """The body that the program sends for "hi" in an empty folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config")
        config.mkdir()
        (config / "config.yaml").write_text(
            f"provider: bench\nproviders:\n  bench: {{base_url: 'http://127.0.0.1:{server.server_port}/v1/',"
            " default_model: m, requires_api_key: false}\n"
        )
        project = Path(folder, "project")
        project.mkdir()
        command = [str(Path(sys.executable).with_name("tui-agent")), "invoke", "-m", "hi", "-w", str(project)]
        env = {**os.environ, "TUI_AGENT_CONFIG_DIR": str(config), "TUI_AGENT_DATA_DIR": f"{folder}/data"}
        subprocess.run(command, env=env, check=True, capture_output=True)
    server.shutdown()
    return Handler.bodies[0]


def main() -> None:
    """Print the size of each part."""
    raw = first_request()
    body = json.loads(raw)
    system = body["messages"][0]["content"]
    tools = json.dumps(body["tools"], separators=(",", ":"))
    rows = [("system prompt", system), (f"{len(body['tools'])} tools", tools), ("whole request", raw.decode())]
    for label, text in rows:
        print(f"{label:16}{len(text.encode()):>7,} bytes  about {estimate(text):>5,} tokens")
    print(f"{'budget':16}{BUDGET:>7,} bytes  {'kept' if len(raw) <= BUDGET else 'EXCEEDED'}")


if __name__ == "__main__":
    main()
