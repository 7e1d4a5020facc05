"""What the tests of reliability share."""

from collections.abc import Iterator

import pytest

from tests.reliability.killing import Zygote, zygote


@pytest.fixture(scope="module")
def runner() -> Iterator[Zygote]:
    """Runs the program without its start; gone behind each module, because others look at what runs."""
    with zygote() as made:
        yield made
