"""docs/security.md names tests for every threat, and the tests are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "security.md").read_text()
ROWS = [line for line in PAGE.partition("| threat |")[2].splitlines()[2:] if line.startswith("|")]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:60])
def test_every_threat_names_its_tests_and_they_exist(row: str) -> None:
    named = re.findall(r"`([^`]+)`", row.split("|")[3])
    assert named, "no test is named"
    for mention in named:
        path, _, name = mention.partition("::")
        assert (ROOT / path).is_file(), f"{path} is not there"
        if name:
            text = (ROOT / path).read_text()
            assert re.search(rf"^(async )?def {name}\(", text, re.MULTILINE), f"{mention} is not there"


def test_it_says_also_what_is_not_protected() -> None:
    assert "## What is not protected" in PAGE and "What a sandbox does not do" in PAGE
    assert len(ROWS) > 20
