"""The program, Python, the platform, the terminal, packages and other programs."""

import asyncio
import os
import platform
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from tui_agent import __version__
from tui_agent.cli.checkup.rows import Row, Section, State
from tui_agent.config.model import SandboxName
from tui_agent.conversation.errors import UsageError
from tui_agent.text.locale import is_utf8

PACKAGES = (
    "textual", "openai", "httpx2", "msgspec", "pyyaml", "platformdirs", "watchfiles", "pygments", "rapidfuzz",
    "markdown-it-py", "tree-sitter", "tree-sitter-bash",
)  # fmt: skip
"""What tui-agent needs, by the names of its requirements."""

SANDBOXES = ("bwrap", "docker", "podman")
VERSION_SECONDS = 1.0
SMALLEST = (40, 10)
"""Columns and rows below which questions no longer fit."""

_NUMBER = re.compile(r"\d+(?:\.\d+)+\S{0,20}")


def program() -> Section:
    """What runs, on what, from where."""
    place = Path(__file__).resolve().parents[2]
    python = f"{platform.python_version()}, {sys.executable or 'unknown path'}"
    python += ", virtual environment" if sys.prefix != sys.base_prefix else ""
    return Section(
        "program",
        (
            Row("tui-agent", "ok", f"{__version__}, {place}"),
            Row("python", "ok", python),
            Row("platform", "ok", ", ".join(_platform())),
            *_packages(),
        ),
    )


def _platform() -> Iterator[str]:
    yield f"{platform.system()} {platform.release()} {platform.machine()}"
    try:
        yield platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        if version := platform.mac_ver()[0]:
            yield f"macOS {version}"
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        yield "in a container"
    if "microsoft" in platform.release().lower():
        yield "in WSL"


def version_of(package: str) -> str:
    """The installed version of a package, which is not imported; empty when it is not there."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _packages() -> Iterator[Row]:
    versions = {name: version_of(name) for name in PACKAGES}
    yield Row("packages", "ok", ", ".join(f"{name} {version}" for name, version in versions.items() if version))
    if missing := [name for name, version in versions.items() if not version]:
        python = shlex.quote(sys.executable) if sys.executable else "python"
        fix = f"{python} -m pip install --force-reinstall tui-agent"
        yield Row("packages", "failed", f"not installed: {', '.join(missing)}", fix)


def terminal(environ: Mapping[str, str]) -> Section:
    """What the UI would draw on, as far as the environment tells."""
    return Section("terminal", tuple(_terminal(environ)))


def _terminal(environ: Mapping[str, str]) -> Iterator[Row]:
    name = environ.get("TERM", "")
    ends = [stream for stream in (sys.stdin, sys.stdout) if stream is not None and stream.isatty()]
    inside = [program for variable, program in (("TMUX", "tmux"), ("STY", "screen"), ("ZELLIJ", "zellij"))
              if environ.get(variable)]  # fmt: skip
    inside += ["ssh"] if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY") else []
    where = f", inside {' and '.join(inside)}" if inside else ""
    if name in ("", "dumb"):
        fix = "use another terminal, or: tui-agent invoke -m TEXT"
        yield Row("TERM", "warning", f"{name or 'not set'}{where}: the UI cannot draw here", fix)
    else:
        yield Row("TERM", "ok", f"{name}{where}")
    if len(ends) < 2:
        yield Row("input and output", "info", "not a terminal here: the UI needs one, `tui-agent invoke` does not")
    if ends:
        columns, rows = os.get_terminal_size(ends[-1].fileno())
        fits = columns >= SMALLEST[0] and rows >= SMALLEST[1]
        fix = "" if fits else f"make the window at least {SMALLEST[0]} columns wide and {SMALLEST[1]} rows high"
        yield Row("size", "ok" if fits else "warning", f"{columns} columns, {rows} rows", fix)
    yield _colours(name, environ)
    yield _characters(environ)
    if name in ("linux", "dumb", ""):
        yield Row("bracketed paste", "info", "not on this terminal: pasted lines arrive as if they were typed")
    else:
        yield Row("bracketed paste", "info", "most terminals of this kind have it; the environment does not say")


def _colours(name: str, environ: Mapping[str, str]) -> Row:
    if environ.get("NO_COLOR"):
        return Row("colours", "info", "none, because NO_COLOR is set")
    if environ.get("COLORTERM", "") in ("truecolor", "24bit") or name.endswith("-direct"):
        return Row("colours", "ok", f"16 million (COLORTERM={environ.get('COLORTERM', '')})")
    count = "256" if "256color" in name else "8 or 16"
    return Row(
        "colours",
        "info",
        f"{count}: COLORTERM does not say that there are more",
        "export COLORTERM=truecolor, if your terminal has 16 million colours",
    )


def _characters(environ: Mapping[str, str]) -> Row:
    encoding = sys.stdout.encoding or "unknown"
    if is_utf8(encoding, environ):
        return Row("characters", "ok", f"{encoding}: all symbols")
    text = f"{encoding}, and the locale does not promise UTF-8: the UI draws with ASCII"
    return Row("characters", "warning", text, "export LC_ALL=C.UTF-8")


async def programs(directory: Path | None, wanted: SandboxName) -> Section:
    """Other programs that tui-agent makes use of, with their versions, and the sandbox that `wanted` comes to."""
    names = ("bash", "git", "rg", *SANDBOXES)
    versions = dict(zip(names, await asyncio.gather(*(_version(name, directory) for name in names)), strict=True))
    rows = [
        _row("bash", versions, "failed", "not found: the model can run no command", "install bash"),
        _row("git", versions, "info", "not found: the model cannot look at the history of a project"),
        _row(
            "rg",
            versions,
            "info",
            "not found: searches run in Python, with the same results but slower",
            "install ripgrep, or: pip install 'tui-agent[ripgrep]'",
        ),
    ]
    there = [f"{name} {versions[name]}".strip() for name in SANDBOXES if versions[name] is not None]
    rows.append(await _sandbox(directory, wanted, ", ".join(there) or f"no {', '.join(SANDBOXES)}"))
    return Section("other programs", tuple(rows))


async def _sandbox(directory: Path | None, wanted: SandboxName, there: str) -> Row:
    """What commands run in, tried out."""
    from tui_agent.sandbox.choose import choose

    if wanted == "off":
        return Row("sandbox", "info", f"off, as the settings say: commands run with all your rights; {there}")
    try:
        found = await asyncio.to_thread(choose, wanted, (str(directory or Path.cwd()),))
    except UsageError as error:
        return Row("sandbox", "failed", f"{error.message}; {there}", error.hint)
    if found.on:
        return Row("sandbox", "ok", f"commands run in {found.describe()}; {there}")
    text = f"none, so commands run with all your rights: {found.reason}; {there}"
    return Row("sandbox", "warning", text, "`tui-agent --sandbox bwrap` says what is missing")


def _row(name: str, versions: Mapping[str, str | None], missing: State, text: str, fix: str = "") -> Row:
    version = versions[name]
    if version is None:
        return Row(name, missing, text, fix)
    return Row(name, "ok" if version else "warning", version or "there, but does not tell its version")


async def _version(name: str, directory: Path | None) -> str | None:
    """What the program says its version is, "" when it does not say; None when it is not there."""
    from tui_agent.conversation.errors import ToolError
    from tui_agent.sandbox.process import run
    from tui_agent.sandbox.programs import find_program

    found = find_program(name, directory)
    if not found:
        return None
    try:
        # Being cancelled, it returns at once; a time-out of its own would wait until the program has ended.
        async with asyncio.timeout(VERSION_SECONDS):
            done = await run(f"{shlex.quote(found)} --version", Path("/"), 2 * VERSION_SECONDS)
    except (ToolError, TimeoutError):
        return ""
    number = _NUMBER.search(done.output)
    return number[0].rstrip(",;)") if number and not done.exit_code else ""
