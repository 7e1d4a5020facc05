"""What runs unasked as reading shows neither a secret file nor one outside: lines are composed, judged, and run."""

import os
import random
import shlex
import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from string import ascii_letters

import pytest

from tests.permissions.test_read_only import SET_UP, sandboxed
from tui_agent.cli.rules import scene_of
from tui_agent.permissions.decision import decide
from tui_agent.permissions.rules import Rules
from tui_agent.sandbox.environment import command_environment

GIT = ["diff", "diff", "diff", "log", "show", "blame", "grep", "ls-files", "stash show", "reflog show", "diff-tree"]
PROGRAMS = shlex.split(
    """
    ls cat head tail wc nl tac cut paste sort uniq od cmp diff stat file du tr sed find grep rg awk jq comm join fold
    column strings xxd base64 shuf sum expand fmt test [ hexdump
    """
)
FILES = shlex.split(
    """
    .env src/.env ../out.txt ../out.txt server.pem file-link folder-link folder-link/f .. names ./.env HEAD:.env . src
    a.txt a.txt - --
    """
)
OTHERS = shlex.split(
    """
    x . p 1 K '""' '"/x/"' 1p '"{print}"' HEAD 1,3 ] -type f -name '< .env' '< a.txt' '< file-link' --unified -U
    --min-parents --since --include --after-context --bytes --key --width --arg --relative=.. --hide --glob --color
    --exclude-dir
    """
)
LETTERS = "USGnLCMABmefktscdwjoTiINgErxzluFvDR"
HIDDEN = ("../out.txt", ".env")
SECRET = b"CANARY"


def composed(dice: random.Random) -> str:
    def word() -> str:
        kind = dice.random()
        if kind < 0.5:
            return dice.choice(FILES)
        return f"-{dice.choice(LETTERS)}" if kind < 0.7 else dice.choice(OTHERS)

    program = f"git {dice.choice(GIT)}" if dice.random() < 0.4 else dice.choice(PROGRAMS)
    line = " ".join([program, *(word() for _ in range(dice.randint(1, 4)))])
    if dice.random() < 0.1:
        places = ("src", "folder-link", "..", "folder-link/..", ".")
        return f"cd {dice.choice(places)}{dice.choice((' && ', '; ', ' || '))}{line}"
    return line


def _printed(lines: list[str], project: Path, home: Path) -> bytes:
    script = "\n".join(f"timeout 10 bash --noprofile --norc -c {shlex.quote(line)} </dev/null 2>&1" for line in lines)
    walls = shlex.split("--ro-bind / / --dev /dev --proc /proc --unshare-net --unshare-pid --die-with-parent")
    environment = command_environment({"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"})
    command = ["bwrap", *walls, "--chdir", str(project), "bash", "-c", script]
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=300, check=False
    )
    return done.stdout


def _check(tmp_path: Path, composed_lines: Iterator[str], wanted: int) -> None:
    project = tmp_path / "project"
    project.mkdir()
    subprocess.run(["bash", "-ec", SET_UP], cwd=project, env={**os.environ, "HOME": str(tmp_path)}, check=True)
    (tmp_path / "outside").mkdir()
    for name in ("out.txt", "outside/f", "project/.env", "project/src/.env", "project/server.pem"):
        (tmp_path / name).write_bytes(SECRET + b"\n")
    (project / "names").write_text(".env\n../out.txt\n")
    (project / "file-link").symlink_to("../out.txt")
    (project / "folder-link").symlink_to("../outside")
    scene = scene_of(project, [project])
    allowed = (line for line in composed_lines if decide(line, Rules(read_only=True), scene).decision == "allow")
    lines = list(islice(allowed, wanted))
    assert len(lines) > 90
    leaking = lines if SECRET in _printed(lines, project, tmp_path) else []
    assert [line for line in leaking if SECRET in _printed([line], project, tmp_path)] == []
    assert SECRET in _printed(["git diff -U ../out.txt a.txt"], project, tmp_path), "nothing would have been seen"


@sandboxed
def test_no_option_hides_a_file_that_is_read(tmp_path: Path) -> None:
    """An option that is taken to have a value, and has none, lets a file in its place through."""
    programs = [*PROGRAMS, *(f"git {command}" for command in dict.fromkeys(GIT))]
    options = [*(f"-{letter}" for letter in ascii_letters), "--unified", "--min-parents", "--stat", "--indent"]
    lines = (f"{program} {option} {file} a.txt" for program in programs for option in options for file in HIDDEN)
    _check(tmp_path, lines, wanted=1_000)


@sandboxed
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
def test_what_runs_as_reading_shows_no_secret_in_thousands_of_lines(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    _check(tmp_path, iter(lambda: composed(dice), ""), wanted=1_000)
