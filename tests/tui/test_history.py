"""The prompt history: walking it, and what it does with its file."""

import json
import os
from pathlib import Path
from threading import Event, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_agent.text.own_keys import own_keys
from tui_agent.tui.history import KEPT, PromptHistory


def saved(path: Path, *texts: str) -> None:
    history = PromptHistory(path)
    for text in texts:
        history.add(text)
        history.save()


def test_what_was_saved_is_there_for_the_next_program(tmp_path: Path) -> None:
    path = tmp_path / "project" / "history.jsonl"
    saved(path, "one", "two\nlines", "ünï ✓ \ud800")
    history = PromptHistory(path)
    history.load()
    assert history.entries == ("one", "two\nlines", "ünï ✓ \ud800")
    assert path.stat().st_mode & 0o077 == 0, "prompts are private"


def test_our_own_keys_are_not_in_the_file(tmp_path: Path) -> None:
    own_keys.add(["fk-4f9a8b7c6d5e"])
    path = tmp_path / "history.jsonl"
    path.write_text('{"text": "from before: fk-4f9a8b7c6d5e"}\n' + '{"text": "more"}\n' * (2 * KEPT))
    saved(path, "use fk-4f9a8b7c6d5e, please")
    PromptHistory(path).load()
    assert "4f9a" not in path.read_text()
    history = PromptHistory(path)
    history.load()
    assert history.entries[-1] == "use [secret], please"


@pytest.mark.promise("P35")
def test_broken_lines_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    saved(path, "good")
    with path.open("ab") as file:
        file.write(
            b'{"text": 7}\n[1]\nnot json\n\xff\xfe\n' + b"[" * 100_000 + b'\n{"text": "also good"}\n{"text": "cu'
        )
    history = PromptHistory(path)
    history.load()
    assert history.entries == ("good", "also good")


def test_the_newest_thousand_are_kept_and_a_long_file_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text("".join(json.dumps({"text": f"prompt {n}"}) + "\n" for n in range(2 * KEPT + 5)))
    history = PromptHistory(path)
    history.load()
    assert len(history.entries) == KEPT
    assert history.entries[-1] == f"prompt {2 * KEPT + 4}"
    assert len(path.read_text().splitlines()) == KEPT
    assert list(tmp_path.iterdir()) == [path]
    history.add("newer")
    assert len(history.entries) == KEPT and history.entries[-1] == "newer"


@pytest.mark.promise("P31")
@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_means_memory_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    history = PromptHistory(tmp_path / "history.jsonl")
    history.load()
    history.add("kept in memory")
    history.save()
    assert history.entries == ("kept in memory",)


@pytest.mark.promise("P31")
def test_a_path_that_cannot_be_a_file_means_memory_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    history = PromptHistory(tmp_path / "file" / "history.jsonl")
    history.load()
    history.add("kept")
    history.save()
    assert history.entries == ("kept",)


def test_what_was_added_before_loading_stays_newest(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    saved(path, "old")
    history = PromptHistory(path)
    history.add("typed while loading")
    history.load()
    assert history.entries == ("old", "typed while loading")


def test_an_entry_is_not_remembered_twice_in_a_row() -> None:
    history = PromptHistory()
    assert history.add("same")
    assert not history.add("same")
    assert not history.add("  \n")
    assert history.entries == ("same",)


@given(st.lists(st.text(min_size=1).filter(str.strip), max_size=8), st.text(), st.integers(0, 12))
def test_walking_back_and_forth_gives_the_draft_again(entries: list[str], draft: str, steps: int) -> None:
    history = PromptHistory()
    for entry in entries:
        history.add(entry)
    shown, walked = draft, 0
    for _ in range(steps):
        text = history.earlier(shown)
        if text is None:
            break
        shown, walked = text, walked + 1
        assert shown == history.entries[-walked]
    for _ in range(walked):
        text = history.later(shown)
        assert text is not None
        shown = text
    assert shown == draft
    assert history.later(shown) is None


def test_an_entry_that_was_edited_on_the_way_keeps_its_edit() -> None:
    history = PromptHistory()
    history.add("first")
    history.add("second")
    assert history.earlier("draft") == "second"
    assert history.earlier("second, edited") == "first"
    assert history.later("first") == "second, edited"
    assert history.later("second, edited") == "draft"


def test_entries_are_saved_in_their_order_whatever_the_threads_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.jsonl"
    history, begun, go_on = PromptHistory(path), Event(), Event()
    write = PromptHistory._save

    def slow(self: PromptHistory, text: str) -> None:
        if text == "one":
            begun.set()
            go_on.wait(10)
        write(self, text)

    monkeypatch.setattr(PromptHistory, "_save", slow)
    history.add("one")
    first = Thread(target=history.save)
    first.start()
    assert begun.wait(10)
    history.add("two")
    second = Thread(target=history.save)
    second.start()
    second.join(0.05)
    go_on.set()
    first.join(10)
    second.join(10)
    assert [json.loads(line)["text"] for line in path.read_text().splitlines()] == ["one", "two"]
