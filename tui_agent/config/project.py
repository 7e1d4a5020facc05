"""The settings file that a project brings along: read once, and in force as far as it tightens or is trusted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct

from tui_agent.config.decode import Decoded, KeyPath, decode
from tui_agent.config.documents import parse, read_bytes_below
from tui_agent.config.locations import project_config
from tui_agent.config.model import Settings
from tui_agent.config.problems import InvalidConfig, printable
from tui_agent.config.tighten import Wish, wishes
from tui_agent.config.trust import SETTINGS, TrustStore, digest_of

TrustState = Literal["tightens", "new", "changed", "trusted"]

TRUST_HINT = "`tui-agent trust`, or /trust on the screen, shows what they would do, and asks whether they may count"
_NAMED = 4
_LONGEST_NAME = 60


class ProjectFile(Struct, frozen=True):
    """A project's settings file as it was read.

    `state`: it only "tightens", and counts; it asks for more and is "new", or was trusted and has "changed": then
    `wishes` are not in force; or it is "trusted", and they are. `digest` is of the bytes that were read and parsed.
    """

    path: Path
    project: Path
    digest: str
    state: TrustState
    wishes: tuple[Wish, ...]

    @property
    def held(self) -> tuple[Wish, ...]:
        """What it asks for and does not get."""
        return self.wishes if self.state in ("new", "changed") else ()


def load_project(
    folder: Path, below: Mapping[KeyPath, object], store: TrustStore
) -> tuple[Decoded, ProjectFile | None]:
    """The project's settings that are in force, with the mistakes of the file; None when there is no file.

    `below` are the values of the layers under it.
    """
    path = project_config(folder)
    decoded = Decoded(str(path))
    try:
        if (data := read_bytes_below(folder, *path.relative_to(folder).parts)) is None:
            return decoded, None
        decoded = decode(parse(decoded.source, data), Settings, decoded.source)
        decoded.problems.sort(key=lambda problem: problem.line)
    except InvalidConfig as error:
        decoded.problems += error.problems
        return decoded, None
    wanted = wishes(decoded, below)
    digest = digest_of(data)
    state: TrustState = "tightens"
    if wanted:
        known = store.find(SETTINGS, folder)
        state = "new" if known is None else "trusted" if known.digest == digest else "changed"
    if state in ("new", "changed"):
        for key in wanted:
            decoded.entries.pop(key, None)
        decoded.mappings.clear()
    return decoded, ProjectFile(path, folder, digest, state, tuple(wanted.values()))


def held_back(project: ProjectFile | None) -> str:
    """One line for people about what a project's file asks for and does not get; "" when it gets all.

    `TRUST_HINT` says what can be done about it.
    """
    if project is None or not project.held:
        return ""
    count = len(project.held)
    keys = [printable(wish.key) for wish in project.held[:_NAMED]]
    named = ", ".join(key if len(key) <= _LONGEST_NAME else key[: _LONGEST_NAME - 1] + "…" for key in keys)
    if count > _NAMED:
        named += ", …"
    settings = f"{count} setting{'s' if count > 1 else ''}"
    if project.state == "changed":
        return f"this project's settings have changed since you trusted them; {settings} not in force: {named}"
    return f"this project asks for {settings} that {'are' if count > 1 else 'is'} not in force: {named}"
