"""Every example on docs/permissions.md is what the program does."""

import re
import shlex
from pathlib import Path

import pytest

from tui_agent.cli.main import main
from tui_agent.permissions.decision import Scene, decide
from tui_agent.permissions.rules import Rules, parse_rules

PAGE = (Path(__file__).parents[2] / "docs" / "permissions.md").read_text()
SCENE = Scene("/w", ("/w",), resolve=lambda path: path)


def rows(heading: str) -> list[tuple[str, str, str]]:
    """The cells of a table of three columns, with the code in them as it is."""
    table = PAGE.partition(f"\n| {heading}")[2].partition("\n\n")[0].splitlines()[2:]
    found = []
    for line in table:
        first, second, third = (
            cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip().strip("|") + " ")[:3]
        )
        found.append((first, second, third))
    return found


def code(cell: str) -> str:
    return cell.strip("`")


def test_there_are_examples() -> None:
    assert len(rows("rules | command")) >= 13 and len(rows("command | decision")) >= 17


@pytest.mark.parametrize(("given", "command", "decision"), rows("rules | command"))
def test_rules(given: str, command: str, decision: str) -> None:
    kinds: dict[str, list[str]] = {"allow": [], "ask": [], "deny": []}
    for kind, rule in re.findall(r"`(allow|ask|deny): ([^`]+)`", given):
        kinds[kind].append(rule)
    some = Rules(*(parse_rules(kinds[kind]) for kind in ("allow", "ask", "deny")))
    assert decide(code(command), some, SCENE).decision == decision


@pytest.mark.parametrize(("command", "decision", "because"), rows("command | decision"))
def test_commands_that_only_read(command: str, decision: str, because: str) -> None:
    found = decide(code(command), Rules(read_only=True), SCENE)
    assert found.decision == decision
    words = [word for word in because.replace("`", "").split() if word not in ("writes", "never", "ends")]
    assert all(word in " ".join(found.reasons) for word in words)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUI_AGENT_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("TUI_AGENT_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "config").mkdir()
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "config" / "config.yaml"


def test_the_settings_on_the_page_hold(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    settings.write_text(example)
    assert main(["permissions", "check", "npm test"]) == 0
    assert capsys.readouterr().out.startswith("runs unasked")
    assert main(["permissions", "check", "sudo rm -rf build"]) == 3
    settings.write_text(example.replace("- git push", "- git fetch"))
    assert main(["permissions", "check", "ls"]) == 0  # an example about `git push` asks all the same: nothing allows it
    settings.write_text(example.replace("    - rm -rf\n", ""))
    assert main(["permissions", "check", "ls"]) != 0
    said = capsys.readouterr().err
    number = next(n for n, line in enumerate(settings.read_text().splitlines(), 1) if "sudo rm -rf" in line)
    assert f"config.yaml:{number}" in said and "permissions.expect.sudo rm -rf build" in said
    assert "should be deny, but the rules say ask" in said


@pytest.mark.parametrize(
    ("text", "line", "key", "why"),
    [
        (
            "permissions:\n  allow:\n    - npm test\n    - git status; rm x\n",
            2,
            "permissions.allow",
            "several commands",
        ),
        ("permissions:\n  deny: ['read(../x)']\n", 2, "permissions.deny", "inside"),
        ("permissions:\n  ask:\n    - network(npm install)\n", 2, "permissions.ask", "belongs under `allow`"),
        ("permissions:\n  expect:\n    ls: allow\n", 3, "permissions.expect.ls", "should be allow"),
        ("permissions:\n  expect:\n    ls: maybe\n", 3, "permissions.expect.ls", "maybe"),
        ("permissions:\n  read_only_commands: yes\n", 2, "permissions.read_only_commands", "allow"),
        ('permissions:\n  allow:\n    - "npm \\e[31m"\n', 3, "permissions.allow", "character"),
    ],
)
def test_a_wrong_rule_is_named_with_its_place(
    settings: Path, capsys: pytest.CaptureFixture[str], text: str, line: int, key: str, why: str
) -> None:
    settings.write_text(text)
    assert main(["permissions", "check", "ls"]) == 2
    said = capsys.readouterr().err
    assert f"config.yaml:{line}" in said and key in said and why in said
    assert "\x1b" not in said


def test_what_the_page_prints_is_printed(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shown,) = re.findall(r"```console\n\$ tui-agent (.*?)\n(.*?)```", PAGE, re.DOTALL)
    assert main(shlex.split(shown[0])) == 0
    assert capsys.readouterr().out == shown[1]


@pytest.mark.parametrize(
    "command", ["ls \x1b[31m; rm x", "ls \u202e x", "ls\u200b", "ls \x07\x08", "a\u2028b", "ls\rrm x"]
)
def test_hidden_characters_are_shown(settings: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert main(["permissions", "check", command]) == 0
    said = capsys.readouterr().out
    assert said.startswith("asks") and said.isprintable() is False
    assert all(character == "\n" or character.isprintable() for character in said)
