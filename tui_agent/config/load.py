"""Layered loading: shipped defaults < user < project (until trusted it only tightens) < environment < flags."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_origin

import msgspec

from tui_agent.config.decode import Decoded, KeyPath, decode, field_types, is_struct, mismatch
from tui_agent.config.documents import parse, read_bytes
from tui_agent.config.locations import locations, project_config, shipped_config
from tui_agent.config.model import Settings
from tui_agent.config.problems import InvalidConfig, Problem, nearest, shown
from tui_agent.config.project import ProjectFile, load_project
from tui_agent.config.trust import SETTINGS, TrustStore

VARIABLES = {
    "TUI_AGENT_PROVIDER": "provider",
    "TUI_AGENT_MODEL": "model",
    "TUI_AGENT_THEME": "ui.theme",
    "TUI_AGENT_MODE": "mode",
}
"""Environment variables that set a key."""

SHIPPED = "shipped"


class LoadedSettings(msgspec.Struct, frozen=True):
    """The effective settings.

    `origins` says of each key that is set where its value came from: "shipped", "path:line", "environment NAME" or
    "flag". `files` are the files that were looked for, existing or not: shipped, user, project, and the record of what
    is trusted of the project. `project` is the project's file, None when it has none; what it asks for and does not get
    is in its `held`.
    """

    settings: Settings
    origins: Mapping[str, str]
    files: tuple[Path, ...]
    project: ProjectFile | None = None


class _Value(NamedTuple):
    value: object
    origin: str
    source: str
    line: int


def load_settings(
    *,
    config_file: Path | None,
    project_dir: Path | None,
    environ: Mapping[str, str],
    flags: Mapping[str, object],
) -> LoadedSettings:
    """Read and merge all layers; blocks for a few milliseconds.

    `config_file` takes the place of the user's file and must exist; `project_dir` None means no project settings;
    `flags` holds dotted keys, and a value of None means the flag was not given.

    Raises:
        InvalidConfig: with every mistake of every layer.
    """
    shipped = shipped_config()
    places = locations(environ)
    user = config_file or places.user_config
    merged: dict[KeyPath, _Value] = {}
    opened: dict[KeyPath, tuple[str, int]] = {}
    problems: list[Problem] = []

    for path in (shipped, user):
        decoded = _read(path, required=path is config_file)
        problems += decoded.problems
        opened |= {key: (decoded.source, line) for key, line in decoded.mappings.items()}
        for key, entry in decoded.entries.items():
            origin = SHIPPED if path is shipped else f"{path}:{entry.line}"
            merged[key] = _Value(entry.value, origin, decoded.source, entry.line)
    files = [shipped, user]

    project: ProjectFile | None = None
    if project_dir is not None:
        store = TrustStore(places.trust)
        files += [project_config(project_dir), store.record(SETTINGS, project_dir)]
        decoded, project = load_project(project_dir, {key: found.value for key, found in merged.items()}, store)
        problems += decoded.problems
        opened |= {key: (decoded.source, line) for key, line in decoded.mappings.items()}
        for key, entry in decoded.entries.items():
            value, origin = entry.value, f"{decoded.source}:{entry.line}"
            if isinstance(value, tuple) and (below := merged.get(key)) and isinstance(below.value, tuple):
                value, origin = (*below.value, *value), f"{below.origin}, {origin}"
            merged[key] = _Value(value, origin, decoded.source, entry.line)

    given = {f"environment {name}": (key, environ.get(name) or None) for name, key in VARIABLES.items()}
    for source, dotted, value in [
        *((source, key, value) for source, (key, value) in given.items()),
        *(("flag", key, value) for key, value in flags.items()),
    ]:
        if value is None:
            continue
        key = tuple(dotted.split("."))
        value = tuple(value) if isinstance(value, list) else value
        kind = _type_of(key)
        expected = "a key of the settings" if kind is None else mismatch(value, kind)
        if expected is not None:
            problems.append(Problem(source, 0, dotted, f"expected {expected}, found {shown(value, dotted)}"))
        else:
            merged[key] = _Value(value, source, source, 0)

    if not problems:
        problems += _contradictions(merged, opened)
    if problems:
        raise InvalidConfig(problems, "`tui-agent config schema` lists every key")
    settings = msgspec.convert(_nested(merged), Settings)
    origins = {".".join(key): found.origin for key, found in merged.items()}
    return LoadedSettings(settings, origins, tuple(files), project)


def flatten(settings: Settings) -> dict[str, object]:
    """Every key with its effective value, defaults included, by dotted key."""
    return dict(_flat(settings, ""))


def describe_changes(old: Settings, new: Settings) -> tuple[str, ...]:
    """What differs, one line a key: `providers.ollama.timeout: 60 → 120`; a provider that came or went is one line."""
    before, after = flatten(old), flatten(new)
    came = [(name, provider) for name, provider in new.providers.items() if name not in old.providers]
    lines = [f"providers.{name}: new, at {shown(provider.base_url)}" for name, provider in came]
    lines += [f"providers.{name}: gone" for name in old.providers if name not in new.providers]
    moved = tuple(f"providers.{name}." for name in old.providers.keys() ^ new.providers.keys())
    for key in [*after, *(key for key in before if key not in after)]:
        if key.startswith(moved):
            continue
        if (was := before.get(key)) != (now := after.get(key)):
            change = "changed" if shown("x", key) == "(hidden)" else f"{shown(was, key)} → {shown(now, key)}"
            lines.append(f"{key}: {change}")
    return tuple(lines)


def _read(path: Path, *, required: bool) -> Decoded:
    source = str(path)
    try:
        if (data := read_bytes(path)) is None:
            if required:
                raise InvalidConfig([Problem(source, 0, "", "no such file")])
            return Decoded(source)
        decoded = decode(parse(source, data), Settings, source)
        decoded.problems.sort(key=lambda problem: problem.line)
        return decoded
    except InvalidConfig as error:
        decoded = Decoded(source)
        decoded.problems += error.problems
        return decoded


def _contradictions(merged: Mapping[KeyPath, _Value], opened: Mapping[KeyPath, tuple[str, int]]) -> Iterator[Problem]:
    """What is wrong only once the layers are put together; of what is opened, the deeper ones are prices."""
    names = [path[1] for path in opened if len(path) == 2]
    for path, (source, line) in opened.items():
        if len(path) > 2:
            missing = [name for name in ("input", "output") if (*path, name) not in merged]
            yield from (Problem(source, line, ".".join(path), f"{name} is missing") for name in missing)
            continue
        api, base_url = merged.get((*path, "api")), merged.get((*path, "base_url"))
        if not (base_url and base_url.value) and not (api and api.value == "embedded"):
            yield Problem(source, line, ".".join(path), "base_url is missing")
    chosen = merged.get(("provider",))
    if chosen and isinstance(chosen.value, str) and chosen.value not in ("auto", *names):
        text = f"no provider is called {shown(chosen.value)}{nearest(chosen.value, ['auto', *names])}"
        yield Problem(chosen.source, chosen.line, "provider", text)
    others = merged.get(("fallback",))
    if others and isinstance(others.value, tuple):
        for name in (entry.partition("/")[0] for entry in others.value):
            if name not in names:
                text = f"no provider is called {shown(name)}{nearest(name, names)}"
                yield Problem(others.source, others.line, "fallback", text)


def _type_of(path: KeyPath) -> Any:  # Any: a type form
    kind: Any = Settings  # Any: a type form
    for part in path:
        kind = field_types(kind).get(part) if is_struct(kind) else None
    return None if is_struct(kind) or get_origin(kind) is dict else kind


def _nested(merged: Mapping[KeyPath, _Value]) -> dict[str, Any]:  # Any: a tree of mappings and values
    root: dict[str, Any] = {}
    for path, found in merged.items():
        section = root
        for part in path[:-1]:
            section = section.setdefault(part, {})
        section[path[-1]] = found.value
    return root


def _flat(value: object, key: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, msgspec.Struct):
        children: Mapping[str, object] = {name: getattr(value, name) for name in value.__struct_fields__}
    elif isinstance(value, dict):
        children = value
    else:
        yield key, value
        return
    for name, child in children.items():
        yield from _flat(child, f"{key}.{name}" if key else name)
