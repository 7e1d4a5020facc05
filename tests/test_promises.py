"""The page about reliability names every promise and exactly the tests that prove it."""

import re

from tests.promises import PAGE, PROMISES, Results, marked, named_on_page, page, rows_of_page


def test_every_promise_has_a_test_or_says_why_there_is_none() -> None:
    proofs = marked()
    assert [*PROMISES] == [f"P{number}" for number in range(1, 43)]
    assert set(proofs) <= set(PROMISES)
    assert {name for name in PROMISES if not proofs.get(name)} == {
        name for name, promise in PROMISES.items() if promise.absent
    }


def test_the_page_names_exactly_the_marked_tests() -> None:
    named = {name: sorted(tests) for name, tests in named_on_page().items()}
    assert named == {name: sorted(tests) for name, tests in marked().items()}, "run: python -m tests.promises --new"


def test_the_page_tells_how_each_promise_ended() -> None:
    rows = re.findall(r"^\| (P\d+) \|.*\| ([^|]+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name, _ in rows] == [*PROMISES]
    for name, result in rows:
        assert result.startswith("**does not exist**" if PROMISES[name].absent else "holds ("), f"{name}: {result}"


def test_what_the_page_says_of_each_test_can_be_read_again() -> None:
    rows = rows_of_page()
    assert len(rows) > 150
    assert all(counts["passed"] or counts["skipped"] for _, _, counts in rows)
    assert page(marked(), _told(), []).splitlines()[-len(rows) :] == PAGE.read_text("utf-8").splitlines()[-len(rows) :]


def _told() -> Results:
    results = Results()
    results.counts.update({test: counts for test, _, counts in rows_of_page()})
    return results


def test_what_failed_or_did_not_run_is_told() -> None:
    results = Results()
    results.counts["a"].update(passed=3)
    results.counts["b"].update(passed=1, failed=1)
    results.counts["c"].update(skipped=2)
    assert results.of(["a"]) == "holds (3 passed)"
    assert results.of(["a", "c"]) == "holds (3 passed, 2 skipped here)"
    assert results.of(["c"]) == "not run here"
    assert "**does not hold**: 1 failed, 0 did not run" in results.of(["a", "b"])
    assert "**does not hold**: 0 failed, 1 did not run" in results.of(["a", "gone"])
    assert "| P39 |" in page({}, results, []) and "**does not exist**: no test" in page({}, results, [])
