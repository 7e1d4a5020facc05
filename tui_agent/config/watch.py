"""Live reload: watches the folders of settings and themes and says what changed."""

import asyncio
import hashlib
import importlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from pathlib import Path

from msgspec import Struct

from tui_agent.config.documents import read_bytes
from tui_agent.config.load import LoadedSettings, describe_changes
from tui_agent.config.project import TRUST_HINT, held_back
from tui_agent.config.themes import SUFFIX, theme_files
from tui_agent.conversation.errors import ConfigError

DEBOUNCE_MS = 200
STEP_MS = 50
CHECK_MS = 5_000
LOOK_MS = 1_000
"""How often it is fetched what the system reported. To wait for it inside watchfiles would wake a thread every step."""


class Reloaded(Struct, frozen=True):
    """Valid settings or themes; `changes` are lines for people, `themes` the theme files that came, went or changed.

    Without either, the settings are what they were: they are right again after a failure, or what the project's file
    asks for, or holds, is something else.
    """

    loaded: LoadedSettings
    changes: tuple[str, ...] = ()
    themes: tuple[Path, ...] = ()


class ReloadFailed(Struct, frozen=True):
    """A settings file is wrong; the last good settings stay in force. `themes` as in `Reloaded`."""

    error: ConfigError
    themes: tuple[Path, ...] = ()


async def watch_settings(
    load: Callable[[], LoadedSettings],
    current: LoadedSettings,
    *,
    theme_folders: Iterable[Path] = (),
) -> AsyncIterator[Reloaded | ReloadFailed]:
    """Yield whenever the content of `current.files` or of a theme file changed, `current` being what is in force.

    What changed between loading `current` and the first step of this generator is found at once. Folders are watched,
    not files, because an editor that saves by renaming takes a watched file away. For a folder that does not exist yet
    its nearest existing parent is watched. Where nothing is reported (network folders, the target of a link) the
    files, which are small, are looked at every 5 seconds. Only a changed content hash counts. `load` runs in a
    thread. A change is told within about a second. Cancelling ends the watch within a twentieth of a second.
    """
    # `--config /dev/null`: a device never changes, but its folder stirs whenever anyone writes to it.
    files = tuple(path for path in current.files if not _is_device(path))
    folders = tuple(theme_folders)
    good = current
    failed = False
    seen = await asyncio.to_thread(_fingerprints, files, folders)
    must_load = True
    async for _ in _stirrings(files, folders):
        prints = await asyncio.to_thread(_fingerprints, files, folders)
        touched = {path for path in prints.keys() | seen.keys() if prints.get(path) != seen.get(path)}
        themes = tuple(sorted(touched.difference(files)))
        must_load = must_load or not touched.isdisjoint(files)
        seen = prints
        changes: tuple[str, ...] = ()
        mended = other_project = False
        if must_load:
            must_load = False
            try:
                loaded = await asyncio.to_thread(load)
            except ConfigError as error:
                failed = True
                yield ReloadFailed(error, themes)
                continue
            changes = (*describe_changes(good.settings, loaded.settings), *_newly_held(good, loaded))
            other_project = loaded.project != good.project
            good, mended, failed = loaded, failed, False
        if changes or themes or mended or other_project:
            yield Reloaded(good, changes, themes)


async def _stirrings(files: Collection[Path], theme_folders: Collection[Path]) -> AsyncIterator[None]:
    """Step once when a watch stands, then whenever something may have changed."""
    await asyncio.to_thread(importlib.import_module, "watchfiles")
    from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

    folders = {path.parent for path in files} | set(theme_folders)
    # Names, not paths: some systems report the path that a link leads to.
    file_names = {path.name for path in files}
    folder_names = {part.name for folder in folders for part in (folder, *folder.parents)}
    stop = threading.Event()

    while True:
        roots = _roots(folders)
        try:
            notify = RustNotify([str(root) for root in roots], False, False, 0, False, True)
        except (OSError, WatchfilesRustInternalError):
            # No watches left in the system, or a folder went this moment: look again later.
            yield
            await asyncio.sleep(CHECK_MS / 1000)
            continue
        with notify:
            yield
            moved = False
            checked = time.monotonic()
            while not moved:
                await asyncio.sleep(LOOK_MS / 1000)
                waiting = asyncio.ensure_future(asyncio.to_thread(notify.watch, DEBOUNCE_MS, STEP_MS, 1, stop))
                try:
                    found = await asyncio.shield(waiting)
                except asyncio.CancelledError:
                    stop.set()
                    await waiting
                    raise
                names = {Path(path).name for _, path in found} if isinstance(found, set) else set()
                # A folder that went or came has to be watched anew, even when it looks the same.
                check = time.monotonic() - checked >= CHECK_MS / 1000
                moved = not names.isdisjoint(folder_names) or bool((names or check) and _roots(folders) != roots)
                if not moved and (check or _concerns(names, file_names)):
                    checked = time.monotonic()
                    yield


def _newly_held(before: LoadedSettings, now: LoadedSettings) -> tuple[str, ...]:
    """What the project's file asks for since it changed, and does not get."""
    held = now.project.held if now.project else ()
    if not held or (before.project and before.project.held == held):
        return ()
    return (f"{held_back(now.project)}; {TRUST_HINT}",)


def _is_device(path: Path) -> bool:
    try:
        return path.is_char_device()
    except OSError:
        return False


def _concerns(names: Collection[str], file_names: Collection[str]) -> bool:
    return any(name in file_names or name.endswith(SUFFIX) for name in names)


def _roots(folders: Iterable[Path]) -> dict[Path, int]:
    """The folders that can be watched now, each by its inode."""
    roots = {}
    for folder in folders:
        for candidate in (folder, *folder.parents):
            try:
                if candidate.is_dir():
                    roots[candidate] = candidate.stat().st_ino
                    break
            except OSError:
                continue
    return roots


def _fingerprints(files: Iterable[Path], theme_folders: Iterable[Path]) -> dict[Path, bytes]:
    """What each file holds, as a hash; a file that is missing has none, one that cannot be read has its error."""
    prints = {}
    for path in [*files, *(path for folder in theme_folders for path in theme_files(folder))]:
        try:
            data = read_bytes(path)
        except ConfigError as error:
            data = error.message.encode("utf-8", "replace")
        if data is not None:
            prints[path] = hashlib.sha256(data).digest()
    return prints
