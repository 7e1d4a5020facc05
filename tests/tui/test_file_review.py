"""What is made of a file under review is exactly what is shown of it, whatever was decided and edited."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workspace.test_diff import TEXT, change
from tui_agent.conversation.errors import WorkspaceError
from tui_agent.permissions.approval import Reviewed
from tui_agent.tui.file_review import MAX_EDITED_LINES, FileReview
from tui_agent.workspace.diff import diff_change
from tui_agent.workspace.hunks import REJECTED, Choice, assemble

BEFORE = "".join(f"{number}\n" for number in range(1, 41))
AFTER = BEFORE.replace("\n5\n", "\nfive\n").replace("\n20\n", "\ntwenty\n").replace("\n38\n", "\nthirty-eight\n")


def of(before: str | bytes | None = BEFORE, after: str | bytes = AFTER) -> FileReview:
    old, new = (text.encode() if isinstance(text, str) else text for text in (before, after))
    prepared = change(old, new or b"")
    return FileReview(prepared, diff_change(prepared))


def shown(review: FileReview) -> bytes | None:
    """What the screen says will be written: the shown rows of what is accepted, and the file between them."""
    states = [review.state(hunk) for hunk in range(len(review.shown.hunks))]
    if review.whole and "rejected" in states:
        return None
    choices = [Choice() if state != "rejected" else REJECTED for state in states]
    text = assemble(review.shown.before, review.shown.hunks, choices)
    return text.encode(review.shown.encoding, "surrogateescape")


STEP = st.tuples(st.sampled_from(["toggle", "edit", "accept", "reject", "editor"]), st.integers(0, 9), TEXT)


@given(TEXT, TEXT, st.lists(STEP, max_size=8))
def test_what_would_be_written_is_what_is_shown(before: str, after: str, steps: list[tuple[str, int, str]]) -> None:
    if before == after:
        return
    review = of(before, after)
    for step, number, text in steps:
        hunk = number % max(1, len(review.shown.hunks))
        if step == "toggle":
            review.toggle(hunk)
        elif step == "edit" and review.shown.hunks:
            review.edit(hunk, text)
        elif step == "editor":
            review.replace(text.encode())
            assert (before.encode() if review.after() is None else review.after()) == text.encode()
        else:
            review.decide(step == "accept")
        made = review.after()
        if any(review.state(at) != "rejected" for at in range(review.count)):
            assert made == shown(review)
        else:
            assert made is None
    answer = review.reviewed()
    assert answer.after == review.after()
    assert not set(answer.refused) & set(answer.edited)
    if answer.after == after.encode():
        assert answer.refused == () or not steps


def test_hunks_are_accepted_rejected_edited_and_taken_back() -> None:
    review = of()
    assert (review.count, review.accepted, review.as_proposed, review.lines()) == (3, 3, True, (3, 3))
    review.toggle(0)
    assert (review.state(0), review.accepted, review.lines()) == ("rejected", 2, (2, 2))
    review.edit(1, review.text(1).replace("twenty", "a score"))
    assert review.state(1) == "edited"
    review.toggle(1)
    review.toggle(1)
    assert review.state(1) == "edited"  # what was typed is kept
    review.say(2, "why?")
    wanted = BEFORE.replace("\n20\n", "\na score\n").replace("\n38\n", "\nthirty-eight\n").encode()
    assert review.reviewed() == Reviewed(wanted, (1,), (2,), ((3, "why?"),))
    review.edit(
        1, review.proposal.hunks[1] and "".join(r.line for r in review.proposal.hunks[1].rows if r.side != "removed")
    )
    assert review.state(1) == "accepted"
    review.decide(False)
    assert review.reviewed() == Reviewed(None, comments=((3, "why?"),))


def test_an_edit_back_to_what_it_was_is_a_rejection() -> None:
    review = of()
    review.edit(0, review.old_text(0))
    assert review.state(0) == "rejected" and review.shown is review.proposal


def test_what_comes_from_an_editor_keeps_the_decisions_about_equal_hunks() -> None:
    review = of()
    review.toggle(2)
    review.say(2, "not this")
    made = review.for_editor()
    assert made == review.after()  # without the rejected hunk
    review.replace(made.replace(b"twenty", b"a score").replace(b"\n30\n", b"\nthirty\n"))
    assert [review.state(hunk) for hunk in range(4)] == ["accepted", "edited", "edited", "rejected"]
    answer = review.reviewed()
    wanted = BEFORE.replace("\n5\n", "\nfive\n").replace("\n20\n", "\na score\n").replace("\n30\n", "\nthirty\n")
    assert answer == Reviewed(wanted.encode(), (3,), (2,), ((3, "not this"),))
    assert review.after() == wanted.encode()
    review.replace(AFTER.encode())
    assert review.shown is review.proposal and review.as_proposed


def test_an_editor_may_join_hunks_and_what_was_rejected_stays_out() -> None:
    review = of()
    review.toggle(1)
    joined = review.for_editor().replace(b"\n13\n", b"\nXIII\n").replace(b"\n27\n", b"\nXXVII\n")
    review.replace(joined)
    assert review.after() == joined
    review.replace(joined.replace(b"\n17\n", b"\nXVII\n"))  # beside the rejected lines: they would be one hunk
    assert review.after() == joined.replace(b"\n17\n", b"\nXVII\n")
    assert "twenty" not in review.shown.after
    assert review.reviewed().refused == () and 2 in review.reviewed().edited


def test_with_all_rejected_an_editor_gets_the_whole_proposal() -> None:
    review = of()
    review.decide(False)
    assert review.for_editor() == AFTER.encode()
    review.replace(AFTER.replace("five", "5five").encode())
    assert [review.state(hunk) for hunk in range(3)] == ["edited", "accepted", "accepted"]


def test_bytes_that_are_no_text_may_come_from_an_editor_and_are_shown_as_such() -> None:
    review = of()
    review.replace(b"\xff\0" * 100)
    assert (review.whole, review.shown.kind, review.after()) == (True, "binary", b"\xff\0" * 100)
    with pytest.raises(WorkspaceError, match="not text"):
        review.text(0)
    assert review.reviewed().edited == (1, 2, 3)


def test_an_emptied_file_is_shown_as_empty_and_written_so() -> None:
    review = of()
    review.replace(b"")
    assert "empty file" in review.shown.notes and review.after() == b""


@pytest.mark.parametrize(
    ("before", "after"), [(None, b"a\nb\n"), (None, b""), (b"\0\xff", b"a\n"), (b"a", b"\0\xff" * 40)]
)
def test_a_file_that_is_one_unit_is_taken_or_left(before: bytes | None, after: bytes) -> None:
    review = of(before, after)
    assert (review.count, review.after()) == (1, after)
    review.toggle(0)
    assert review.reviewed() == Reviewed(None)
    review.toggle(0)
    assert review.reviewed() == Reviewed(after)


def test_a_new_file_can_be_edited() -> None:
    review = of(None, "a\nb\n")
    review.edit(0, "a\nc\n")
    assert review.reviewed() == Reviewed(b"a\nc\n", (), (1,))


def test_what_cannot_be_edited_in_place_says_why() -> None:
    for review, why in ((of(b"a", b"\0\xff"), "not text"), (of(None, b""), "no lines")):
        with pytest.raises(WorkspaceError, match=why):
            review.text(0)
    with pytest.raises(WorkspaceError, match="too long"):
        of(None, "a\n" * (MAX_EDITED_LINES + 1)).text(0)
    latin = of(b"caf\xe9\n", b"th\xe9\n")
    with pytest.raises(WorkspaceError, match="Latin-1"):
        latin.edit(0, "th€\n")
    assert latin.state(0) == "accepted"


def test_decisions_are_taken_over_to_a_newer_proposal_where_the_hunks_are_the_same() -> None:
    old = of()
    old.toggle(0)
    old.edit(1, old.text(1).replace("twenty", "a score"))
    old.edit(2, old.text(2).replace("thirty-eight", "mine"))
    # Meanwhile a line came in front, and one beside the last hunk changed.
    newer = of("new\n" + BEFORE.replace("\n39\n", "\nXXXIX\n"), "new\n" + AFTER.replace("\n39\n", "\nXXXIX\n"))
    taken, lost = newer.take_over(old)
    assert (taken, [newer.state(hunk) for hunk in range(3)]) == (2, ["rejected", "edited", "accepted"])
    assert [text.split("\n")[3] for text in lost] == ["mine"]
    assert (
        newer.after()
        == b"new\n"
        + BEFORE.replace("\n20\n", "\na score\n")
        .replace("\n39\n", "\nXXXIX\n")
        .replace("\n38\n", "\nthirty-eight\n")
        .encode()
    )
