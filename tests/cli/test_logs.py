"""The log file: there when asked for, silent when it cannot be, and without secrets or texts."""

import json
import logging
from datetime import datetime
from pathlib import Path

import pytest

from tests.fakes.chat_server import ChatServer, reply_calls, reply_error, reply_text
from tests.project import Machine
from tui_agent.cli import logs


def test_a_log_at_info_names_requests_and_calls_and_holds_neither_texts_nor_keys(tmp_path: Path) -> None:
    script = [reply_calls([("list_directory", {"path": "."})]), reply_text("the-secret-answer")]
    with ChatServer(script) as server:
        made = Machine.under(tmp_path, {"fake": server.url})
        done = made.run("invoke", "-m", "the-secret-prompt", "--log-level", "INFO", FAKE_API_KEY="sk-very-secret")
    assert done.returncode == 0
    log = (made.home / "data" / "state" / "log" / "tui-agent.log").read_text()
    for line in log.splitlines():
        row = json.loads(line)
        assert list(row) == ["time", "level", "process", "logger", "text"]
        assert datetime.strptime(row["time"], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert "request 1 to fake, model fake-model" in log and "call of list_directory: ok" in log
    assert "secret" not in log


def test_what_a_server_quotes_of_a_request_is_not_logged(tmp_path: Path) -> None:
    with ChatServer([reply_error(400, "I do not like this: the-secret-prompt")]) as server:
        made = Machine.under(tmp_path, {"fake": server.url})
        assert made.run("invoke", "-m", "the-secret-prompt", "--log-level", "DEBUG").returncode != 0
    log = (made.home / "data" / "state" / "log" / "tui-agent.log").read_text()
    assert "provider fake: request, status 400" in log
    assert "secret" not in log


def test_the_files_are_bounded_together_whatever_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LOG_BYTES", 10_000)
    monkeypatch.setattr(logs, "RECORD_CHARACTERS", 500)
    handler = logs.LogFile(tmp_path / "deep" / "tui-agent.log")
    handler.setFormatter(logs.JsonLine())
    logger = logging.getLogger("tui_agent.test_logs")
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setattr(logger, "handlers", [handler])
    for number in range(300):
        logger.error("%d %s sk-%s", number, "x" * (number * 50), "a" * 400)
    try:
        raise ValueError("\n" * 100_000)
    except ValueError:
        logger.exception("at the end")
    handler.close()
    files = sorted((tmp_path / "deep").iterdir())
    assert [file.name for file in files] == ["tui-agent.log", *(f"tui-agent.log.{number}" for number in (1, 2, 3))]
    assert sum(file.stat().st_size for file in files) < 4 * 11_500
    text = "".join(file.read_text() for file in files)
    assert "aaaa" not in text
    assert json.loads(text.splitlines()[-1]) and all(json.loads(line)["level"] == "ERROR" for line in text.splitlines())
    assert (tmp_path / "deep").stat().st_mode & 0o077 == 0


def test_doctor_names_the_file(tmp_path: Path) -> None:
    made = Machine.under(tmp_path, {"fake": "http://localhost:9/v1/"})
    rows = json.loads(made.run("doctor", "--json").stdout)
    assert str(made.home / "data" / "state" / "log" / "tui-agent.log") in json.dumps(rows)


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
