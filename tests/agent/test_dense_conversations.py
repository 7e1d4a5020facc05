"""What our estimate is worst at, and more at once than a window holds: it recovers, and nobody is trapped."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.test_long_conversation import of, prose, session_of
from tests.agent.test_session import collect
from tests.fakes import window_server
from tests.fakes.chat_server import Reply, history_problems, reply_calls, reply_text
from tests.fakes.window_server import WindowServer, broken_summary, good_summary, told_facts
from tui_agent.agent.compaction import share
from tui_agent.conversation.events import Compacted, Noticed, ResultsTrimmed, TurnEnded
from tui_agent.text.tokens import estimate

MARK = "¦"
"""Around a text that the server counts higher than we do."""


def chinese(seed: int) -> str:
    chance = random.Random(seed)
    return "".join(chr(chance.randrange(0x4E00, 0x9FA5)) for _ in range(400))


def counted(ratio: float) -> Callable[..., int]:
    """A count like ours, but of marked texts so many times as high."""

    def tokens_in(body: dict[str, Any], *rest: float) -> int:
        texts = [json.dumps(tool) for tool in body.get("tools") or ()]
        texts += [str(message.get("content") or "") for message in body["messages"]]
        plain = sum(estimate(part) for text in texts for part in text.split(MARK)[::2])
        return plain + round(ratio * sum(estimate(part) for text in texts for part in text.split(MARK)[1::2]))

    return tokens_in


@pytest.mark.promise("P23")
@pytest.mark.parametrize("ratio", [1, 3, 6])
@pytest.mark.parametrize("summary", [good_summary, broken_summary])
async def test_text_that_has_far_more_tokens_than_we_think_traps_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ratio: float, summary: Callable[[dict[str, Any]], Reply]
) -> None:
    monkeypatch.setattr(window_server, "tokens_in", counted(ratio))
    with WindowServer(8192, lambda body, number: reply_text("Fine."), summary=summary) as server:
        async with session_of(server, tmp_path, profile="small") as session:
            for turn in range(24):
                said = prose(turn, 120) if turn < 8 else f"{MARK}{chinese(turn)}{MARK}"
                events = await collect(session, f"Turn {turn}: {said} {'The colour is teal-7.' if turn == 0 else ''}")
                assert isinstance(events[-1], TurnEnded) and events[-1].reason == "done", (
                    turn,
                    [e.text for e in events if isinstance(e, Noticed)],
                )
            assert of(session, Compacted) or ratio < 2
            assert len(server.refused) <= (0 if ratio <= 3 else 6)
            assert told_facts(server.bodies[-1]) == ["The colour is teal-7."] or ratio > 3


@pytest.mark.promise("P23")
async def test_thirty_results_at_once_are_cut_alike_in_one_step(tmp_path: Path) -> None:
    def answer(body: dict[str, Any], number: int) -> Reply:
        if body["messages"][-1]["role"] == "user":
            return reply_calls([("read_file", {"file_path": f"f{place}.txt"}) for place in range(30)], first=number)
        return reply_text("Read.")

    with WindowServer(16_384, answer) as server:
        async with session_of(server, tmp_path, profile="full") as session:
            for place in range(30):
                text = "\n".join(prose(place * 1000 + line, 12) for line in range(200))
                (tmp_path / "project" / f"f{place}.txt").write_text(text)
            assert (await collect(session, "Turn 1: read them"))[-1] == TurnEnded("done")
            assert len(of(session, ResultsTrimmed)) == 1 and not of(session, Compacted)
            results = [m["content"] for m in server.bodies[-1]["messages"] if m["role"] == "tool"]
            assert len(results) == 30 and min(map(len, results)) > 400
            assert max(server.sizes) <= 16_384 and not history_problems(server.bodies[-1]["messages"])


@pytest.mark.promise("P23")
async def test_a_turn_of_two_hundred_calls_goes_through_a_window_of_4096_tokens(tmp_path: Path) -> None:
    steps = 0

    def answer(body: dict[str, Any], number: int) -> Reply:
        nonlocal steps
        steps += 1
        if steps > 200:
            return reply_text("Done.")
        call = ("read_file", {"file_path": f"part{steps % 6}.txt", "offset": steps // 6 + 1, "limit": 9})
        return reply_calls([call], first=steps)

    with WindowServer(4096, answer) as server:
        async with session_of(server, tmp_path, profile="small", max_iterations=250) as session:
            events = await collect(session, "Turn 1: read on. The colour is teal-7.")
            assert events[-1] == TurnEnded("done")
            assert max(server.sizes) <= 4096 and not server.refused
            assert told_facts(server.bodies[-1]) == ["The colour is teal-7."]
            assert not [problem for body in server.bodies for problem in history_problems(body["messages"])]
            assert len(server.summaries) < 40


@given(st.lists(st.integers(0, 5000), max_size=40), st.integers(0, 20_000))
def test_a_share_is_the_most_that_fits(sizes: list[int], most: int) -> None:
    each = share(sizes, most)
    if each is None:
        assert sum(sizes) <= most
    else:
        assert sum(sizes) > most >= sum(min(size, each) for size in sizes)
        assert sum(min(size, each + 1) for size in sizes) > most or sum(size > each for size in sizes) > most
        assert most - sum(min(size, each) for size in sizes) < sum(size > each for size in sizes)
