"""What a turn used and what made room, as rows of the transcript: the same live and from the log."""

import pytest

from tui_agent.conversation.events import (
    AsideAnswered,
    AssistantReplied,
    Compacted,
    LoggedEvent,
    Noticed,
    PromptSubmitted,
    ResultsTrimmed,
    TurnEnded,
)
from tui_agent.conversation.messages import Usage
from tui_agent.tui.widgets.transcript.document import Block, Document, NoticeBlock, ToolBlock, TurnBlock
from tui_agent.tui.widgets.transcript.layout import rows_of
from tui_agent.tui.widgets.transcript.lines import text_of
from tui_agent.tui.widgets.transcript.projection import Projector

SUMMARY = "## Goal\nRound the sum.\n\n## Done\n- cart.py"


USED = Usage(6_050, 412, 5_120)


def replied(usage: Usage = USED, *, cost: float | None = None, estimate: int = 6_000) -> LoggedEvent:
    return AssistantReplied("Done.", "", (), "stop", "p", "m", usage, 1.0, 0.0, estimate, cost, written=2)


def blocks(*events: LoggedEvent) -> list[Block]:
    document = Document()
    projector = Projector(document, changes_key=lambda: "ctrl+g", currency=lambda: "€")
    for event in events:
        projector.apply(event)
    return document.blocks


def row(block: Block, width: int = 100) -> str:
    return text_of(rows_of(block, width, lambda: 0.0)[0].spans)


@pytest.mark.parametrize(
    ("requests", "said"),
    [
        ([replied()], "6.0k in, 5.1k cached · 412 out"),
        ([replied(), replied(Usage(7_000, 100, 0))], "13k in, 5.1k cached · 512 out"),
        ([replied(Usage(50, 12), cost=0.0042)], "50 in · 12 out · €0.0042"),
        ([replied(Usage(50, 12), cost=1.5), replied(Usage(50, 12))], "100 in · 24 out · at least €1.50"),
        ([replied(Usage(), estimate=900)], "about 900 in · 2 out"),
        ([replied(Usage(50, 12)), AsideAnswered("q", "a", "stop", "p", "m", Usage(9_000, 9))], "50 in · 12 out"),
        # Its own summary is a request of the turn too.
        ([Compacted(1, SUMMARY, "full", "p", "m", usage=Usage(900, 100)), replied(Usage(50, 12))], "950 in · 112 out"),
    ],
)
def test_a_turn_ends_with_what_it_used(requests: list[LoggedEvent], said: str) -> None:
    end = blocks(PromptSubmitted("go"), *requests, PromptSubmitted("steered"), TurnEnded("done"))[-1]
    assert isinstance(end, TurnBlock) and (end.source, row(end)) == (said, said)


@pytest.mark.parametrize("requests", [[], [replied(Usage(), estimate=0)], [Noticed("error", "nobody answers")]])
def test_a_turn_without_a_request_or_a_count_says_nothing(requests: list[LoggedEvent]) -> None:
    assert not any(
        isinstance(block, TurnBlock) for block in blocks(PromptSubmitted("go"), *requests, TurnEnded("done"))
    )


def test_each_turn_has_its_own_and_what_was_summed_up_between_belongs_to_none() -> None:
    between = Compacted(1, SUMMARY, "user", "p", "m", usage=Usage(900, 100))
    turn = PromptSubmitted("go"), replied(Usage(50, 12)), TurnEnded("done")
    ends = [block.source for block in blocks(*turn, between, *turn) if isinstance(block, TurnBlock)]
    assert ends == ["50 in · 12 out"] * 2


def test_what_changed_comes_first_and_keeps_its_room() -> None:
    end = blocks(PromptSubmitted("go"), replied(), TurnEnded("done", "", 3, 2, 1))[-1]
    assert row(end) == "3 files changed  +2 −1   ctrl+g review   /undo   6.0k in, 5.1k cached · 412 out"
    assert row(end, 60) == "3 files changed  +2 −1   ctrl+g review   /undo"
    (line,) = rows_of(end, 100, lambda: 0.0)
    text = text_of(line.spans)
    places = [line.offset(text.index(words)) for words in ("3 files", "6.0k in")]
    assert [end.source[place:][:7] for place in places if place is not None] == ["3 files", "6.0k in"]
    assert line.offset(text.index("review")) is None


def test_what_became_a_summary_unfolds_to_all_of_it_with_who_wrote_it() -> None:
    (block,) = blocks(Compacted(9, SUMMARY, "full", "ollama", "qwen", 2_000, 6_900, 1_800, messages=41))
    assert isinstance(block, ToolBlock) and block.folded and block.foldable
    assert row(block).startswith("made room  41 messages became a summary · about 6,900 → 1,800 tokens")
    assert row(block, 120).endswith("/summary edits it")
    assert block.content.endswith(f"\n\n{SUMMARY}")
    head = block.content.partition("\n")[0]
    assert "written by ollama · qwen: the window was nearly full" in head
    assert "your prompts go on being sent" in head


def test_it_says_when_no_model_wrote_it_and_when_the_user_did() -> None:
    listed, edited = blocks(
        Compacted(9, "- read cart.py", "overflow", before=9_000, after=700, messages=1), Compacted(9, "Mine.", "edit")
    )
    assert row(listed).startswith("made room  1 message became a list of what was done · about 9,000 → 700 tokens")
    assert isinstance(listed, ToolBlock) and "no model could write a summary" in listed.content
    assert row(edited).startswith("summary  edited by you") and "Mine." in edited.source


def test_trimming_is_one_quiet_line() -> None:
    (block,) = blocks(ResultsTrimmed(9, 400, 1, 3_200))
    assert isinstance(block, NoticeBlock) and block.level == "info" and not block.hint
    assert block.text == "trimmed 1 older result of tools to 400 characters · about 3,200 tokens less"
    (block,) = blocks(ResultsTrimmed(9, 400, 2, 3_200), ResultsTrimmed(9, 200, 1, 100), ResultsTrimmed(12, 200, 4, 50))
    assert isinstance(block, NoticeBlock)
    assert block.text == "trimmed 4 older results of tools to 200 characters · about 3,350 tokens less"
    apart = blocks(ResultsTrimmed(9, 400), Noticed("info", "something"), ResultsTrimmed(9, 200))
    assert len(apart) == 3


def test_nothing_of_the_conversation_vanishes() -> None:
    turn = PromptSubmitted("go"), replied(), TurnEnded("done")
    before = blocks(*turn)
    after = blocks(*turn, Compacted(4, SUMMARY, "user", "p", "m"), ResultsTrimmed(4, 400, 1))
    assert [block.source for block in after[: len(before)]] == [block.source for block in before]
