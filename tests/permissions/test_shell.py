"""What a command line consists of: our reading is bash's reading, or there is none."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from tui_agent.permissions.shell.analysis import analyse
from tui_agent.permissions.shell.script import Script

# Prints what bash would run, whatever it is called: the number of words, then the words, each ended by NUL.
_SHOW = r"""
command_not_found_handle() { printf '%s\0' "$#" "$@" >&3; }
PATH=/nonexistent
eval -- "$LINE"
"""
_BUILTIN = (":", ".", "%", "[")

PIECES = [
    *("a", "b", "run", "-x", "--y=z", "1", "2", "a.txt", "é", "=", "x=1", ",", ":", "%", "@", "+", "^", "/", "."),
    *(
        " ",
        " ",
        " ",
        "  ",
        "\t",
        "\n",
        ";",
        "&&",
        "||",
        "|",
        "&",
        "|&",
        ";;",
        "(",
        ")",
        "{",
        "}",
        "<",
        ">",
        ">>",
        "2>&1",
    ),
    *(
        "'",
        '"',
        "'q r'",
        '"q r"',
        "'$x'",
        '"$x"',
        '"a\\"b"',
        "\\",
        "\\\n",
        "\\(",
        "\\)",
        "\\!",
        '"e$"',
        '"e$|f"',
        '"e$) g"',
        '"\\w\\.\\(h"',
        '"\\\\"',
        '"\\$x\\`"',
        "@{1}",
        "@{u}",
        "@{a,b}",
        "@{1..2}",
        "^{a}",
        "^{}",
        "<a",
        " < b",
        "< a <b",
        "..",
        "$",
        "$x",
        "`",
        "#",
        "!",
        "~",
        "*",
        "?",
        "[",
        "]",
    ),
    *(
        "if",
        "then",
        "fi",
        "time",
        "[[",
        "]]",
        "!",
        "do",
        "in",
        ">/dev/null",
        "2>/dev/null",
        "</dev/null",
        "&>/dev/null",
        "$'a'",
    ),
]


def bash_runs(line: str, folder: Path) -> list[tuple[str, ...]]:
    """The commands that bash runs in a folder, with their words."""
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", f"exec 3>&1 >/dev/null 2>&1; {_SHOW}"],
        cwd=folder,
        env={"LINE": line, "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=10,
        check=False,
    )
    fields = iter(done.stdout.decode().split("\0")[:-1])
    return [tuple(next(fields) for _ in range(int(count))) for count in fields]


def expected(script: Script) -> list[tuple[str, ...]]:
    """What runs of a plain script when every command succeeds."""
    run, skipping = [], False
    for command in script.commands:
        if command.after != "|":
            skipping = command.after == "||"
        if not skipping:
            run.append(tuple(word or "" for word in command.words))
    return run


@settings(max_examples=4000, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=12).map("".join))
def test_a_plain_line_is_read_as_bash_reads_it(line: str) -> None:
    script = analyse(line)
    named = [str(command.words[0]) for command in script.commands]
    inputs = [name for command in script.commands for name in command.inputs]
    if not script.plain or any(name.startswith(_BUILTIN) or "/" in name for name in named):
        return
    if any("/" in name or name in ("", ".", "..") for name in inputs):
        return
    with TemporaryDirectory() as folder:
        for name in inputs:  # without them the command would not run
            Path(folder, name).touch()
        assert sorted(bash_runs(line, Path(folder))) == sorted(expected(script))


def test_no_character_ends_the_process() -> None:
    """The parser's grammar looks some characters up in a table that is too short for them; seen as a crash."""
    script = """
import random
from tui_agent.permissions.shell.analysis import analyse
dice = random.Random(3)
for _ in range(12_000):
    analyse("".join(dice.choice("ab {}[]$`'#!=<~" + chr(dice.randint(0x10000, 0x10FFFF))) for _ in range(30)))
"""
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0


def test_what_is_not_ascii_stays_as_it_is() -> None:
    found = analyse("echo é > \U0001f600; ls '日本' $x")
    assert [command.text for command in found.commands] == ["echo é", "ls '日本' $x"]
    assert found.commands[1].words == ("ls", "日本", None)


def test_lines_are_parsed_in_several_threads_at_a_time() -> None:
    lines = [f"git log -{number} && ls -l d{number} | wc -l" for number in range(40)]
    with ThreadPoolExecutor(4) as threads:
        scripts = list(threads.map(analyse, lines * 5))
    assert [script.plain for script in scripts] == [True] * 200
    assert [str(script.commands[1].words[2]) for script in scripts[:40]] == [f"d{number}" for number in range(40)]
