"""`kill -9` in a turn that is refused as too long, cuts results, summarises and goes over to another provider.

Whatever it was doing: the session goes on with a request that is valid, fits the window and has what the user asked.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.chat_server import Reply, history_problems, reply_calls, reply_error, reply_text
from tests.fakes.window_server import WindowServer, asks_for_summary
from tests.project import Machine
from tests.reliability.killing import Place, Zygote, records
from tui_agent.conversation.events import Compacted, ModelSwitched, ResultsTrimmed

ASKED = "Read all parts. The colour is teal-7."
GO = ("invoke", "-m", ASKED, "--approve", "all", "--output-format", "stream-json")
STEPS = ("agent/making_room.py:", "agent/summarising.py:", "agent/fallback.py:")
WINDOW = 4096


class Scene:
    """Two servers and a project; the first says nothing of its window, and is down after a while."""

    def __init__(self, root: Path, first: WindowServer, second: WindowServer) -> None:
        root.mkdir()
        self.servers = (first, second)
        urls = {"first": first.url, "second": second.url}
        self.machine = Machine.under(root, urls, fallback=["second"])
        for part in range(12):
            lines = "\n".join(f"line {line} of part {part}: rounded before tax" for line in range(90))
            (self.machine.project / f"part{part}.txt").write_text(lines)

    def sent(self) -> list[dict[str, Any]]:
        """The last request to each that is no summary."""
        return [
            body
            for server in self.servers
            for body in [body for body in server.bodies if not asks_for_summary(body)][-1:]
        ]


@contextmanager
def scene(root: Path) -> Iterator[Scene]:
    def going_on(last: int, behind: Reply) -> Any:
        def answer(body: dict[str, Any], number: int) -> Reply:
            if str(body["messages"][-1]["content"]).endswith("and?"):
                return reply_text("Fine.")
            if number >= last:
                return behind
            calls = [("read_file", {"file_path": f"part{number % 12}.txt"}), ("list_directory", {"path": "."})]
            return reply_calls(calls, first=number * 10, answer="On.")

        return answer

    with (
        WindowServer(WINDOW, going_on(9, reply_error(503)), unlisted=True) as first,
        WindowServer(WINDOW, going_on(7, reply_text("All is done."))) as second,
    ):
        yield Scene(root, first, second)


def check(scene: Scene, runner: Zygote) -> None:
    """What is promised after the kill."""
    machine = scene.machine
    session, before, fault = records(machine)
    asked = any(server.bodies for server in scene.servers)
    assert session or not asked, "the session is not there, though its prompt was sent"
    if not session:
        return
    assert fault == "", fault
    counts = [len(server.refused) for server in scene.servers]
    assert runner.run(machine, "invoke", "-m", "and?", "--resume", session, "--approve", "all") == 0, (
        machine.home / "err"
    ).read_text()
    answered = [body for body in scene.sent() if str(body["messages"][-1]["content"]).endswith("and?")]
    assert answered
    for body in answered:
        assert not history_problems(body["messages"])
        assert not asked or "The colour is teal-7." in str(body["messages"]), "what the user asked is lost"
    # A server that had said how much it takes is not asked for more; one that had not may have to say it.
    told = any(isinstance(record.event, Compacted) and record.event.window for record in before)
    refused = [len(server.refused) - count for server, count in zip(scene.servers, counts, strict=True)]
    assert refused[0] <= (0 if told else 1) and refused[1] == 0, refused
    _, after, fault = records(machine)
    assert fault == "" and after[: len(before)] == before
    assert runner.run(machine, "sessions", "verify", session) == 0


@pytest.fixture(scope="module")
def places(runner: Zygote, tmp_path_factory: pytest.TempPathFactory) -> list[Place]:
    """All places of the turn in their order; it does all that this is about."""
    root = tmp_path_factory.mktemp("trace")
    with scene(root / "scene") as made:
        assert runner.run(made.machine, *GO, trace=root / "trace") == 0, (made.machine.home / "err").read_text()
        _, log, fault = records(made.machine)
        assert fault == ""
        events = [record.event for record in log]
        assert [event for event in events if isinstance(event, Compacted) and event.trigger == "overflow"]
        assert [event for event in events if isinstance(event, Compacted) and event.trigger == "full"]
        assert [event for event in events if isinstance(event, ResultsTrimmed)]
        assert [event for event in events if isinstance(event, ModelSwitched)]
        assert max(made.servers[1].sizes) <= WINDOW
    rows = (line.rsplit(" ", 1) for line in (root / "trace").read_text().splitlines())
    return [(name, int(number)) for name, number in rows]


def kill_at(runner: Zygote, root: Path, place: Place) -> bool:
    """Kill it there and look; False when the place was not reached this time."""
    with scene(root) as made:
        code = runner.run(made.machine, *GO, kill=place)
        try:
            check(made, runner)
        except AssertionError as error:
            raise AssertionError(f"killed at {place[0]} {place[1]}: {error}") from error
    return code == -9


@pytest.mark.promise("P23", "P28")
def test_killed_while_room_is_made_the_session_goes_on(tmp_path: Path, runner: Zygote, places: list[Place]) -> None:
    steps = [place for place in places if place[0].startswith(STEPS)]
    chosen = steps[7 :: len(steps) // 5]
    assert sum(kill_at(runner, tmp_path / str(number), place) for number, place in enumerate(chosen)) >= 4


@pytest.mark.slow
@pytest.mark.promise("P23", "P28")
def test_killed_at_a_hundred_and_sixty_places_the_session_goes_on(
    tmp_path: Path, runner: Zygote, places: list[Place]
) -> None:
    steps = [place for place in places if place[0].startswith(STEPS)]
    logged = [place for place in places if place[0].startswith(("agent/book.py:", "store/sqlite.py:"))]
    chosen = [*steps[:: len(steps) // 60], *logged[:: len(logged) // 60], *places[:: len(places) // 40]]
    killed = [kill_at(runner, tmp_path / str(number), place) for number, place in enumerate(chosen)]
    assert sum(killed) >= 150
