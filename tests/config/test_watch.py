"""Saved settings and themes are taken over live, however an editor saves; a mistake leaves the last good ones."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Collection
from pathlib import Path

import pytest

from tui_agent.config import watch
from tui_agent.config.load import LoadedSettings, load_settings
from tui_agent.config.locations import shipped_themes
from tui_agent.config.watch import Reloaded, ReloadFailed, watch_settings

LIMIT = 20.0
"""Seconds until a test gives up; nothing waits this long when it works."""


class Watched:
    """A watch on a settings file of its own."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "config"
        self.file = self.folder / "config.yaml"
        self.themes = self.folder / "themes"
        self.environ = {"TUI_AGENT_CONFIG_DIR": str(self.folder), "TUI_AGENT_DATA_DIR": str(root / "data")}
        self.project = root / "project"
        self.loads = 0
        self._watch: AsyncIterator[Reloaded | ReloadFailed] | None = None
        self._pending: asyncio.Future[Reloaded | ReloadFailed] | None = None

    def load(self) -> LoadedSettings:
        self.loads += 1
        return load_settings(config_file=None, project_dir=self.project, environ=self.environ, flags={})

    async def start(self, current: LoadedSettings | None = None) -> None:
        """Begin, and return when the first comparison is over: from then on the watch stands."""
        current = current or self.load()
        self.loads = 0
        compared = asyncio.Event()
        loop = asyncio.get_running_loop()

        def load() -> LoadedSettings:
            try:
                return self.load()
            finally:
                loop.call_soon_threadsafe(compared.set)

        self._watch = watch_settings(load, current, theme_folders=[self.themes])
        self._pending = asyncio.ensure_future(anext(self._watch))
        await asyncio.wait_for(compared.wait(), LIMIT)

    async def next(self) -> Reloaded | ReloadFailed:
        assert self._watch is not None and self._pending is not None
        change = await asyncio.wait_for(self._pending, LIMIT)
        self._pending = asyncio.ensure_future(anext(self._watch))
        return change

    async def reloaded(self) -> Reloaded:
        change = await self.next()
        assert isinstance(change, Reloaded), change
        return change

    async def stop(self) -> None:
        if self._pending is not None:
            self._pending.cancel()
            await asyncio.wait([self._pending])


@pytest.fixture
async def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watched]:
    # Without the regular look at all files, so that what is tested is what the system reports.
    monkeypatch.setattr(watch, "CHECK_MS", 600_000)
    monkeypatch.setattr(watch, "LOOK_MS", 20)
    monkeypatch.setattr(watch, "DEBOUNCE_MS", 100)
    subject = Watched(tmp_path)
    subject.themes.mkdir(parents=True)
    yield subject
    await subject.stop()


async def test_a_saved_file_is_taken_over_and_what_changed_is_told(watched: Watched) -> None:
    watched.file.write_text("providers: {ollama: {timeout: 60}}\n")
    await watched.start()
    watched.file.write_text("providers: {ollama: {timeout: 120}}\n")
    change = await watched.reloaded()
    assert change.changes == ("providers.ollama.timeout: 60 → 120",)
    assert change.loaded.settings.providers["ollama"].timeout == 120


async def test_editors_that_save_by_renaming_are_seen_every_time(watched: Watched) -> None:
    watched.file.write_text("max_iterations: 1\n")
    await watched.start()
    for number in (2, 3, 4):
        temporary = watched.folder / f".config.yaml.{number}~"
        temporary.write_text(f"max_iterations: {number}\n")
        temporary.replace(watched.file)
        assert (await watched.reloaded()).changes == (f"max_iterations: {number - 1} → {number}",)


async def test_editors_that_move_the_old_file_away_are_seen(watched: Watched) -> None:
    watched.file.write_text("max_iterations: 1\n")
    await watched.start()
    watched.file.rename(watched.folder / "config.yaml~")
    watched.file.write_text("max_iterations: 2\n")
    change = await watched.reloaded()
    while change.loaded.settings.max_iterations != 2:  # the moment without a file may be seen too
        change = await watched.reloaded()


async def test_a_file_that_comes_or_goes_is_seen(watched: Watched) -> None:
    await watched.start()
    watched.file.write_text("mode: plan\n")
    assert (await watched.reloaded()).changes == ("mode: ask → plan",)
    watched.file.unlink()
    assert (await watched.reloaded()).changes == ("mode: plan → ask",)


async def test_a_mistake_is_told_and_mending_it_is_told_too(watched: Watched) -> None:
    watched.file.write_text("mode: plan\n")
    await watched.start()
    watched.file.write_text("mode: plam\n")
    failed = await watched.next()
    assert isinstance(failed, ReloadFailed)
    assert failed.error.message.startswith(f"{watched.file}:1: mode: expected one of")
    watched.file.write_text("mode: plan\n")
    mended = await watched.reloaded()
    assert mended.changes == ()
    assert mended.loaded.settings.mode == "plan"


async def test_changes_after_a_mistake_are_told_against_the_last_good_settings(watched: Watched) -> None:
    watched.file.write_text("mode: plan\n")
    await watched.start()
    watched.file.write_text("mode: [\n")
    assert isinstance(await watched.next(), ReloadFailed)
    watched.file.write_text("mode: auto\n")
    assert (await watched.reloaded()).changes == ("mode: plan → auto",)


async def test_saving_the_same_content_or_other_files_loads_nothing(watched: Watched) -> None:
    watched.file.write_text("mode: plan\n")
    await watched.start()
    watched.file.write_text("mode: plan\n")
    (watched.folder / "notes.txt").write_text("x")
    (watched.folder / "other.yaml").write_text("mode: auto\n")
    watched.file.touch()
    theme = watched.themes / "mine.yaml"
    theme.write_text("a marker, so that all of the above has been seen")
    assert (await watched.reloaded()).themes == (theme,)
    assert watched.loads == 1


async def test_new_changed_and_removed_themes_are_told(watched: Watched) -> None:
    await watched.start()
    theme = watched.themes / "mine.yaml"
    shutil.copy(shipped_themes() / "slate.yaml", theme)
    assert (await watched.reloaded()).themes == (theme,)
    theme.write_text(theme.read_text().replace("dark: true", "dark: false"))
    assert (await watched.reloaded()).themes == (theme,)
    theme.unlink()
    change = await watched.reloaded()
    assert (change.themes, change.changes) == ((theme,), ())


async def test_folders_that_do_not_exist_yet_are_found_when_they_come(watched: Watched) -> None:
    shutil.rmtree(watched.folder)
    await watched.start()
    watched.folder.mkdir()
    watched.file.write_text("mode: plan\n")
    assert (await watched.reloaded()).changes == ("mode: ask → plan",)
    (watched.project / ".tui-agent").mkdir(parents=True)
    (watched.project / ".tui-agent" / "config.yaml").write_text("max_iterations: 3\n")
    assert (await watched.reloaded()).changes == ("max_iterations: 50 → 3",)


async def test_a_folder_that_is_removed_and_made_again_is_still_watched(watched: Watched) -> None:
    watched.file.write_text("mode: plan\n")
    await watched.start()
    shutil.rmtree(watched.folder)
    assert (await watched.reloaded()).changes == ("mode: plan → ask",)
    watched.themes.mkdir(parents=True)
    watched.file.write_text("mode: auto\n")
    assert (await watched.reloaded()).changes == ("mode: ask → auto",)
    watched.file.write_text("mode: plan\n")
    assert (await watched.reloaded()).changes == ("mode: auto → plan",)


async def test_what_changed_before_the_watch_stood_is_found(watched: Watched) -> None:
    watched.file.write_text("mode: plan\n")
    current = watched.load()
    watched.file.write_text("mode: auto\n")
    await watched.start(current)
    assert (await watched.reloaded()).changes == ("mode: plan → auto",)


async def test_what_no_event_reports_is_found_by_looking(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "CHECK_MS", 50)
    elsewhere = tmp_path / "dotfiles"
    elsewhere.mkdir()
    (elsewhere / "settings").write_text("mode: plan\n")
    watched.file.symlink_to(elsewhere / "settings")
    await watched.start()
    (elsewhere / "settings").write_text("mode: auto\n")
    assert (await watched.reloaded()).changes == ("mode: plan → auto",)


async def test_a_system_without_watches_left_is_looked_at(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    from watchfiles import _rust_notify

    def none_left(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_rust_notify, "RustNotify", none_left)
    monkeypatch.setattr(watch, "CHECK_MS", 50)
    await watched.start()
    watched.file.write_text("mode: auto\n")
    assert (await watched.reloaded()).changes == ("mode: ask → auto",)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
async def test_a_file_that_cannot_be_read_is_a_mistake(watched: Watched) -> None:
    watched.file.write_text("mode: plan\n")
    await watched.start()
    watched.file.chmod(0)
    failed = await watched.next()
    assert isinstance(failed, ReloadFailed)
    assert "cannot be read" in failed.error.message


async def test_a_device_given_as_the_settings_file_is_not_watched(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever writes to /dev/null stirs its folder, all day long.
    looked_at: set[Path] = set()
    original = watch._stirrings

    def noted(files: Collection[Path], folders: Collection[Path]) -> AsyncIterator[None]:
        looked_at.update(files)
        return original(files, folders)

    monkeypatch.setattr(watch, "_stirrings", noted)
    device = Path("/dev/null")
    settings = load_settings(config_file=device, project_dir=watched.project, environ=watched.environ, flags={})
    await watched.start(settings)
    assert device in settings.files
    assert looked_at == set(settings.files) - {device}


async def test_cancelling_ends_the_watch_and_its_thread(watched: Watched) -> None:
    import threading

    before = threading.active_count()
    await watched.start()
    await asyncio.wait_for(watched.stop(), LIMIT)
    await asyncio.get_running_loop().shutdown_default_executor()
    assert threading.active_count() <= before
