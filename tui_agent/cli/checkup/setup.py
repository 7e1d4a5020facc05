"""The settings, as far as they can be loaded, and the working folder."""

import argparse
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from tui_agent.cli.checkup.rows import Row, Section
from tui_agent.cli.checkup.storage import write_trouble
from tui_agent.config.load import LoadedSettings
from tui_agent.config.locations import CONFIG_VARIABLE, DATA_VARIABLE, locations, project_config, shipped_config
from tui_agent.config.model import Settings
from tui_agent.config.project import TRUST_HINT
from tui_agent.conversation.errors import ConfigError, UsageError

_NOWHERE = {CONFIG_VARIABLE: "/nonexistent", DATA_VARIABLE: "/nonexistent"}


class Setup(Struct, frozen=True):
    """What the other checks go by.

    `loaded` are the effective settings or, when those cannot be loaded, the nearest that can; `instead` then says which
    these are. `directory` is None when there is no folder to work in, and `trouble` says why. `files` are the settings
    files of the user and of the project, existing or not.
    """

    args: argparse.Namespace
    environ: Mapping[str, str]
    directory: Path | None
    trouble: Row | None
    loaded: LoadedSettings
    instead: str
    files: tuple[Path, ...]


def prepare(args: argparse.Namespace) -> Setup:
    """Find the working folder and load the settings; never fails."""
    from tui_agent.cli.wiring import working_directory

    directory, trouble = None, None
    try:
        directory = working_directory(args)
    except UsageError as error:
        trouble = Row("folder", "failed", error.message, error.hint)
    loaded, instead = _load_what_can_be(args, directory)
    files = [Path(args.config) if args.config else locations().user_config]
    files += [project_config(directory)] if directory else []
    return Setup(args, os.environ, directory, trouble, loaded, instead, tuple(files))


def load(args: argparse.Namespace, directory: Path | None) -> LoadedSettings:
    """The effective settings; without a folder to work in there are none of a project.

    Raises:
        ConfigError: a file is wrong.
    """
    from tui_agent.config.load import load_settings

    file = Path(args.config) if args.config else None
    return load_settings(config_file=file, project_dir=directory, environ=os.environ, flags={})


def _load_what_can_be(args: argparse.Namespace, directory: Path | None) -> tuple[LoadedSettings, str]:
    from tui_agent.config.load import load_settings

    for place, instead in ((directory, ""), (None, "your settings without those of the project")):
        try:
            return load(args, place), instead
        except ConfigError:
            continue
    try:
        return load_settings(config_file=None, project_dir=None, environ=_NOWHERE, flags={}), "the shipped settings"
    except ConfigError:
        return LoadedSettings(Settings(), {}, ()), "no settings at all"


def configuration(setup: Setup) -> Section:
    """Which files there are, and every mistake in them with its line."""
    return Section("configuration", tuple(_configuration(setup)))


def _configuration(setup: Setup) -> Iterator[Row]:
    from tui_agent.cli.config import find_problems

    for name, path in zip(("yours", "the project's"), setup.files, strict=False):
        yield _file(name, path)
    yield _file("shipped", shipped_config())
    findings = find_problems(lambda: load(setup.args, setup.directory))
    for place, problem in enumerate(findings.problems):
        last = place == len(findings.problems) - 1
        yield Row("mistake", "failed", str(problem), "\n".join(findings.hints) if last else "")
    if setup.instead:
        yield Row("in force here", "info", f"{setup.instead}, for the checks below: tui-agent itself will not start")
    if findings.held:
        yield Row("trust", "info", findings.held, TRUST_HINT)
    if not findings.problems:
        yield Row("settings", "ok", f"right; {findings.themes} themes")


def _file(name: str, path: Path) -> Row:
    try:
        status = path.stat()
    except FileNotFoundError:
        return Row(name, "info", f"{path}: not there")
    except OSError as error:
        return Row(name, "warning", f"{path}: {error.strerror}", "check its permissions")
    return Row(name, "ok", f"{path}, {status.st_size:,} bytes")


def working_folder(setup: Setup) -> Section:
    """The folder that tools would work in."""
    return Section("working folder", tuple(_working_folder(setup)))


def _working_folder(setup: Setup) -> Iterator[Row]:
    from tui_agent.workspace.git import branch

    if setup.directory is None:
        if setup.trouble:
            yield setup.trouble
        return
    if reason := write_trouble(setup.directory):
        text = f"{setup.directory} cannot be written: {reason}"
        yield Row("folder", "warning", text, "the model can only read here; choose another with -w DIR, or mend it")
    else:
        yield Row("folder", "ok", f"{setup.directory}, can be written")
    name = branch(setup.directory)
    text = f"git, on {name}" if name else "not in git: an allowed change cannot be taken back with it"
    yield Row("repository", "info", text)
