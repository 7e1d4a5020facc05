"""Rules: what they cover, what they refuse, and what is no rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_agent.permissions.approval import Allow, Ask, CommandAccess, ForeignAccess, ReadAccess, Refuse, WriteAccess
from tui_agent.permissions.decision import Decision, Scene, decide
from tui_agent.permissions.policy import RulePolicy
from tui_agent.permissions.rules import RuleError, Rules, parse_rule, parse_rules
from tui_agent.workspace.changes import ChangePlan, FileChange

SCENE = Scene("/w", ("/w", "/shared"), resolve=lambda path: path)


def rules(*, allow: tuple[str, ...] = (), ask: tuple[str, ...] = (), deny: tuple[str, ...] = ()) -> Rules:
    return Rules(parse_rules(allow), parse_rules(ask), parse_rules(deny))


def on(command: str, some: Rules, read_only: bool = False) -> Decision:
    return decide(command, Rules(some.allow, some.ask, some.deny, read_only), SCENE)


def test_a_rule_covers_the_commands_that_begin_with_its_words() -> None:
    some = rules(allow=("npm test", "git commit *"))
    for covered in ("npm test", "npm  test -- -q", "npm 'test'", "git commit -m 'a; b'", "npm test; git commit -a"):
        assert on(covered, some).decision == "allow", covered
    for other in (
        "npm tests",
        "npm run test",
        "xnpm test",
        "npm",
        "npm test > out",
        "npm test 2>&1",
        "X=1 npm test",
        "npm test &",
    ):
        assert on(other, some).decision == "ask", other


def test_every_command_of_a_line_has_to_be_covered_and_each_says_by_what() -> None:
    found = on("npm test && rm -rf build", rules(allow=("npm test",)))
    assert found.decision == "ask"
    assert [(part.text, part.covered_by, bool(part.reason)) for part in found.parts] == [
        ("npm test", "allow: npm test", False),
        ("rm -rf build", "", True),
    ]
    assert found.reasons == ("`rm -rf` is not covered by a rule",)


def test_deny_wins_over_ask_and_ask_over_allow() -> None:
    some = rules(allow=("git",), ask=("git push",), deny=("git push --force",))
    assert on("git log", some).decision == "allow"
    assert on("git push", some).decision == "ask"
    assert on("git push --force", some).decision == "deny"


@pytest.mark.parametrize(
    "command",
    [
        *(
            "git push",
            "/usr/bin/git push",
            "git 'push'",
            "cd x && git push",
            "(git push)",
            "if true; then git push; fi",
        ),
        *(
            "sudo git push",
            "env A=1 git push",
            "bash -c 'git push'",
            "xargs git push",
            "$(git push)",
            "echo `git push`",
        ),
    ],
)
def test_a_denied_command_is_refused_also_inside_another(command: str) -> None:
    found = on(command, rules(deny=("git push",)))
    assert found.decision == "deny"
    assert found.reasons == ("the rule `deny: git push` refuses it",)


def test_a_command_that_only_speaks_of_a_denied_one_is_not_refused() -> None:
    some = rules(allow=("echo", "git log"), deny=("git push",))
    assert on("echo 'git push'", some).decision == "allow"
    assert on("git -C /elsewhere push", some).decision == "ask"
    # The words stand in order, so it may be the denied one in another spelling: a person looks.
    assert on("git log --grep push", some).decision == "ask"


def test_read_only_commands_do_not_read_outside_or_secrets() -> None:
    allowed = ("cat a.txt", "cat /w/a.txt", "cat /shared/a.txt", "cd src && cat a.txt", "ls 2>/dev/null | head -3")
    asking = (
        "cat ../a.txt",
        "cat /etc/passwd",
        "cat .env",
        "cat keys/id_rsa",
        "cd .. && cat a.txt",
        "cd /; cat etc/x",
        "ls /",
    )
    for command in allowed:
        assert on(command, Rules(), read_only=True).decision == "allow", command
    for command in asking:
        assert on(command, Rules(), read_only=True).decision == "ask", command


def test_links_are_followed_before_a_file_counts_as_inside() -> None:
    links = {"/w/notes": "/home/me/.ssh/id_rsa", "/w/inner": "/w/src"}
    scene = Scene("/w", ("/w",), resolve=lambda path: links.get(path, path))
    assert decide("cat notes", Rules(read_only=True), scene).decision == "ask"
    assert decide("cat inner", Rules(read_only=True), scene).decision == "allow"


def test_after_a_builtin_that_a_rule_allows_nothing_counts_as_read_only() -> None:
    some = rules(allow=("cd", "make"))
    assert on("cd / && cat etc/shadow", some, read_only=True).decision == "ask"
    assert on("make && cat a.txt", some, read_only=True).decision == "allow"


def test_git_reads_only_where_the_repository_runs_nothing() -> None:
    hostile = Scene("/w", ("/w",), resolve=lambda path: path, repository=lambda place: f"core.fsmonitor in {place}")
    found = decide("git status", Rules(read_only=True), hostile)
    assert (found.decision, found.reasons) == ("ask", ("core.fsmonitor in /w",))
    assert decide("cat a.txt", Rules(read_only=True), hostile).decision == "allow"


def test_rules_about_files() -> None:
    some = rules(
        allow=("write(docs/**)", "read(.env.local)"),
        ask=("write(docs/api.md)",),
        deny=("write(dist/**)", "read(*.pem)"),
    )
    policy = RulePolicy("ask", some, SCENE)

    def write(name: str) -> object:
        return policy.decide("write_file", WriteAccess(ChangePlan((FileChange(f"/w/{name}", name, None, b"x", None),))))

    assert write("docs/a/b.md") == Allow("allow: write(docs/**)")
    assert isinstance(write("docs/api.md"), Ask)
    assert isinstance(write("src/a.py"), Ask)
    assert isinstance(write("dist/a.js"), Refuse)
    assert isinstance(write("docs/.envrc"), Ask)  # a control file asks whatever the rules say
    assert isinstance(policy.decide("read_file", ReadAccess(("/w/.env.local",))), Allow)
    assert isinstance(policy.decide("read_file", ReadAccess(("/w/.env",))), Ask)
    assert isinstance(policy.decide("read_file", ReadAccess(("/w/a/key.pem",))), Refuse)


def test_rules_about_tools() -> None:
    policy = RulePolicy("ask", rules(allow=("tool(mcp__files__*)",), deny=("tool(run_command)",)), SCENE)
    assert isinstance(policy.decide("mcp__files__list", ForeignAccess({})), Allow)
    assert isinstance(policy.decide("mcp__web__get", ForeignAccess({})), Ask)
    assert isinstance(policy.decide("run_command", CommandAccess("ls", "/w", 1.0)), Refuse)


def test_plan_mode_lets_only_reading_commands_run_and_only_where_those_do() -> None:
    reading = Rules(parse_rules(["make"]), read_only=True)
    assert isinstance(RulePolicy("plan", reading, SCENE).decide("run_command", CommandAccess("ls", "/w", 1.0)), Allow)
    for command in ("make", "touch x"):
        access = CommandAccess(command, "/w", 1.0)
        assert isinstance(RulePolicy("plan", reading, SCENE).decide("run_command", access), Refuse)
    assert isinstance(RulePolicy("plan").decide("run_command", CommandAccess("ls", "/w", 1.0)), Refuse)


def test_a_question_says_that_the_command_only_reads() -> None:
    asked = RulePolicy("ask", Rules(), SCENE).decide("run_command", CommandAccess("ls | head", "/w", 1.0))
    assert isinstance(asked, Ask)
    assert asked.only_reads
    other = RulePolicy("ask", Rules(), SCENE).decide("run_command", CommandAccess("ls | sh", "/w", 1.0))
    assert isinstance(other, Ask)
    assert not other.only_reads
    # Where a rule asks, letting what only reads run would change nothing.
    for rule in ("tool(run_command)", "ls"):
        ruled = RulePolicy("ask", Rules(ask=parse_rules([rule])), SCENE)
        kept = ruled.decide("run_command", CommandAccess("ls", "/w", 1.0))
        assert isinstance(kept, Ask) and not kept.only_reads
        assert isinstance(ruled.letting_reading_run().decide("run_command", CommandAccess("ls", "/w", 1.0)), Ask)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("write()", "empty"),
        ("git status; rm x", "several commands"),
        ("npm $X", "variable"),
        ("rm *.log", "pattern"),
        ("PATH=. git", "variable"),
        ("write(/etc/**)", "inside"),
        ("read(../x)", "inside"),
        ("a 'b", "a rule is the first words"),
        ("cat < a.txt", "redirection"),
        ("npm test 2>/dev/null", "redirection"),
    ],
)
def test_what_is_no_rule_says_why(text: str, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        parse_rule(text)


@given(st.text(max_size=40), st.text(max_size=60))
def test_no_text_breaks_a_rule_or_a_decision(rule: str, command: str) -> None:
    try:
        some = Rules(allow=(parse_rule(rule),))
    except RuleError:
        some = Rules()
    assert decide(command, some, SCENE).decision in ("allow", "ask", "deny")
