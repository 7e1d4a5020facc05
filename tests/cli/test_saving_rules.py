"""A rule that a face saves is in the user's file and counts for the next call; what would break it changes nothing."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cli.test_engine import open_engine
from tests.fakes.chat_server import ChatServer, reply_text
from tests.project import Machine
from tui_agent.cli.engine import Engine
from tui_agent.conversation.errors import ConfigError
from tui_agent.permissions.approval import Allow, ApprovalRequest, Ask, CommandAccess, Refuse


@pytest.fixture
async def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Machine]:
    with ChatServer([reply_text("ok")]) as server:
        made = Machine.under(
            tmp_path, {"fake": server.url}, permissions={"deny": ["rm -rf"], "expect": {"npm run build": "ask"}}
        )
        for name, value in made.environ.items():
            monkeypatch.setenv(name, value)
        yield made


def decided(engine: Engine, command: str) -> object:
    access = CommandAccess(command, str(engine.directory), 60.0)
    return engine.session.executor.policy.decide("run_command", access)


async def test_it_counts_at_once_and_after_a_restart(machine: Machine) -> None:
    engine = await open_engine(machine)
    assert isinstance(decided(engine, "npm test"), Ask)
    await engine.save_rules(["npm test", "write(docs/**)"])
    assert isinstance(decided(engine, "npm test -- -u"), Allow)
    await engine.session.set_mode("ask")
    assert isinstance(decided(engine, "npm test"), Allow)
    await engine.aclose()
    again = await open_engine(machine)
    assert isinstance(decided(again, "npm test"), Allow)
    assert again.loaded.settings.permissions.allow == ("npm test", "write(docs/**)")
    await again.aclose()


@pytest.mark.parametrize("rule", ["npm test > x", "npm run"])
async def test_what_is_no_rule_or_breaks_an_example_is_not_saved(machine: Machine, rule: str) -> None:
    engine = await open_engine(machine)
    before = engine.rules_file.read_bytes()
    with pytest.raises(ConfigError):
        await engine.save_rules([rule])
    assert engine.rules_file.read_bytes() == before
    assert isinstance(decided(engine, "npm run build"), Ask)
    await engine.aclose()


async def test_what_cannot_be_saved_does_not_count(machine: Machine) -> None:
    engine = await open_engine(machine)
    engine.rules_file.chmod(0o444)
    with pytest.raises(ConfigError, match="read-only"):
        await engine.save_rules(["npm test"])
    await engine.session.set_mode("ask")
    assert isinstance(decided(engine, "npm test"), Ask)
    await engine.aclose()


async def test_the_file_that_the_command_line_names_gets_the_rule(machine: Machine, tmp_path: Path) -> None:
    named = tmp_path / "named.yaml"
    named.write_bytes((machine.home / "config" / "config.yaml").read_bytes())
    engine = await open_engine(machine, "--config", str(named))
    await engine.save_rules(["npm test"])
    assert "npm test" in named.read_text()
    assert "npm test" not in (machine.home / "config" / "config.yaml").read_text()
    await engine.aclose()


async def test_another_command_is_judged_as_if_it_had_been_proposed(machine: Machine) -> None:
    engine = await open_engine(machine)
    access = CommandAccess("npm test", str(engine.directory), 60.0)
    request = ApprovalRequest("call", "run_command", "npm test", access, ("no rule",), "digest")
    asked = engine.judge(request, "npm test && npm run lint")
    assert isinstance(asked, Ask) and [part.text for part in asked.parts] == ["npm test", "npm run lint"]
    assert isinstance(engine.judge(request, "rm -rf x"), Refuse)
    await engine.save_rules(["npm run lint"])
    assert isinstance(engine.judge(request, "npm run lint"), Allow)
    await engine.aclose()
