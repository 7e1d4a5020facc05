"""A rule is put into the user's settings, and every other byte stays what it was."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tui_agent.config.amend import add_rules, with_rule
from tui_agent.config.decode import decode
from tui_agent.config.documents import parse
from tui_agent.config.model import Settings
from tui_agent.conversation.errors import ConfigError

RULE = "npm test"


def entries(data: bytes) -> dict[tuple[str, ...], object]:
    decoded = decode(parse("x", data), Settings, "x")
    assert not decoded.problems
    return {key: entry.value for key, entry in decoded.entries.items()}


def added(text: str, rule: str = RULE) -> str:
    return with_rule(text.encode(), rule, "config.yaml").decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "permissions:\n  allow:\n    - npm test\n"),
        ("# mine\n", "# mine\npermissions:\n  allow:\n    - npm test\n"),
        ("mode: ask", "mode: ask\npermissions:\n  allow:\n    - npm test\n"),
        ("permissions:\n  allow:\n    - ls\n", "permissions:\n  allow:\n    - ls\n    - npm test\n"),
        (
            "permissions:\n  allow:\n  - ls  # look\n  # more\n  ask: [rm]\n",
            "permissions:\n  allow:\n  - ls  # look\n  - npm test\n  # more\n  ask: [rm]\n",
        ),
        ("permissions:\n  allow: [ls]\nmode: ask\n", 'permissions:\n  allow: [ls, "npm test"]\nmode: ask\n'),
        ("permissions: {allow: []}\n", 'permissions: {allow: ["npm test"]}\n'),
        ("permissions: {ask: [rm,]}\n", 'permissions: {ask: [rm,], "allow": ["npm test"]}\n'),
        ('{"mode": "ask"}', '{"mode": "ask", "permissions": {"allow": ["npm test"]}}'),
        ("permissions:\n  allow:\nmode: ask\n", "permissions:\n  allow:\n    - npm test\nmode: ask\n"),
        ("permissions:  # none yet\n", "permissions:  # none yet\n  allow:\n    - npm test\n"),
        (
            "permissions:\n    ask:\n        - rm\n\n# the looks\nui:\n    theme: slate\n",
            "permissions:\n    ask:\n        - rm\n    allow:\n      - npm test\n\n# the looks\nui:\n    theme: slate"
            "\n",
        ),
        ("mode: ask\r\n", "mode: ask\r\npermissions:\r\n  allow:\r\n    - npm test\r\n"),
        ("\ufeffmode: ask\n", "\ufeffmode: ask\npermissions:\n  allow:\n    - npm test\n"),
        ("\ufeff", "\ufeffpermissions:\n  allow:\n    - npm test\n"),
        (
            "permissions:\n  expect:\n    ls: ask\n    rm: |\n      ask\nmode: ask\n".replace("|\n      ask", "ask"),
            "permissions:\n  expect:\n    ls: ask\n    rm: ask\n  allow:\n    - npm test\nmode: ask\n",
        ),
        (
            "system_prompt: |\n  one\n  two\nmode: ask\n",
            "system_prompt: |\n  one\n  two\nmode: ask\npermissions:\n  allow:\n    - npm test\n",
        ),
        (
            "permissions:\n  allow:\n    - >-\n      git\n      log\nmode: ask\n",
            "permissions:\n  allow:\n    - >-\n      git\n      log\n    - npm test\nmode: ask\n",
        ),
        ("--- # start\nmode: ask\n", "--- # start\nmode: ask\npermissions:\n  allow:\n    - npm test\n"),
        ("permissions:\n  allow: ['npm test']\n", "permissions:\n  allow: ['npm test']\n"),
    ],
)
def test_it_goes_where_a_person_would_write_it(before: str, after: str) -> None:
    assert added(before) == after


@pytest.mark.parametrize(
    "rule",
    [
        *("git commit -m 'a: b'", "a: b", "yes", "write(docs/**)", "- x", "it's", 'say "x"', "a # b", "x\\y", "é ü"),
        *("npm run build:prod", "tool(mcp__a)", "null", "1", "[a]", "{a}", "*x", "&x", "!x", "@x", "%x", "a:", "'a'"),
    ],
)
@pytest.mark.parametrize("before", ["", "permissions: {}\n", "permissions:\n  allow:\n  - ls\n"])
def test_any_rule_comes_back_as_it_was(before: str, rule: str) -> None:
    wanted = entries(before.encode()).get(("permissions", "allow"), ())
    assert isinstance(wanted, tuple)
    assert entries(added(before, rule).encode())["permissions", "allow"] == (*wanted, rule)


@pytest.mark.parametrize(
    "text",
    [
        *("mode: [", "mode: nonsense\n", "permissions: 1\n", "permissions:\n  allow: npm test\n", "a: 1\n"),
        *("permissions:\n  allow: [ls]\npermissions:\n  ask: [rm]\n", "- a\n", "mode: &a ask\n", "\x00"),
    ],
)
def test_a_broken_file_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        added(text)


@pytest.mark.parametrize("text", ["mode: ask\n...\n", "permissions: ~\n", "system_prompt: |+\n  one", "~\n"])
def test_a_form_that_would_change_something_else_is_refused(text: str) -> None:
    try:
        after = added(text)
    except ConfigError as error:
        assert "cannot be put" in error.message or "second document" in error.message
    else:
        assert entries(after.encode()) == entries(text.encode()) | {("permissions", "allow"): (RULE,)}


# ---- any file ----

TEXTS = st.sampled_from(["ls", "git status", "rm -rf", "write(a/**)", "a: b", "it's # x", "é"])


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A settings file as people write them: comments, blank lines, any indentation, quotes, brackets, line ends."""
    step = draw(st.sampled_from([1, 2, 3, 4, 8]))
    end = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    lines: list[str] = []

    def remark(column: int) -> None:
        lines.extend(draw(st.lists(st.sampled_from(["", " " * column + "# note", "# far left", "   "]), max_size=2)))

    def scalar(text: str) -> str:
        return draw(
            st.sampled_from([yaml.safe_dump(text, width=1000).split("\n")[0], "'" + text.replace("'", "''") + "'"])
        )

    def entry(column: int, key: str, items: list[str]) -> None:
        space = " " * column
        name = draw(st.sampled_from([key, f'"{key}"', f"'{key}'"]))
        behind = draw(st.sampled_from(["", "  # why"]))
        style = draw(st.sampled_from(["block", "tight", "flow", "lines"]))
        if not items:
            lines.append(f"{space}{name}: {draw(st.sampled_from(['[]', '[ ]', '']))}{behind}")
        elif style in ("block", "tight"):
            lines.append(f"{space}{name}:{behind}")
            inner = space if style == "tight" else space + " " * step
            for item in items:
                remark(column)
                lines.append(f"{inner}- {scalar(item)}{draw(st.sampled_from(['', '  # c']))}")
        elif style == "flow":
            comma = draw(st.sampled_from(["", ",", " , "]))
            lines.append(f"{space}{name}: [{', '.join(map(scalar, items))}{comma}]{behind}")
        else:
            inner = space + " " * (step + 1)
            lines.append(f"{space}{name}: [")
            lines.extend(f"{inner}{scalar(item)}, # c" for item in items)
            lines.append(f"{inner}]")

    sections = draw(st.permutations(["mode", "permissions", "ui", "system_prompt"]))
    for section in sections[: draw(st.integers(0, 4))]:
        remark(0)
        if section == "mode":
            lines.append(draw(st.sampled_from(["mode: ask", "mode:   'plan' # x", '"mode": "auto"'])))
        elif section == "ui":
            lines.extend(draw(st.sampled_from([["ui:", " " * step + "theme: slate"], ["ui: {theme: slate}"], ["ui:"]])))
        elif section == "system_prompt":
            lines.extend(
                draw(st.sampled_from([["system_prompt: |", "  one", "", "  two"], ["system_prompt: 'a", "  b'"]]))
            )
        else:
            lines.append("permissions:" + draw(st.sampled_from(["", "  # rules"])))
            keys = draw(st.permutations(["allow", "ask", "deny", "read_only_commands", "expect"]))
            for key in keys[: draw(st.integers(0, 5))]:
                remark(step)
                if key == "read_only_commands":
                    lines.append(" " * step + "read_only_commands: ask")
                elif key == "expect":
                    lines.append(" " * step + "expect:")
                    lines.append(" " * step * 2 + "ls: ask")
                else:
                    entry(step, key, draw(st.lists(TEXTS, max_size=3, unique=True)))
    remark(0)
    # A text of several lines that ends without one would end with one if anything stood behind it.
    open_ended = "  two" in lines and not any(line.strip() for line in lines[lines.index("  two") + 1 :])
    return end.join(lines) + (end if open_ended else draw(st.sampled_from(["", end])))


@settings(max_examples=120, deadline=None)
@given(documents(), TEXTS | st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1))
@example("permissions:\n allow:\n - ls", "ls")
def test_the_rule_is_all_that_is_new_in_any_file(text: str, rule: str) -> None:
    data = text.encode()
    before = entries(data)
    after = with_rule(data, rule, "x")
    allowed: Any = before.get(("permissions", "allow"), ())
    if rule in allowed:
        assert after == data
        return
    assert entries(after) == before | {("permissions", "allow"): (*allowed, rule)}
    longer = len(after) - len(data)
    assert any(after[:at] + after[at + longer :] == data for at in range(len(data) + 1))
    assert with_rule(after, rule, "x") == after


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab:-[]{}#'\"|>, \n\r~&*!?%@", max_size=60).map(lambda tail: f"permissions:\n  allow:{tail}"))
def test_of_nonsense_nothing_else_is_ever_changed(text: str) -> None:
    data = text.encode()
    try:
        after = with_rule(data, RULE, "x")
    except ConfigError:
        return
    allowed: Any = entries(data).get(("permissions", "allow"), ())
    assert entries(after) == entries(data) | {
        ("permissions", "allow"): (*allowed, *([] if RULE in allowed else [RULE]))
    }


# ---- on the disk ----


def test_a_missing_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.yaml"
    add_rules(path, ["npm test", "write(docs/**)"])
    assert path.read_text() == "permissions:\n  allow:\n    - npm test\n    - write(docs/**)\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["config.yaml"]


def test_mode_and_owner_are_kept_and_a_link_is_followed(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles" / "agent.yaml", tmp_path / "config.yaml"
    real.parent.mkdir()
    real.write_text("mode: ask\n")
    real.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(real, 1234, 4321)
    link.symlink_to(real)
    owner = (real.stat().st_uid, real.stat().st_gid)
    add_rules(link, [RULE])
    assert link.is_symlink() and "npm test" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert (real.stat().st_uid, real.stat().st_gid) == owner
    assert [entry.name for entry in real.parent.iterdir()] == ["agent.yaml"]


def test_a_rule_that_is_there_leaves_the_file_untouched(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("permissions: {allow: [npm test]}\n")
    path.chmod(0o444)
    before = path.stat()
    add_rules(path, [RULE])
    assert path.stat() == before


def test_a_file_that_cannot_be_written_is_refused_with_what_to_add(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("mode: ask\n")
    path.chmod(0o444)
    with pytest.raises(ConfigError, match="read-only") as caught:
        add_rules(path, [RULE])
    assert "by hand" in caught.value.hint and RULE in caught.value.hint and str(path) in caught.value.hint
    assert path.read_text() == "mode: ask\n"
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError):
        add_rules(tmp_path / "file" / "config.yaml", [RULE])
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="not a file"):
        add_rules(tmp_path / "folder", [RULE])


def test_a_broken_file_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("mode: nonsense\n")
    with pytest.raises(ConfigError, match=r"config.yaml:1") as caught:
        add_rules(path, [RULE])
    assert "by hand" in caught.value.hint
    assert path.read_text() == "mode: nonsense\n"


def test_the_file_of_the_project_is_never_written(tmp_path: Path) -> None:
    own, project = tmp_path / "config.yaml", tmp_path / "shop" / ".tui-agent" / "config.yaml"
    project.parent.mkdir(parents=True)
    project.write_text("mode: ask\n")
    own.symlink_to(project)
    for path in (own, project):
        with pytest.raises(ConfigError, match="the project's file"):
            add_rules(path, [RULE], never=project)
    assert project.read_text() == "mode: ask\n"


def test_what_changed_this_very_moment_is_not_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("mode: ask\n")
    flush = os.fsync

    def meanwhile(descriptor: int) -> None:
        flush(descriptor)
        path.write_text("mode: plan\n")

    monkeypatch.setattr(os, "fsync", meanwhile)
    with pytest.raises(ConfigError, match="this very moment"):
        add_rules(path, [RULE])
    assert path.read_text() == "mode: plan\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["config.yaml"]
