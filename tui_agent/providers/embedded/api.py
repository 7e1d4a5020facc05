"""What we ask the engine beside chat: rendering, reading a prompt ahead, saving and restoring what was read."""

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from msgspec import Struct


class EngineFault(Exception):
    """The engine did not do what it was asked: it has ended, or refuses."""


class Slot(Struct, frozen=True):
    """The one place where prompts are read; `untouched` since the engine started, `window` in tokens."""

    busy: bool
    untouched: bool
    window: int


class Reading(Struct, frozen=True):
    """How far a prompt is read, in tokens; `cached` of them were known before."""

    total: int
    cached: int
    done: int


class EngineApi:
    """The engine at `url`. Without time limits: a request waits until the engine is free, or has ended."""

    def __init__(self, url: str, key: str) -> None:
        import httpx2

        self._client = httpx2.AsyncClient(
            base_url=url,
            # Connections are not kept: the engine closes idle ones, at times just when they are used again.
            headers={"Authorization": f"Bearer {key}", "Connection": "close"},
            timeout=None,
            trust_env=False,
            verify=False,  # nothing is encrypted here, and to set that up costs 40 ms
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def slot(self) -> Slot:
        """What the engine does just now."""
        answer = await self._ask("GET", "/slots")
        try:
            first = answer[0]
            return Slot(bool(first["is_processing"]), "id_task" not in first, int(first["n_ctx"]))
        except (KeyError, IndexError, TypeError, ValueError):
            raise EngineFault("no slots") from None

    async def render(self, body: Mapping[str, Any]) -> str:
        """The prompt that a chat request with this body comes to."""
        answer = await self._ask("POST", "/apply-template", body)
        prompt = answer.get("prompt") if isinstance(answer, Mapping) else None
        if not isinstance(prompt, str):
            raise EngineFault("no prompt")
        return prompt

    async def read(self, prompt: str) -> AsyncGenerator[Reading]:
        """Read a prompt, so that it is known afterwards, and tell how it goes; leaving early stops it."""
        import httpx2

        body = {"prompt": prompt, "n_predict": 0, "cache_prompt": True, "stream": True, "return_progress": True}
        try:
            async with self._client.stream("POST", "/completion", json=body) as response:
                if response.status_code != 200:
                    raise EngineFault(f"status {response.status_code}")
                async for line in response.aiter_lines():
                    if (reading := _reading(line)) is not None:
                        yield reading
        except httpx2.HTTPError as error:
            raise EngineFault(str(error)) from error

    async def save(self, name: str) -> tuple[int, int]:
        """Write all that the slot knows to a file; returns how many tokens and bytes that was."""
        answer = await self._ask("POST", "/slots/0?action=save", {"filename": name})
        try:
            return int(answer["n_saved"]), int(answer["n_written"])
        except (KeyError, TypeError, ValueError):
            raise EngineFault("not saved") from None

    async def restore(self, name: str) -> None:
        """Let the slot know what such a file holds, instead of what it knew."""
        await self._ask("POST", "/slots/0?action=restore", {"filename": name})

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        import httpx2

        try:
            response = await self._client.request(method, path, json=body)
            if response.status_code != 200:
                raise EngineFault(f"status {response.status_code}")
            return response.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise EngineFault(str(error)) from error


def _reading(line: str) -> Reading | None:
    """The progress that a line of the stream tells."""
    if not line.startswith("data:"):
        return None
    try:
        progress = json.loads(line.removeprefix("data:"))["prompt_progress"]
        return Reading(int(progress["total"]), int(progress["cache"]), int(progress["processed"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
