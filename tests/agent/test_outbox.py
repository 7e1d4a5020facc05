"""What waits to be sent: its order, and that nothing gets lost in changing it."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tui_agent.conversation.outbox import Outbox, Waiting, When

kinds: st.SearchStrategy[When] = st.sampled_from(("ready", "step", "turn"))


def filled(*texts: tuple[str, When]) -> Outbox:
    box = Outbox()
    for text, when in texts:
        box.add(text, when)
    return box


def shown(box: Outbox) -> list[tuple[str, str]]:
    return [(one.text, one.when) for one in box.waiting]


def test_what_steers_goes_before_what_follows_and_each_kind_in_its_order() -> None:
    box = filled(("later", "turn"), ("now", "step"), ("latest", "turn"), ("and now", "step"), ("loaded", "ready"))
    assert [one.text for one in box.waiting] == ["loaded", "now", "and now", "later", "latest"]
    assert (box.next("step"), box.next("step"), box.next("step")) == ("now", "and now", None)
    assert box.texts("turn") == ("later", "latest") and box.next("turn") == "later"
    assert box.take_all() == ["loaded", "latest"] and not box.waiting


def test_the_newest_is_what_was_added_last_wherever_it_stands() -> None:
    box = filled(("follow", "turn"), ("steer", "step"))
    assert box.take_newest() == "steer" and box.take_newest() == "follow" and box.take_newest() == ""


def test_nothing_leaves_a_paused_one_to_be_sent() -> None:
    box = filled(("now", "step"), ("later", "turn"))
    box.paused = True
    assert not box.has("step") and box.next("step") is None and box.next("turn") is None
    assert box.take_newest() == "later", "the user may take it back"
    box.paused = False
    assert box.has("step") and box.next("step") == "now"


def test_moving_goes_over_the_border_between_the_kinds() -> None:
    box = filled(("a", "step"), ("b", "step"), ("c", "turn"))
    _, b, c = (one.number for one in box.waiting)
    box.move(b, 1)
    assert shown(box) == [("a", "step"), ("b", "turn"), ("c", "turn")]
    box.move(b, 1)
    assert shown(box) == [("a", "step"), ("c", "turn"), ("b", "turn")]
    box.move(c, -1)
    assert shown(box) == [("a", "step"), ("c", "step"), ("b", "turn")]
    box.move(c, -1)
    box.move(c, -1)
    box.move(99, -1)
    assert shown(box) == [("c", "step"), ("a", "step"), ("b", "turn")]
    box = filled(("only", "turn"))
    box.move(box.waiting[0].number, -1)
    assert shown(box) == [("only", "step")]
    box.move(box.waiting[0].number, -1)
    assert shown(box) == [("only", "step")]
    box.move(box.waiting[0].number, 1)
    assert shown(box) == [("only", "turn")]


def test_what_steers_can_follow_and_back_and_what_needs_a_model_can_not() -> None:
    box = filled(("a", "step"), ("b", "step"), ("c", "turn"), ("model", "ready"))
    _, a, _, c = (one.number for one in box.waiting)
    box.turn(a)
    assert shown(box) == [("model", "ready"), ("b", "step"), ("a", "turn"), ("c", "turn")]
    box.turn(c)
    assert shown(box) == [("model", "ready"), ("b", "step"), ("c", "step"), ("a", "turn")]
    before = box.waiting
    box.turn(before[0].number)
    box.turn(99)
    assert box.waiting == before


def test_an_edited_one_keeps_its_place_and_an_empty_one_goes() -> None:
    box = filled(("a", "step"), ("b", "step"))
    a, b = (one.number for one in box.waiting)
    box.edit(a, "A")
    assert box.waiting[0] == Waiting(a, "A", "step")
    box.edit(a, " \n")
    box.edit(99, "nobody")
    assert box.waiting == (Waiting(b, "b", "step"),)
    box.put_first(["first", "second"], "step")
    assert [one.text for one in box.waiting] == ["first", "second", "b"]


@given(st.lists(kinds, max_size=8), st.lists(st.tuples(st.sampled_from("mMtnNT"), st.integers(0, 9)), max_size=20))
def test_changing_the_order_loses_and_doubles_nothing(added: list[When], changes: list[tuple[str, int]]) -> None:
    box = filled(*((f"p{number}", when) for number, when in enumerate(added)))
    gone: list[str] = []
    for what, number in changes:
        match what:
            case "m" | "M":
                box.move(number, 1 if what == "m" else -1)
            case "t":
                box.turn(number)
            case "n" | "N":
                gone.append(box.next("step" if what == "n" else "turn") or "")
            case "T":
                gone.append(box.take(number))
        order = [("ready", "step", "turn").index(one.when) for one in box.waiting]
        assert order == sorted(order)
    now = Counter([one.text for one in box.waiting]) + Counter(text for text in gone if text)
    assert now == Counter(f"p{number}" for number in range(len(added)))
    assert len(box.texts("ready")) + sum(
        text != "" and added[int(text[1:])] == "ready" for text in gone
    ) == added.count("ready"), "what needs a model becomes nothing else"
