"""Time to the first token of the embedded model: the first launch ever, beside the next one.

    python -m benchmarks.embedded_start [--model NAME]

Both launches start an engine of their own and ask another question after the same system prompt and tools, about 500
tokens. The first one reads them; the second one gets what was read from disk. The model must have been downloaded:
`tui-agent models pull NAME`. Budget: the second wait is at most 0.15 of the first.
"""

import argparse
import asyncio
import os
import tempfile
import time
from contextlib import aclosing
from pathlib import Path

from msgspec import Struct

from tui_agent.config.locations import Locations, locations
from tui_agent.config.model import ProviderSettings
from tui_agent.conversation.events import CallGrowing, TextDelta
from tui_agent.conversation.messages import Message, ToolSpec
from tui_agent.providers.embedded.catalogue import DEFAULT_MODEL, MODELS, find_model
from tui_agent.providers.embedded.download import installed
from tui_agent.providers.embedded.provider import EmbeddedProvider
from tui_agent.providers.protocol import ChatRequest, Finished

BUDGET = 0.15
SYSTEM = "You are a coding assistant in a terminal. " + " ".join(
    f"Rule {number}: answer short and exact, read before you change, and name the file." for number in range(1, 19)
)
TOOLS = tuple(
    ToolSpec(name, f"{what} in the project folder.", {"type": "object", "properties": {"path": {"type": "string"}}})
    for name, what in (
        ("read", "Read a file"),
        ("list", "List the files"),
        ("search", "Search"),
        ("run", "Run a program"),
    )
)
QUESTIONS = ("What is the capital of France?", "Name three rivers.")


class Launch(Struct, frozen=True):
    """One launch: seconds to the loaded engine and from the question to the first token; tokens of the prompt."""

    load: float
    first_token: float
    prompt: int
    cached: int


async def launch(model: str, places: Locations, question: str) -> Launch:
    """Start the engine, ask, and end it."""
    settings = ProviderSettings(api="embedded", default_model=model, requires_api_key=False)
    provider = EmbeddedProvider("embedded", settings, os.environ, places=places)
    clock = time.perf_counter
    try:
        begun = clock()
        async for _ in provider.prime(ChatRequest("", ())):
            pass
        loaded = clock()
        messages = (Message("system", SYSTEM), Message("user", question))
        request = ChatRequest("", messages, TOOLS, temperature=0.0, max_tokens=16)
        first, end = 0.0, None
        async with aclosing(provider.stream(request)) as events:
            async for event in events:
                first = first or (clock() if isinstance(event, TextDelta | CallGrowing) else 0.0)
                end = event if isinstance(event, Finished) else end
        assert end is not None and first, "no answer"
        usage = end.usage
        return Launch(loaded - begun, first - loaded, usage.prompt_tokens or 0, usage.cached_tokens or 0)
    finally:
        await provider.aclose()


async def both(model: str) -> tuple[Launch, Launch]:
    """The first launch and the next, with folders of their own for everything but the model."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        places = Locations(root / "config", locations().data, root / "state", root / "cache")
        return await launch(model, places, QUESTIONS[0]), await launch(model, places, QUESTIONS[1])


def main() -> None:
    """Launch twice and print both and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL, choices=[model.name for model in MODELS])
    model = parser.parse_args().model
    if installed(find_model(model), locations().models) is None:
        parser.exit(1, f"{model} is not in {locations().models}: tui-agent models pull {model}\n")
    cold, warm = asyncio.run(both(model))
    print(f"{model:28}{'first launch':>14}{'next launch':>14}")
    print(f"{'engine loaded':28}{cold.load:>12.2f} s{warm.load:>12.2f} s")
    print(f"{'question to first token':28}{cold.first_token:>12.2f} s{warm.first_token:>12.2f} s")
    print(f"{'tokens of the prompt':28}{cold.prompt:>14}{warm.prompt:>14}")
    print(f"{'known from before':28}{'0':>14}{warm.cached:>14}")
    ratio = warm.first_token / cold.first_token
    print(f"{'ratio to first token':28}{ratio:>28.3f}{'' if ratio <= BUDGET else '  over budget'} (budget {BUDGET})")


if __name__ == "__main__":
    main()
