"""Events become the same blocks live and from the log, and nothing is shown twice."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_agent.conversation.events import (
    AssistantReplied,
    CallGrowing,
    CallStarted,
    DecisionMade,
    FileDelta,
    LoggedEvent,
    ModelSwitched,
    Noticed,
    PromptSubmitted,
    ReasoningDelta,
    Record,
    RequestStarted,
    Retrying,
    TextDelta,
    ToolFinished,
    ToolOutput,
    TurnEnded,
)
from tui_agent.conversation.messages import ToolCall, Usage
from tui_agent.tui.widgets.transcript.document import (
    AgentBlock,
    Document,
    GrowingText,
    ThoughtBlock,
    ToolBlock,
)
from tui_agent.tui.widgets.transcript.projection import Projector, blocks_of


def replied(text="", reasoning="", calls=(), finish="stop"):
    return AssistantReplied(
        text, reasoning, tuple(calls), finish, "ollama", "qwen", Usage(), 1.0, 0.5 if reasoning else 0.0
    )


def projected(events):
    document = Document()
    projector = Projector(document)
    for event in events:
        projector.apply(event)
    projector.close()
    return document


def picture(document):
    """What is shown at the end, without ids, versions and times."""
    blocks = []
    for block in document:
        shown = {name: getattr(block, name) for name in block.__struct_fields__ if name not in ("id", "version")}
        if isinstance(shown.get("text"), GrowingText):
            shown["text"] = str(shown["text"])
        blocks.append((type(block).__name__, shown))
    return blocks


CALL = ToolCall("c1", "run_command", '{"command": "pytest -q"}')
FINISHED = ToolFinished("c1", "run_command", "pytest -q", "ok", "1 passed", 2.0, exit_code=0)


def test_a_streamed_answer_and_its_logged_whole_are_one_block():
    document = projected(
        [PromptSubmitted("hi"), TextDelta("Hel"), TextDelta("lo"), replied("Hello"), TurnEnded("done")]
    )
    assert [type(block).__name__ for block in document] == ["UserBlock", "AgentBlock"]
    assert document.blocks[1].source == "Hello"
    assert document.blocks[1].text.epoch == 0, "what was streamed is kept, not read again"
    assert not document.blocks[1].streaming


def test_what_was_repaired_in_a_call_is_kept_with_it():
    end = ToolFinished("c1", "run_command", "ls", "ok", "a", 0.1, repairs=("cmd → command",))
    (_, block) = projected([replied("x", calls=[CALL], finish="tool_calls"), end])
    assert isinstance(block, ToolBlock)
    assert block.repairs == ("cmd → command",)


def test_where_the_log_differs_from_the_stream_the_log_is_right():
    document = projected([TextDelta("Hel"), replied("Goodbye")])
    assert document.blocks[0].source == "Goodbye"


def test_white_space_alone_is_no_answer():
    assert len(projected([TextDelta("\n\n"), replied("\n\n")])) == 0


def test_reasoning_stands_above_the_answer_even_when_it_comes_later():
    document = projected([TextDelta("answer"), ReasoningDelta("hmm"), replied("answer", "hmm")])
    assert [type(block) for block in document] == [ThoughtBlock, AgentBlock]
    assert document.blocks[0].seconds == 0.5


def test_a_call_is_followed_from_its_first_character_to_its_result():
    document = Document()
    projector = Projector(document)
    statuses = []
    for event in (
        CallGrowing(0, "run_command", 12),
        CallGrowing(0, "run_command", 24),
        replied(calls=[CALL], finish="tool_calls"),
        CallStarted(CALL, "pytest -q"),
        DecisionMade("c1", "run_command", "allowed", "user"),
        ToolOutput("c1", "collecting\n"),
        FINISHED,
    ):
        projector.apply(event)
        (block,) = document.blocks
        assert isinstance(block, ToolBlock)
        statuses.append(block.status)
    assert statuses == ["writing", "writing", "waiting", "waiting", "running", "running", "ok"]
    assert (block.title, block.note, block.content, block.tail) == ("pytest -q", "approved", "1 passed", "")


@pytest.mark.parametrize(
    ("by", "more", "note"),
    [
        ("user", {"network": True}, "approved, with network"),
        ("session", {"network": True}, "allowed for this session, with network"),
        ("policy", {"network": True}, "with network"),
        ("user", {"edited": True}, "approved, edited by you"),
        ("user", {"rule": "npm test", "edited": True}, "approved, always: npm test, edited by you"),
        ("user", {"reading": True}, "approved, commands that only read run unasked from now on"),
    ],
)
def test_what_was_allowed_with_a_call_is_said(by, more, note):
    decision = DecisionMade("c1", "run_command", "allowed", by, **more)
    document = projected([CallStarted(CALL, "npm ci"), decision, FINISHED])
    assert document.blocks[0].note == note


def test_an_edited_command_is_the_title_of_its_row_as_it_happens_and_from_the_log():
    decision = DecisionMade("c1", "run_command", "allowed", "user", edited=True, command="\nnpm ci --quiet\nls")
    assert projected([CallStarted(CALL, "npm ci"), decision]).blocks[0].title == "npm ci --quiet"
    assert projected([replied(calls=[CALL]), decision]).blocks[0].title == "npm ci --quiet"


def test_a_denied_call_says_denied_and_why():
    document = projected(
        [
            replied(calls=[CALL]),
            DecisionMade("c1", "run_command", "denied", "user", comment="use make"),
            ToolFinished("c1", "run_command", "pytest -q", "denied", "denied by the user: use make", 0.0),
        ]
    )
    (block,) = document.blocks
    assert (block.status, block.note) == ("denied", "use make")


def test_a_call_without_an_end_was_interrupted():
    document = projected([PromptSubmitted("x"), replied(calls=[CALL], finish="tool_calls")])
    block = document.blocks[1]
    assert (block.status, block.note, block.title) == ("cancelled", "interrupted", "pytest -q")


def test_calls_of_a_reply_that_was_cut_off_vanish():
    document = projected(
        [TextDelta("I will"), CallGrowing(0, "write_file", 900), replied("I will", finish="incomplete")]
    )
    (block,) = document.blocks
    assert isinstance(block, AgentBlock) and "cut off" in block.note


def test_a_turn_that_the_user_stopped_says_so_and_nothing_else():
    events = [PromptSubmitted("go"), TextDelta("Half"), replied("Half", finish="incomplete"), TurnEnded("interrupted")]
    _, answer, end = projected(events)
    assert isinstance(answer, AgentBlock) and answer.note == ""
    assert end.source == "turn stopped"
    assert projected([*events[:-1], TurnEnded("error", "cut")]).blocks[-1].note == "the answer was cut off here"


def test_a_server_that_uses_an_id_again_gets_two_rows():
    document = projected([replied(calls=[CALL]), FINISHED, replied(calls=[CALL]), FINISHED])
    assert [block.status for block in document] == ["ok", "ok"]


def test_what_changed_the_model_or_went_wrong_is_marked():
    document = projected([ModelSwitched("groq", "llama"), Noticed("error", "Connection refused", "ollama serve")])
    assert [block.source for block in document] == ["groq · llama", "Connection refused\nollama serve"]


def test_malformed_arguments_are_no_reason_to_fail():
    document = projected([replied(calls=[ToolCall("a", "x", "{not json \ud800"), ToolCall("b", "y", "[1]")])])
    assert [block.title for block in document] == ["", ""]


TEXT = st.text("ab \n*`", max_size=20)
STATUS = st.sampled_from(["ok", "failed", "denied", "cancelled"])


@st.composite
def turns(draw):
    """A turn as it is logged, and the same turn as a face sees it live."""
    logged: list[LoggedEvent] = [PromptSubmitted(draw(TEXT))]
    live: list[object] = list(logged)
    for number in range(draw(st.integers(0, 3))):
        text, reasoning = draw(TEXT), draw(TEXT)
        calls = [
            ToolCall(
                f"c{number if draw(st.booleans()) else 0}.{index}", draw(st.sampled_from(["read_file", "grep"])), "{}"
            )
            for index in range(draw(st.integers(0, 3)))
        ]
        reply = replied(text, reasoning, calls)
        deltas: list[object] = [ReasoningDelta(piece) for piece in draw(pieces(reasoning))]
        deltas += [TextDelta(piece) for piece in draw(pieces(text))]
        if draw(st.booleans()):
            deltas.reverse()
            deltas = [
                *[d for d in deltas if isinstance(d, TextDelta)][::-1],
                *[d for d in deltas if isinstance(d, ReasoningDelta)][::-1],
            ]
        growing = [CallGrowing(index, call.name, n) for index, call in enumerate(calls) for n in (1, 9)]
        dropped = [CallGrowing(9, "dropped", 5)] if draw(st.booleans()) else []
        live += [RequestStarted("p", "m", number, 10), *([Retrying(1, 3, 1.0, "busy")] if draw(st.booleans()) else [])]
        live += [*deltas, *growing, *dropped, reply]
        logged.append(reply)
        for call in calls:
            live.append(CallStarted(call, "title"))
            decided = draw(st.sampled_from(["allowed", "denied"]))
            decision = DecisionMade(
                call.id, call.name, decided, draw(st.sampled_from(["user", "session", "policy"])), ("r",)
            )
            status = "denied" if decided == "denied" else draw(STATUS.filter(lambda s: s != "denied"))
            files = (FileDelta("a.py", 1, 2, "@@\n+x"),) if draw(st.booleans()) else ()
            repairs = ("path → file_path",) if draw(st.booleans()) else ()
            end = ToolFinished(call.id, call.name, "title", status, draw(TEXT), 0.1, files, repairs=repairs)
            live += [decision, *[ToolOutput(call.id, piece) for piece in draw(pieces("out\nput\n"))], end]
            logged += [decision, end]
    end_of_turn = TurnEnded("done")
    return [*logged, end_of_turn], [*live, end_of_turn]


def pieces(text):
    return st.lists(st.integers(1, 5), min_size=1, max_size=3).map(
        lambda sizes: [text[at : at + sizes[0]] for at in range(0, len(text), sizes[0])]
    )


@given(st.lists(turns(), max_size=3))
@settings(max_examples=80, deadline=None)
def test_the_log_alone_gives_the_picture_that_was_seen_live(parts):
    logged = [event for part in parts for event in part[0]]
    live = [event for part in parts for event in part[1]]
    assert picture(projected(live)) == picture(projected(logged))


@given(st.lists(TEXT, max_size=10), st.integers(0, 60))
def test_growing_text_gives_what_came_after_a_length(parts, length):
    text = GrowingText()
    for part in parts:
        text.append(part)
    whole = "".join(parts)
    assert text.since(length) == whole[length:]
    assert str(text) == whole and text.length == len(whole) and text.newlines == whole.count("\n")
    assert text.since(length) == whole[length:]


@given(st.lists(turns(), max_size=4), st.integers(0, 4))
@settings(max_examples=80, deadline=None)
def test_a_log_cut_between_two_turns_gives_the_picture_of_the_whole(parts, cut):
    logged = [
        Record("s", seq, 0.0, event, "") for seq, event in enumerate(event for turn, _ in parts for event in turn)
    ]
    ends = [0, *(place + 1 for place, record in enumerate(logged) if isinstance(record.event, TurnEnded))]
    at = ends[min(cut, len(ends) - 1)]
    document = Document()
    document.put_first(blocks_of(logged[at:]))
    document.put_first(blocks_of(logged[:at]))
    assert picture(document) == picture(projected([record.event for record in logged]))
    assert [document.get(block.id) for block in document] == list(document)


def test_a_stopped_turn_says_nothing_of_an_answer_that_an_earlier_turn_cut_off():
    document = projected(
        [
            PromptSubmitted("one"),
            AssistantReplied("half", "", (), "incomplete", "p", "m", Usage(), 1.0),
            TurnEnded("error"),
            PromptSubmitted("two"),
            TurnEnded("interrupted"),
        ]
    )
    answer = next(block for block in document if isinstance(block, AgentBlock))
    assert answer.note == "the answer was cut off here"
