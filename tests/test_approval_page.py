"""docs/approval.md: its pictures are there and can be made, and its table of policies is the one that is tested."""

import asyncio
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.headless.test_approve import DONE
from tui_agent.permissions.wire import decision_from

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "approval.md").read_text()
NAMED = re.findall(r"!\[[^\]]+\]\(images/([\w-]+)\.svg\)", PAGE)


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_screenshots", ROOT / "docs" / "make_screenshots.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = script()


def test_every_picture_is_there_and_has_a_scene_and_the_other_way_round() -> None:
    made = {path.stem for path in (ROOT / "docs" / "images").glob("*.svg")}
    assert NAMED and set(NAMED) == made == set(SCRIPT.SCENES)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPT.SCENES)
def test_every_scene_can_still_be_made(name: str) -> None:
    svg = asyncio.run(SCRIPT.picture(SCRIPT.SCENES[name]))
    assert svg.startswith("<svg") and "http://www.w3.org" in svg
    assert not re.search(r"https?://(?!www\.w3\.org)|/tmp/|[\x00-\x09\x0b-\x1f\x7f-\x9f]", svg)


@pytest.mark.parametrize("name", NAMED)
def test_the_pictures_hold_no_path_and_no_address(name: str) -> None:
    svg = (ROOT / "docs" / "images" / f"{name}.svg").read_text()
    assert not re.search(r"https?://(?!www\.w3\.org)|/tmp/|/root/|/work/", svg)


def test_the_table_of_policies_is_the_one_that_is_tested() -> None:
    table = PAGE.partition("takes `--approve`")[2].partition("\n- ")[0]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines() if row.startswith("| `")]
    said = {row[0].split("`")[1]: [cell in ("yes", "asks") for cell in row[1:]] for row in rows}
    kinds = ("read",), ("secret", "write", "control", "other"), ("covered",), ("reading",), ("denied",)
    for policy, done in DONE.items():
        for kind, yes in zip(kinds, said[policy], strict=True):
            assert [name in done for name in kind] == [yes] * len(kind), (policy, kind)
    assert set(said) == set(DONE)


def test_the_answers_of_the_example_are_answers() -> None:
    example = PAGE.partition("```json\n")[2].partition("```")[0]
    assert [type(decision_from(line)).__name__ for line in example.splitlines()] == [
        "AllowOnce",
        "AllowForSession",
        "AllowReading",
        "Denied",
    ]
