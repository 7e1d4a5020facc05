"""The engine behind a face: the one place where settings, provider, tools, store and session are put together."""

import argparse
import os
import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui_agent import __version__
from tui_agent.cli import wiring
from tui_agent.cli.saved import full_session_id, open_log, session_end
from tui_agent.cli.servers import Servers
from tui_agent.config.load import LoadedSettings
from tui_agent.config.locations import locations
from tui_agent.config.model import Settings
from tui_agent.conversation.errors import ProviderError, StoreError

if TYPE_CHECKING:
    from tui_agent.agent.comparing import Comparison
    from tui_agent.agent.journal import TurnOptions
    from tui_agent.agent.session import Session
    from tui_agent.agent.spending import Spent
    from tui_agent.cli.archive import Archive
    from tui_agent.conversation.events import Mode, Record
    from tui_agent.permissions.approval import ApprovalRequest, Approver, Verdict
    from tui_agent.permissions.permitted import Permit
    from tui_agent.providers.discovery import NothingToStart, StartChoice
    from tui_agent.providers.protocol import LLMProvider
    from tui_agent.store.log import SessionLog, SessionSummary
    from tui_agent.tools.executor import ToolExecutor
    from tui_agent.tools.project_files import ProjectFiles


MODES: "tuple[Mode, ...]" = ("plan", "ask", "accept-edits", "auto")
"""From strict to wide."""

LIMITS = ("max_tokens", "max_cost", "max_turns")
"""Settings that say what one run of the program may use."""

FILES_OFFERED = 50
"""Paths offered for the completion of `@`."""


class Engine:
    """Everything behind a face: settings, one session, its tools and log."""

    def __init__(
        self,
        loaded: LoadedSettings,
        new_executor: "Callable[[], ToolExecutor]",
        provider: "LLMProvider",
        model: str,
        directory: Path,
        log: "SessionLog | None",
        *,
        tools: bool = True,
    ) -> None:
        from tui_agent.cli.rules import rules_from

        self.loaded = loaded
        self.directory = directory
        self.rules_file = locations().user_config
        """Where rules are saved: the user's settings."""
        self._rules = rules_from(loaded)
        self._new_executor = new_executor
        self._log = log
        self._tools = tools
        self.start: StartChoice | None = None
        """How the provider was chosen, when nobody named one."""
        self.trouble: NothingToStart | None = None
        """What was looked for, while there is no provider that answers."""
        self.servers = Servers(loaded.settings, provider)
        self._files: ProjectFiles | None = None
        self.session = self._session(provider, model, loaded.settings.mode)

    def _options(self) -> "TurnOptions":
        from tui_agent.agent.journal import TurnOptions
        from tui_agent.agent.spending import Limits

        settings = self.loaded.settings
        flags = [name for name in LIMITS if self.loaded.origins.get(name) == "flag"]
        limits = Limits(settings.max_tokens, settings.max_cost, settings.max_turns, settings.currency, frozenset(flags))
        return TurnOptions(
            max_iterations=settings.max_iterations,
            tools=self._tools,
            directory=str(self.directory),
            system=platform.system(),
            system_addition=settings.system_prompt,
            limits=limits,
            fallback=settings.fallback,
            compact=settings.compact,
            compact_at=settings.compact_at,
        )

    def _session(self, provider: "LLMProvider", model: str, mode: "Mode", earlier: "Spent | None" = None) -> "Session":
        from tui_agent.agent.session import Session
        from tui_agent.agent.spending import Spent
        from tui_agent.cli.rules import scene_of
        from tui_agent.permissions.policy import RulePolicy

        # Each session has an executor of its own: what was allowed or read in one counts for no other.
        executor = self._new_executor()
        snapshots = None if self._log is None else wiring.recorded(executor)
        scene = scene_of(self.directory, [root.path for root in executor.workspace.roots])
        return Session(
            log=self._log,
            executor=executor,
            provider=provider,
            model=model,
            options=self._options(),
            policy_for=lambda mode: RulePolicy(mode, self._rules, scene, executor.sandbox.on),
            profile_for=self.servers.profile,
            window_for=self.servers.window,
            price_for=self.servers.price,
            substitute_for=self.servers.substitute,
            earlier=earlier or Spent(),
            mode=mode,
            working_directory=str(self.directory),
            version=__version__,
            snapshots=snapshots,
        )

    async def check_cost_limit(self, args: argparse.Namespace) -> None:
        """See that what the command line's limit is about can be counted for the model that will answer.

        Raises:
            ProviderError: no model is named and the server cannot say which it has.
            UsageError: no price is known.
        """
        if args.max_cost is not None:
            if not self.session.model:
                await self.session.describe()
            wiring.check_cost_limit(args, self.loaded.settings, self.session.provider.name, self.session.model)

    def reconfigure(self, loaded: LoadedSettings) -> None:
        """Take over changed settings from the next request on.

        Raises:
            ConfigError: a rule is wrong, and nothing is taken over; or the present provider cannot be used as
                configured now, and the client from before stays.
        """
        from tui_agent.cli.rules import rules_from

        self._rules = rules_from(loaded)
        self.loaded = loaded
        self.session.options = self._options()
        self.session.renew_policy()
        if (client := self.servers.take_over(loaded.settings, self.session.provider.name)) is not None:
            self.session.provider = client

    def compare(self, models: "Sequence[tuple[str, str]]") -> "Comparison":
        """The session's next prompt for two models (provider and model; without one, the provider's own) at once.

        Raises:
            ConfigError: such a provider cannot be used.
        """
        from tui_agent.agent.comparing import Comparison, Side

        reading = self._rules.read_only or self.session.executor.lets_reading_run
        tools = (*wiring.READING_TOOLS, "run_command") if reading else wiring.READING_TOOLS
        sides = []
        for name, model in models:
            executor = self._new_executor()
            executor.tell_of(tools)
            model = model or self.loaded.settings.providers[name].default_model
            sides.append(Side(self.session.reading_copy(self.servers.client(name), model, executor)))
        first, second = sides
        return Comparison(self.session, (first, second))

    def judge(self, request: "ApprovalRequest", command: str) -> "Verdict":
        """What the policy of now says of a question's call with another command; looks at the disk, so it may block."""
        from tui_agent.permissions.approval import CommandAccess

        executor = self.session.executor
        policy = executor.policy.letting_reading_run() if executor.lets_reading_run else executor.policy
        assert isinstance(request.access, CommandAccess)
        return policy.decide(request.tool, replace(request.access, command=command))

    async def save_rules(self, rules: Sequence[str]) -> None:
        """Add `allow` rules to the user's settings, and decide the next call by them.

        Raises:
            ConfigError: one is no rule, or an example of the settings would not hold any more, or the file cannot be
                written; nothing is saved then.
        """
        import asyncio

        from tui_agent.cli.rules import rules_from
        from tui_agent.config.amend import add_rules
        from tui_agent.config.locations import project_config

        wanted = wiring.allowing(self.loaded, tuple(rules), str(self.rules_file))
        in_force = await asyncio.to_thread(rules_from, wanted)
        await asyncio.to_thread(add_rules, self.rules_file, rules, never=project_config(self.directory))
        self.loaded, self._rules = wanted, in_force
        self.session.renew_policy()

    async def fresh_session(self) -> "Session":
        """Start a new session with the same model and mode; the old one stays in the log."""
        await self._take(
            self._session(self.session.provider, self.session.model, self.session.mode, self.session.spent_in_run())
        )
        return self.session

    async def _take(self, session: "Session") -> None:
        before, self.session = self.session, session
        await before.executor.aclose()
        if self._log is not None and before.id not in ("", session.id):
            await self._log.release(before.id)

    async def resume(self, beginning: str) -> "Sequence[Record]":
        """Continue the session whose id begins so, in place of the present one.

        Its model goes on answering if it is still configured and the command line names no other. Its mode stays in
        force where it is stricter than the present one; a wider one has to be chosen again.

        Raises:
            SessionHeldError: another window has it open.
            StoreError: there is none, or it cannot be read.
        """
        log = self._saved()
        named = await full_session_id(log, beginning)
        await log.hold(named)
        try:
            return await self._resume(await log.read(named))
        finally:
            if self.session.id != named:
                await log.release(named)

    async def _resume(self, records: "Sequence[Record]") -> "Sequence[Record]":
        import asyncio

        from tui_agent.agent.book import standing
        from tui_agent.tools.leftovers import tidy

        stand = await asyncio.to_thread(standing, records)
        provider, model = self.session.provider, self.session.model
        named = {self.loaded.origins.get(key) for key in ("provider", "model")}
        if "flag" not in named and stand.provider in self.loaded.settings.providers:
            provider, model = self.servers.client(stand.provider), stand.model
        mode = min(stand.mode, self.session.mode, key=MODES.index)
        session = self._session(provider, model, mode, self.session.spent_in_run())
        session.continue_from(records, stand)
        await self._take(session)
        await asyncio.to_thread(tidy, records, session.executor.workspace)
        return records

    async def end_of(self, beginning: str) -> "Sequence[Record]":
        """The last turns of the session whose id begins so.

        Raises:
            SessionHeldError: another window has it open.
            StoreError: there is none, or it cannot be read.
        """
        return await session_end(self._saved(), beginning, present=self.session.id)

    async def check_log(self) -> str:
        """What is wrong with the log of the present session; empty when its chain is whole.

        Raises:
            StoreError: it cannot be read.
        """
        return await self._saved().verify(self.session.id)

    def _saved(self) -> "SessionLog":
        if self._log is None:
            raise StoreError("sessions are not saved in this run")
        return self._log

    async def sessions(self, limit: int = 10_000) -> "list[SessionSummary]":
        """The sessions of this folder, latest first."""
        return [] if self._log is None else await self._log.sessions(str(self.directory), limit)

    @property
    def archive(self) -> "Archive":
        """All sessions.

        Raises:
            StoreError: none are saved in this run.
        """
        from tui_agent.cli.archive import Archive

        return Archive(self._saved(), self.directory, self.session.id)

    async def context_length(self) -> int | None:
        """Tokens that the session's model can read, as configured or as its server says; None when neither does.

        A session that has no model yet takes the one that its server would use. A server on this machine is asked what
        the model is in any case: how much it is given depends on that.
        """
        from tui_agent.providers.discovery import probe

        session = self.session
        provider = self.loaded.settings.providers.get(session.provider.name)
        if provider is None:
            return None
        if session.provider.local and (session.model or not session.records):
            with suppress(ProviderError):  # the first turn says what is wrong
                await session.describe()
            known = session.model_info.context_length if session.model_info is not None else None
            return provider.context_length or known
        if provider.context_length is not None and session.model:
            return provider.context_length
        found = await probe(session.provider.name, provider, os.environ)
        if not session.model and not session.records and found.models:
            session.model = found.models[0].id
        known = next((model.context_length for model in found.models if model.id == session.model), None)
        return provider.context_length or known

    async def look_again(self) -> "StartChoice | None":
        """Look for a provider once more; None when there is still none: `trouble` says what was tried."""
        from tui_agent.providers.discovery import NothingToStart

        self.start = self.trouble = None
        try:
            self.start = await start_with_model(self.loaded.settings)
        except NothingToStart as error:
            self.trouble = error
        return self.start

    async def project_files(self, typed: str) -> list[str]:
        """Paths below the project that contain what was typed, shortest first; ignored and hidden ones left out."""
        from tui_agent.tools.project_files import ProjectFiles

        if self._files is None:
            self._files = ProjectFiles(self.session.executor.workspace.resolve("."))
        return await self._files.containing(typed, FILES_OFFERED)

    def mode_problem(self, mode: "Mode") -> str:
        """Why a mode cannot be chosen; empty when it can."""
        from tui_agent.permissions.policy import mode_available

        return mode_available(mode, self.session.executor.sandbox)

    def permits(self, mode: "Mode") -> "tuple[Permit, ...]":
        """What happens unasked, asks and is refused in a mode, as things are now."""
        from tui_agent.permissions.permitted import permitted

        executor = self.session.executor
        return permitted(
            mode,
            replace(self._rules, read_only=True) if executor.lets_reading_run else self._rules,
            executor.sandbox.describe() if executor.sandbox.on else "",
            commands=executor.allows_commands,
            grants=executor.grants.given(),
            directory=str(self.directory),
        )

    async def aclose(self) -> None:
        """Stop what still runs and close connections and log."""
        if self._files is not None:
            await self._files.aclose()
        await self.session.executor.aclose()
        await self.servers.aclose()
        if self._log is not None:
            await self._log.aclose()


async def open_engine(
    args: argparse.Namespace, directory: Path, loaded: LoadedSettings, approver: "Approver", *, tolerant: bool = False
) -> Engine:
    """Put an engine together: choose the provider and model, build tools and session.

    With `tolerant`, an engine comes about even if no provider was found: its `trouble` says so, and its first provider
    is the first configured one, so that a server started later answers.

    Raises:
        TuiAgentError: settings, provider or folder cannot be used; the message says what to do.
    """
    import asyncio

    from tui_agent.providers.discovery import NothingToStart, choose_start
    from tui_agent.providers.factory import create_provider

    settings = loaded.settings
    sandbox = await asyncio.to_thread(wiring.find_sandbox, args, directory, settings)
    start: StartChoice | None = None
    trouble: NothingToStart | None = None
    try:
        start = await (start_with_model(settings) if tolerant else choose_start(settings, os.environ))
        name = start.name
    except NothingToStart as error:
        if not tolerant:
            raise
        name = next(iter(settings.providers))
        trouble = error
    tools = _offered(args)
    engine = Engine(
        loaded,
        lambda: wiring.build_executor(args, directory, approver, sandbox, tools),
        create_provider(name, settings, os.environ),
        settings.model or (start.model if start else "") or settings.providers[name].default_model,
        directory,
        None if getattr(args, "no_save", False) else open_log(),
        tools=not getattr(args, "no_tools", False),
    )
    engine.start = start if settings.provider == "auto" else None
    engine.trouble = trouble
    if getattr(args, "config", None):
        engine.rules_file = Path(args.config)
    return engine


async def start_with_model(settings: Settings) -> "StartChoice":
    """The provider to start with.

    Raises:
        NothingToStart: there is none, or only a server without a model.
    """
    from tui_agent.providers.discovery import NothingToStart, choose_start

    start = await choose_start(settings, os.environ)
    if any(result.provider == start.name and not result.models for result in start.probes):
        raise NothingToStart(start.explanation, "", start.probes, start.keys)
    return start


def _offered(args: argparse.Namespace) -> list[str] | None:
    """The tools that the command line names; None means all. With `--no-tools` a call that comes anyway finds none."""
    if getattr(args, "no_tools", False):
        return []
    named: str | None = getattr(args, "tools", None)
    return None if named is None else named.split(",")


def import_engine() -> None:
    """Import what a session needs; blocks for about 50 ms, so call it in a thread."""
    import tui_agent.agent.session
    import tui_agent.providers.factory
    import tui_agent.store.sqlite
    import tui_agent.tools.executor
    import tui_agent.tools.recording  # noqa: F401 - imported for its effect


def import_client() -> None:
    """Import the model client, so that the first request need not wait for it; blocks for about half a second."""
    from tui_agent.providers.openai_chat import warm_up

    warm_up()
