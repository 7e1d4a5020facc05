# ruff: noqa: ASYNC240 - these tests are about files
"""Sessions are found by their text: with the index, without it, and when it is damaged; the same every time."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.long_session import events, write_session
from tui_agent.conversation.events import AssistantReplied, LoggedEvent, PromptSubmitted, SessionStarted, ToolFinished
from tui_agent.conversation.messages import Usage
from tui_agent.store import search
from tui_agent.store.log import Found, Hit
from tui_agent.store.search import LINE, SearchIndex
from tui_agent.store.sqlite import SqliteLog


def reply(text: str) -> AssistantReplied:
    return AssistantReplied(text, "", (), "stop", "p", "m", Usage(), 0.5)


async def fill(log: SqliteLog, sessions: Iterable[tuple[str, Iterable[LoggedEvent]]], directory: str = "/w") -> None:
    for session, happened in sessions:
        last = await log.create(session, SessionStarted(directory, "p", "m", "ask", "1"), 1.0)
        for event in happened:
            last = await log.append(last, event, 2.0)


async def found(log: SqliteLog, words: str, directory: str | None = None) -> list[Hit]:
    while (result := await log.search(words, directory)).unread:
        pass
    return list(result.hits)


SESSIONS = [
    ("s1", [PromptSubmitted("fix the failing test"), reply("first\nThe Cart_Total rounds  twice\nlast")]),
    ("s2", [PromptSubmitted("Straße und Größe"), ToolFinished("c", "read_file", "src/cart.py", "ok", "secret", 0.1)]),
    ("s3", [PromptSubmitted("購物車的總額不對"), reply("cart again")]),
]


@pytest.fixture(params=["index", "no FTS5", "damaged", "cannot be written"])
async def log(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqliteLog:
    log = SqliteLog(tmp_path / "sessions.db")
    await fill(log, SESSIONS)
    path = SearchIndex(log.path).path
    if request.param == "no FTS5":
        monkeypatch.setattr(search, "_MAKE", ("CREATE VIRTUAL TABLE words USING no_such_module (text)",))
    elif request.param == "damaged":
        await found(log, "cart")
        path.write_bytes(path.read_bytes()[:5000] + b"\xff" * 5000)
    elif request.param == "cannot be written":
        path.mkdir()
    return log


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("cart", ["s3", "s2", "s1"]),
        ("CART tot", ["s1"]),
        ("cart_to", ["s1"]),
        ("src/cart.py", ["s2"]),
        ("otal", []),
        ("strasse", ["s2"]),
        ("總額", ["s3"]),
        ("額總", []),
        ("secret", []),  # what a tool printed is not searched
        ('" OR (', []),
        ("first last", ["s1"]),
        ("first nothing", []),
    ],
)
async def test_all_words_are_found_by_their_beginnings_newest_first(
    log: SqliteLog, words: str, expected: list[str]
) -> None:
    assert [hit.session for hit in await found(log, words)] == expected
    await log.aclose()


async def test_the_line_is_told_and_who_said_it(log: SqliteLog) -> None:
    (hit,) = await found(log, "total rounds")
    assert (hit.seq, hit.kind, hit.line) == (3, "answer", "The Cart_Total rounds  twice")
    await log.aclose()


async def test_only_one_folder_is_searched_if_asked_for(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "s.db")
    await fill(log, SESSIONS[:1])
    await fill(log, [("other", [PromptSubmitted("cart")])], "/elsewhere")
    assert [hit.session for hit in await found(log, "cart", "/w")] == ["s1"]
    assert [hit.session for hit in await found(log, "cart", "/elsewhere")] == ["other"]
    await log.aclose()


async def test_what_is_appended_after_a_search_is_found_by_the_next(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "s.db")
    await fill(log, SESSIONS[:1])
    assert await found(log, "later") == []
    records = await log.read("s1")
    await log.append(records[-1], PromptSubmitted("said later"), 3.0)
    assert [hit.line for hit in await found(log, "later")] == ["said later"]
    await log.aclose()


async def test_a_long_log_is_read_in_parts_and_searched_again_until_all_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_SECONDS", 0.0)
    monkeypatch.setattr(search, "_BATCH", 2)
    log = SqliteLog(tmp_path / "s.db")
    await fill(log, SESSIONS)
    first = await log.search("cart")
    assert first == Found((), unread=9)
    monkeypatch.setattr(search, "_SECONDS", 60.0)
    assert len(await found(log, "cart")) == 3
    await log.aclose()


async def test_another_log_in_the_same_place_is_indexed_anew(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "s.db")
    await fill(log, SESSIONS)
    await found(log, "cart")
    await log.aclose()
    for path in tmp_path.glob("s.db*"):
        path.rename(tmp_path / f"old-{path.name}")
    log = SqliteLog(tmp_path / "s.db")
    await fill(log, [("new", [PromptSubmitted("nothing of that")] * 9)])
    assert await found(log, "cart") == []
    assert [hit.session for hit in await found(log, "nothing")] == ["new"]
    await log.aclose()


async def test_a_search_that_nobody_waits_for_any_more_stops(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "s.db")
    await fill(log, SESSIONS)
    asked: list[int] = []

    def stopped() -> bool:
        asked.append(1)
        return True

    assert SearchIndex(log.path).search("cart", None, stopped).hits == () and asked
    await log.aclose()


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@settings(max_examples=60, deadline=None)
@given(text, text)
def test_any_text_and_any_words_are_searched_and_the_line_holds_the_words(said: str, words: str) -> None:
    patterns = [search.re.compile(search._pattern(search.fold(word))) for word in words.split()]
    line = search._line(said, patterns)
    assert len(line) <= LINE + 2
    assert not line or all(pattern.search(search.fold(said)) for pattern in patterns)


@settings(max_examples=25, deadline=None)
@given(st.lists(text, min_size=1, max_size=4), text)
def test_the_index_and_the_log_find_the_same(
    tmp_path_factory: pytest.TempPathFactory, prompts: list[str], words: str
) -> None:
    import asyncio

    async def both() -> None:
        log = SqliteLog(tmp_path_factory.mktemp("log") / "s.db")
        await fill(log, ((f"s{n}", [PromptSubmitted(prompt)]) for n, prompt in enumerate(prompts)))
        for wanted in (words, prompts[0][:20], *prompts[0].split()[:2]):
            with_index = await found(log, wanted)
            SearchIndex(log.path).drop()
            SearchIndex(log.path).path.mkdir()
            without = await found(log, wanted)
            SearchIndex(log.path).path.rmdir()
            assert {hit.session for hit in with_index} == {hit.session for hit in without}
        await log.aclose()

    asyncio.run(both())


async def test_log_and_index_take_at_most_twice_the_text(tmp_path: Path) -> None:
    """A session as real ones are (answers, files that were read, diffs), and its index."""
    import msgspec

    def size(value: object) -> int:
        if isinstance(value, str):
            return len(value.encode())
        if isinstance(value, dict):
            return sum(map(size, value.values()))
        return sum(map(size, value)) if isinstance(value, list | tuple) else 0

    log = SqliteLog(tmp_path / "sessions.db")
    await write_session(log, "20261121-0945-3f9a1c", "/w", 2_000)
    assert len(await found(log, "cart")) == 1
    await log.aclose()
    written = sum(size(msgspec.to_builtins(event)) for event in events(2_000, seed=2_000))
    kept = sum(path.stat().st_size for path in tmp_path.iterdir() if path.is_file())
    assert kept <= 2 * written, f"{kept / written:.2f} times its text"


async def test_the_index_is_a_file_for_its_owner_only(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "s.db")
    await fill(log, SESSIONS)
    await found(log, "cart")
    assert SearchIndex(log.path).path.stat().st_mode & 0o077 == 0
    with sqlite3.connect(SearchIndex(log.path).path) as index:
        assert index.execute("SELECT upto FROM state").fetchone() == (9,)
    await log.aclose()
