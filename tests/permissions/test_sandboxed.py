"""What a sandbox changes about what runs unasked, and on which terms."""

import pytest

from tui_agent.cli.rules import rules_from
from tui_agent.config.load import LoadedSettings
from tui_agent.config.model import PermissionSettings, Settings
from tui_agent.config.problems import InvalidConfig
from tui_agent.permissions.approval import (
    Allow,
    Ask,
    CommandAccess,
    ForeignAccess,
    Refuse,
    Terms,
    Verdict,
    WriteAccess,
)
from tui_agent.permissions.decision import Scene
from tui_agent.permissions.policy import RulePolicy, SessionGrants, mode_available
from tui_agent.permissions.rules import Rules, parse_rules
from tui_agent.sandbox.enclosure import Sandbox
from tui_agent.workspace.changes import ChangePlan, FileChange

SCENE = Scene("/w", ("/w",), resolve=lambda path: path)


def decide(command: str, rules: Rules = Rules(), sandbox: str = "bwrap", **more: bool) -> Verdict:  # noqa: B008
    policy = RulePolicy("auto", rules, SCENE, sandboxed=bool(sandbox))
    return policy.decide("run_command", CommandAccess(command, "/w", 10.0, sandbox=sandbox, **more))


def rules(*, allow: str = "", ask: str = "", deny: str = "", read_only: bool = False) -> Rules:
    return Rules(*(parse_rules(filter(None, text.split(","))) for text in (allow, ask, deny)), read_only)


@pytest.mark.parametrize("command", ["rm -rf build", "npm install", "for f in *; do echo $f; done", "python x.py"])
def test_auto_runs_commands_that_a_sandbox_keeps_in_without_network(command: str) -> None:
    verdict = decide(command)
    assert isinstance(verdict, Allow)
    assert verdict.terms == Terms()
    assert "bwrap" in verdict.because
    assert isinstance(decide(command, sandbox=""), Ask)


def test_auto_asks_for_what_goes_on_and_for_what_is_hidden_from_who_reads_it() -> None:
    assert isinstance(decide("sleep 1", background=True), Ask)
    assert isinstance(decide("echo a\u202eb"), Ask)
    assert isinstance(decide("echo a\x1b[2K"), Ask)
    assert isinstance(decide("echo a\0"), Refuse)
    assert isinstance(decide("true " + "x" * 20_000), Ask)


def test_rules_that_ask_and_deny_hold_in_auto() -> None:
    mine = rules(ask="npm publish", deny="git push")
    assert isinstance(decide("git push", mine), Refuse)
    assert isinstance(decide("npm publish --tag x", mine), Ask)
    assert isinstance(decide("git -C x push", mine), Ask)
    assert isinstance(decide("x=git; $x push", mine), Ask)  # nobody knows word by word what that is
    assert isinstance(decide("git commit -m x", mine), Allow)
    assert isinstance(decide("ls", rules(ask="tool(run_command)")), Ask)


def test_auto_writes_plain_files_and_asks_for_others_and_for_other_tools() -> None:
    def write(name: str) -> WriteAccess:
        return WriteAccess(ChangePlan((FileChange("/w/" + name, name, None, b"x", None),)))

    policy = RulePolicy("auto", scene=SCENE, sandboxed=True)
    assert policy.decide("write_file", write("a.py")) == Allow("mode auto")
    assert isinstance(policy.decide("write_file", write(".envrc")), Ask)
    assert isinstance(policy.decide("write_file", write(".env")), Ask)
    assert isinstance(policy.decide("other", ForeignAccess({})), Ask)


def test_a_rule_gives_the_network_to_commands_that_it_covers_whole() -> None:
    mine = rules(allow="npm install,network(npm install),network(pip install),npm test")
    terms = {command: decide(command, mine) for command in ("npm install", "npm install a && pip install b")}
    assert {verdict.terms for verdict in terms.values() if isinstance(verdict, Allow)} == {Terms(network=True)}
    assert all(isinstance(verdict, Allow) for verdict in terms.values())
    for command in ("npm install && npm test", "npm test", "npm install | tee log"):
        verdict = decide(command, mine)
        assert isinstance(verdict, Allow) and verdict.terms == Terms()
    asked = RulePolicy("ask", rules(allow="network(npm install)", ask="npm *"), SCENE).decide(
        "run_command", CommandAccess("npm install", "/w", 10.0, sandbox="bwrap")
    )
    assert isinstance(asked, Ask) and asked.terms == Terms(network=True)


@pytest.mark.parametrize("mode", ["plan", "ask", "auto"])
def test_what_only_reads_and_runs_unasked_cannot_write(mode: str) -> None:
    policy = RulePolicy(mode, rules(allow="npm test", read_only=True), SCENE, True)  # type: ignore[arg-type]
    verdict = policy.decide("run_command", CommandAccess("cat a | wc -l", "/w", 10.0, sandbox="bwrap"))
    assert isinstance(verdict, Allow) and verdict.terms == Terms(read_only=True)
    verdict = policy.decide("run_command", CommandAccess("npm test | wc -l", "/w", 10.0, sandbox="bwrap"))
    assert mode == "plan" or (isinstance(verdict, Allow) and verdict.terms == Terms())


@pytest.mark.parametrize("key", ["ask", "deny"])
def test_a_network_rule_belongs_under_allow(key: str) -> None:
    def loaded(**lists: tuple[str, ...]) -> LoadedSettings:
        return LoadedSettings(Settings(permissions=PermissionSettings(**lists)), {}, ())

    assert rules_from(loaded(allow=("network(npm install)",))).allow[0].kind == "network"
    with pytest.raises(InvalidConfig, match="belongs under `allow`"):
        rules_from(loaded(**{key: ("network(npm install)",)}))


def test_the_mode_auto_says_why_it_cannot_be_had() -> None:
    assert mode_available("auto", Sandbox("bwrap", "/usr/bin/bwrap")) == ""
    assert mode_available("auto", Sandbox(reason="bubblewrap is not installed")).endswith("bubblewrap is not installed")
    assert mode_available("ask", Sandbox()) == ""


def test_what_was_granted_with_network_keeps_it() -> None:
    grants = SessionGrants()
    access = CommandAccess("npm install", "/w", 10.0, sandbox="bwrap")
    assert grants.terms(access) is None
    grants.add(access, Terms(network=True))
    assert grants.terms(access) == Terms(network=True)
    assert grants.covers(access)
