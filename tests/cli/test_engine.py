"""How engine, settings and sessions go together."""

import argparse
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

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


async def leave(engine: Engine) -> str:
    """Let others open its session, as if its process had ended."""
    await engine._saved().release(engine.session.id)
    return engine.session.id


async def test_resuming_never_widens_the_mode_and_keeps_the_model(engine: Engine) -> None:
    await engine.session.set_mode("plan")
    await say(engine, "one")
    await engine.session.switch(engine.provider("other"), "big-model")
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
