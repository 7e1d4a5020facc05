"""Command lines that were run and looked at, each with the decision that is right for it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tui_agent.permissions.decision import Scene, decide
from tui_agent.permissions.rules import Rules, parse_rules

ROWS: list[dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parents[1] / "data" / "commands.jsonl").read_text().splitlines()
]
SCENE = Scene("/project", ("/project",), resolve=lambda path: path)


def rows(kind: str, strength: str = "must") -> Iterator[Any]:
    for row in ROWS:
        if row["class"] == kind and row["strength"] == strength:
            yield pytest.param(row, id=row["id"])


@pytest.mark.parametrize("row", [*rows("needs_approval"), *rows("needs_approval", "may")])
def test_by_default_nothing_runs_unasked(row: dict[str, Any]) -> None:
    assert decide(row["command"], Rules(), SCENE).decision != "allow"


@pytest.mark.parametrize("row", rows("needs_approval"))
def test_what_must_ask_asks_though_read_only_commands_run(row: dict[str, Any]) -> None:
    found = decide(row["command"], Rules(read_only=True), SCENE)
    assert found.decision != "allow"
    assert found.reasons


@pytest.mark.parametrize("row", rows("read_only"))
def test_what_plainly_reads_runs_where_that_is_allowed(row: dict[str, Any]) -> None:
    assert decide(row["command"], Rules(read_only=True), SCENE).decision == "allow"
    assert decide(row["command"], Rules(), SCENE).decision == "ask"


@pytest.mark.parametrize("row", rows("allowlist"))
def test_an_allow_list_covers_just_what_begins_with_its_words(row: dict[str, Any]) -> None:
    found = decide(row["command"], Rules(allow=parse_rules(row["allowlist"])), SCENE)
    assert (found.decision == "allow") is row["allowed"]
