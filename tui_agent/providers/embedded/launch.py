"""From a model's name to an engine that runs it: the file is fetched, the engine started or joined."""

import asyncio
import importlib.resources
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from pathlib import Path

from msgspec import Struct

from tui_agent.config.locations import Locations
from tui_agent.config.model import ProviderSettings
from tui_agent.conversation.errors import ProviderError, WorkspaceError
from tui_agent.providers.embedded.catalogue import find_model
from tui_agent.providers.embedded.download import PullProgress, installed, pull
from tui_agent.providers.embedded.endings import explain_end
from tui_agent.providers.embedded.engine import ENGINE, EngineFolders, EngineSpec, private_folder, share_engine
from tui_agent.providers.embedded.machine import engine_version, threads
from tui_agent.providers.embedded.messages import EngineJob
from tui_agent.providers.embedded.running import RunningEngine
from tui_agent.providers.embedded.slots import SlotStore
from tui_agent.providers.openai_chat import warm_up

CONTEXT_LENGTH = 8192
HEAD_BYTES = 16 * 1024 * 1024
"""Of a model file, where its vocabulary is."""
TURN_MARK = b"<|im_start|>"
RATE_SECONDS = 2.0
"""Of a download before it is said how long the rest takes."""

Tell = Callable[[str], None]


class Launcher(Struct, frozen=True):
    """What the engine of a provider needs to know; `command` is what runs the model."""

    name: str
    settings: ProviderSettings
    environ: Mapping[str, str]
    places: Locations
    command: tuple[str, ...] = ENGINE

    @property
    def file(self) -> Path | None:
        """The model file that the settings name."""
        return Path(self.settings.model_file).expanduser() if self.settings.model_file else None

    @property
    def context_length(self) -> int:
        """The window to ask for, in tokens."""
        return self.settings.context_length or CONTEXT_LENGTH

    async def launch(self, model: str, tell: Tell) -> RunningEngine:
        """The loaded engine of a model; `tell` takes what is being done.

        Raises:
            ProviderError: the model cannot be had, or the engine does not run.
        """
        version = await asyncio.to_thread(engine_version)
        file = self.file
        path = file if file is not None else await self._fetched(model, tell)
        tell(f"loading {model}")
        spec, slots = await asyncio.to_thread(self._specify, model, path, version)
        folders = EngineFolders(self.places.engines, self.places.logs)
        lease = await share_engine(spec, folders, self.environ, self.command)
        try:
            await asyncio.to_thread(warm_up)  # the engine takes longer
            report = await lease.loaded()
            if report.state != "ready":
                raise explain_end(spec, report, folders.log(spec), loading=True)
            return RunningEngine(self.name, self.settings, spec, lease, slots, folders.log(spec))
        except BaseException:
            await lease.close()
            raise

    async def _fetched(self, name: str, tell: Tell) -> Path:
        model, folder = find_model(name), self.places.models
        try:
            if await asyncio.to_thread(installed, model, folder) is None:
                meter = Meter(name)
                async with aclosing(pull(model, folder, self.environ)) as steps:
                    async for step in steps:
                        tell(meter.text(step, time.monotonic()))
        except WorkspaceError as error:
            raise ProviderError("model", error.message, error.hint) from None
        path = await asyncio.to_thread(installed, model, folder)
        if path is None:
            raise ProviderError("model", f"{name} has gone from {folder}", f"fetch it: tui-agent models pull {name}")
        return path

    def _specify(self, model: str, path: Path, version: str) -> tuple[EngineSpec, SlotStore | None]:
        try:
            path = path.resolve(strict=True)
            status = path.stat()
            ours = self.file is None or speaks_chatml(path)
        except OSError as error:
            hint = f"correct `model_file` under `providers: {self.name}:` in config.yaml"
            raise ProviderError("model", f"The model file {path} cannot be read: {error.strerror}", hint) from None
        slots: SlotStore | None = SlotStore(self.places.prompts)
        try:
            private_folder(self.places.prompts)
        except ProviderError:
            slots = None  # it works without
        job = EngineJob(
            model=str(path),
            name=model,
            context_length=self.context_length,
            threads=threads(),
            template=chat_template() if ours else "",
            slots=str(self.places.prompts) if slots is not None else "",
        )
        return EngineSpec(job, f"{status.st_size} {status.st_mtime_ns}", version), slots


class Meter:
    """Says how far a download is, and how long the rest takes once that can be known."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._begun: tuple[float, int] | None = None

    def text(self, step: PullProgress, now: float) -> str:
        """`now` is in seconds of any clock that never goes back."""
        percent = f"{100 * step.done // max(step.total, 1)} % of {step.total / 1e9:.1f} GB"
        if step.stage == "checking":
            self._begun = None
            return f"checking {self._name}: {percent}"
        if self._begun is None:
            self._begun = now, step.done
        begun, had = self._begun
        left = ""
        if now - begun >= RATE_SECONDS and step.done > had:
            left = f", {_duration((step.total - step.done) * (now - begun) / (step.done - had))} left"
        return f"downloading {self._name}: {percent}{left}"


def chat_template() -> str:
    """The template that our models are asked with: it makes small ones call tools."""
    return importlib.resources.files("tui_agent.providers.embedded").joinpath("template.jinja").read_text("utf-8")


def speaks_chatml(path: Path) -> bool:
    """Whether the model of a file knows the turns of our template; else the one inside the file must do."""
    with path.open("rb") as file:
        return TURN_MARK in file.read(HEAD_BYTES)


def _duration(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"
