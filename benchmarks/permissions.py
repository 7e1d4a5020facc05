"""Deciding about command lines: processor time for what is typed, and for what was written to take long.

    python -m benchmarks.permissions [--quick] [--json]

The lines are those of the tests' corpora. Looks at the disk are left out: they have bounds of their own.
"""

import json
import sys
import time
from pathlib import Path

from benchmarks.report import Row, alone
from tui_agent.permissions.decision import Scene, decide
from tui_agent.permissions.rules import Rules, parse_rules

P95_LIMIT, WORST_LIMIT = 5.0, 100.0
"""Milliseconds."""
SHORT = 1_000
RUNS, QUICK_RUNS = 5, 2

_DATA = Path(__file__).parents[1] / "tests" / "data"
_RULES = Rules(parse_rules(["npm test", "make"]), parse_rules(["git push"]), parse_rules(["rm -rf"]), read_only=True)
_SCENE = Scene("/project", ("/project",))


def hostile(length: int = 9_990) -> dict[str, str]:
    """Lines that make readers slow: long, deep, ambiguous, unclosed."""

    def filled(text: str, end: str = "") -> str:
        return text * ((length - len(end)) // len(text)) + end

    wholes = {
        **{"words": "cat " + filled("a "), "path": "cat " + filled("a/"), "dots": "cat " + filled("../")},
        **{
            "quotes": "ls " + filled("'a' "),
            "escapes": 'echo "' + filled("\\\\", '"'),
            "dollars": "echo " + filled("$("),
        },
        **{"commands": filled("ls;"), "pipes": filled("ls|", "ls"), "brackets": filled("("), "braces": filled("{ ")},
        **{"blanks in awk": f"awk '{filled(' ', 'x')}'", "blanks in sed": f"sed '{filled(' ', 'x')}'"},
        **{"print of awk": f"awk '/a/ {{print{filled(' ', '>')}'", "parts of sed": f"sed '{filled('p;', 'w')}'"},
        **{"pattern of sed": f"sed '/{filled('[a]', 'w')}'", "classes of sed": f"sed 's/{filled('[[:a:]', '/w')}'"},
        **{"formats": f"printf '{filled('%0d', '%q')}'", "colons": f"git show {filled('a:')}"},
        **{"letters": "ls -" + filled("a"), "redirects": "ls " + filled("2>&1 "), "unclosed": "echo '" + filled("a ")},
        **{"here": filled("cat <<E "), "backquotes": filled("`"), "assignments": filled("a=b "), "wide": filled("é ")},
        **{"tests": filled("[[ -f a ]] && "), "arithmetic": "echo $((" + filled("1+"), "comments": filled("#\n")},
        **{"expansions": "echo " + filled("${a:-"), "controls": filled("\x1b"), "rules": filled("git x push ")},
        **{
            "numbers": "seq " + filled("1"),
            "slashes": f"awk '{filled('/a/ && ', 'x')}'",
            "globs": "ls " + filled("*?["),
        },
    }
    return {name: line[:length] for name, line in wholes.items()}


def milliseconds(line: str, runs: int) -> float:
    """The least processor time of so many decisions about a line."""
    spent = []
    for _ in range(runs):
        start = time.process_time()
        decide(line, _RULES, _SCENE)
        spent.append((time.process_time() - start) * 1_000)
    return min(spent)


def measure(quick: bool = False) -> list[Row]:
    """What 95 of a hundred lines of the corpora take at most, and the slowest of those that were made to be slow."""
    runs = QUICK_RUNS if quick else RUNS
    decide("ls", _RULES, _SCENE)
    corpus = [
        json.loads(row)["command"]
        for name in ("commands.jsonl", "commands_own.jsonl")
        for row in (_DATA / name).read_text().splitlines()
    ]
    lines = [line for line in corpus if len(line) < SHORT]
    p95, worst = [], []
    slow = [*hostile(SHORT).values(), *hostile(2_400).values(), *hostile().values()]
    for _ in range(runs):
        times = sorted(milliseconds(line, 1) for line in lines)
        p95.append(times[len(times) * 95 // 100])
        worst.append(max(milliseconds(line, 1) for line in slow))
    return [
        Row("a line, p95", tuple(p95), "ms", limit=P95_LIMIT),
        Row("the slowest hostile line", tuple(worst), "ms", limit=WORST_LIMIT),
    ]


if __name__ == "__main__":
    sys.exit(alone(__doc__, measure))
