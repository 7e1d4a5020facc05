"""What is said of a mode is what the policy does in it, for every kind of thing, rule and answer."""

from collections import defaultdict
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tui_agent.conversation.events import Mode
from tui_agent.permissions.approval import (
    Access,
    Allow,
    Ask,
    CommandAccess,
    ForeignAccess,
    NoAccess,
    ReadAccess,
    Terms,
    WriteAccess,
)
from tui_agent.permissions.decision import Scene
from tui_agent.permissions.permitted import Kind, Outcome, permitted
from tui_agent.permissions.policy import Grant, RulePolicy, SessionGrants
from tui_agent.permissions.rules import Rules, parse_rules
from tui_agent.workspace.changes import ChangePlan, FileChange

MODES: tuple[Mode, ...] = ("plan", "ask", "accept-edits", "auto")
SCENE = Scene("/w", ("/w",), resolve=lambda path: path)


def write(name: str) -> WriteAccess:
    return WriteAccess(ChangePlan((FileChange(f"/w/{name}", name, b"before", b"after", None),)))


def command(text: str, sandbox: str, *, background: bool = False) -> CommandAccess:
    return CommandAccess(text, "/w", 60.0, background, sandbox)


def accesses(sandbox: str) -> dict[Kind, list[tuple[str, Access]]]:
    """Things a model may want to do, by what the screen calls them."""
    return {
        "plan": [("update_plan", NoAccess())],
        "read": [("read_file", ReadAccess(("/w/src/main.c",))), ("grep_search", ReadAccess(("/w",)))],
        "read_secret": [("read_file", ReadAccess((f"/w/{name}",))) for name in (".env.test", "tls/site.pem", "id_rsa")],
        "write": [("write_file", write("src/new.py")), ("edit_file", write("README.md"))],
        "write_control": [("write_file", write(name)) for name in (".git/hooks/post-merge", ".vscode/tasks.json")],
        "write_secret": [("write_file", write(name)) for name in ("server.key", ".env")],
        "command_reads": [("run_command", command(text, sandbox)) for text in ("cat README.md", "git log | head -3")],
        "command": [("run_command", command(text, sandbox)) for text in ("npm test", "rm -rf x && ls")],
        "command_odd": [("run_command", command("npm\u202e test", sandbox))],
        "command_unclear": [
            ("run_command", command(text, sandbox)) for text in ("x=$(npm ls)", "for i in *; do $i; done")
        ],
        "command_background": [("run_command", command("npm start", sandbox, background=True))],
        "foreign": [("mcp__files__read", ForeignAccess({"a": 1}))],
    }


def decided(policy: RulePolicy, tool: str, access: Access) -> Outcome:
    verdict = policy.decide(tool, access)
    return "runs" if isinstance(verdict, Allow) else "asks" if isinstance(verdict, Ask) else "refused"


SETTINGS = [
    Rules(read_only=reads, ask=parse_rules(ask), deny=parse_rules(deny))
    for reads, (ask, deny) in product((False, True), (((), ()), (("git push",), ("shred",))))
]


@pytest.mark.parametrize("sandbox", ["", "bwrap"])
@pytest.mark.parametrize("rules", SETTINGS)
@pytest.mark.parametrize("mode", MODES)
def test_every_kind_comes_to_what_is_said(mode: Mode, rules: Rules, sandbox: str) -> None:
    said = {permit.kind: permit.outcome for permit in permitted(mode, rules, sandbox) if permit.kind != "rule"}
    policy = RulePolicy(mode, rules, SCENE, bool(sandbox))
    for kind, some in accesses(sandbox).items():
        for tool, access in some:
            # What differs in no way from other commands is not told apart from them.
            told = said[kind] if kind in said else said["command"]
            assert told == decided(policy, tool, access), (kind, access)


RULES: dict[str, list[tuple[str, Access]]] = {
    "command": [("run_command", command("npm test", "bwrap")), ("run_command", command("npm test -- -v", "bwrap"))],
    "write": [("write_file", write("docs/a.md"))],
    "read": [("read_file", ReadAccess(("/w/.env.test",)))],
    "tool": [("mcp__files__read", ForeignAccess({}))],
    "reading tool": [("grep_search", ReadAccess(("/w",)))],
}
TEXTS = {
    "npm test": "command",
    "write(docs/**)": "write",
    "read(.env.*)": "read",
    "tool(mcp__files__*)": "tool",
    "tool(grep_*)": "reading tool",
}


@pytest.mark.parametrize("kind", ["allow", "ask", "deny"])
@pytest.mark.parametrize("text", [*TEXTS, "network(npm test)"])
@pytest.mark.parametrize("mode", MODES)
def test_every_rule_comes_to_what_is_said(mode: Mode, text: str, kind: str) -> None:
    if text.startswith("network") and kind != "allow":
        return
    if (kind, text) == ("allow", "tool(grep_*)"):
        return  # reading runs anyway
    rules = replace(Rules(), **{kind: parse_rules([text])})
    (said,) = (permit for permit in permitted(mode, rules, "bwrap") if permit.kind == "rule")
    assert said.what == f"{kind}: {text}"
    for tool, access in RULES[TEXTS.get(text, "command")]:
        assert decided(RulePolicy(mode, rules, SCENE, True), tool, access) == said.outcome


@pytest.mark.parametrize("text", ["tool(write_file)", "tool(run_command)", "tool(read_file)"])
def test_a_rule_that_lifts_nothing_is_not_said_to(text: str) -> None:
    assert not [permit for permit in permitted("ask", Rules(allow=parse_rules([text]))) if permit.kind == "rule"]
    policy = RulePolicy("ask", Rules(allow=parse_rules([text])), SCENE)
    assert decided(policy, "write_file", write("a")) == "asks"
    assert decided(policy, "run_command", command("ls", "")) == "asks"
    assert decided(policy, "read_file", ReadAccess(("/w/.env",))) == "asks"


@pytest.mark.parametrize("mode", MODES)
def test_what_was_allowed_for_the_session_is_listed_and_lifts_no_refusal(mode: Mode) -> None:
    grants = SessionGrants()
    made, pushed, file = command("make it", "bwrap"), command("git push", "bwrap"), write("src/a.py")
    grants.add(made, Terms(network=True))
    grants.add(pushed)
    grants.add(file)
    rules = Rules(deny=parse_rules(["git push"]))
    policy = RulePolicy(mode, rules, SCENE, True)
    said = {
        permit.what: permit.outcome
        for permit in permitted(mode, rules, "bwrap", grants=grants.given(), directory="/w")
        if permit.kind == "grant"
    }
    assert list(said) == ["make it, with network", "git push", "writes to src/a.py"]
    for access, outcome in zip((made, pushed, file), said.values(), strict=True):
        assert grants.covers(access)
        assert (outcome == "refused") == (decided(policy, "run_command", access) == "refused")
    assert grants.given()[0] == Grant("command", "make it", "/w", Terms(network=True))


def test_without_commands_every_command_is_refused_whatever_rules_say() -> None:
    rules = Rules(allow=parse_rules(["npm test"]), ask=parse_rules(["git push"]), read_only=True)
    outcomes = defaultdict(set)
    for permit in permitted("ask", rules, commands=False, grants=[Grant("command", "make", "/w")], directory="/w"):
        outcomes[permit.outcome].add(permit.what)
    assert {"other commands", "commands that provably only read", "allow: npm test", "ask: git push", "make"} <= (
        outcomes["refused"]
    )


@given(st.sampled_from(["ls", "git status", "cat a.txt | wc -l", "npm test"]), st.booleans())
def test_a_rule_never_makes_plan_mode_refuse_what_it_lets_run_without(text: str, reads: bool) -> None:
    access = command(text, "")
    bare = RulePolicy("plan", Rules(read_only=reads), SCENE)
    ruled = RulePolicy("plan", Rules(allow=parse_rules([text.partition(" |")[0]]), read_only=reads), SCENE)
    assert decided(bare, "run_command", access) == decided(ruled, "run_command", access)
