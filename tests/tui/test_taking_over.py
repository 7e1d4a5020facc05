"""What the screen shows when another provider takes over, and when a limit of the run is reached."""

from pathlib import Path

import pytest
import yaml

from tests.fakes.chat_server import ChatServer, reply_calls, reply_error, reply_text
from tests.project import Machine
from tests.tui.chat_stage import chat_app, screen_text, submit, until


def changed(machine: Machine, **settings: object) -> None:
    """Save the user's settings with these in place of what was there."""
    now = yaml.safe_load((machine.home / "config" / "config.yaml").read_text())
    machine.configure({**now, **settings})


async def test_the_screen_says_who_took_over_and_the_status_bar_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer(reply_error(503)) as first, ChatServer(reply_text("Here I am.")) as second:
        made = Machine.under(tmp_path, {"first": first.url, "second": second.url}, fallback=["second"])
        now = yaml.safe_load((made.home / "config" / "config.yaml").read_text())
        now["providers"]["first"]["context_length"] = 1_000_000
        now["providers"]["second"]["context_length"] = 2_000
        changed(made, providers=now["providers"])
        app = chat_app(made, monkeypatch)
        async with app.run_test(size=(120, 30)) as pilot:
            await until(pilot, lambda: "first · fake-model" in screen_text(app))
            await submit(pilot, "hello")
            await until(pilot, lambda: "Here I am." in screen_text(app))
            text = screen_text(app)
            assert "first is in trouble (first answered 503: error 503)" in text
            assert "second · fake-model answers from now on" in text
            assert "second · fake-model" in text.splitlines()[0]
            # Of a million tokens it was nothing, of two thousand it is more.
            await until(pilot, lambda: "%" in screen_text(app).splitlines()[0] and " 0%" not in screen_text(app))
            await submit(pilot, "more")
            await until(pilot, lambda: screen_text(app).count("Here I am.") == 2)
            assert (len(first.requests), len(second.requests)) == (1, 2)


async def test_a_limit_in_the_settings_stops_a_turn_and_one_that_is_raised_lets_it_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([reply_calls([("list_directory", {})]), reply_text("Done.")]) as server:
        made = Machine.under(tmp_path, {"fake": server.url}, max_turns=1)
        app = chat_app(made, monkeypatch)
        async with app.run_test(size=(120, 30)) as pilot:
            await until(pilot, lambda: "fake · fake-model" in screen_text(app))
            await submit(pilot, "go")
            await until(
                pilot, lambda: "stopped by max_turns: this run has used 1 step, the limit is 1" in screen_text(app)
            )
            assert "raise `max_turns` in config.yaml" in screen_text(app)
            await until(pilot, lambda: not app.screen.busy)  # type: ignore[attr-defined]
            changed(made, max_turns=5)
            await until(pilot, lambda: "max_turns: 1 → 5" in screen_text(app))
            await submit(pilot, "go on")
            await until(pilot, lambda: "Done." in screen_text(app))
