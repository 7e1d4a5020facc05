"""A search by all threads and one in order of paths: whichever is done first, the answer is the same."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_agent.conversation.errors import ToolError
from tui_agent.tools.builtin import first
from tui_agent.tools.builtin.first import Found, first_in_order

NAMES = ["a", "a/b", "a-b", "a/b/c", "b", "é", "a b/c", "b/a"]


class Searches:
    """Both kinds of search over the same results; `stuck` kinds give what they have and then nothing more."""

    def __init__(self, found: list[tuple[str, int]], *stuck: bool) -> None:
        self.found = found
        self.stuck = stuck
        self.begun: list[bool] = []
        self.closed: list[bool] = []

    async def __call__(self, in_order: bool) -> AsyncGenerator[list[Found[str]], None]:
        self.begun.append(in_order)
        found = sorted(self.found, key=lambda each: each[0].split("/")) if in_order else self.found
        try:
            for name, weight in found:
                await asyncio.sleep(0)
                yield [Found(name.encode(), weight, name)]
            if in_order in self.stuck:
                await asyncio.sleep(60)
        finally:
            self.closed.append(in_order)


@settings(max_examples=150, deadline=None)
@given(
    found=st.lists(st.tuples(st.sampled_from(NAMES), st.integers(1, 3)), unique_by=lambda each: each[0]),
    limit=st.integers(1, 6),
    ahead=st.integers(0, 3),
    unordered=st.booleans(),
)
async def test_the_answer_is_the_first_in_order_whoever_finds_it(
    found: list[tuple[str, int]], limit: int, ahead: int, unordered: bool
) -> None:
    expected: list[str] = []
    count = 0
    for name, weight in sorted(found, key=lambda each: each[0].split("/")):
        if count <= limit:
            expected.append(name)
        count += weight
    searches = Searches(found)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(first, "AHEAD", ahead)
        assert await first_in_order(searches, limit, unordered=unordered) == expected
    assert sorted(searches.begun) == sorted(searches.closed)


async def test_with_little_found_there_is_one_search() -> None:
    searches = Searches([("b", 1), ("a", 1)])
    assert await first_in_order(searches, 5, unordered=True) == ["a", "b"]
    assert searches.begun == [False]


async def test_with_much_found_a_search_in_order_ends_a_slow_one() -> None:
    searches = Searches([(f"{number:02}", 1) for number in range(40)], False)
    assert await first_in_order(searches, 2, unordered=True) == ["00", "01", "02"]
    assert searches.begun == [False, True]
    assert sorted(searches.closed) == [False, True]


async def test_a_search_in_order_that_comes_to_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first, "TRIAL_SECONDS", 0.01)
    ended: list[bool] = []

    async def search(in_order: bool) -> AsyncGenerator[list[Found[str]], None]:
        for number in range(40):
            if in_order:
                try:
                    await asyncio.sleep(60)
                finally:
                    ended.append(True)
            yield [Found(b"%02d" % number, 1, f"{number:02}")]

    async with asyncio.timeout(10):
        assert await first_in_order(search, 2, unordered=True) == ["00", "01", "02"]
    assert ended == [True]


async def test_trouble_is_passed_on() -> None:
    async def search(in_order: bool) -> AsyncGenerator[list[Found[str]], None]:
        yield []
        raise ToolError("no such thing")

    for unordered in (True, False):
        with pytest.raises(ToolError, match="no such thing"):
            await first_in_order(search, 2, unordered=unordered)


async def test_memory_is_bounded_by_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    most = 0
    real = first._ordered

    def ordered(found: list[Found[str]]) -> list[Found[str]]:
        nonlocal most
        most = max(most, len(found))
        return real(found)

    monkeypatch.setattr(first, "_ordered", ordered)
    monkeypatch.setattr(first, "TRIAL_SECONDS", 0)

    async def search(in_order: bool) -> AsyncGenerator[list[Found[str]], None]:
        if in_order:
            await asyncio.sleep(60)
        for number in range(5_000, 0, -1):
            yield [Found(b"%05d" % number, 1, f"{number:05}")]

    assert await first_in_order(search, 3, unordered=True) == ["00001", "00002", "00003", "00004"]
    assert most <= first.AHEAD * 3 + 1
