"""How engine, settings and sessions go together."""

import argparse
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from tests.fakes.chat_server import ChatServer, reply_text
from tests.project import Machine
from tui_agent.cli import chat, saved, wiring
from tui_agent.cli import engine as engine_of
from tui_agent.cli.engine import Engine
from tui_agent.conversation.errors import ConfigError
from tui_agent.conversation.events import SessionStarted
from tui_agent.headless.approver import StandingAnswer


@pytest.fixture
async def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engine]:
    with ChatServer([reply_text("ok")]) as server:
        made = Machine.under(tmp_path, {"fake": server.url, "other": server.url}, start="fake")
        for name, value in made.environ.items():
            monkeypatch.setenv(name, value)
        opened = await open_engine(made)
        yield opened
        await opened.aclose()


async def open_engine(machine: Machine, *words: str) -> Engine:
    parser = argparse.ArgumentParser()
    chat.configure(parser)
    args = parser.parse_args([str(machine.project), *words])
    directory = wiring.working_directory(args)
    loaded = wiring.settings_from(args, directory)
    return await engine_of.open_engine(args, directory, loaded, StandingAnswer("rules"), tolerant=True)


def machine_of(engine: Engine) -> Machine:
    return Machine(engine.directory.parent / "home", engine.directory)


async def say(engine: Engine, prompt: str) -> None:
    async for _ in engine.session.run(prompt):
        pass


def reloaded(engine: Engine) -> wiring.LoadedSettings:
    parser = argparse.ArgumentParser()
    chat.configure(parser)
    args = parser.parse_args([str(engine.directory)])
    return wiring.settings_from(args, engine.directory)


async def test_a_new_session_keeps_the_mode(engine: Engine) -> None:
    await engine.session.set_mode("plan")
    await engine.fresh_session()
    assert engine.session.mode == "plan"


def saved_settings(engine: Engine, **settings: object) -> None:
    """Save the user's settings with these among them, and take them over."""
    made = machine_of(engine)
    now = yaml.safe_load((made.home / "config" / "config.yaml").read_text())
    made.configure({**now, **settings})
    engine.reconfigure(reloaded(engine))


async def test_a_limit_is_for_the_run_of_the_program_through_all_its_sessions(engine: Engine) -> None:
    saved_settings(engine, max_turns=3)
    await say(engine, "one")
    first = engine.session.id
    await engine.fresh_session()
    await say(engine, "two")
    await leave(engine)
    assert engine.session.spent().steps == 1 and engine.session.spent_in_run().steps == 2
    await engine.resume(first)
    assert engine.session.spent().steps == 1 and engine.session.spent_in_run().steps == 2
    assert engine.session.limit_reached() is None
    await say(engine, "three")
    notice = engine.session.limit_reached()
    assert notice is not None and "raise `max_turns` in config.yaml" in notice.hint
    saved_settings(engine, max_turns=4)
    assert engine.session.limit_reached() is None


async def test_prices_that_are_saved_count_from_the_next_request(engine: Engine) -> None:
    await say(engine, "one")
    assert engine.session.spent().cost is None
    now = yaml.safe_load((machine_of(engine).home / "config" / "config.yaml").read_text())
    now["providers"]["fake"]["prices"] = {"*": {"input": 100_000, "output": 0}}
    saved_settings(engine, providers=now["providers"])
    await say(engine, "two")
    assert (engine.session.spent().cost, engine.session.spent().unpriced) == (1.0, 1)


async def test_a_limit_of_the_command_line_says_that_only_a_new_start_changes_it(
    tmp_path: Path, engine: Engine
) -> None:
    limited = await open_engine(machine_of(engine), "--max-tokens", "1")
    await say(limited, "one")
    notice = limited.session.limit_reached()
    assert notice is not None and notice.hint.startswith("start again with a larger --max-tokens")
    await limited.aclose()


async def leave(engine: Engine) -> str:
    """Let others open its session, as if its process had ended."""
    await engine._saved().release(engine.session.id)
    return engine.session.id


async def test_resuming_never_widens_the_mode_and_keeps_the_model(engine: Engine) -> None:
    await engine.session.set_mode("plan")
    await say(engine, "one")
    await engine.session.switch(engine.servers.client("other"), "big-model")
    strict = await leave(engine)
    again = await open_engine(machine_of(engine))
    await again.resume(strict)
    assert again.session.mode == "plan"
    assert (again.session.provider.name, again.session.model) == ("other", "big-model")
    await again.aclose()

    await engine.session.set_mode("accept-edits")
    await say(engine, "two")
    again = await open_engine(machine_of(engine))
    await again.resume(strict)
    assert again.session.mode == "ask"
    await again.aclose()


async def test_a_model_named_on_the_command_line_beats_the_one_of_the_session(engine: Engine) -> None:
    await say(engine, "one")
    again = await open_engine(machine_of(engine), "--model", "wanted")
    await again.resume(await leave(engine))
    assert again.session.model == "wanted"
    await again.aclose()


async def test_a_provider_taken_out_of_the_settings_leaves_its_client_until_it_is_back(engine: Engine) -> None:
    before = engine.session.provider
    machine_of(engine).configure({"provider": "auto"})
    with pytest.raises(ConfigError):
        engine.reconfigure(reloaded(engine))
    assert engine.session.provider is before
    assert await engine.context_length() is None
    machine_of(engine).configure({"provider": "fake", "providers": {"fake": {"base_url": "http://127.0.0.1:9/v1/"}}})
    engine.reconfigure(reloaded(engine))
    assert engine.session.provider is not before


async def test_all_sessions_of_a_folder_are_listed_however_many(engine: Engine) -> None:
    log = saved.open_log()
    for number in range(600):
        await log.create(f"s{number}", SessionStarted(str(engine.directory), "fake", "m", "ask", "0"), float(number))
    await log.aclose()
    assert len(await engine.sessions()) == 600
