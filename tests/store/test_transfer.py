"""What leaves this machine has no keys in it and runs nothing; what comes in is not believed."""

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.long_session import events
from tui_agent.conversation.errors import StoreError
from tui_agent.conversation.events import (
    AssistantReplied,
    DecisionMade,
    FileDelta,
    FilesRestored,
    LoggedEvent,
    ModelSwitched,
    Noticed,
    PromptSubmitted,
    Record,
    SessionStarted,
    TextDelta,
    ToolFinished,
    TurnEnded,
)
from tui_agent.conversation.messages import ToolCall, Usage
from tui_agent.store.pages import html, markdown
from tui_agent.store.replay import LONGEST_PAUSE, scenes
from tui_agent.store.statistics import Statistics
from tui_agent.store.transfer import file_name, hiding, parse_export, read_export, to_json
from tui_agent.text.own_keys import KnownKeys

STARTED = SessionStarted("/w", "p", "m", "ask", "1")


def reply(text: str, *calls: ToolCall) -> AssistantReplied:
    return AssistantReplied(text, "", calls, "stop", "p", "m", Usage(10, 2), 0.5)


def records_of(*happened: LoggedEvent) -> list[Record]:
    return [Record("s1", seq, float(seq), event, "") for seq, event in enumerate((STARTED, *happened), start=1)]


def as_it_is(text: str) -> str:
    return text


# ---- JSON ----


def test_all_of_a_long_session_comes_back() -> None:
    records = records_of(*events(600))
    back = parse_export(to_json("s1", "a title", records, as_it_is).encode(), "f", "/here")
    assert back.title == "a title"
    assert [record.event for record in back.records[1:]] == [record.event for record in records[1:]]
    assert [record.time for record in back.records] == [record.time for record in records]
    assert back.records[0].event == msgspec.structs.replace(STARTED, working_directory="/here")


def test_what_could_be_undone_elsewhere_cannot_be_undone_here() -> None:
    records = records_of(
        DecisionMade("c", "write_file", "allowed", "user", snapshot="theirs"),
        FilesRestored("undo", ("theirs",), (FileDelta("../../x", 1, 1, ""),), count=1, snapshot="theirs"),
    )
    back = parse_export(to_json("../../etc/passwd", "t", records, as_it_is).encode(), "f", "/here")
    assert "theirs" not in repr(back) and "etc/passwd" not in repr(back)


def broken(change: str) -> bytes:
    good = json.loads(to_json("s1", "t", records_of(PromptSubmitted("x"), TurnEnded("done")), as_it_is))
    exec(change, {"file": good, "events": good["events"], "nan": math.nan})
    return json.dumps(good).encode()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is no session"),
        (b"[" * 100_000, "is no session"),
        (b"\xff\xfe", "is no session"),
        (b"{}", "format"),
        (broken("file['format'] = 'another'"), "format"),
        (broken("file['version'] = 2"), "version"),
        (broken("file['events'] = []"), "no event"),
        (broken("del events[0]"), "event 1: a session has one beginning"),
        (broken("events.append(events[0])"), "event 4: a session has one beginning"),
        (broken("events[1]['event']['type'] = 'from_the_future'"), r"from_the_future.*events\[1\]"),
        (broken("events[1]['event']['text'] = 5"), "text"),
        (broken("events[1]['time'] = -1"), "event 2: no time"),
        (broken("events[1]['time'] = 1e300"), "event 2: no time"),
        (broken("events[1]['time'] = nan"), "is no session"),
        (broken("events[2]['event']['files'] = 10 ** 17"), "event 3: a number"),
    ],
)
def test_what_is_no_session_is_refused_and_named(data: bytes, why: str) -> None:
    with pytest.raises(StoreError, match=why) as caught:
        parse_export(data, "file.json", "/here")
    assert caught.value.message.startswith("file.json") and "export ID" in caught.value.hint


def test_a_file_that_is_too_large_or_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_agent.store.transfer.LARGEST", 1000)
    (tmp_path / "f").write_bytes(b" " * 1001)
    for path, why in ((tmp_path / "f", "too large"), (tmp_path / "g", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(StoreError, match=why):
            read_export(path, "/here")
    with pytest.raises(StoreError, match="null byte"):
        read_export(Path("a\0b"), "/here")


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.text() | st.floats(), st.lists).map(json.dumps).map(str.encode)
)
def test_any_file_is_a_session_or_an_error(data: bytes) -> None:
    with pytest.raises(StoreError):
        parse_export(data, "f", "/here")


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


@settings(max_examples=50, deadline=None)
@given(text, text, text)
def test_any_text_comes_back_and_is_ascii_on_the_way(prompt: str, answer: str, printed: str) -> None:
    records = records_of(PromptSubmitted(prompt), reply(answer), ToolFinished("c", "t", prompt, "ok", printed, 0.1))
    exported = to_json("s1", prompt, records, as_it_is)
    assert exported.isascii() and all(character.isprintable() or character == "\n" for character in exported)
    assert [r.event for r in parse_export(exported.encode(), "f", "/w").records] == [r.event for r in records]


# ---- keys ----

OURS = "vault/9f31-our-own-Key"


def test_no_key_of_ours_and_none_known_by_its_look_is_in_any_export(monkeypatch: pytest.MonkeyPatch) -> None:
    known = KnownKeys()
    known.add([OURS])
    monkeypatch.setattr("tui_agent.store.transfer.own_keys", known)
    monkeypatch.setenv("HOME", "/home/somebody")
    secrets = f"{OURS} and sk-abcdefghijklmnop1234 and \x1b[1m{OURS}\x1b[0m in /home/somebody/src"
    parted = OURS[:8] + "\x1b[31m" + OURS[8:]
    records = records_of(
        PromptSubmitted(secrets),
        reply(secrets + parted, ToolCall("c", "run_command", json.dumps({"command": secrets}))),
        DecisionMade("c", "run_command", "denied", "user", (secrets,), secrets),
        ToolFinished("c", "run_command", secrets, "ok", secrets, 0.1, (FileDelta(secrets, 1, 1, "+" + secrets),)),
        Noticed("error", secrets),
    )
    for page in (
        to_json(OURS, secrets, records, hiding()),
        markdown(secrets, records, hiding()),
        html(secrets, records, hiding()),
    ):
        assert "somebody" not in page and "sk-abc" not in page
        assert (OURS not in page.replace(f'"session":"{OURS}"', "")) and "[secret]" in page


# ---- pages ----

HOSTILE = (
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "![](http://evil.example/pixel)",
    "```\n</pre><script>x</script>",
    "````\n```\n<b>",
    "a `b\nx` <script> `y",
    "\\`<script>`",
    "> ```\n> <i>",
    "- ~~~\n<iframe>",
    "<!-- comment",
    "&lt;script&gt; &amp;",
    "\x1b]0;title\x07\x9b31m\u202e\0",
    "]]><svg/onload=alert(1)>",
    "# heading\n\nsetext\n===\n\n---\n",
    "[a]: http://evil.example",
    "`List<String>` and <T>",
)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile_records() -> list[Record]:
    happened: list[LoggedEvent] = []
    for bad in HOSTILE:
        happened += [
            PromptSubmitted(bad),
            msgspec.structs.replace(reply(bad), reasoning=bad, model=bad),
            DecisionMade("c", bad, "denied", "user", (bad,), bad),
            ToolFinished("c", bad, bad, "ok", bad, 0.1, (FileDelta(bad, 1, 1, bad),)),
            ModelSwitched(bad, bad),
            Noticed("error", bad),
        ]
    return [*records_of(*happened), *records_of(reply("the last answer"))]


def test_html_runs_nothing_and_shows_every_text() -> None:
    page = html(HOSTILE[0], hostile_records(), as_it_is)
    tags = Tags()
    tags.feed(page)
    tags.close()
    known = {"html", "head", "meta", "title", "style", "body", "h1", "p", "div", "details", "summary", "pre", "span"}
    assert tags.seen <= known
    assert tags.attributes <= {"lang", "charset", "http-equiv", "content", "name", "class"}
    assert "<script>alert(1)</script>" in tags.text and "the last answer" in tags.text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", page)
    assert "default-src 'none'" in page and "http:" not in page.replace("http://evil", "")


def test_markdown_holds_no_markup_and_no_text_escapes_its_place() -> None:
    page = markdown(HOSTILE[0], hostile_records(), as_it_is)
    tokens = MarkdownIt("commonmark").parse(page)
    inline = [child for token in tokens for child in token.children or ()]
    assert not [token.content for token in tokens if token.type == "html_block"]
    assert not [token.content for token in inline if token.type in ("html_inline", "image")]
    assert any(token.type == "inline" and token.content == "the last answer" for token in tokens)
    headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    assert sum(bool(re.match(r"\d+\. you, ", heading)) for heading in headings) == len(HOSTILE)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", page)
    assert "`List<String>` and \\<T>" in page


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ("`", "``", "```", "~~~", "<b>", "<!--", "\n", "\n\n", " ", "x", "\\", "> ", "- ", "    ", "![a](b)")
        ),
        max_size=14,
    )
)
def test_no_answer_brings_markup_into_markdown(pieces: list[str]) -> None:
    page = markdown("t", records_of(reply("".join(pieces)), reply("the end")), as_it_is)
    tokens = MarkdownIt("commonmark").parse(page)
    inline = [child for token in tokens for child in token.children or ()]
    assert not [token for token in (*tokens, *inline) if token.type in ("html_block", "html_inline", "image")], page


def test_a_long_result_is_cut_on_a_page() -> None:
    records = records_of(ToolFinished("c", "read_file", "a", "ok", "line\n" * 5_000, 0.1))
    for page in (markdown("t", records, as_it_is), html("t", records, as_it_is)):
        assert page.count("line") < 500 and "left out" in page


def test_names_of_files_are_plain() -> None:
    assert file_name("2026-ab", "Fix: the ../../cart\x1b!", ".md") == "session-fix-the-cart-2026-ab.md"
    assert re.fullmatch(r"session-\d{8}\.html", file_name("../..", "…", ".html"))


# ---- counting and replaying ----


def test_what_is_counted() -> None:
    unknown = msgspec.structs.replace(reply("b"), usage=Usage())
    found = Statistics()
    found.count(
        records_of(
            PromptSubmitted("x"),
            reply("a"),
            unknown,
            DecisionMade("c", "write_file", "allowed", "user"),
            ToolFinished("c", "write_file", "a", "ok", "", 1.5),
            DecisionMade("d", "run_command", "denied", "policy"),
            ToolFinished("d", "run_command", "a", "denied", "", 0.0),
            TurnEnded("done", files=2, added=5, removed=1),
        )
    )
    assert (found.sessions, found.events, found.prompts, found.turns) == (1, 9, 1, {"done": 1})
    assert (found.replies, found.prompt_tokens, found.completion_tokens, found.unreported) == (2, 10, 2, 1)
    assert found.approvals == {"user allowed": 1, "policy denied": 1}
    assert found.tools["write_file"].ok == 1 and found.tools["run_command"].denied == 1
    assert (found.model_seconds, found.tool_seconds, found.span_seconds) == (1.0, 1.5, 8.0)
    assert (found.files_changed, found.lines_added, found.lines_removed) == (2, 5, 1)


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1e9), max_size=6), st.floats(0.1, 1000), text)
def test_a_replay_is_everything_in_order_and_never_waits_long(times: list[float], speed: float, answer: str) -> None:
    records = [
        Record("s", seq, at, reply(answer) if seq % 2 else PromptSubmitted("p"), "") for seq, at in enumerate(times)
    ]
    shown = list(scenes(records, speed))
    assert [event for _, event in shown if not isinstance(event, TextDelta)] == [record.event for record in records]
    streamed = "".join(event.text for _, event in shown if isinstance(event, TextDelta))
    assert streamed == answer * sum(isinstance(record.event, AssistantReplied) for record in records)
    assert all(0 <= pause <= LONGEST_PAUSE for pause, _ in shown)
