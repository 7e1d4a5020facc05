"""What is judged read-only changes nothing: command lines are composed at random, judged, and run in a sandbox."""

import hashlib
import os
import random
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tui_agent.permissions.decision import Scene, decide
from tui_agent.permissions.read_only import programs
from tui_agent.permissions.read_only.options import Options, operands, options
from tui_agent.permissions.read_only.repository import hazard, parse_config
from tui_agent.permissions.read_only.verdict import Unproven
from tui_agent.permissions.rules import Rules
from tui_agent.sandbox.environment import command_environment

GIT = shlex.split(
    """
    add am apply archive bisect blame branch bundle cat-file checkout clean commit config describe diff
    diff-index fetch for-each-ref fsck gc grep hash-object help init log ls-files ls-tree maintenance merge mv
    notes prune pull push reflog remote repack replace reset restore rev-list rev-parse rm shortlog show
    show-ref stash status submodule switch symbolic-ref tag update-index update-ref var worktree
    """,
    posix=False,
)
PROGRAMS = shlex.split(
    """
    ls cat head tail wc nl tac cut paste sort uniq od cmp diff stat file du readlink md5sum tr seq date printf
    echo test sed find grep rg which expr basename hostname tee touch rm mv cp dd sh env xargs awk python3 tar
    ln mkdir split jq base64 base32 shuf numfmt sum factor [ printf comm join fold column strings xxd
    """,
    posix=False,
)
WORDS = shlex.split(
    """
    a.txt b.txt src . data.csv HEAD topic v1 PWNED x.sh main 1 2 HEAD:a.txt src/main.c - +%Y 0101 s/a/b/ 1p
    '1w PWNED' 'p;w PWNED' 1,3p 's/x/touch PWNED/e' -name -type f '*.c' '%h %s' %s %n x -- HEAD..topic new
    list show pop -l ] = '{p;q}' '{if ($1 > 3) print > "PWNED"}' 'NR>2' '/1/{w PWNED' .a --arg
    -delete -exec -fprint -ok -fls -print -printf -newer -prune -quit -maxdepth
    """,
    posix=False,
)
LONG = shlex.split(
    """
    output exec delete in-place ext-diff textconv files0-from compress-program pre set reference to-command
    orderfile edit unset add force create-reflog move copy list all format sort color stat patch cached
    name-only follow verbose quiet recursive regexp max-count lines bytes unique reverse check porcelain short
    branches pretty abbrev-ref show-current open-files-in-pager upload-pack no-index write-out
    temporary-directory debug unified min-parents submodule help version decode random-source show-toplevel
    """,
    posix=False,
)
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

SET_UP = """
git init -q . && git config user.email a@example.invalid && git config user.name A
mkdir src && echo 'int main' > src/main.c && seq 1 30 > a.txt && printf 'x,y\\n1,2\\n' > data.csv && echo b > b.txt
git add -A && git commit -qm one && seq 2 31 > a.txt && git commit -qam two && git branch topic && git tag v1
echo more >> b.txt && printf '#!/bin/sh\\ntouch PWNED\\n' > x.sh && chmod +x x.sh
"""


def composed(dice: random.Random) -> str:
    """A line of one or two commands with some words each, sensible ones among them."""

    def word() -> str:
        kind = dice.random()
        if kind < 0.4:
            return dice.choice(WORDS)
        if kind < 0.65:
            letters = "".join(dice.choices(LETTERS, k=dice.randint(1, 3)))
            return f"-{letters}{dice.choice(('', '', '', 'PWNED', '=PWNED'))}"
        return f"--{dice.choice(LONG)}{dice.choice(('', '', '=PWNED', '=1', '=always', '=short'))}"

    def command() -> str:
        start = ["git", dice.choice(GIT)] if dice.random() < 0.4 else [dice.choice(PROGRAMS)]
        return " ".join([*start, *(word() for _ in range(dice.randint(0, 4)))])

    line = dice.choice((" && ", " | ", "; ", " || ")).join(command() for _ in range(1 if dice.random() < 0.8 else 2))
    return line + dice.choice(("", "", "", " 2>&1", " > /dev/null", " > PWNED", " &", " < a.txt"))


def state_of(root: Path) -> dict[str, object]:
    """Everything below a folder: names, kinds, modes and contents."""
    found: dict[str, object] = {}
    for folder, _, names in os.walk(root):
        found[folder] = sorted(names)
        for name in names:
            path = Path(folder, name)
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path)] = (path.lstat().st_mode, content)
    return found


def run_all(lines: list[str], root: Path, project: Path) -> None:
    """Run each line as the product does, in a sandbox where only `root` can be written."""
    script = "\n".join(f"timeout 10 bash --noprofile --norc -c {shlex.quote(line)} </dev/null" for line in lines)
    walls = shlex.split(
        "--ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --unshare-net --unshare-pid --die-with-parent"
    )
    subprocess.run(
        ["bwrap", *walls, "--bind", str(root), str(root), "--chdir", str(project), "bash", "-c", script],
        env=command_environment({"PATH": "/usr/bin:/bin", "HOME": str(root), "LANG": "C.UTF-8"}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=300,
        check=False,
    )


def _fuzz(tmp_path: Path, seed: int, wanted: int) -> None:
    project = tmp_path / "project"
    project.mkdir()
    subprocess.run(["bash", "-ec", SET_UP], cwd=project, env={**os.environ, "HOME": str(tmp_path)}, check=True)
    dice, scene = random.Random(seed), Scene(str(project), (str(project),))
    lines: list[str] = []
    while len(lines) < wanted:
        line = composed(dice)
        if decide(line, Rules(read_only=True), scene).decision == "allow":
            lines.append(line)
    before = state_of(tmp_path)
    run_all(lines, tmp_path, project)
    assert state_of(tmp_path) == before, "\n".join(lines)
    run_all(["touch PWNED"], tmp_path, project)
    assert state_of(tmp_path) != before, "the sandbox would not have shown a change"


sandboxed = pytest.mark.skipif(shutil.which("bwrap") is None, reason="no bwrap to run unknown commands in")


@sandboxed
def test_what_is_judged_read_only_changes_nothing(tmp_path: Path) -> None:
    _fuzz(tmp_path, seed=1, wanted=120)


@sandboxed
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 22))
def test_what_is_judged_read_only_changes_nothing_in_thousands_of_lines(tmp_path: Path, seed: int) -> None:
    _fuzz(tmp_path, seed, wanted=500)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["-n", "5", "a"], ["a"]),
        (["-n5", "a"], ["a"]),
        (["a", "-q"], ["a"]),
        (["-qn", "5", "--", "-x"], ["-x"]),
        (["--lines=5", "a"], ["a"]),
        (["--lines", "5"], []),
        (["-5", "a"], ["a"]),
        (["-n", "-5", "-"], ["-"]),
    ],
)
def test_options_and_operands_are_told_apart(words: list[str], found: list[str]) -> None:
    known = options("qvz", "n", "quiet", "lines", numbers=True)
    assert operands("head", words, known) == found


@pytest.mark.parametrize(
    "words",
    [["-x"], ["-qx"], ["--line=5"], ["--output=x"], ["-n"], ["-n", "--output=x"], ["--lines", "-o"], ["a", "-i"]],
)
def test_an_option_that_is_not_known_is_not_harmless(words: list[str]) -> None:
    with pytest.raises(Unproven):
        operands("head", words, options("qvz", "n", "quiet", "lines"))


def test_no_options_at_all_means_only_operands() -> None:
    assert operands("x", ["a", "--", "-b"], Options()) == ["a", "-b"]


@pytest.mark.parametrize(
    "command",
    [
        *(
            "sort -o x a",
            "sort -uox a",
            "sort --output=x a",
            "uniq a b",
            "find . -delete",
            "find . -exec rm {} +",
            "tail -f a",
        ),
        *(
            "rg --pre ./x a",
            "rg -z a",
            "rg --hidden a",
            "grep -R a .",
            "grep -f p a",
            "sed -i p a",
            "sed w a",
            "sed 1e a",
        ),
        *("git -c a=b status", "git diff --output=x", "git diff --no-index a b", "git branch new", "git branch -l new"),
        *(
            "git tag v2",
            "git stash",
            "git log --format=%G?",
            "git config a b",
            "git remote update",
            "git describe --dirty",
        ),
        *(
            "date 0101",
            "date -s x",
            "date -I 0101",
            "hostname x",
            "printf -v a b",
            "printf %n a",
            "test -v a",
            "xxd -r a b",
        ),
        *(
            "command rm a",
            "env",
            "python3 x.py",
            "node x",
            "file -C -m m",
            "less a",
            "man ls",
            "yes",
            "awk '{print > 1}' a",
            "awk '{system(1)}' a",
            "awk -f x a",
            "jq env a",
            "jq --indent --arg . b . 5",
            "jq --indent --arg . b 5 .",
            "jq -f x",
        ),
    ],
)
def test_these_are_not_known_to_change_nothing(command: str) -> None:
    with pytest.raises(Unproven):
        programs.judge(shlex.split(command))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("core.fsmonitor", "./x"), ("core.pager", "x"), ("diff.external", "x"), ("diff.T.textconv", "x")),
        *(("filter.t.clean", "x"), ("filter.t.process", "x"), ("core.sshCommand", "x"), ("gpg.program", "x")),
        *(("core.worktree", "/"), ("pager.log", "x"), ("log.showSignature", "true"), ("submodule.a.ignore", "none")),
        *(("format.pretty", "%G?"), ("core.fsMonitor", "true")),
    ],
)
def test_settings_by_which_git_runs_programs(key: str, value: str) -> None:
    listing = f"global\0{key}\n{value}\0local\0core.bare\nfalse\0local\0{key}\n{value}\0".encode()
    assert hazard(parse_config(listing)) == key
    assert hazard(parse_config(listing.replace(b"local", b"system"))) == ""


@pytest.mark.parametrize(("key", "value"), [("core.fsmonitor", "false"), ("user.name", "A"), ("pager.log", "false")])
def test_settings_that_run_nothing(key: str, value: str) -> None:
    assert hazard(parse_config(f"local\0{key}\n{value}\0".encode())) == ""


@pytest.mark.parametrize(
    "command",
    [
        *(
            "awk '{print $1}' a.txt",
            "awk -F, '{print $1, $NF}' a.txt",
            "awk 'NR==3' a.txt",
            "awk '/x|y/ {print}' a.txt",
        ),
        *(
            "jq .a.b a.json",
            "jq -r '.[] | .name' a.json",
            "sed -n 3,5p a.txt",
            "sed 's/a/b/g' a.txt",
            "sed -n '/x/p' a.txt",
        ),
        *(
            "find . -name '*.py' -type f",
            "rg -n x src",
            "grep -rn --include=*.py x .",
            "git log --oneline -5",
            "git show HEAD~2",
        ),
        *(
            "tail -n +5 a.txt",
            "head -20 a.txt",
            "du -sh .",
            "git diff --stat HEAD~1..HEAD",
            "git blame a.txt",
            "git stash list",
        ),
    ],
)
def test_these_only_read(command: str) -> None:
    programs.judge(shlex.split(command))
