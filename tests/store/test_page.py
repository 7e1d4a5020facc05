"""Every example on docs/sessions.md is what the program prints."""

import asyncio
import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tui_agent.cli.main import main
from tui_agent.conversation.events import AssistantReplied, LoggedEvent, PromptSubmitted, SessionStarted, TurnEnded
from tui_agent.conversation.messages import Usage
from tui_agent.store.sqlite import SqliteLog
from tui_agent.tui.actions import ACTIONS
from tui_agent.tui.commands import SLASH_COMMANDS

PAGE = (Path(__file__).parents[2] / "docs" / "sessions.md").read_text()
EXAMPLES = re.findall(r"```console\n\$ tui-agent (.*?)\n(.*?)```", PAGE, re.DOTALL)
VERBS = re.findall(r"`tui-agent sessions (\w+)", PAGE)


def reply(text: str) -> AssistantReplied:
    return AssistantReplied(text, "", (), "stop", "ollama", "qwen2.5", Usage(), 0.5)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TUI_AGENT_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("TUI_AGENT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path / "shop")
    first: list[LoggedEvent] = [PromptSubmitted("add a README"), reply("Done."), TurnEnded("done")]
    second: list[LoggedEvent] = [
        PromptSubmitted("why does the total differ by a cent?"),
        reply("Each line is rounded before the sum."),
        PromptSubmitted("then round the sum"),
        TurnEnded("interrupted"),
    ]

    async def fill() -> None:
        log = SqliteLog(tmp_path / "data" / "sessions.db")
        sessions = (("20260101-0900-aaaaaa", first, 1_767_258_000.0), ("20260102-0900-bbbbbb", second, 1_767_344_400.0))
        for name, events, at in sessions:
            last = await log.create(name, SessionStarted(str(tmp_path / "shop"), "ollama", "qwen2.5", "ask", "1"), at)
            for event in events:
                last = await log.append(last, event, last.time + 1)
        await log.aclose()

    asyncio.run(fill())
    yield tmp_path
    monkeypatch.undo()
    time.tzset()


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 5


@pytest.mark.parametrize(("command", "printed"), EXAMPLES)
def test_what_the_page_prints_is_printed(
    home: Path, capsys: pytest.CaptureFixture[str], command: str, printed: str
) -> None:
    assert main(shlex.split(command)) == 0
    assert capsys.readouterr().out.replace(str(home), "~") == printed


def test_every_verb_and_every_command_of_the_chat_is_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["sessions", "--help"])
    verbs = re.findall(r"^    (\w+)  ", capsys.readouterr().out, re.MULTILINE)
    assert len(verbs) == 11 and set(verbs) <= {*VERBS, "list"}
    for command in SLASH_COMMANDS:
        if command.action in ("chat.rename", "chat.fork", "chat.export", "chat.replay", "chat.sessions"):
            assert f"`{command.name}`" in PAGE


def test_the_keys_on_the_page_are_those_of_the_list() -> None:
    keys = {action.id: action.keys for action in ACTIONS}
    for name, row in {
        "rename": "a name",
        "fork": "something else from",
        "export": "elsewhere",
        "look": "look at",
    }.items():
        (line,) = [line for line in PAGE.splitlines() if line.startswith("|") and row in line]
        assert f"`{keys[f'sessions.{name}'].upper()}` in the list" in line
    assert f"`{keys['sessions.delete'].upper()}`, then `{keys['sessions.confirm']}`" in PAGE
