"""The demo scenario of the fake chat server: it behaves like a small, eager coding model.

A prompt with one of the words of `PLANS` gets tool calls (written as a bad server would with `style NAME`, see
`CallStyle`), then a closing text; `fault NAME` gets that fault; `long N` a long Markdown answer of N paragraphs; "call
the tool `NAME`" that call; anything else a short Markdown answer.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from tests.fakes.replies import (
    ALL_STYLES,
    DONE,
    Call,
    CallStyle,
    Close,
    Delay,
    Reply,
    Reset,
    Stall,
    Step,
    delta,
    reply_body,
    reply_calls,
    reply_error,
    reply_html,
    reply_steps,
    reply_text,
    text,
)

HELLO = """\
def greet(name: str) -> str:
    return f"Hello, {name}!"


if __name__ == "__main__":
    print(greet("world"))
"""

PLANS: dict[str, list[list[Call]]] = {
    "write": [[("write_file", {"file_path": "hello.py", "content": HELLO})]],
    "edit": [
        [("read_file", {"file_path": "hello.py"})],
        [("edit_file", {"file_path": "hello.py", "old_string": "Hello, {name}!", "new_string": "Good day, {name}."})],
    ],
    "overwrite": [[("write_file", {"file_path": "hello.py", "content": 'print("all new")\n'})]],
    "run": [[("run_command", {"command": "ls"})]],
    "test": [[("run_command", {"command": "python hello.py"})]],
    "read": [[("read_file", {"file_path": "hello.py"})]],
    "list": [[("list_directory", {"path": "."})]],
    "search": [[("grep_search", {"pattern": "greet"})]],
    "plan": [[("update_plan", {"items": [{"text": "look", "status": "done"}, {"text": "act", "status": "pending"}]})]],
    "both": [[("list_directory", {"path": "."}), ("run_command", {"command": "ls -la"})]],
    "three": [
        [
            ("write_file", {"file_path": "one.txt", "content": "one\n"}),
            ("write_file", {"file_path": "two.txt", "content": "two\n"}),
            ("run_command", {"command": "cat one.txt two.txt"}),
        ]
    ],
    "malformed": [[("read_file", '{"file_path": "hello.py"')]],
    "unknown": [[("delete_everything", {"sure": True})]],
    "loop": [[("list_directory", {"path": "."})]] * 100,
}

ANSWER = """\
# A short answer

You asked: *{prompt}*. Here is **what I can do**:

- read, `search` and list files
- write and edit them, after you allowed it
- run commands

```python
def area(radius: float) -> float:
    \"\"\"The area of a circle.\"\"\"
    return 3.14159 * radius ** 2
```

| word in the prompt | what happens |
| --- | --- |
| write | `hello.py` is written |
| edit | it is read, then edited |
| both | two calls at once |

1. Try `write`.
2. Then `edit`.
"""

FAULTS: dict[str, Callable[[], Reply]] = {
    "429": lambda: reply_error(429, "Rate limit reached", retry_after=2),
    "500": lambda: reply_error(500, "The server had an error"),
    "401": lambda: reply_error(401, "Incorrect API key provided"),
    "404": lambda: reply_error(404, "The model `demo` does not exist", code="model_not_found"),
    "context": lambda: reply_error(
        400, "This model's maximum context length is 4096 tokens", code="context_length_exceeded"
    ),
    "html": reply_html,
    "json": lambda: reply_steps(b"data: {not json\n\n", DONE),
    "error": lambda: reply_steps(text("I was saying "), b'data: {"error": {"message": "overloaded"}}\n\n'),
    "cut": lambda: reply_steps(*_pieces("This answer is cut in the middle of a sen"), Close()),
    "reset": lambda: reply_steps(*_pieces("This answer is reset in the middle of a sen"), Reset()),
    "early": lambda: Reply(drop=True),
    "stall": lambda: reply_steps(*_pieces("And now nothing more comes"), Stall(comment_every=1)),
    "slow": lambda: reply_steps(Delay(5), *reply_text("That took a while.").steps),
    "length": lambda: reply_text("This was too long to fin", reason="length"),
    "filter": lambda: reply_text("", reason="content_filter"),
    "empty": lambda: reply_text(""),
    "plain": lambda: reply_body(200, "hello", "text/plain"),
    "escape": lambda: reply_text(
        "red \x1b[31mtext\x1b[0m, a title \x1b]0;owned\x07, a null \x00 and \u202ebidi\u202c."
    ),
}


def _pieces(whole: str) -> list[Step]:
    return [text(whole[i : i + 4]) for i in range(0, len(whole), 4)]


def demo(body: dict[str, Any], number: int) -> Reply:
    """The reply of the demo model to a chat request."""
    messages: Sequence[dict[str, Any]] = body.get("messages", [])
    last_user = max((i for i, message in enumerate(messages) if message.get("role") == "user"), default=-1)
    prompt = _plain(messages[last_user]["content"]) if last_user >= 0 else ""
    since = messages[last_user + 1 :]
    fault = re.search(r"\bfault (\w+)", prompt)
    if fault and fault[1] in FAULTS:
        return FAULTS[fault[1]]()
    if long := re.search(r"\blong (\d+)", prompt):
        return reply_text(_long(int(long[1])), chunk=4)
    offered = {tool["function"]["name"] for tool in body.get("tools", ())}
    plan = next((PLANS[word] for word in re.findall(r"\w+", prompt.lower()) if word in PLANS), [])
    rounds = sum(1 for message in since if message.get("tool_calls"))
    if offered and rounds < len(plan):
        thought = "The user wants something done; I will use a tool."
        usual: CallStyle = "indexed"
        style = next((style for style in ALL_STYLES if f"style {style}" in prompt), usual)
        calls = reply_calls(plan[rounds], style, answer="" if rounds else "Let me see. ", first=100 * number + 1)
        return calls.but(steps=[*[delta(reasoning_content=t + " ") for t in thought.split()], *calls.steps])
    asked = re.search(r"[Cc]all the tool `(\w+)`", prompt)
    if asked and asked[1] in offered and not since:
        return reply_calls([(asked[1], _some_arguments(body, asked[1]))], first=100 * number + 1)
    results = [message for message in since if message.get("role") == "tool"]
    if results:
        return reply_text(_closing(results))
    if "think" in prompt:
        return reply_text(ANSWER.format(prompt=prompt[:60]), thought="First this, then that, " * 20)
    return reply_text(ANSWER.format(prompt=prompt[:60] or "nothing"))


def _some_arguments(body: dict[str, Any], name: str) -> dict[str, str]:
    tool = next(tool["function"] for tool in body["tools"] if tool["function"]["name"] == name)
    return dict.fromkeys(tool["parameters"].get("properties", {}), "blue")


def _closing(results: Sequence[dict[str, Any]]) -> str:
    said = [_plain(result["content"]).strip().split("\n")[0][:70] for result in results]
    return "Done. The tools said:\n\n" + "\n".join(f"- `{line or 'nothing'}`" for line in said) + "\n"


def _long(paragraphs: int) -> str:
    parts = []
    for i in range(1, paragraphs + 1):
        parts.append(
            f"## Part {i}\n\nSome *prose* with `code` and **weight**, long enough to wrap on a narrow screen.\n"
        )
        if i % 3 == 0:
            parts.append(f"```python\nfor item in range({i}):\n    print(item, {json.dumps('text')})\n```\n")
        if i % 5 == 0:
            parts.append("- one\n- two\n  - nested\n")
    return "\n".join(parts)


def _plain(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if isinstance(part, dict))
    return ""
