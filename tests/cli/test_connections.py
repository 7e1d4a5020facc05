"""Nobody is told what happens here: the only address that a run connects to is that of its provider."""

import socket
from pathlib import Path

import pytest

from tests.fakes.chat_server import ChatServer, reply_calls, reply_text
from tests.project import Machine

HOOK = """
import os, sys

def note(event, arguments):
    if event in ("socket.connect", "socket.sendto"):
        where = arguments[1]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        where = arguments
    else:
        return
    host, port = where[:2] if isinstance(where, tuple) else (where, "")
    host = os.fsdecode(host) if isinstance(host, bytes) else host
    with open(os.environ["CONNECTIONS"], "a") as file:
        file.write(f"{event} {host} {port}\\n")

sys.addaudithook(note)
"""
"""Python runs it in this process and in those of Python that it starts, before anything else."""


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    """A folder of modules whose first one writes every connection and every look-up into `seen`."""
    folder = tmp_path / "watch"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HOOK)
    return folder


def connections(made: Machine, watched: Path, *words: str) -> set[str]:
    """What a run of the program connects to and looks up, but for what does not leave this machine's kernel."""
    seen = watched / "seen"
    path = f"{watched}:{made.environ['PYTHONPATH']}"
    done = made.run(*words, PYTHONPATH=path, CONNECTIONS=str(seen))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return {line for line in seen.read_text().splitlines() if not line.startswith("socket.connect /")}


def test_a_whole_run_connects_to_its_provider_and_to_nobody_else(tmp_path: Path, watched: Path) -> None:
    calls = [
        reply_calls([("write_file", {"file_path": "a.txt", "content": "x\n"})]),
        reply_calls([("read_file", {"file_path": "a.txt"})], first=2),
        reply_calls([("run_command", {"command": "cat a.txt"})], first=3),
    ]
    with ChatServer([*calls, reply_text("Done.")]) as server, ChatServer() as other:
        made = Machine.under(tmp_path, {"fake": server.url, "other": other.url}, fallback=["other"])
        seen = connections(made, watched, "invoke", "-m", "go", "--approve", "all", "--log-level", "DEBUG")
        assert len(server.requests) == 4 and (other.connections, other.others) == (0, [])
    assert seen == {f"socket.connect 127.0.0.1 {server.port}"}


def test_the_watch_sees_more_where_there_is_more_to_see(tmp_path: Path, watched: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = free.getsockname()[1]
    with ChatServer(reply_text("Done.")) as server:
        urls = {"down": f"http://127.0.0.1:{nobody}/v1/", "fake": f"http://localhost:{server.port}/v1/"}
        made = Machine.under(tmp_path, urls, fallback=["fake"])
        seen = connections(made, watched, "invoke", "-m", "go")
    asked = {f"socket.connect 127.0.0.1 {port}" for port in (nobody, server.port)}
    assert seen - {f"socket.connect ::1 {server.port}"} == {
        *asked,
        f"socket.getaddrinfo localhost {server.port}",
    }
