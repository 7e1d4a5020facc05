"""What runs, what asks, what is refused; what can be allowed for a session."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_agent.conversation.events import Mode
from tui_agent.permissions.approval import (
    Access,
    Allow,
    Ask,
    CommandAccess,
    ForeignAccess,
    NoAccess,
    ReadAccess,
    Refuse,
    WriteAccess,
)
from tui_agent.permissions.policy import RulePolicy, SessionGrants, grant_text, mode_available
from tui_agent.permissions.rules import Rules, parse_rules
from tui_agent.permissions.sensitive import is_control, is_secret
from tui_agent.workspace.changes import ChangePlan, FileChange


def write(*names: str, root: str = "/w/") -> WriteAccess:
    return WriteAccess(ChangePlan(tuple(FileChange(root + name, name, None, b"x", None) for name in names)))


COMMAND = CommandAccess("ls", "/w", 10.0)
MODES: tuple[Mode, ...] = ("plan", "ask", "accept-edits", "auto")


@pytest.mark.parametrize("mode", MODES)
def test_reading_runs_and_a_secret_file_asks_in_every_mode(mode: Mode) -> None:
    policy = RulePolicy(mode)
    assert isinstance(policy.decide("read_file", ReadAccess(("/w/a.py",))), Allow)
    assert isinstance(policy.decide("update_plan", NoAccess()), Allow)
    verdict = policy.decide("read_file", ReadAccess(("/w/.env",)))
    assert isinstance(verdict, Ask)
    assert "secrets" in verdict.reasons[0]


@pytest.mark.parametrize("access", [write("a"), COMMAND, ForeignAccess({})])
def test_by_default_every_write_and_every_command_asks(access: Access) -> None:
    assert isinstance(RulePolicy().decide("tool", access), Ask)


@pytest.mark.parametrize("access", [write("a"), COMMAND, ForeignAccess({})])
def test_plan_mode_refuses_them(access: Access) -> None:
    verdict = RulePolicy("plan").decide("tool", access)
    assert isinstance(verdict, Refuse)
    assert "plan mode" in verdict.reason


def test_accept_edits_lets_plain_files_be_written_and_nothing_else() -> None:
    policy = RulePolicy("accept-edits")
    assert policy.decide("write_file", write("src/a.py")) == Allow("mode accept-edits")
    assert isinstance(policy.decide("run_command", COMMAND), Ask)
    for name in (".git/hooks/pre-commit", ".envrc", ".env", ".vscode/settings.json", ".GIT/config"):
        verdict = policy.decide("write_file", write("src/a.py", name))
        assert isinstance(verdict, Ask)
        assert verdict.reasons[0].startswith(name)


def test_auto_is_not_to_be_had_without_a_sandbox_and_asks_if_it_is_set_anyway() -> None:
    assert "sandbox" in mode_available("auto")
    assert [mode_available(mode) for mode in ("plan", "ask", "accept-edits")] == ["", "", ""]
    assert isinstance(RulePolicy("auto").decide("run_command", COMMAND), Ask)
    assert isinstance(RulePolicy("auto").decide("write_file", write("a")), Ask)


def test_a_grant_covers_the_same_command_in_the_same_directory_and_no_other() -> None:
    grants = SessionGrants()
    assert not grants.covers(COMMAND)
    grants.add(COMMAND)
    assert grants.covers(CommandAccess("ls", "/w", 99.0))
    for other in (
        CommandAccess("ls ", "/w", 10.0),
        CommandAccess("ls", "/v", 10.0),
        CommandAccess("ls", "/w", 10.0, True),
    ):
        assert not grants.covers(other)


def test_a_grant_covers_writes_to_the_same_file_and_no_other() -> None:
    grants = SessionGrants()
    assert grant_text(write("src/a.py")) == "writes to src/a.py"
    grants.add(write("src/a.py"))
    assert grants.covers(write("src/a.py"))
    assert not grants.covers(write("src/b.py"))
    assert not grants.covers(write("src/a.py", "src/b.py"))


@pytest.mark.parametrize(
    "access",
    [
        write(".git/config"),
        write(".env"),
        write("a", "b"),
        ReadAccess(("/w/.env",)),
        ForeignAccess({}),
        NoAccess(),
        CommandAccess("ls", "/w", 10.0, True),
    ],
)
def test_what_must_be_asked_each_time_cannot_be_granted(access: Access) -> None:
    grants = SessionGrants()
    assert grant_text(access) == ""
    grants.add(access)
    assert not grants.covers(access)


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_grant_never_covers_another_command(one: str, other: str) -> None:
    grants = SessionGrants()
    grants.add(CommandAccess(one, "/w", 10.0))
    assert grants.covers(CommandAccess(other, "/w", 10.0)) == (one == other)


@pytest.mark.parametrize(
    "name",
    [
        ".env",
        ".env.local",
        ".envrc",
        "server.pem",
        "tls.KEY",
        "id_rsa",
        "id_ed25519",
        ".netrc",
        ".npmrc",
        ".ssh/config",
        ".aws/credentials",
        "credentials.json",
        *(".env-prod", ".env_local", "prod.env", "docker/.env.production.local", ".ENV", ".flaskenv"),
        *("AuthKey_1.p8", "terraform.tfstate", "terraform.tfstate.backup", "prod.tfvars", "office.ovpn", "db.kdb"),
        *("service-account.json", "serviceAccountKey.json", "service_account-1.json", "client_secret_1.apps.json"),
        *("gcp-credentials.json", "credentials.yml", ".cargo/credentials.toml", ".gem/credentials"),
        *(".bash_history", ".psql_history", ".vault-token", ".my.cnf", ".s3cfg", ".terraformrc"),
        *(".docker/config.json", ".kube/config", ".azure/x", ".config/gh/hosts.yml", ".config/gcloud/a/b.db"),
        *(".m2/settings.xml", ".password-store/a.gpg", ".mozilla/firefox/key4.db", ".SSH/known_hosts"),
    ],
)
def test_secret_names(name: str) -> None:
    assert is_secret(f"/w/{name}")


@pytest.mark.parametrize(
    "name",
    [
        ".env.example",
        "id_utils.py",
        "pem.py",
        "keys.txt",
        "environment",
        "a.env.py",
        "id_rsa.pub",
        "example.env",
        ".env.local.example",
        ".envious",
        "history",
        "my_history.py",
        ".docker/nginx.conf",
        "config/gh/hosts.yml",
        "credentials.py",
        "main.tf",
    ],
)
def test_names_that_are_not_secret(name: str) -> None:
    assert not is_secret(f"/w/{name}")


@pytest.mark.parametrize(
    "name",
    [
        ".git/x",
        ".gitmodules",
        ".mcp.json",
        ".bashrc",
        ".husky/pre-commit",
        ".tui-agent/config.yaml",
        "sub/.GIT/HEAD",
        ".git",
        "a/.git/modules/b/hooks/x",
        ".claude/settings.json",
        ".cursor/mcp.json",
        ".zed/tasks.json",
        ".hg/hgrc",
        ".ssh/authorized_keys",
        ".ssh/rc",
        ".gnupg/gpg.conf",
        ".aws/config",
        ".kube/config",
        ".docker/config.json",
        ".config/systemd/user/x.service",
        ".config/autostart/x.desktop",
        ".config/git/config",
        ".config/fish/config.fish",
        ".cargo/config.toml",
        ".gradle/init.gradle",
        ".local/bin/ls",
        ".gdbinit",
        ".cshrc",
        ".emacs.d/init.el",
        "lefthook.yml",
        ".mise.toml",
        ".Rprofile",
        ".nvim.lua",
        ".dir-locals.el",
    ],
)
def test_control_names(name: str) -> None:
    assert is_control(f"/w/{name}")


@pytest.mark.parametrize(
    "name",
    [
        ".gitignore",
        "git/config",
        ".github/workflows/ci.yml",
        "src/hooks.py",
        "Makefile",
        ".gitattributes",
        ".config/app.json",
        ".cargo/x",
        "config.toml",
        ".docker/nginx.conf",
        ".local/share/x",
    ],
)
def test_names_that_control_nothing(name: str) -> None:
    assert not is_control(f"/w/{name}")


@pytest.mark.parametrize(
    "command",
    [
        "git push",
        "git push --force origin main",
        "cd x && git   push",
        "(git push)",
        "g\"i\"t 'push'",
        "echo $(git push)",
        "true\ngit\tpush",
        "gi\\t push",
    ],
)
def test_a_denied_command_is_refused_wherever_its_words_stand(command: str) -> None:
    for mode in MODES:
        verdict = RulePolicy(mode, Rules(deny=parse_rules(["git push"]))).decide(
            "run_command", CommandAccess(command, "/w", 1.0)
        )
        assert isinstance(verdict, Refuse)
        assert "git push" in verdict.reason


@pytest.mark.parametrize("command", ["git status", "git pushd", "push git", "git-push"])
def test_other_commands_still_ask(command: str) -> None:
    policy = RulePolicy(rules=Rules(deny=parse_rules(["git push", "rm *"])))
    assert isinstance(policy.decide("run_command", CommandAccess(command, "/w", 1.0)), Ask)
    assert isinstance(policy.decide("run_command", CommandAccess("rm", "/w", 1.0)), Refuse)
