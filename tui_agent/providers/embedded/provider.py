"""The provider client of the embedded model: it fetches it, runs the engine, and streams its replies."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from msgspec.structs import replace

from tui_agent.config.locations import Locations, locations
from tui_agent.config.model import ProviderSettings
from tui_agent.conversation.errors import ProviderError
from tui_agent.conversation.events import ProviderStatus
from tui_agent.providers.embedded.catalogue import DEFAULT_MODEL, MODELS
from tui_agent.providers.embedded.engine import ENGINE
from tui_agent.providers.embedded.launch import Launcher
from tui_agent.providers.embedded.running import RunningEngine
from tui_agent.providers.embedded.shared import Shared
from tui_agent.providers.protocol import ChatRequest, ModelInfo, ProviderEvent
from tui_agent.text.sanitize import one_line


class EmbeddedProvider:
    """A model on this machine, without a server. What is missing of it is fetched at the first use.

    The engine is started once for all who wait for it, and again when it has ended. `command` is what runs the model.
    """

    def __init__(
        self,
        name: str,
        settings: ProviderSettings,
        environ: Mapping[str, str],
        *,
        places: Locations | None = None,
        command: tuple[str, ...] = ENGINE,
    ) -> None:
        self._name = name
        self._settings = settings
        self._launcher = Launcher(name, settings, environ, places or locations(environ), command)
        self._model = ""
        self._window: int | None = None
        self._engine: Shared[RunningEngine] | None = None
        self._changing = asyncio.Lock()

    @property
    def name(self) -> str:
        """The name in the settings."""
        return self._name

    @property
    def local(self) -> bool:
        """It runs on this machine."""
        return True

    async def models(self) -> tuple[ModelInfo, ...]:
        """The models that can be used: the configured file, or all that can be fetched."""
        file = self._launcher.file
        names = (model.name for model in MODELS) if file is None else (file.stem,)
        return tuple(self._info(name) for name in names)

    async def describe(self, model: str) -> ModelInfo:
        """What is known of a model, without starting the engine."""
        return self._info(self._named(model))

    async def prime(self, request: ChatRequest) -> AsyncGenerator[ProviderStatus]:
        """Start the engine and let it read the beginning of the request; see `PrimingProvider`."""
        request = self._own(request)
        async with aclosing(self._ready(request)) as texts:
            async for text in texts:
                yield ProviderStatus(text)
        async with aclosing(self._running(self._engine).prime(request)) as texts:
            async for text in texts:
                yield ProviderStatus(text)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ProviderEvent]:
        """Send the request and yield what comes back; see `LLMProvider.stream`."""
        request = self._own(request)
        said = False
        async with aclosing(self._ready(request)) as texts:
            async for text in texts:
                said = True
                yield ProviderStatus(text)
        engine = self._running(self._engine)
        async with aclosing(engine.prime(engine.beginning(request))) as texts:
            async for text in texts:
                said = True
                yield ProviderStatus(text)
        async with aclosing(engine.stream(request)) as events:
            async for event in events:
                if isinstance(event, ProviderStatus):
                    said = True
                elif said:
                    said = False
                    yield ProviderStatus("")
                yield event

    async def aclose(self) -> None:
        """Give the engine back; it ends when nobody else uses it. A later request starts it again."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.stop()
            if not engine.failed:
                await engine.task.result().close()

    async def _ready(self, request: ChatRequest) -> AsyncGenerator[str]:
        """Start the engine unless it runs, and tell what is being done."""
        for _ in range(2):
            engine = await self._started(request.model)
            async with aclosing(engine.watch()) as texts:
                async for text in texts:
                    yield text
            if await self._running(engine).answers():
                return

    async def _started(self, model: str) -> Shared[RunningEngine]:
        async with self._changing:
            engine, crashed = self._engine, False
            if engine is not None and engine.task.done() and not engine.failed:
                crashed = engine.task.result().lease.ended.is_set()
            if engine is None or engine.failed or crashed or self._model != model:
                await self.aclose()
                self._model = model
                self._engine = engine = Shared(lambda tell: self._launch(model, tell, again=crashed))
            return engine

    async def _launch(self, model: str, tell: Callable[[str], None], *, again: bool) -> RunningEngine:
        prefix = "the engine had stopped: " if again else ""
        engine = await self._launcher.launch(model, lambda text: tell(prefix + text))
        try:
            self._window = await engine.window()
        except BaseException:
            await engine.close()
            raise
        return engine

    def _running(self, engine: Shared[RunningEngine] | None) -> RunningEngine:
        """The engine that was waited for.

        Raises:
            ProviderError: it was given back in the meantime.
        """
        if engine is None or engine.failed:
            raise ProviderError("server", f"The engine of {self._name} was given back", "send the prompt again")
        return engine.task.result()

    def _own(self, request: ChatRequest) -> ChatRequest:
        tools = () if self._settings.tool_calls == "off" else request.tools
        return replace(request, model=self._named(request.model), tools=tools)

    def _named(self, model: str) -> str:
        """The model that a name stands for.

        Raises:
            ProviderError: of kind "model", when there is none.
        """
        file, default = self._launcher.file, self._settings.default_model
        known = tuple(each.name for each in MODELS) if file is None else (file.stem,)
        if file is None:
            model = model or default or DEFAULT_MODEL
        elif model in ("", default):
            model = file.stem
        if model in known:
            return model
        hint = f"there is: {', '.join(known)}"
        if file is None:
            hint += f"; for a file of your own set `model_file` under `providers: {self._name}:`"
        raise ProviderError("model", f"Unknown embedded model {one_line(model)[:80]}", hint)

    def _info(self, name: str) -> ModelInfo:
        window = self._window if self._window is not None and name == self._model else self._launcher.context_length
        for model in MODELS:
            if model.name == name and self._launcher.file is None:
                return ModelInfo(name, window, tools=True, parameters=model.parameters)
        return ModelInfo(name, window)
