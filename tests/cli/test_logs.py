"""The log file: there when asked for, silent when it cannot be, and without secrets or texts."""

from pathlib import Path

import pytest

from tests.fakes.chat_server import ChatServer, reply_calls, reply_text
from tests.project import Machine


def test_a_log_at_info_names_requests_and_calls_and_holds_neither_texts_nor_keys(tmp_path: Path) -> None:
    script = [reply_calls([("list_directory", {"path": "."})]), reply_text("the-secret-answer")]
    with ChatServer(script) as server:
        made = Machine.under(tmp_path, {"fake": server.url})
        done = made.run("invoke", "-m", "the-secret-prompt", "--log-level", "INFO", FAKE_API_KEY="sk-very-secret")
    assert done.returncode == 0
    log = (made.home / "data" / "state" / "log" / "tui-agent.log").read_text()
    assert "request 1 to fake, model fake-model" in log and "call of list_directory: ok" in log
    assert "secret" not in log


def test_by_default_nothing_is_logged_and_no_folder_made(tmp_path: Path) -> None:
    with ChatServer([reply_text("hi")]) as server:
        made = Machine.under(tmp_path, {"fake": server.url})
        assert made.run("invoke", "-m", "x", "--no-save").returncode == 0
    assert not (made.home / "data").exists()


@pytest.mark.promise("P30", "P31")
def test_a_log_that_cannot_be_written_disturbs_nothing(tmp_path: Path) -> None:
    with ChatServer([reply_text("hi")]) as server:
        made = Machine.under(tmp_path, {"fake": server.url})
        (made.home / "data").write_text("a file where the folder should be")
        done = made.run("invoke", "-m", "x", "--no-save", "--log-level", "DEBUG")
    assert (done.stdout, done.stderr, done.returncode) == ("hi\n", "", 0)
