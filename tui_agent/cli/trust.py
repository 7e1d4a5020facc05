"""Show what a project's settings ask for, and let them count as they are now.

examples:
  tui-agent trust
  tui-agent trust ~/src/shop --yes
  tui-agent trust --revoke
  tui-agent trust --list
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tui_agent.cli.flags import add_shared
from tui_agent.conversation.errors import EXIT_DONE, EXIT_REFUSED, UsageError

if TYPE_CHECKING:
    from tui_agent.config.project import ProjectFile
    from tui_agent.config.trust import Trusted, TrustStore


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("path", metavar="PATH", nargs="?", help="the project folder (default: the current one)")
    parser.add_argument("--yes", action="store_true", help="trust what is shown without asking")
    doing = parser.add_mutually_exclusive_group()
    doing.add_argument("--revoke", action="store_true", help="trust the project's settings no longer")
    doing.add_argument("--list", action="store_true", help="show every project whose settings are trusted")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_shared(parser)


def run(args: argparse.Namespace) -> int:
    """Show and ask, revoke, or list; returns 3 when the answer was no.

    Raises:
        ConfigError: the project's file is wrong.
        StoreError: it cannot be kept.
        UsageError: there is nobody to ask, or a command of a model's asks.
    """
    from tui_agent.config.locations import locations
    from tui_agent.config.trust import TrustStore

    store = TrustStore(locations().trust)
    if args.list:
        return _list(store.all(), as_json=args.json)
    if args.revoke:
        return _revoke(store, _named_folder(args), as_json=args.json)
    return _trust(args, store)


def _trust(args: argparse.Namespace, store: "TrustStore") -> int:
    from tui_agent.cli import wiring
    from tui_agent.config.trust import SETTINGS

    directory = wiring.working_directory(args)
    project = wiring.settings_from(args, directory).project
    if args.json:
        print(json.dumps(_described(directory, project), indent=2))
    else:
        print("\n".join(_lines(directory, project)), flush=True)
    if project is None or not project.held:
        return EXIT_DONE
    if problem := store.problem(directory):
        raise UsageError(f"this project cannot be trusted: {problem}", "put what you want into your own config.yaml")
    if not args.yes and args.json:
        return EXIT_DONE
    _refuse_commands()
    if not args.yes and not _agreed():
        print("nothing has changed", file=sys.stderr)
        return EXIT_REFUSED
    # What was shown, whatever the file holds by now.
    store.trust(SETTINGS, directory, project.digest)
    if not args.json:
        print("trusted: these settings count from now on, until the file changes")
    return EXIT_DONE


def _refuse_commands() -> None:
    """A model's command is stopped here when it tries by the front door; what else it could do, a sandbox prevents."""
    from tui_agent.sandbox.tree import MARK

    if os.environ.get(MARK):
        raise UsageError("trust is given by a person, not by a command of a model", "run it in a terminal of your own")


def _agreed() -> bool:
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("there is no terminal to ask on", "look at what is shown, then give --yes")
    import termios

    sys.stdout.write("\ntrust this file as it is now? [y/N] ")
    sys.stdout.flush()
    # What was typed before the question is there is no answer to it.
    termios.tcflush(sys.stdin, termios.TCIFLUSH)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _lines(directory: Path, project: "ProjectFile | None") -> list[str]:
    from tui_agent.config.problems import printable

    if project is None:
        return [f"{printable(str(directory))} brings no settings along: nothing to trust"]
    name = printable(str(project.path))
    if project.state == "tightens":
        return [f"{name} only tightens: it counts, and there is nothing to trust"]
    head = {
        "trusted": "is trusted; these settings count:",
        "new": "asks for these settings, which do not count:",
        "changed": "has changed since you trusted it; these settings do not count:",
    }
    lines = [f"{name} {head[project.state]}", ""]
    for wish in project.wishes:
        lines += [f"  line {wish.line}: {printable(wish.key)}: {wish.change}", f"      {wish.effect}"]
    return [*lines, "", f"sha256 {project.digest}"]


def _described(directory: Path, project: "ProjectFile | None") -> dict[str, object]:
    if project is None:
        return {"project": str(directory), "state": "none", "sha256": None, "settings": []}
    wishes = [
        {"key": wish.key, "line": wish.line, "change": wish.change, "effect": wish.effect} for wish in project.wishes
    ]
    return {"project": str(directory), "state": project.state, "sha256": project.digest, "settings": wishes}


def _named_folder(args: argparse.Namespace) -> Path:
    """The folder that is named, which may be gone by now."""
    return Path(os.path.abspath(Path(args.path or args.working_dir or ".").expanduser()))  # noqa: PTH100 - as it is


def _revoke(store: "TrustStore", folder: Path, *, as_json: bool) -> int:
    from tui_agent.config.problems import printable
    from tui_agent.config.trust import SETTINGS

    was = store.revoke(SETTINGS, folder)
    if as_json:
        print(json.dumps({"project": str(folder), "revoked": was}))
    else:
        said = "is trusted no longer" if was else "was not trusted"
        print(f"{printable(str(folder))} {said}")
    return EXIT_DONE


def _list(known: "list[Trusted]", *, as_json: bool) -> int:
    from tui_agent.config.problems import printable

    if as_json:
        rows = [{"project": each.project, "kind": each.kind, "sha256": each.digest, "at": each.at} for each in known]
        print(json.dumps(rows, indent=2))
        return EXIT_DONE
    for each in known:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(each.at))
        print(f"{when}  {printable(each.kind)}  {each.digest[:12]}  {printable(each.project)}")
    if not known:
        print("nothing is trusted", file=sys.stderr)
    return EXIT_DONE
