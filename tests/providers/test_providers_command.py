"""`tui-agent providers list|test|models`, from the command line to a real server."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.chat_server import (
    ChatServer,
    Close,
    Responder,
    reply_body,
    reply_calls,
    reply_error,
    reply_steps,
    reply_text,
    text,
)
from tui_agent.cli.main import main


class Shell:
    """Runs the command line with a configuration of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys
        self.errors = ""

    def run(self, url: str, *words: str, **fields: Any) -> tuple[int, str]:
        """Exit code and output of `providers WORDS` with one provider `fake` at this address."""
        entry = {"base_url": url, "requires_api_key": False, "start_hint": "fake serve", **fields}
        config = self.folder / "config.yaml"
        config.write_text(json.dumps({"providers": {"fake": entry}}), encoding="utf-8")
        code = main(["providers", *words, "--config", str(config), "-w", str(self.folder)])
        captured = self.capsys.readouterr()
        self.errors = captured.err
        return code, captured.out


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    for vendor in ("OPENAI", "OPENROUTER", "GROQ", "MISTRAL", "DEEPSEEK", "ANTHROPIC", "GEMINI"):
        monkeypatch.delenv(f"{vendor}_API_KEY", raising=False)
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
    return Shell(tmp_path, capsys)


def able(body: dict[str, Any], number: int) -> Any:
    return reply_calls([("report_color", {"color": "blue"})]) if body.get("tools") else reply_text("ready")


def checks_of(output: str) -> dict[str, str]:
    """Name → word of the rows of `test`."""
    rows = [line for line in output.splitlines() if not line.startswith(" ")]
    return {row[:16].strip(): row[16:24].strip() for row in rows}


def test_a_good_provider_passes_every_check(shell: Shell) -> None:
    with ChatServer(able, models=[{"id": "fake-model", "context_length": 32768}]) as server:
        code, output = shell.run(server.url, "test", "fake")
    assert code == 0
    names = ("key", "connection", "models", "streaming", "first token", "context length", "tool calling", "verdict")
    assert checks_of(output) == dict.fromkeys(names, "ok")
    assert output.splitlines()[-1].endswith("tui-agent will use native tool calls")


def test_nobody_there_is_exit_code_4_with_the_fix(shell: Shell) -> None:
    code, output = shell.run("http://localhost:1/v1/", "test", "fake")
    assert code == 4
    assert checks_of(output) == {"key": "ok", "connection": "failed"}
    assert "Connection refused to localhost:1" in output
    assert "fake serve" in output


def chatty(body: dict[str, Any], number: int) -> Any:
    return reply_text("ready")


def toolless(body: dict[str, Any], number: int) -> Any:
    return reply_error(400, "fake-model does not support tools") if body.get("tools") else reply_text("ready")


def cutting(body: dict[str, Any], number: int) -> Any:
    return reply_steps(text("rea"), Close())


def silent(body: dict[str, Any], number: int) -> Any:
    return reply_text("")


@pytest.mark.parametrize(
    ("responder", "failed", "said"),
    [
        (chatty, ["tool calling", "tools as text", "verdict"], "it answered without a call"),
        (toolless, ["tool calling", "tools as text", "verdict"], "fake-model does not support tools"),
        (cutting, ["streaming"], "broke off"),
        (silent, ["streaming"], "empty reply"),
    ],
)
def test_what_fails_is_named_with_its_fix(shell: Shell, responder: Responder, failed: list[str], said: str) -> None:
    with ChatServer(responder) as server:
        code, output = shell.run(server.url, "test", "fake")
    assert code == 1
    assert [name for name, word in checks_of(output).items() if word == "failed"] == failed
    assert said in output


def test_a_missing_key_ends_the_test_without_contact(shell: Shell) -> None:
    with ChatServer(able) as server:
        code, output = shell.run(server.url, "test", "fake", requires_api_key=True)
        assert server.connections == 0
    assert code == 1
    assert checks_of(output) == {"key": "failed"}
    assert "export FAKE_API_KEY=…" in output


def test_a_model_that_is_not_served_is_named_with_the_nearest(shell: Shell) -> None:
    with ChatServer(able, models=["qwen2.5:latest"]) as server:
        code, output = shell.run(server.url, "test", "fake", "--model", "qwen2.5", fetch_hint="fake pull {model}")
        assert {body["model"] for body in server.bodies} == {"qwen2.5"}
    assert code == 1
    assert checks_of(output)["models"] == "failed"
    assert "fake pull qwen2.5, or use qwen2.5:latest" in output


def test_a_server_that_lists_no_models_can_still_pass_the_rest(shell: Shell) -> None:
    with ChatServer(able, models_reply=reply_error(404)) as server:
        code, output = shell.run(server.url, "test", "fake", default_model="m")
    assert code == 1
    assert checks_of(output)["models"] == "failed"
    assert checks_of(output)["tool calling"] == "ok"


def test_tools_that_are_switched_off_are_not_tried(shell: Shell) -> None:
    with ChatServer(able) as server:
        code, output = shell.run(server.url, "test", "fake", tool_calls="off")
        assert all("tools" not in body for body in server.bodies)
    assert (code, checks_of(output)["tool calling"]) == (0, "-")


def test_the_checks_as_json(shell: Shell) -> None:
    with ChatServer(able) as server:
        code, output = shell.run(server.url, "test", "fake", "--json")
    report = json.loads(output)
    assert (code, report["provider"], report["ok"]) == (0, "fake", True)
    assert [row["check"] for row in report["checks"]][-2:] == ["tool calling", "verdict"]


def test_an_unknown_provider_is_a_usage_error_with_the_nearest_name(shell: Shell) -> None:
    code, output = shell.run("http://localhost:1/v1/", "test", "fke")
    assert (code, output) == (2, "")
    assert "Unknown provider 'fke'" in shell.errors
    assert "fake" in shell.errors


def test_models_are_listed_with_context_and_tools(shell: Shell) -> None:
    models: list[str | dict[str, Any]] = [
        {"id": "a", "context_length": 4096, "supported_parameters": ["tools"]},
        "b\x1b[31m",
    ]
    with ChatServer(models=models) as server:
        code, output = shell.run(server.url, "models", "fake")
        assert code == 0
        assert [line.split() for line in output.splitlines()] == [
            ["model", "context", "tools", "parameters"],
            ["a", "4096", "yes", "unknown"],
            ["b", "unknown", "unknown", "unknown"],
        ]
        code, output = shell.run(server.url, "models", "fake", "--json")
    assert json.loads(output)[0] == {"id": "a", "context_length": 4096, "tools": True, "parameters": None}


@pytest.mark.parametrize(("words", "code"), [(("models", "fake"), 4), (("models", "nobody"), 2)])
def test_models_of_nobody_is_an_error_on_stderr(shell: Shell, words: Sequence[str], code: int) -> None:
    assert shell.run("http://localhost:1/v1/", *words) == (code, "")
    assert shell.errors.startswith("error: ")


def test_list_shows_every_provider_with_its_state(shell: Shell) -> None:
    with ChatServer(models=["a", "b"]) as server:
        code, output = shell.run(server.url, "list")
        assert code == 0
        rows = {line.split()[0]: line for line in output.splitlines()}
        assert rows["provider"].split() == ["provider", "state", "latency", "models", "context", "address"]
        assert rows["fake"].split()[1:] == ["up", rows["fake"].split()[2], "ms", "2", "unknown", server.url]
        assert re.search(r"embedded +missing .*(models pull|pip install)", rows["embedded"])
        assert "export OPENAI_API_KEY=…" in rows["openai"]
        code, output = shell.run(server.url, "list", "--json")
    found = {row["provider"]: row for row in json.loads(output)}
    assert found["fake"]["state"] == "up"
    assert [model["id"] for model in found["fake"]["models"]] == ["a", "b"]
    assert found["openai"]["state"] == "no key"


def test_a_page_of_some_other_program_on_the_port_is_an_error_state(shell: Shell) -> None:
    with ChatServer(models_reply=reply_body(200, "<html><title>Router</title>", "text/html")) as server:
        _, output = shell.run(server.url, "list")
    (row,) = [line for line in output.splitlines() if line.startswith("fake ")]
    assert "error" in row
    assert "answers, but is no model server: Router" in row
