"""Bytes of the first request for "hi" in an empty folder, and what they are in tokens, by estimate.

Prompt tokens cost a small local model on two cores 5 to 25 ms each, before its first word.
"""

import json
import subprocess
import sys

from benchmarks.place import PROGRAM, place
from benchmarks.report import Row, alone
from benchmarks.server import text_answer
from tui_agent.text.tokens import estimate

LIMIT = 6.0
"""KB in all."""


def measure(quick: bool = False) -> list[Row]:
    """The size of each part; the same with `quick`."""
    with place() as at:
        at.server.prepare([text_answer(["hi"])])
        subprocess.run(
            [str(PROGRAM), "invoke", "-m", "hi"], cwd=at.project, env=at.env, check=True, capture_output=True
        )
        _, raw = at.server.sent()
    body = json.loads(raw)
    tools = json.dumps(body["tools"], separators=(",", ":"))
    parts = (("system prompt", body["messages"][0]["content"]), ("tools", tools), ("whole request", raw.decode()))
    return [
        *(
            Row(name, (len(text.encode()) / 1024,), "KB", limit=LIMIT if name == "whole request" else None)
            for name, text in parts
        ),
        *(Row(f"{name}, by estimate", (float(estimate(text)),), "tokens") for name, text in parts),
    ]


if __name__ == "__main__":
    sys.exit(alone(__doc__, measure))
