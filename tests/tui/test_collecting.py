"""The garbage collector stays out of what is made to last."""

import gc

import pytest

from tui_agent.tui.collecting import Collector, lasting


def test_nothing_is_collected_inside_and_what_was_made_is_never_looked_through() -> None:
    frozen = gc.get_freeze_count()
    with lasting():
        assert not gc.isenabled()
        kept = [[number] for number in range(5_000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= frozen + len(kept)


def test_collecting_goes_on_after_a_failure() -> None:
    with pytest.raises(ZeroDivisionError), lasting():
        raise ZeroDivisionError
    assert gc.isenabled()


def test_full_rounds_are_made_at_quiet_moments_only() -> None:
    thresholds, collector = gc.get_threshold(), Collector()
    collector.begin()
    try:
        full = gc.get_stats()[2]["collections"]
        kept = [[number] for number in range(200_000)]
        collector.between()
        assert gc.get_stats()[2]["collections"] == full
        collector.round()
        assert gc.get_stats()[2]["collections"] == full + 1
        assert gc.get_freeze_count() >= len(kept)
    finally:
        collector.end()
    assert gc.get_threshold() == thresholds
    assert gc.get_freeze_count() == 0
