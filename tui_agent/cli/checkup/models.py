"""The model servers, which of them a start would take, and the embedded model."""

import asyncio
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from tui_agent.cli.checkup.machine import version_of
from tui_agent.cli.checkup.rows import Row, Section, State, size
from tui_agent.cli.checkup.setup import Setup
from tui_agent.config.locations import Locations
from tui_agent.config.model import ProviderSettings, Settings
from tui_agent.config.providers import base_url, is_loopback, key_variable
from tui_agent.conversation.errors import ProviderError
from tui_agent.providers.discovery import StartChoice, choose_start, probe_all
from tui_agent.providers.protocol import ProbeResult

PROBE_SECONDS = 1.5
"""For all servers together; `providers test` is more patient."""

_MEMORY = Path("/proc/meminfo")
_PROCESSOR = Path("/proc/cpuinfo")
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


async def providers(setup: Setup) -> Section:
    """Every configured provider with its live state, and the one that a start would take."""
    from tui_agent.providers.warm_up import import_client

    await asyncio.to_thread(import_client)
    settings, environ = setup.loaded.settings, setup.environ
    silent = [name for name, provider in settings.providers.items() if _runs_command(name, provider, environ)]
    found, start = await asyncio.gather(_probe(_without(settings, silent), environ), _start(settings, silent, environ))
    rows = [start] if isinstance(start, Row) else []
    needed = settings.provider
    if isinstance(start, StartChoice):
        needed = start.name
        up = needed in silent or (needed in found and found[needed].state == "up")
        # When it is not up, its own row says what is wrong.
        rows.append(Row("start", "ok" if up else "info", f"{needed}: {start.explanation}"))
    for name, provider in settings.providers.items():
        key = _key(name, provider, environ)
        address = base_url(provider, environ)
        if name in silent:
            text = "not asked: its key comes from a command, which is not run here"
            rows.append(Row(name, "info", text, f"tui-agent providers test {name}"))
        elif name in found:
            rows.append(_row(found[name], provider, address, key, needed=name == needed))
        else:
            text = f"no answer within {PROBE_SECONDS:g} s, {address}{key}"
            rows.append(Row(name, "warning", text, f"tui-agent providers test {name}"))
    return Section("providers", tuple(rows))


def _runs_command(name: str, provider: ProviderSettings, environ: Mapping[str, str]) -> bool:
    """Asking for its key might ask the user for a password, which nobody expects of a report."""
    return bool(provider.api_key_command) and not environ.get(key_variable(name, provider), "").strip()


def _without(settings: Settings, names: list[str]) -> Settings:
    left = {name: provider for name, provider in settings.providers.items() if name not in names}
    return replace(settings, providers=left)


async def _probe(settings: Settings, environ: Mapping[str, str]) -> dict[str, ProbeResult]:
    found = {}
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            async for result in probe_all(settings, environ):
                found[result.provider] = result
    except TimeoutError:
        pass  # who has not answered has no row of its own
    return found


async def _start(settings: Settings, silent: list[str], environ: Mapping[str, str]) -> StartChoice | Row:
    """What a start would take, or a row that says why nothing."""
    # Servers elsewhere are only looked at in the settings; those here would be asked.
    local = [name for name in silent if not settings.providers[name].requires_api_key]
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return await choose_start(_without(settings, local), environ)
    except ProviderError as error:
        return Row("start", "failed", error.message, error.hint)
    except TimeoutError:
        return Row("start", "warning", f"not found out within {PROBE_SECONDS:g} s", "tui-agent providers list")


def _key(name: str, provider: ProviderSettings, environ: Mapping[str, str]) -> str:
    variable = key_variable(name, provider)
    if environ.get(variable, "").strip():
        return f", {variable} is set"
    return f", {variable} is not set" if provider.requires_api_key and provider.api != "embedded" else ""


def _row(result: ProbeResult, provider: ProviderSettings, address: str, key: str, *, needed: bool) -> Row:
    place = f", {address}" if address else ""
    if result.state == "up":
        count = len(result.models)
        models = f"{count} model{'' if count == 1 else 's'}"
        latency = "" if result.latency is None else f" in {result.latency * 1000:.0f} ms"
        state: State = "ok" if count else "warning"
        return Row(result.provider, state, f"up{latency}, {models}{place}{key}", result.hint)
    quiet = result.state in ("down", "no key", "missing")
    state = "failed" if needed else "info" if quiet and (is_loopback(address) or result.state != "down") else "warning"
    if result.state == "down" and is_loopback(address):
        text = f"down{place}{key}"
        return Row(result.provider, state, text, provider.start_hint)
    if result.state == "no key":
        return Row(result.provider, state, f"no key{place}{key}", result.hint if needed else "")
    return Row(result.provider, state, f"{result.state}{place}{key}: {result.detail}", result.hint)


def embedded(setup: Setup, where: Locations) -> Section:
    """What the model that runs inside tui-agent needs, and what of it is there."""
    chosen = setup.loaded.settings.providers.get(setup.loaded.settings.provider)
    needed = chosen is not None and chosen.api == "embedded"
    return Section("embedded model", tuple(_embedded(where.models, "failed" if needed else "info")))


def _embedded(folder: Path, missing: State) -> Iterator[Row]:
    from tui_agent.providers.embedded.catalogue import MODELS
    from tui_agent.providers.embedded.download import fetched, installed
    from tui_agent.providers.embedded.machine import INSTALL, PACKAGE

    if version := version_of(PACKAGE):
        yield Row("engine", "ok", f"{PACKAGE} {version}")
    else:
        yield Row("engine", missing, f"{PACKAGE} is not installed", INSTALL)
    yield _instructions(missing)
    here = [model for model in MODELS if installed(model, folder)]
    for model in MODELS:
        pull = f"tui-agent models pull {model.name}"
        odd = folder / model.file_name
        if model in here:
            yield Row(model.name, "ok", f"installed, {size(model.size)}")
        elif odd.exists():
            yield Row(model.name, "warning", f"{odd} is not {model.size:,} bytes long: it is not used", pull)
        elif part := fetched(model, folder):
            yield Row(model.name, "info", f"{size(part)} of {size(model.size)} downloaded", f"{pull}  goes on there")
        else:
            yield Row(model.name, "info" if here else missing, f"not installed, {size(model.size)}", pull)
    memory = _memory()
    if memory is None:
        yield Row("memory", "info", "this system does not say how much is free")
        return
    tight = [model.name for model in here or MODELS if _need(model.size) > memory[0]]
    text = f"{size(memory[0])} of {size(memory[1])} free; " + ", ".join(
        f"{model.name} takes {size(_need(model.size))}" for model in MODELS
    )
    fix = f"close other programs before {' or '.join(tight)} answers" if tight else ""
    yield Row("memory", ("warning" if here else "info") if tight else "ok", text, fix)


def _instructions(missing: State) -> Row:
    from tui_agent.providers.embedded.machine import NEEDED, missing_instructions

    machine = platform.machine()
    try:
        lacking = missing_instructions(_PROCESSOR.read_text("utf-8", "replace"), machine)
    except OSError:
        return Row("processor", "info", f"{machine}; this system does not say what it can do")
    if lacking:
        text = f"{machine} without {', '.join(lacking)}: the engine cannot run on it"
        return Row("processor", missing, text, "use a model server instead: tui-agent providers list")
    known = f" with {', '.join(NEEDED)}" if machine.lower() in ("x86_64", "amd64") else ""
    return Row("processor", "ok", machine + known)


def _need(file_size: int) -> int:
    """Bytes of memory that a model takes while it answers: measured were 1.6 to 1.9 times its file."""
    return 2 * file_size


def _memory() -> tuple[int, int] | None:
    """Bytes that a new program can have, and bytes in all, by the system and by the limit of a container."""
    fields = dict(line.partition(":")[::2] for line in _text(_MEMORY).splitlines())
    free, total = (fields.get(name, "").partition("kB")[0].strip() for name in ("MemAvailable", "MemTotal"))
    if not (free.isdecimal() and total.isdecimal()):
        return None
    limits = [int(text) for text in map(_text, _LIMITS) if text.isdecimal()]
    return min([int(free) * 1024, *limits]), min([int(total) * 1024, *limits])


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace").strip()
    except OSError:
        return ""
