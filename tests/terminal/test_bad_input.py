"""What goes wrong is one clear message on the screen; the session stays usable and the terminal is restored."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.fakes.chat_server import (
    ChatServer,
    Close,
    Reply,
    delta,
    reply_calls,
    reply_error,
    reply_html,
    reply_steps,
    reply_text,
    text,
)
from tests.project import Machine
from tests.terminal.test_journey import answer, launch, submit

CUT = reply_steps(delta(role="assistant"), text("Half of the ans"), Close())


@pytest.mark.promise("P3", "P10")
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (reply_error(401, "Incorrect API key"), "FAKE_API_KEY"),
        (reply_error(404, "model 'fake-model' not found", code="model_not_found"), "Unknown model"),
        (CUT, "cut off"),
        (reply_html(), "✗"),
        (reply_error(500, "the boiler burst"), "the boiler burst"),
        (reply_error(400, "maximum context length is 4096 tokens"), "context"),
    ],
    ids=["key", "model", "cut", "html", "server", "context"],
)
def test_a_bad_answer_is_said_and_the_next_prompt_works(tmp_path: Path, bad: Reply, message: str) -> None:
    with ChatServer([bad, reply_text("All is well.")]) as server:
        made = Machine.under(tmp_path, {"fake": server.url})
        with launch(made) as terminal:
            submit(terminal, "hello")
            terminal.wait_for(message)
            submit(terminal, "again")
            terminal.wait_for("All is well")
            assert "Traceback" not in terminal.text


@pytest.mark.promise("P13", "P15", "P16")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (("read_file", '{"file_path": "x'), "JSON"),
        (("launch_rocket", {}), "unknown tool"),
        (("read_file", {"file_path": 7}), "file_path"),
        (("read_file", {"file_path": "../../etc/passwd"}), "outside"),
    ],
    ids=["malformed", "unknown", "type", "outside"],
)
def test_a_bad_call_fails_in_its_row_and_goes_back_to_the_model(tmp_path: Path, call: tuple, message: str) -> None:
    with ChatServer([reply_calls([call]), reply_text("I see.")]) as server:
        with launch(Machine.under(tmp_path, {"fake": server.url})) as terminal:
            submit(terminal, "do it")
            terminal.wait_for("I see")
            assert re.search(rf"{call[0]}.*(failed|✗)", terminal.text)
        assert message in server.bodies[1]["messages"][-1]["content"]


@pytest.mark.promise("P38")
def test_a_working_directory_that_vanishes_is_an_error_of_the_call(tmp_path: Path) -> None:
    write = reply_calls([("write_file", {"file_path": "a.txt", "content": "x\n"})])
    with ChatServer([write, reply_text("I see.")]) as server:
        made = Machine.under(tmp_path, {"fake": server.url})
        with launch(made) as terminal:
            terminal.wait_for("›")
            terminal.settle(1.0)
            shutil.rmtree(made.project)
            submit(terminal, "write it")
            terminal.wait_for("I see")
            submit(terminal, "still there")
            terminal.settle(0.5)
        assert not made.project.exists()
        assert "cannot be used any more" in server.bodies[1]["messages"][-1]["content"]


def test_a_setting_changed_while_it_runs_is_taken_over_and_a_typo_is_named(tmp_path: Path) -> None:
    with ChatServer([reply_text("fine")]) as server:
        made = Machine.under(tmp_path, {"fake": server.url})
        config = made.home / "config" / "config.yaml"
        settings = yaml.safe_load(config.read_text())
        with launch(made) as terminal:
            terminal.wait_for("›")
            terminal.settle(1.0)
            made.configure({**settings, "ui": {"theme": "paper"}})
            terminal.wait_for(r"ui.theme: slate → paper")
            made.configure({**settings, "ui": {"thme": "paper"}})
            terminal.wait_for(r"config\.yaml")
            terminal.wait_for("thme")
            terminal.wait_for("stay in force")
            submit(terminal, "hello")
            terminal.wait_for("fine")


def test_a_theme_with_a_bad_colour_is_named_and_the_default_is_shown(tmp_path: Path) -> None:
    made = Machine.under(tmp_path, {}, ui={"theme": "mine"})
    themes = made.home / "config" / "themes"
    themes.mkdir()
    (themes / "mine.yaml").write_text("name: mine\ndark: true\nbackground: '#12'\n")
    with launch(made) as terminal:
        terminal.wait_for(r"mine\.yaml")
        terminal.wait_for("background")
        assert "Traceback" not in terminal.text


@pytest.mark.promise("P33")
def test_resizing_at_every_moment_harms_nothing(tmp_path: Path) -> None:
    write = reply_calls([("write_file", {"file_path": "a.txt", "content": "x\n" * 50})], answer="Now " * 60)
    with ChatServer([write, reply_text("Survived it.")], pace=300) as server:
        made = Machine.under(tmp_path, {"fake": server.url})
        with launch(made) as terminal:
            submit(terminal, "go")
            for columns, rows in [(40, 10), (200, 60), (1, 1), (20, 6), (500, 200), (3, 40), (120, 2), (80, 24)] * 2:
                terminal.resize(columns, rows)
                terminal.settle(0.03, 0.3)
            terminal.resize(40, 10)
            answer(terminal, "y")
            terminal.wait_for("Survived it")
            assert (made.project / "a.txt").exists()
            terminal.send("\x11")
            assert terminal.wait_exit() == 0


def test_a_theme_that_goes_bad_while_it_is_shown_is_named_and_stays_as_it_was(tmp_path: Path) -> None:
    made = Machine.under(tmp_path, {"fake": "http://127.0.0.1:9/v1/"}, ui={"theme": "mine"})
    themes = made.home / "config" / "themes"
    themes.mkdir()
    good = (Path(__file__).parents[2] / "themes" / "slate.yaml").read_text().replace("slate", "mine")
    (themes / "mine.yaml").write_text(good)
    with launch(made) as terminal:
        terminal.wait_for("›")
        terminal.settle(1.0)
        new = themes / "mine.new"
        new.write_text(good.replace("background:", "backgrund:", 1))
        new.replace(themes / "mine.yaml")
        terminal.wait_for("backgrund")
        terminal.wait_for(r"mine\.yaml")
        assert "Traceback" not in terminal.text
