"""List, fetch and remove embedded models, which run on this machine without a server.

examples:
  tui-agent models list
  tui-agent models pull qwen2.5-coder-1.5b
  tui-agent models pull qwen2.5-coder-1.5b --file ~/Downloads/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf
  tui-agent models remove qwen2.5-coder-0.5b
"""

import argparse
import asyncio
import json
import os
import sys
import time
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from tui_agent.cli.flags import add_shared
from tui_agent.cli.signals import SIGNALS
from tui_agent.config.locations import locations
from tui_agent.conversation.errors import EXIT_DONE, EXIT_FAILED
from tui_agent.text.sanitize import one_line

if TYPE_CHECKING:
    from tui_agent.providers.embedded.catalogue import EmbeddedModel


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the verbs."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    listing = verbs.add_parser(
        "list",
        help="the models there are, what they need and are good for, and which are here",
        epilog="example: tui-agent models list --json",
    )
    listing.add_argument("--json", action="store_true", help="print JSON for a program")
    pulling = verbs.add_parser(
        "pull",
        help="fetch one and check its SHA-256; goes on where it was interrupted",
        epilog="example: tui-agent models pull qwen2.5-coder-1.5b",
    )
    pulling.add_argument("--file", metavar="PATH", help="take it from this file instead of the network")
    removing = verbs.add_parser(
        "remove",
        help="delete one, or what an interrupted download left of it",
        epilog="example: tui-agent models remove qwen2.5-coder-0.5b",
    )
    for verb in (pulling, removing):
        verb.add_argument("name", metavar="NAME", help="the model, as `models list` names it")
    for verb in (listing, pulling, removing):
        add_shared(verb)


def run(args: argparse.Namespace) -> int:
    """Run the verb; returns the exit code.

    Raises:
        ConfigError: there is no such model.
        TuiAgentError: it cannot be fetched or removed.
    """
    from tui_agent.cli.wiring import working_directory
    from tui_agent.providers.embedded.catalogue import find_model

    folder = locations().models
    if args.verb == "list":
        return _list(folder, as_json=args.json)
    model = find_model(args.name)
    if args.verb == "remove":
        return _remove(model, folder)
    file = working_directory(args) / Path(args.file).expanduser() if args.file else None
    stopped_by: list[int] = []
    try:
        return asyncio.run(_pull(model, folder, file, stopped_by))
    except asyncio.CancelledError:
        return 128 + stopped_by[0]


def _list(folder: Path, *, as_json: bool) -> int:
    from tui_agent.providers.embedded import catalogue
    from tui_agent.providers.embedded.download import fetched, installed

    if as_json:
        rows = [
            {
                "name": model.name,
                "title": model.title,
                "size": model.size,
                "sha256": model.sha256,
                "licence": model.licence,
                "parameters": model.parameters,
                "needs": model.memory,
                "good_for": model.good_for,
                "installed": (path := installed(model, folder)) is not None,
                "path": None if path is None else str(path),
                "fetched": model.size if path is not None else fetched(model, folder),
            }
            for model in catalogue.MODELS
        ]
        print(json.dumps(rows, indent=2))
        return EXIT_DONE
    width = max(len(model.name) for model in catalogue.MODELS)
    for model in catalogue.MODELS:
        print(f"{model.name:<{width}}  {_megabytes(model.size)}  {model.licence}  {_state(model, folder)}")
        print(f"  {model.title}; needs {model.memory}")
        print(f"  {model.good_for}")
    return EXIT_DONE


def _state(model: "EmbeddedModel", folder: Path) -> str:
    from tui_agent.providers.embedded.download import fetched, installed

    if installed(model, folder) is not None:
        return "installed"
    part = fetched(model, folder)
    return f"{part * 100 // model.size} % fetched" if part else "not installed"


def _remove(model: "EmbeddedModel", folder: Path) -> int:
    from tui_agent.providers.embedded.download import fetched, installed, remove

    here = installed(model, folder) is not None or fetched(model, folder) > 0
    freed = remove(model, folder)
    if not here and not freed:
        print(f"{model.name} is not installed", file=sys.stderr)
        return EXIT_FAILED
    remark = f"{_megabytes(freed)} freed" if freed else "nothing freed: its file has a second name elsewhere"
    print(f"removed {model.name}, {remark}")
    return EXIT_DONE


async def _pull(model: "EmbeddedModel", folder: Path, file: Path | None, stopped_by: list[int]) -> int:
    """Fetch it; being cancelled by a signal, which is put into `stopped_by`, says how to go on."""
    from tui_agent.cli.progress import Bar
    from tui_agent.providers.embedded.download import installed, pull

    if (path := installed(model, folder)) is not None:
        print(f"{model.name} is already there: {one_line(str(path))}")
        return EXIT_DONE
    task = asyncio.current_task()
    assert task is not None

    def stop(number: int) -> None:
        stopped_by.append(number)
        if len(stopped_by) == 1:  # an impatient second one must not hurry what ends pip and saves what is there
            task.cancel()

    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop, number)
    begun = time.monotonic()
    bar = Bar(sys.stderr, os.environ)
    bar.say(f"{model.title}: {_megabytes(model.size)}, licence {model.licence}")
    try:
        async with aclosing(pull(model, folder, os.environ, file=file)) as steps:
            async for progress in steps:
                bar.show(progress)
    except asyncio.CancelledError:
        bar.say(f"stopped; run it again to go on: tui-agent models pull {model.name}")
        raise
    finally:
        bar.clear()
    path = installed(model, folder)
    print(f"installed {model.name} in {time.monotonic() - begun:.0f} s: {one_line(str(path))}")
    return EXIT_DONE


def _megabytes(count: int) -> str:
    return f"{count / 1_000_000:,.0f} MB"
