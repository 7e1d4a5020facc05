"""What holds for every test."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tui_agent.text.own_keys import own_keys

# Tests say what is done, not how fast: with other programs beside it a machine takes longer, and nothing is wrong.
settings.register_profile("tui-agent", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tui-agent")


@pytest.fixture(autouse=True)
def _keys_of_this_test_only() -> Iterator[None]:
    """A process learns keys and forgets none; a test must not hide what another one looks for."""
    before = dict(vars(own_keys))
    yield
    vars(own_keys).update(before)
