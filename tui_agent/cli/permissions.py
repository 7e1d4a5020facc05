"""Say what would happen with a command, and why; nothing is run.

examples:
  tui-agent permissions check "git status && rm -rf build"
  tui-agent permissions check --read-only-commands allow "grep -rn TODO src"
  tui-agent permissions check --jsonl < rows.jsonl
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any

from tui_agent.cli.flags import add_permissions, add_shared
from tui_agent.conversation.errors import EXIT_DONE, EXIT_REFUSED, UsageError

if TYPE_CHECKING:
    from tui_agent.permissions.decision import Decision, Scene
    from tui_agent.permissions.rules import Rules


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the verbs."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    checking = verbs.add_parser(
        "check",
        help="what a command meets, and why",
        epilog="exit code: 0 it runs unasked or asks, 3 it is refused. "
        'example: tui-agent permissions check "npm test" --command-allowlist "npm test"',
    )
    checking.add_argument("command", metavar="COMMAND", nargs="?", help="the command line, as one argument")
    checking.add_argument("--json", action="store_true", help="print JSON")
    checking.add_argument(
        "--jsonl",
        action="store_true",
        help='read {"id","command","allowlist"?} rows on standard input and answer each with one row',
    )
    checking.add_argument("--allowed-dirs", metavar="DIR", nargs="+", action="extend", default=[], help="as for the UI")
    add_shared(checking)
    add_permissions(checking)


def run(args: argparse.Namespace) -> int:
    """Decide; returns the exit code.

    Raises:
        UsageError: no command is given.
        ConfigError: the settings or a rule are wrong.
    """
    from tui_agent.cli import wiring
    from tui_agent.cli.rules import rules_from, scene_of
    from tui_agent.permissions.decision import decide
    from tui_agent.workspace.paths import Workspace

    directory = wiring.working_directory(args)
    loaded = wiring.settings_from(args)
    wiring.tell_held_back(loaded)
    rules = rules_from(loaded)
    scene = scene_of(directory, [root.path for root in Workspace(directory, args.allowed_dirs).roots])
    if args.jsonl:
        for row in _answers(sys.stdin.buffer, rules, scene):
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
        return EXIT_DONE
    if args.command is None:
        raise UsageError("which command? give it as one argument, or --jsonl", 'tui-agent permissions check "npm test"')
    decision = decide(args.command, rules, scene)
    if args.json:
        sys.stdout.write(json.dumps(_described(decision)) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(decision))
    return EXIT_REFUSED if decision.decision == "deny" else EXIT_DONE


def _answers(rows: IO[bytes], rules: "Rules", scene: "Scene") -> Iterator[dict[str, Any]]:
    """One answer a row; a bad row is denied, with the reason."""
    from msgspec.structs import replace

    from tui_agent.permissions.decision import decide
    from tui_agent.permissions.rules import parse_rules

    for number, line in enumerate(rows, 1):
        if not line.strip():
            continue
        identity: Any = None
        try:
            row = json.loads(line)
            identity = row.get("id")
            extra = _texts(row.get("allowlist", []))
            mine = replace(rules, allow=(*rules.allow, *parse_rules(extra)))
            answer = _described(decide(_text(row["command"]), mine, scene))
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
            why = "no command in it" if isinstance(error, KeyError) else str(error)
            answer = {"decision": "deny", "reasons": [f"row {number} is not understood: {why}"], "commands": []}
        yield {"id": identity, **answer}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("the command is not text")
    return value


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [part for part in value.split(",") if part.strip()]
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise TypeError("the allowlist is not a list of texts")
    return [text for text in value if text.strip()]


# What is printed is plain JSON; it has no narrower type.
def _described(decision: "Decision") -> dict[str, Any]:
    return {
        "decision": decision.decision,
        "reasons": list(decision.reasons),
        "commands": [
            {"command": part.text, "rule": part.covered_by or None, "reason": part.reason or None}
            for part in decision.parts
        ],
    }


def _lines(decision: "Decision") -> Iterable[str]:
    from tui_agent.text.sanitize import sanitize

    said: Callable[[str], str] = lambda text: sanitize(text, "approval").replace("\n", "⏎")  # noqa: E731
    yield {"allow": "runs unasked", "ask": "asks", "deny": "is refused"}[decision.decision]
    for reason in decision.reasons:
        yield f"  because {said(reason)}"
    for number, part in enumerate(decision.parts, 1):
        yield f"  {number}  {said(part.text)}   {said(part.covered_by or part.reason)}"
