"""A call that a model writes as text, through the whole program: asked for like any other, unseen in the answer."""

import json
from pathlib import Path

from tests.fakes.chat_server import ChatServer, Reply, reply_error, reply_text
from tests.project import Machine

CALL = json.dumps({"name": "write_file", "arguments": {"file_path": "hello.py", "content": "print('hi')\n"}})
WRITE = reply_text(f"I will write.\n\n```json\n{CALL}\n```")


def run(tmp_path: Path, server: ChatServer, *words: str) -> tuple[Machine, str, int]:
    made = Machine.under(tmp_path, {"fake": server.url})
    done = made.run("invoke", "-m", "write it", *words)
    return made, done.stdout, done.returncode


def test_it_is_refused_where_nobody_can_be_asked(tmp_path: Path) -> None:
    with ChatServer([WRITE, reply_text("I could not.")]) as server:
        made, shown, code = run(tmp_path, server)
    assert (shown, code) == ("I could not.\n", 3)
    assert not (made.project / "hello.py").exists()
    call, result = server.bodies[1]["messages"][-2:]
    assert call["content"] == "I will write."
    assert call["tool_calls"][0]["function"]["name"] == "write_file"
    assert result["tool_call_id"] == call["tool_calls"][0]["id"]


def test_it_is_done_when_approved(tmp_path: Path) -> None:
    with ChatServer([WRITE, reply_text("Done.")]) as server:
        made, shown, code = run(tmp_path, server, "--approve", "all")
    assert (shown, code) == ("Done.\n", 0)
    assert (made.project / "hello.py").read_text() == "print('hi')\n"


def test_an_example_is_shown_and_not_done(tmp_path: Path) -> None:
    answer = f"Here is an example of a tool call:\n\n```json\n{CALL}\n```"
    with ChatServer([reply_text(answer)]) as server:
        made, shown, code = run(tmp_path, server, "--approve", "all")
    assert (shown, code) == (f"{answer}\n", 0)
    assert not (made.project / "hello.py").exists()
    assert len(server.bodies) == 1


def test_a_server_without_tools_is_told_of_them_in_words(tmp_path: Path) -> None:
    def respond(body: dict[str, object], number: int) -> Reply:
        if "tools" in body:
            return reply_error(400, "fake-model does not support tools")
        return WRITE if number == 1 else reply_text("Done.")

    with ChatServer(respond) as server:
        made = Machine.under(tmp_path, {"fake": server.url})
        done = made.run("invoke", "-m", "write it", "--approve", "all")
    assert (done.stdout, done.returncode) == ("Done.\n", 0)
    assert "takes no tools: they are described to it in the prompt instead" in done.stderr
    assert (made.project / "hello.py").exists()
    assert "write_file(file_path, content)" in server.bodies[-1]["messages"][0]["content"]
    assert server.bodies[-1]["messages"][-1]["content"].startswith("<tool_response>\n")
