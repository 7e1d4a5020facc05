"""`kill -9` at hundreds of places of a turn: what was finished is there, and nothing is half done or done again."""

import random
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.fakes.chat_server import ChatServer, Close, Delay, Reply, Reset, Seen, Stall, body_of
from tests.reliability.killing import Place, Zygote, check_after_kill, kill, scene, script

GO = ("invoke", "-m", "go", "--approve", "all", "--output-format", "stream-json")
ALWAYS = ("workspace/putting.py:",)
"""Every place of these is tried: here the files of the user change."""


class KillingServer(ChatServer):
    """Kills its client in the middle of one of its replies, behind a share of its bytes."""

    def __init__(self, request_number: int, share: float) -> None:
        super().__init__(script)
        self.victim = 0
        self.started = threading.Event()
        self._request_number = request_number
        self._share = share

    def _encode(self, reply: Reply, seen: Seen) -> Iterable[bytes | Delay | Stall | Reset | Close]:
        if len(self.requests) != self._request_number + 1 or seen is not self.requests[-1]:
            return super()._encode(reply, seen)
        return self._cut(body_of(reply))

    def _cut(self, whole: bytes) -> Iterator[bytes | Delay]:
        place = max(1, int(self._share * len(whole)))
        yield whole[:place]
        yield Delay(0.02)  # what was sent so far is on its way
        self.started.wait(5)
        kill(self.victim)
        yield whole[place:]


@pytest.fixture(scope="module")
def places(runner: Zygote, tmp_path_factory: pytest.TempPathFactory) -> list[Place]:
    """All places of the turn in their order, found by running it once to its end."""
    root = tmp_path_factory.mktemp("trace")
    with ChatServer(script) as server:
        machine = scene(root / "scene", server)
        assert runner.run(machine, *GO, trace=root / "trace") == 0, (machine.home / "err").read_text()
    rows = (line.rsplit(" ", 1) for line in (root / "trace").read_text().splitlines())
    return [(name, int(number)) for name, number in rows]


def kill_at(runner: Zygote, root: Path, place: Place) -> bool:
    """Kill it there and look; False when the place was not reached this time."""
    with ChatServer(script) as server:
        machine = scene(root, server)
        code = runner.run(machine, *GO, kill=place)
        try:
            check_after_kill(machine, server, 0, runner)
        except AssertionError as error:
            raise AssertionError(f"killed at {place[0]} {place[1]}: {error}") from error
    return code == -9


@pytest.mark.promise("P28", "P29")
def test_killed_at_a_few_places_nothing_is_lost_and_nothing_half_done(
    tmp_path: Path, runner: Zygote, places: list[Place]
) -> None:
    always = [place for place in places if place[0].startswith(ALWAYS)]
    chosen = [*always[3 :: len(always) // 4], *places[40 :: len(places) // 3]]
    killed = [kill_at(runner, tmp_path / str(number), place) for number, place in enumerate(chosen)]
    assert sum(killed) >= 6


@pytest.mark.slow
@pytest.mark.promise("P28", "P29")
def test_killed_at_every_place_where_files_change_and_a_hundred_and_sixty_others(
    tmp_path: Path, runner: Zygote, places: list[Place]
) -> None:
    always = [place for place in places if place[0].startswith(ALWAYS)]
    chosen = [*always, *places[:: len(places) // 160]]
    killed = [kill_at(runner, tmp_path / str(number), place) for number, place in enumerate(chosen)]
    assert sum(killed) >= 160


@pytest.mark.slow
@pytest.mark.promise("P28", "P29")
def test_killed_after_any_time(tmp_path: Path, runner: Zygote) -> None:
    rng = random.Random(28)
    killed = 0
    for number in count():
        if killed >= 40:
            break
        with ChatServer(script) as server:
            machine = scene(tmp_path / str(number), server)
            pid = runner.start(machine, *GO)
            time.sleep(rng.uniform(0.0, 0.6))
            kill(pid)
            killed += runner.wait() == -9
            check_after_kill(machine, server, 0, runner)


@pytest.mark.slow
@pytest.mark.promise("P28")
@pytest.mark.parametrize("request_number", range(4))
def test_killed_by_what_the_server_has_sent(tmp_path: Path, runner: Zygote, request_number: int) -> None:
    """Between the bytes of each reply: the kill comes from the server's thread, in the middle of a frame."""
    rng = random.Random(request_number)
    for number in range(10):
        with KillingServer(request_number, rng.random()) as server:
            machine = scene(tmp_path / str(number), server)
            server.victim = runner.start(machine, *GO)
            server.started.set()
            runner.wait()
            check_after_kill(machine, server, 0, runner)
