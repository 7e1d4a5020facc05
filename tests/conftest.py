"""What holds for every test."""

from collections.abc import Iterator

import pytest

from tui_agent.text.own_keys import own_keys


@pytest.fixture(autouse=True)
def _keys_of_this_test_only() -> Iterator[None]:
    """A process learns keys and forgets none; a test must not hide what another one looks for."""
    before = dict(vars(own_keys))
    yield
    vars(own_keys).update(before)
