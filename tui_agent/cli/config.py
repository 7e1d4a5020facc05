"""Show and check the configuration.

examples:
  tui-agent config show
  tui-agent config check --json
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tui_agent.cli.flags import add_shared
from tui_agent.cli.wiring import settings_from, tell_held_back, working_directory
from tui_agent.config.load import LoadedSettings, flatten
from tui_agent.config.locations import locations, project_config, shipped_config, shipped_themes
from tui_agent.config.problems import InvalidConfig, Problem, printable, shown
from tui_agent.config.project import TRUST_HINT, held_back
from tui_agent.conversation.errors import EXIT_DONE, EXIT_USAGE, ConfigError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the commands below `config`."""
    commands = parser.add_subparsers(dest="config_command", metavar="COMMAND", required=True)
    _add(
        commands,
        "show",
        _show,
        "print the effective settings and where each came from; keys are hidden",
        "tui-agent config show | grep ollama",
    )
    _add(
        commands,
        "check",
        _check,
        "check settings and themes; every mistake is named with file, line and key",
        "tui-agent config check && git push",
    )
    _add(commands, "path", _path, "print where settings, themes and sessions are", "tui-agent config path --json")
    _add(
        commands,
        "schema",
        _schema,
        "print every key with its type, default and meaning; with --json a JSON Schema for editors",
        "tui-agent config schema --json > tui-agent.schema.json",
    )


def run(args: argparse.Namespace) -> int:
    """Run the chosen command.

    Raises:
        ConfigError: the settings cannot be loaded (`check` prints that itself).
    """
    command: Callable[[argparse.Namespace], int] = args.config_action
    return command(args)


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    action: Callable[[argparse.Namespace], int],
    summary: str,
    example: str,
) -> None:
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print JSON for a program")
    add_shared(parser)
    parser.set_defaults(config_action=action)


def _show(args: argparse.Namespace) -> int:
    loaded = settings_from(args)
    tell_held_back(loaded)
    rows = [(key, value, loaded.origins.get(key, "default")) for key, value in flatten(loaded.settings).items()]
    if args.json:
        _print_json(
            {
                key: {"value": shown(value, key) if shown("x", key) == "(hidden)" else value, "origin": origin}
                for key, value, origin in rows
            }
        )
        return EXIT_DONE
    lines = [(f"{printable(key)}: {shown(value, key, limit=None)}", printable(origin)) for key, value, origin in rows]
    width = min(max(len(text) for text, _ in lines), 64)
    for text, origin in lines:
        print(f"{text:<{width}}  # {origin}")
    if loaded.project is not None:
        for wish in loaded.project.held:
            text = f"# not in force: {printable(wish.key)}: {wish.change}"
            print(f"{text:<{width}}  # {printable(str(loaded.project.path))}:{wish.line}")
    return EXIT_DONE


def _problem(loaded: LoadedSettings, key: str, text: str) -> Problem:
    """What is wrong with a value that is right in itself, and where it was set."""
    place = loaded.origins.get(key, "default")
    source, _, line = place.rpartition(":")
    return Problem(source or place, int(line) if source else 0, key, text)


class Findings(NamedTuple):
    """What is wrong with settings and themes, how to mend it, and how many themes there are.

    `held` is what the project's file asks for and does not get, in one line.
    """

    problems: list[Problem]
    hints: list[str]
    themes: int
    held: str


def find_problems(load: Callable[[], LoadedSettings]) -> Findings:
    """Every mistake of the themes and of the settings that `load` gives.

    Raises:
        ConfigError: the installation is incomplete.
    """
    from tui_agent.config.themes import find_theme, load_themes

    problems: list[Problem] = []
    hints: list[str] = []
    held = ""
    folders = (shipped_themes(), locations().user_themes)
    themes, errors = load_themes(folders)
    try:
        loaded = load()
    except ConfigError as error:
        errors.insert(0, error)
    else:
        held = held_back(loaded.project)
        theme = loaded.settings.ui.theme
        if theme not in themes:
            try:
                find_theme(theme, folders)
            except ConfigError as error:
                # A broken file of that name is in the list already.
                if not isinstance(error, InvalidConfig):
                    errors.append(InvalidConfig([_problem(loaded, "ui.theme", error.message)]))
        if loaded.settings.ui.keys:
            from tui_agent.tui.bindings import keymap_problems

            for text in keymap_problems(loaded.settings.ui.keys):
                key = f"ui.keys.{text.split(maxsplit=1)[0].rstrip(':')}"
                errors.append(InvalidConfig([_problem(loaded, key, text)]))
    for found in errors:
        problems += found.problems if isinstance(found, InvalidConfig) else [Problem("", 0, "", found.message)]
        hints += [found.hint] if found.hint and found.hint not in hints else []
    return Findings(problems, hints, len(themes), held)


def _check(args: argparse.Namespace) -> int:
    problems, hints, themes, held = find_problems(lambda: settings_from(args))
    if args.json:
        rows = [{"source": p.source, "line": p.line or None, "key": p.key, "problem": p.text} for p in problems]
        _print_json({"ok": not problems, "problems": rows, "held_back": held or None})
    else:
        for problem in problems:
            print(problem, file=sys.stderr)
        for hint in hints:
            print(hint, file=sys.stderr)
        if held:
            print(f"notice: {held}\n  {TRUST_HINT}", file=sys.stderr)
        if not problems:
            print(f"settings are right; {themes} themes")
    return EXIT_USAGE if problems else EXIT_DONE


def _path(args: argparse.Namespace) -> int:
    where = locations()
    config: str | None = args.config
    paths = {
        "settings": Path(config) if config else where.user_config,
        "project settings": project_config(working_directory(args)),
        "shipped settings": shipped_config(),
        "themes": where.user_themes,
        "shipped themes": shipped_themes(),
        "models": where.models,
        "sessions": where.sessions,
        "prompt history": where.prompt_history,
        "logs": where.logs,
        "cache": where.cache,
        "trust": where.trust,
    }
    if args.json:
        _print_json({name: {"path": str(path), "exists": path.exists()} for name, path in paths.items()})
        return EXIT_DONE
    for name, path in paths.items():
        missing = "" if path.exists() else "  (not there yet)"
        print(f"{name + ':':<18}{printable(str(path))}{missing}")
    return EXIT_DONE


def _schema(args: argparse.Namespace) -> int:
    from tui_agent.config.schema import json_schema, keys

    if args.json:
        _print_json(json_schema())
        return EXIT_DONE
    for key in keys():
        print(f"{key.key}: {key.default}" if key.default else key.key)
        print(f"    {key.type}")
        print(f"    {key.doc}")
    return EXIT_DONE


def _print_json(document: object) -> None:
    import json

    print(json.dumps(document, indent=2))
