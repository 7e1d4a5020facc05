"""A long day with a bad server: nothing is lost, every request is valid, memory stays."""

from pathlib import Path

import pytest

from tests.reliability.soak import MOST_GROWTH, soak


@pytest.mark.promise("P5", "P6", "P7", "P10", "P17", "P22")
async def test_sixty_turns_against_a_server_that_fails_at_random(tmp_path: Path) -> None:
    outcome = await soak(tmp_path, 60, seed=60)
    assert outcome.broken == []
    assert outcome.turns == 60 and len(outcome.faults) > 8


@pytest.mark.slow
@pytest.mark.promise("P5", "P6", "P7", "P10", "P17", "P22")
async def test_two_thousand_turns_lose_nothing_and_memory_stays(tmp_path: Path) -> None:
    outcome = await soak(tmp_path, 2000, seed=1)
    assert outcome.broken == []
    assert sum(outcome.compacted.values()) > 50 and outcome.refused < outcome.requests / 50
    assert outcome.growth <= MOST_GROWTH
