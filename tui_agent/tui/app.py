"""The Textual application: themes, keys, signals, and the way out."""

import asyncio
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from textual import events, work
from textual.app import App, SystemCommand
from textual.screen import Screen
from textual.theme import Theme

from tui_agent.config.load import LoadedSettings
from tui_agent.config.project import TRUST_HINT, held_back
from tui_agent.config.themes import ThemeData, find_theme, load_themes
from tui_agent.conversation.errors import ConfigError
from tui_agent.tui.bindings import bindings_for, keymap, keymap_problems
from tui_agent.tui.commands import completions
from tui_agent.tui.host import Launch
from tui_agent.tui.screens.chat import ChatScreen
from tui_agent.tui.shell import Shell
from tui_agent.tui.terminal_input import guard_input
from tui_agent.tui.terminal_output import guard_output
from tui_agent.tui.theming import Palette, textual_theme
from tui_agent.tui.widgets.prompt import LARGEST_PASTE, PromptArea, clean_paste

if TYPE_CHECKING:
    from rich.console import RenderableType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

SECOND_PRESS = 2.0
"""Seconds in which a second ctrl+c leaves."""

AT_START = frozenset({"provider", "model", "mode", "sandbox", "ui.symbols", "ui.mouse"})
"""Settings that are only looked at when the program starts."""

CLOSING_TIME = 2.5
"""Seconds that the engine gets to stop processes and flush the log before the screen is given back anyway."""


class TuiAgent(Shell):
    """One window; `exit` code is what the process ends with."""

    TITLE = "tui-agent"
    CSS_PATH = "app.tcss"
    BINDINGS = bindings_for("app")
    ENABLE_COMMAND_PALETTE = True

    def __init__(self, launch: Launch) -> None:
        super().__init__()
        guard_input()
        guard_output()
        self.launch = launch
        self.loaded: LoadedSettings = launch.loaded
        self.theme_data = self._first_theme()
        self.palette = Palette(self.theme_data)
        self._begin_with(textual_theme(self.theme_data))
        self.chat = ChatScreen(launch)
        self._leaving = False
        self.lent = False
        self._asked_to_leave = -SECOND_PRESS
        self._early: list[events.Event] = []

    def _begin_with(self, theme: Theme) -> None:
        """Use a theme from the first paint on.

        Setting the reactive would do, but then all style sheets are read and applied twice: 20 ms of every start.
        """
        self.register_theme(theme)
        self.set_reactive(App.theme, theme.name)
        self.stylesheet.set_variables(self.get_css_variables())
        self.set_class(theme.dark, "-dark-mode", update=False)
        self.set_class(not theme.dark, "-light-mode", update=False)
        self.set_class(True, f"-theme-{theme.name}", update=False)

    def _first_theme(self) -> ThemeData:
        """The theme of the settings; a bad one is reported by the chat screen and the shipped default shown."""
        self.theme_problem: ConfigError | None = None
        try:
            return find_theme(self.loaded.settings.ui.theme, self.launch.themes)
        except ConfigError as error:
            self.theme_problem = error
            return find_theme("slate", self.launch.themes[:1])

    def get_default_screen(self) -> Screen[None]:
        """The chat."""
        return self.chat

    def on_mount(self) -> None:
        """Take over the keys of the settings and the signals of the system."""
        self.set_keymap(keymap(self.loaded.settings.ui.keys))
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            with suppress(NotImplementedError, ValueError, RuntimeError):
                loop.add_signal_handler(number, self._signalled, number)

    async def on_event(self, event: events.Event) -> None:
        """Keep what is typed before the prompt has the focus: Textual would drop it."""
        if isinstance(event, events.Key | events.Paste):
            if not self.chat.takes_keys:
                self._early.append(event)
                return
            await self.deliver_early_keys()
            await self.chat.caught_up()
            self.chat.typed_elsewhere(event.key if isinstance(event, events.Key) else "", event.time)
        if isinstance(event, events.Paste) and not isinstance(self.focused, PromptArea):
            event = events.Paste(clean_paste(event.text[:LARGEST_PASTE]))  # other inputs show it as it comes
        await super().on_event(event)

    async def deliver_early_keys(self) -> None:
        """Hand over what was typed before the first paint, in order."""
        while self._early:
            await super().on_event(self._early.pop(0))

    def _signalled(self, number: int) -> None:
        if not self._leaving and not (self.lent and number == signal.SIGINT):
            self.run_worker(self.leave(128 + number), exit_on_error=False)

    async def leave(self, code: int = 0) -> None:
        """Stop the turn, kill what runs, flush the log, give the terminal back."""
        if self._leaving:
            return
        self._leaving = True
        said = ""
        with suppress(Exception):  # nothing may keep the terminal from being restored
            said = await asyncio.wait_for(self.chat.keep_typed(), CLOSING_TIME)
        with suppress(Exception):
            await asyncio.wait_for(self.chat.close_host(), CLOSING_TIME)
        # After a hangup nobody reads it.
        self.exit(code, code, said if said and code != 128 + signal.SIGHUP else None)

    @property
    def fault(self) -> Exception | None:
        """The fault of ours that ended the program, if one did; whoever ran it logs and reports it."""
        return self._exception

    def panic(self, *renderables: "RenderableType") -> None:
        """Leave because of `fault`. Textual would print its trace on the terminal, with the values of variables."""
        self._close_messages_no_wait()

    def _fatal_error(self) -> None:
        self.panic()

    async def action_quit_safely(self) -> None:
        """Leave with code 0."""
        await self.leave()

    async def action_quit(self) -> None:
        """As `action_quit_safely`; Textual's own bindings come here."""
        await self.leave()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette, from the action registry."""
        from tui_agent.tui.palette import palette_commands

        return palette_commands(self, screen)

    def action_help_quit(self) -> None:
        """ctrl+c where nothing is selected: stop the turn, else leave at the second press."""
        if self.chat.can_stop:
            self.chat.stop()
        elif time.monotonic() - self._asked_to_leave < SECOND_PRESS:
            self.run_worker(self.leave(), exit_on_error=False)
        else:
            self._asked_to_leave = time.monotonic()
            self.notify("press ctrl+c again to leave", timeout=SECOND_PRESS, markup=False)

    def action_help(self) -> None:
        """All keys and commands."""
        from tui_agent.tui.screens.help import HelpScreen

        self.push_screen(HelpScreen(keymap(self.loaded.settings.ui.keys), completions(trust=True)))

    # ---- trust ----

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is not always something to trust."""
        return action != "trust" or bool(held_back(self.loaded.project))

    def action_trust(self) -> None:
        """Look at what the project's settings ask for, and trust them."""
        from tui_agent.config.locations import locations
        from tui_agent.config.trust import SETTINGS, TrustStore
        from tui_agent.sandbox.tree import MARK
        from tui_agent.tui.screens.trust import TrustScreen

        project = self.loaded.project
        if project is None or not project.held:
            self.chat.say(
                "info", "there is nothing to trust: this project's settings ask for nothing that is held back"
            )
            return
        store, directory = TrustStore(locations().trust), self.launch.directory
        problem = ""
        if found := store.problem(directory):
            problem = f"this project cannot be trusted: {found}; put what you want into your own config.yaml"
        elif os.environ.get(MARK):
            problem = "trust is given by a person, not by a command of a model"
        self.push_screen(
            TrustScreen(
                project,
                lambda: store.trust(SETTINGS, directory, project.digest),
                problem=problem,
                symbols=self.chat.symbols,
            ),
            self._trusted,
        )

    def _trusted(self, trusted: bool | None) -> None:
        if trusted:
            self.chat.say("info", "trusted: these settings count from now on, until the file changes")

    def _offer_trust(self) -> None:
        """Offer it where it can be done, and only there."""
        self.chat.query_one(PromptArea).commands = completions(trust=bool(held_back(self.loaded.project)))
        self.refresh_bindings()

    # ---- themes ----

    def themes(self) -> dict[str, ThemeData]:
        """All themes that can be read."""
        found, _ = load_themes(self.launch.themes)
        return found

    def action_themes(self) -> None:
        """Choose a theme; the highlighted one is shown at once."""
        from tui_agent.tui.screens.themes import ThemeRow, ThemesScreen

        themes = self.themes()
        rows = [ThemeRow(data.name, data.dark) for data in themes.values()]
        self.push_screen(
            ThemesScreen(rows, self.theme_data.name, lambda name: self.apply_theme(themes[name]), self.chat.symbols)
        )

    @work(exit_on_error=False, group="settings")
    async def watch_settings(self) -> None:
        """Say what is wrong with the settings, then take over what changes in them while we run, and say what."""
        from tui_agent.config.watch import ReloadFailed, watch_settings

        if text := held_back(self.loaded.project):
            self.chat.say("warning", text, TRUST_HINT)
            self._offer_trust()
        if self.theme_problem is not None:
            self.chat.say("warning", self.theme_problem.message, self.theme_problem.hint)
        self._use_keys()
        async for change in watch_settings(self.launch.reload, self.loaded, theme_folders=self.launch.themes):
            if change.themes:
                self.choose_theme(self.theme_data.name)
            if isinstance(change, ReloadFailed):
                hint = f"{change.error.hint}\nthe settings from before stay in force".strip()
                self.chat.say("error", change.error.message, hint)
                continue
            before, self.loaded = self.loaded, change.loaded
            self._offer_trust()
            ui, was = self.loaded.settings.ui, before.settings.ui
            if ui.theme != was.theme:
                self.choose_theme(ui.theme)
            if ui.keys != was.keys:
                self._use_keys()
            self.chat.settings_changed(before)
            for line in change.changes:
                later = " (from the next start)" if line.partition(":")[0] in AT_START else ""
                self.chat.say("info", f"settings changed: {line}{later}")

    def _use_keys(self) -> None:
        keys = self.loaded.settings.ui.keys
        self.set_keymap(keymap(keys))
        for problem in keymap_problems(keys):
            self.chat.say("warning", f"key binding left out: {problem}", "mend it under `ui: keys:`")

    def choose_theme(self, name: str) -> None:
        """Show a theme as its file is now; a bad one is named and changes nothing."""
        try:
            self.apply_theme(find_theme(name, self.launch.themes))
        except ConfigError as error:
            self.chat.say("warning", error.message, error.hint)

    def apply_theme(self, data: ThemeData) -> None:
        """Repaint everything with a theme, whether it is new, changed or known."""
        self.theme_data = data
        self.palette = Palette(data)
        self.register_theme(textual_theme(data))
        if self.theme == data.name:
            self.mutate_reactive(App.theme)
        else:
            self.theme = data.name
        self.chat.palette_changed(self.palette)
