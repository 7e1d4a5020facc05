"""Proposed rules: the narrowest that cover what was asked about, and never more than its program and subcommand."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_agent.permissions.approval import (
    Access,
    Allow,
    ApprovalRequest,
    Ask,
    CommandAccess,
    ForeignAccess,
    ReadAccess,
    WriteAccess,
)
from tui_agent.permissions.decision import Scene, decide
from tui_agent.permissions.policy import RulePolicy
from tui_agent.permissions.proposals import covered_before, covers, proposals, too_wide
from tui_agent.permissions.rules import Rules, parse_rule, parse_rules
from tui_agent.workspace.changes import ChangePlan, FileChange

SCENE = Scene("/w", ("/w",), resolve=lambda path: path)
OWN = [
    json.loads(line)["command"]
    for line in (Path(__file__).parents[1] / "data" / "commands_own.jsonl").read_text(encoding="utf-8").splitlines()
]


def question(access: Access, rules: Rules = Rules(), tool: str = "run_command") -> ApprovalRequest | None:  # noqa: B008
    """What is asked about it under rules; None when nothing is."""
    verdict = RulePolicy("ask", rules, SCENE).decide(tool, access)
    if not isinstance(verdict, Ask):
        return None
    return ApprovalRequest("call", tool, "", access, verdict.reasons, "d", parts=verdict.parts)


def on(line: str, *allow: str, background: bool = False, ask: tuple[str, ...] = ()) -> ApprovalRequest:
    rules = Rules(parse_rules(allow), parse_rules(ask))
    found = question(CommandAccess(line, "/w", 60.0, background=background), rules)
    assert found is not None
    return found


def writing(*names: str) -> ApprovalRequest:
    plan = ChangePlan(
        tuple(FileChange(name if name[0] == "/" else f"/w/{name}", name, None, b"", None) for name in names)
    )
    found = question(WriteAccess(plan), tool="write_file")
    assert found is not None
    return found


def rules_for(request: ApprovalRequest) -> list[str]:
    return [proposal.rule for proposal in proposals(request)]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("npm test -- --watch", "npm test"),
        ("npm run build --silent", "npm run build"),
        ('git commit -m "x"', "git commit"),
        ("cargo test --workspace", "cargo test"),
        ("cargo nextest run -p a", "cargo nextest run"),
        ("python -m pytest -q tests", "python -m pytest"),
        (".venv/bin/python -m pytest", ".venv/bin/python -m pytest"),
        ("python3.11 -m pip install x", "python3.11 -m pip install"),
        ("pytest -q", "pytest"),
        ("make build", "make build"),
        ("make build install -j4", "make build install"),
        ("docker compose up -d", "docker compose up"),
        ("go test ./...", "go test"),
        ("go run . --port 1", "go run ."),
        ("uv run pytest -x", "uv run pytest"),
        ("npx jest --ci", "npx jest"),
        ("npm exec -- eslint src", "npm exec -- eslint"),
        ("timeout 60 npm test", "timeout 60 npm test"),
        ("./gradlew test --info", "./gradlew test"),
        ("./build.sh --fast", "./build.sh"),
        ("python tools/make.py --all", "python tools/make.py"),
        ("python manage.py migrate --fake", "python manage.py migrate"),
        ("mkdir -p 'a b'", "mkdir -p 'a b'"),
        ('mkdir "it\'s" "*"', "mkdir 'it'\"'\"'s' '*'"),
        ("some-tool --check", "some-tool --check"),
    ],
)
def test_the_rule_is_the_program_with_its_subcommand(line: str, rule: str) -> None:
    assert rules_for(on(line)) == [rule]


@pytest.mark.parametrize(
    "line",
    [
        *("npm", "git", "python", "bash", "sh", "sudo npm test", "env npm test", "xargs npm test", "make"),
        *("find . -delete", "curl example.org", "rm build", "bash -c 'npm test'", "python -c 'print(1)'", "node -e 1"),
        *("python -m timeit 1", "git -C sub commit", "git push", "git -c a=b commit", "docker run x", "go tool x"),
        *("npm exec rm", "uv run --with x pytest", "uv run bash -c x", "npx", "/usr/bin/env npm test", "cat a", "rg a"),
        *("timeout 60 sudo npm test", "umount a", "eval npm test", "git rebase main", "docker compose -f x up"),
        *("npm --prefix web test", "some-tool", "python manage.py", "kubectl exec x", "/usr/bin/sudo a b", "ssh a b"),
    ],
)
def test_where_more_words_would_make_it_something_else_no_rule_is_proposed(line: str) -> None:
    (found,) = proposals(on(line))
    assert found.rule == "" and found.possible and found.reason


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("npm test > log", "redirection"),
        ("npm test $ARGS", "variable"),
        ("npm test 2>&1", "redirects"),
        ("cat < a", "redirects"),
        ("npm test `x`", "makes up part"),
        ("A=1 npm test", "variable"),
        ("npm test\u202e", "hidden character"),
        ("npm test \x1b", "control character"),
        ("npm test &", "background"),
    ],
)
def test_what_no_rule_can_cover_says_why(line: str, why: str) -> None:
    found = proposals(on(line))
    assert [one.rule for one in found] == [""] and not found[0].possible
    assert why.replace("makes up part", "make up part") in found[0].reason


def test_only_what_is_not_covered_gets_a_rule_and_each_only_once() -> None:
    assert rules_for(on("npm test && pytest -q && pytest tests && ruff check", "npm test")) == ["pytest", "ruff check"]


def test_a_rule_that_would_not_help_is_not_proposed() -> None:
    held = proposals(on("git commit -m x", ask=("git commit",)))
    assert [(one.rule, one.possible) for one in held] == [("", False)]
    assert "ask: git commit" in held[0].reason
    (behind,) = proposals(on("npm test", background=True))
    assert not behind.possible and "background" in behind.reason
    assert not covers(parse_rules(["npm test"]), on("npm test", background=True))


def test_writes_get_their_file_or_the_folder_that_they_share() -> None:
    assert rules_for(writing("src/a.py")) == ["write(src/a.py)"]
    assert rules_for(writing("src/a.py", "src/b.py")) == ["write(src/**)"]
    assert rules_for(writing("src/a.py", "docs/b.py")) == ["write(src/a.py)", "write(docs/b.py)"]
    assert rules_for(writing("src/[a]*.py")) == ["write(src/\\[a\\]\\*.py)"]
    for sensitive in (".git/hooks/pre-commit", ".env", "/elsewhere/a.py"):
        (found,) = proposals(writing(sensitive))
        assert not found.possible and found.reason


@given(st.text("ab*?[]{}\\,!./ ", min_size=1, max_size=12), st.text("ab*?[]{}\\,!./ ", min_size=1, max_size=12))
def test_a_rule_for_a_file_covers_it_and_no_other_of_its_folder(name: str, other: str) -> None:
    names = [f"src/{each.replace('/', '_')}" for each in (name, other)]
    for proposal in proposals(writing(names[0])):
        if proposal.rule:
            plans = [WriteAccess(ChangePlan((FileChange(f"/w/{each}", each, None, b"", None),))) for each in names]
            policy = RulePolicy("ask", Rules((parse_rule(proposal.rule),)), SCENE)
            assert isinstance(policy.decide("write_file", plans[0]), Allow)
            assert isinstance(policy.decide("write_file", plans[1]), Allow) == (names[0] == names[1])


def test_tools_get_their_name_and_reads_of_secrets_nothing() -> None:
    request = question(ForeignAccess({}), tool="mcp__a*b")
    assert request is not None and rules_for(request) == ["tool(mcp__a\\*b)"]
    policy = RulePolicy("ask", Rules(parse_rules(rules_for(request))), SCENE)
    assert isinstance(policy.decide("mcp__a*b", ForeignAccess({})), Allow)
    assert isinstance(policy.decide("mcp__aXb", ForeignAccess({})), Ask)
    assert covers(parse_rules(rules_for(request)), request)
    secret = question(ReadAccess(("/w/.env",)), tool="read_file")
    assert secret is not None and not proposals(secret)[0].possible


WORDS = st.sampled_from(
    [
        *("npm", "test", "run", "build", "git", "commit", "push", "-m", "-c", "-x", "pytest", "python", "-e", "uv"),
        *("make", "cargo", "sudo", "env", "bash", "rm", "find", "docker", "compose", "up", "a b", "x", "./a.sh", "*"),
        *("--", "exec", "npx", "timeout", "60", "go", "src", "install", "it's", "manage.py", "-p"),
    ]
)
LINES = st.lists(st.lists(WORDS, min_size=1, max_size=5), min_size=1, max_size=3).map(
    lambda commands: " && ".join(
        " ".join(f'"{word}"' if set(word) & set(" *'") else word for word in c) for c in commands
    )
)


@settings(max_examples=300)
@given(st.one_of(LINES, st.sampled_from(OWN)))
def test_the_proposed_rules_are_rules_and_cover_the_command_they_are_for(line: str) -> None:
    found = question(CommandAccess(line, "/w", 60.0))
    if found is None:
        return
    offered = proposals(found)
    assert offered and all(one.rule or one.reason for one in offered)
    rules = parse_rules(one.rule for one in offered if one.rule)
    if all(one.rule for one in offered):
        assert decide(line, Rules(rules), SCENE).decision == "allow"
        assert covers(rules, found)
    else:
        assert decide(line, Rules(rules), SCENE).decision != "allow"


ALONE = frozenset({"npm", "git", "python", "bash", "sudo", "env", "rm", "find", "docker", "cargo", "make", "uv", "npx"})


@settings(max_examples=300)
@given(st.lists(WORDS, min_size=1, max_size=5), st.lists(WORDS, min_size=1, max_size=5))
def test_no_rule_covers_another_program_or_another_subcommand(one: list[str], other: list[str]) -> None:
    lines = [" ".join(f'"{word}"' if set(word) & set(" *'") else word for word in words) for words in (one, other)]
    found = question(CommandAccess(lines[0], "/w", 60.0))
    for proposal in proposals(found) if found else ():
        if not proposal.rule:
            continue
        rule = parse_rule(proposal.rule)
        assert rule.words not in {(name,) for name in ALONE}
        assert too_wide(rule) == ""
        if decide(lines[1], Rules((rule,)), SCENE).decision == "allow":
            assert other[0] == one[0]
            assert one[0] == "pytest" or "/" in one[0] or other[1] == one[1]


def test_what_a_rule_would_have_covered_of_a_session_is_counted_without_what_needs_more() -> None:
    asked = [on("npm test"), on("npm test -- -u && ls"), on("npm run build"), on("npm test a"), writing("src/a.py")]
    rules = parse_rules(["npm test"])
    assert covered_before(rules, asked) == (asked[0], asked[3])
    assert covered_before(parse_rules(["npm test", "ls"]), asked) == (asked[0], asked[1], asked[3])
    assert covered_before(parse_rules(["write(src/**)"]), asked) == (asked[4],)
    assert covered_before(parse_rules(["npm test"]), [on("npm test && make x", "make x")]) != ()


@pytest.mark.parametrize("rule", ["npm", "git", "bash", "sudo", "python -c", "find .", "rm -rf", "foo"])
def test_a_rule_that_lets_more_run_than_it_looks_is_told(rule: str) -> None:
    assert too_wide(parse_rule(rule))
    assert not too_wide(parse_rule("npm test")) and not too_wide(parse_rule("write(**)"))
