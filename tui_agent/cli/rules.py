"""Permission rules from the settings, and the scene in which they are applied."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec.structs import replace

from tui_agent.config.load import LoadedSettings
from tui_agent.config.problems import InvalidConfig, Problem, shown
from tui_agent.permissions.decision import Scene, decide
from tui_agent.permissions.folders import read_by
from tui_agent.permissions.read_only.repository import hazard, parse_config
from tui_agent.permissions.read_only.verdict import Search
from tui_agent.permissions.rules import Rule, RuleError, Rules, parse_rule
from tui_agent.sandbox.environment import command_environment
from tui_agent.sandbox.programs import find_program
from tui_agent.workspace.git_config import has_submodules, holds_repositories, list_config, tracked_files


def rules_from(loaded: LoadedSettings) -> Rules:
    """The rules of the settings; their examples (`permissions.expect`) hold.

    Raises:
        InvalidConfig: a rule is none, or an example does not hold; every mistake is named.
    """
    permissions = loaded.settings.permissions
    problems: list[Problem] = []

    def parsed(key: str, texts: Iterable[str]) -> tuple[Rule, ...]:
        rules = []
        for text in texts:
            try:
                rule = parse_rule(text)
                if rule.kind == "network" and key != "permissions.allow":
                    raise RuleError("`network(…)` lets commands use the network and belongs under `allow`")
                rules.append(rule)
            except RuleError as error:
                problems.append(_problem(loaded, key, f"{shown(text)} is no rule: {error}"))
        return tuple(rules)

    rules = Rules(
        parsed("permissions.allow", permissions.allow),
        parsed("permissions.ask", permissions.ask),
        parsed("permissions.deny", permissions.deny),
        permissions.read_only_commands == "allow",
    )
    if not problems:
        problems += _broken_examples(loaded, rules)
    if problems:
        raise InvalidConfig(problems, "`tui-agent permissions check COMMAND` says what a command meets, and why")
    return rules


def _broken_examples(loaded: LoadedSettings, rules: Rules) -> Iterable[Problem]:
    scene = Scene("/", ("/",), resolve=lambda path: path)
    for command, expected in loaded.settings.permissions.expect.items():
        found = decide(command, rules, scene)
        if found.decision != expected:
            why = f" ({'; '.join(found.reasons)})" if found.reasons else ""
            text = f"{shown(command)} should be {expected}, but the rules say {found.decision}{why}"
            yield _problem(loaded, f"permissions.expect.{command}", text)


def _problem(loaded: LoadedSettings, key: str, text: str) -> Problem:
    """A problem at the place where the key was set."""
    source, _, line = loaded.origins.get(key, "").rpartition(", ")[2].rpartition(":")
    if not line.isdigit():
        source, line = loaded.origins.get(key, "settings"), "0"
    return Problem(source, int(line), key, text)


def scene_of(directory: Path, roots: Iterable[Path]) -> Scene:
    """Where commands run: a directory, the directories that may be read, and what Git would do there."""
    return Scene(
        str(directory),
        tuple(map(str, roots)),
        repository=lambda place: _repository(place, directory),
        read_by=lambda search, place, wanted: _read_by(search, place, wanted, directory),
    )


def _read_by(search: Search, place: str, wanted: Callable[[str], bool], workspace: Path) -> str:
    """The first file that a search in a directory reads and that is wanted, or ""."""
    if not search.tracked:
        return read_by(replace(search, folders=tuple(str(Path(place, name)) for name in search.folders)), wanted)
    git = find_program("git", workspace)
    names = tracked_files(git, place, search.folders, command_environment(os.environ)) if git else []
    return next(filter(wanted, (str(Path(place, name)) for name in names)), "")


def _repository(directory: str, workspace: Path) -> str:
    """Why Git would run other programs in a directory, or ""."""
    git = find_program("git", workspace)
    if not git:
        return "there is no git outside the project"
    environment = command_environment(os.environ)
    if has_submodules(directory) or holds_repositories(git, directory, environment):
        return "the repository has submodules, whose own settings git would heed"
    listing = list_config(git, directory, environment)
    if listing is None:
        return "the settings of the repository cannot be read"
    key = hazard(parse_config(listing))
    return f"the repository's setting {key} can make git run another program" if key else ""
