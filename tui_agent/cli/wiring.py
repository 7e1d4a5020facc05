"""What the command line and the settings come to: a folder, the settings in force, a sandbox, the tools."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui_agent.config.load import LoadedSettings, load_settings
from tui_agent.config.locations import locations
from tui_agent.config.model import Settings
from tui_agent.config.providers import configured_keys, price_of
from tui_agent.conversation.errors import UsageError, WorkspaceError
from tui_agent.text.own_keys import own_keys

if TYPE_CHECKING:
    from tui_agent.permissions.approval import Approver
    from tui_agent.sandbox.enclosure import Sandbox
    from tui_agent.tools.executor import ToolExecutor
    from tui_agent.workspace.snapshots.snapshots import Snapshots


_FLAGS = (
    ("provider", "provider"),
    ("model", "model"),
    ("mode", "mode"),
    ("sandbox", "sandbox"),
    ("max_iterations", "max_iterations"),
    ("max_turns", "max_turns"),
    ("max_tokens", "max_tokens"),
    ("max_cost", "max_cost"),
    ("ui.theme", "theme"),
)
"""Settings, and the flags that replace them."""

READING_TOOLS = ("read_file", "list_directory", "glob_files", "grep_search", "update_plan")


def working_directory(args: argparse.Namespace) -> Path:
    """The folder to work in, resolved.

    Raises:
        UsageError: it is missing, or no folder.
    """
    named = getattr(args, "path", None) or args.working_dir
    try:
        path = Path(named).expanduser().resolve(strict=True) if named else Path.cwd()
    except FileNotFoundError:
        raise UsageError(f"no such folder: {named or 'the current one is gone'}", "name another with -w DIR") from None
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(f"cannot use {named!r}: {error}") from None
    if not path.is_dir():
        raise UsageError(f"not a folder: {named}", "tui-agent [PATH] takes the project folder")
    return path


def settings_from(args: argparse.Namespace, directory: Path | None = None) -> LoadedSettings:
    """The effective settings for `directory` (default: the command line's) under the command line's flags.

    The keys that they name are written nowhere from then on.

    Raises:
        ConfigError: a file is wrong.
    """
    flags: dict[str, object] = {}
    for key, name in _FLAGS:
        if (value := getattr(args, name, None)) is not None:
            flags[key] = value
    if (reading := getattr(args, "read_only_commands", None)) is not None:
        flags["permissions.read_only_commands"] = reading
    loaded = load_settings(
        config_file=Path(args.config) if args.config else None,
        project_dir=directory or working_directory(args),
        environ=os.environ,
        flags=flags,
    )
    own_keys.add(configured_keys(loaded.settings, os.environ))
    allowed = [part.strip() for part in (getattr(args, "command_allowlist", None) or "").split(",")]
    return allowing(loaded, tuple(filter(None, allowed)))


def checked_settings(args: argparse.Namespace, directory: Path) -> LoadedSettings:
    """As `settings_from`, with the rules looked at as well; for settings that are taken over while the program runs.

    Raises:
        ConfigError: a file or a rule is wrong.
    """
    from tui_agent.cli.rules import rules_from

    loaded = settings_from(args, directory)
    rules_from(loaded)
    return loaded


def check_cost_limit(args: argparse.Namespace, settings: Settings, provider: str = "", model: str = "") -> None:
    """See that what the command line's limit is about can be counted; without a provider, that anything can.

    Raises:
        UsageError: no price is known.
    """
    if args.max_cost is None:
        return
    asked = [settings.providers[provider]] if provider in settings.providers else settings.providers.values()
    if not any(price_of(one, model) if model else one.prices for one in asked):
        name = f"{provider} · {model}" if model else provider or "any model"
        raise UsageError(
            f"--max-cost cannot be kept: no price is known for {name}",
            f"add `prices:` under `providers: {provider or 'NAME'}:` in config.yaml, or limit --max-tokens",
        )


def tell_held_back(loaded: LoadedSettings) -> None:
    """Say on standard error what the project's file asks for and does not get."""
    from tui_agent.config.project import TRUST_HINT, held_back

    if text := held_back(loaded.project):
        sys.stderr.write(f"notice: {text}\n  {TRUST_HINT}\n")


def allowing(loaded: LoadedSettings, rules: tuple[str, ...], source: str = "flag") -> LoadedSettings:
    """The settings with further rules that allow, which come from the command line or `source`."""
    if not rules:
        return loaded
    permissions = replace(loaded.settings.permissions, allow=(*loaded.settings.permissions.allow, *rules))
    origin = ", ".join(filter(None, (loaded.origins.get("permissions.allow", ""), source)))
    return replace(
        loaded,
        settings=replace(loaded.settings, permissions=permissions),
        origins={**loaded.origins, "permissions.allow": origin},
    )


def find_sandbox(args: argparse.Namespace, directory: Path, settings: Settings) -> "Sandbox":
    """What commands run in; where none can be run, nothing. Tries it, once for each program, which takes milliseconds
    for bubblewrap and may take seconds for a container.

    Raises:
        UsageError: the one that was asked for by name cannot be used.
    """
    from tui_agent.sandbox.choose import choose
    from tui_agent.sandbox.enclosure import Sandbox

    if args.no_commands:
        return Sandbox()
    allowed = (os.path.realpath(Path(folder).expanduser()) for folder in args.allowed_dirs if folder.strip())
    return choose(settings.sandbox, (str(directory), *allowed))


def build_executor(
    args: argparse.Namespace,
    directory: Path,
    approver: "Approver | None",
    sandbox: "Sandbox",
    tools: Sequence[str] | None = None,
) -> "ToolExecutor":
    """An executor for `directory` and the command line's further folders; `tools` limits what is on offer.

    Raises:
        UsageError: an unknown tool is named, or a folder cannot be used.
    """
    from tui_agent.tools.executor import ToolExecutor

    try:
        executor = ToolExecutor(
            directory,
            allow_commands=not args.no_commands,
            allowed_directories=args.allowed_dirs,
            approver=approver,
            sandbox=sandbox,
        )
    except WorkspaceError as error:
        raise UsageError(error.message, error.hint) from None
    looking_only = getattr(args, "approve", "") == "read-only"
    if tools is None:
        if looking_only:
            executor.offer(READING_TOOLS)
        return executor
    known = {spec.name for spec in executor.specs()}
    names = [executor.canonical(name.strip()) for name in tools]
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"no tool is called {unknown[0]!r}", f"tools are {', '.join(sorted(known))}")
    executor.offer([name for name in names if name in READING_TOOLS] if looking_only else names)
    return executor


def recorded(executor: "ToolExecutor") -> "Snapshots":
    """Let an executor keep what its calls change, so that it can be undone."""
    from tui_agent.tools.recording import Recording
    from tui_agent.workspace.snapshots.snapshots import Snapshots

    ours = locations()
    folders = (ours.config, ours.data, ours.state, ours.cache)
    snapshots = Snapshots(ours.snapshots, executor.workspace, map(os.path.realpath, folders))
    executor.recorder = Recording(snapshots)
    return snapshots
