"""List, test, and show the models of providers.

examples:
  tui-agent providers list
  tui-agent providers test ollama
  tui-agent providers models openrouter --json
"""

import argparse
import json
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tui_agent.cli.flags import add_shared
from tui_agent.conversation.errors import EXIT_DONE, EXIT_FAILED, EXIT_UNREACHABLE
from tui_agent.text.sanitize import one_line

if TYPE_CHECKING:
    from tui_agent.config.model import Settings
    from tui_agent.providers.protocol import ModelInfo, ProbeResult


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the verbs."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    listing = verbs.add_parser(
        "list", help="every configured provider with its live state", epilog="tui-agent providers list --json"
    )
    testing = verbs.add_parser(
        "test",
        help="check key, connection, models, streaming, context length and tool calling, with the fix for what fails",
        epilog="tui-agent providers test ollama --model qwen2.5:latest",
    )
    testing.add_argument("name", metavar="NAME", help="the provider, as `providers list` names it")
    testing.add_argument("--model", help="the model to test; default: the configured one, else the first one listed")
    models = verbs.add_parser(
        "models", help="the models that one really serves", epilog="tui-agent providers models ollama"
    )
    models.add_argument("name", metavar="NAME", help="the provider, as `providers list` names it")
    for verb in (listing, testing, models):
        verb.add_argument("--json", action="store_true", help="print JSON for a program")
        add_shared(verb)


def run(args: argparse.Namespace) -> int:
    """Run the verb; returns the exit code.

    Raises:
        ConfigError: the settings are wrong, or there is no such provider.
        ProviderError: `models` cannot be answered.
    """
    import asyncio

    from tui_agent.cli.wiring import settings_from

    settings = settings_from(args).settings
    if args.verb == "list":
        return asyncio.run(_list(settings, args.json))
    if args.verb == "test":
        # The settings' model belongs to the provider they start with, which may be another one.
        return asyncio.run(_test(settings, args.name, args.model or "", args.json))
    return asyncio.run(_models(settings, args.name, args.json))


async def _list(settings: "Settings", as_json: bool) -> int:
    from tui_agent.config.providers import base_url
    from tui_agent.providers.discovery import probe_all

    found = {result.provider: result async for result in probe_all(settings, os.environ)}
    rows = [(found[name], base_url(provider, os.environ)) for name, provider in settings.providers.items()]
    if as_json:
        print(json.dumps([_as_json(result, address) for result, address in rows], indent=2))
        return EXIT_DONE
    _print_table(
        ("provider", "state", "latency", "models", "context", "address", ""),
        (
            (
                result.provider,
                result.state,
                "" if result.latency is None else f"{result.latency * 1000:.0f} ms",
                str(len(result.models)) if result.state == "up" else "",
                _context(_starting_model(result, settings)) if result.state == "up" else "",
                address,
                _remark(result, settings),
            )
            for result, address in rows
        ),
    )
    return EXIT_DONE


async def _test(settings: "Settings", name: str, model: str, as_json: bool) -> int:
    from tui_agent.providers.checks import check_provider
    from tui_agent.providers.factory import create_provider, find_provider

    await create_provider(name, settings, os.environ).aclose()  # says so when it is set up for what we do not have
    checks = []
    async for check in check_provider(name, find_provider(name, settings), os.environ, model):
        checks.append(check)
        if not as_json:
            word = {True: "ok", False: "failed", None: "-"}[check.passed]
            print(f"{check.name:<16}{word:<8}{one_line(check.detail)}", flush=True)
            if check.fix and not check.passed:
                print("".join(f"{'':<24}{one_line(line)}\n" for line in check.fix.splitlines()), end="", flush=True)
    failed = [check for check in checks if check.passed is False]
    if as_json:
        rows = [{"check": c.name, "ok": c.passed, "detail": c.detail, "fix": c.fix} for c in checks]
        print(json.dumps({"provider": name, "ok": not failed, "checks": rows}, indent=2))
    if any(check.unreachable for check in failed):
        return EXIT_UNREACHABLE
    return EXIT_FAILED if failed else EXIT_DONE


async def _models(settings: "Settings", name: str, as_json: bool) -> int:
    from tui_agent.providers.factory import create_provider

    provider = create_provider(name, settings, os.environ)
    try:
        models = await provider.models()
    finally:
        await provider.aclose()
    if as_json:
        print(json.dumps([_model_json(model) for model in models], indent=2))
        return EXIT_DONE
    tools = {True: "yes", False: "no", None: "unknown"}
    _print_table(
        ("model", "context", "tools", "parameters"),
        ((model.id, _context(model), tools[model.tools], _size(model.parameters)) for model in models),
    )
    return EXIT_DONE


def _context(model: "ModelInfo | None") -> str:
    return "unknown" if model is None or model.context_length is None else str(model.context_length)


def _size(parameters: int | None) -> str:
    """A number of weights for people: `1.5 B`, `494 M`."""
    if parameters is None:
        return "unknown"
    return f"{parameters / 1e9:.1f} B" if parameters >= 1e9 else f"{parameters / 1e6:.0f} M"


def _starting_model(result: "ProbeResult", settings: "Settings") -> "ModelInfo | None":
    """The model that is used when none is named: the configured one, else the first."""
    wanted = settings.providers[result.provider].default_model
    return next((model for model in result.models if model.id == wanted), next(iter(result.models), None))


def _remark(result: "ProbeResult", settings: "Settings") -> str:
    start = settings.providers[result.provider].start_hint
    if result.state == "down":
        return f"start it: {start}" if start else result.detail
    if result.state == "missing":
        return f"{result.detail}: {result.hint}"
    return result.hint.partition("\n")[0] if result.state == "no key" else result.detail


def _as_json(result: "ProbeResult", address: str) -> dict[str, Any]:
    return {
        "provider": result.provider,
        "state": result.state,
        "latency": result.latency,
        "address": address,
        "models": [_model_json(model) for model in result.models],
        "detail": result.detail,
        "hint": result.hint,
    }


def _model_json(model: "ModelInfo") -> dict[str, Any]:
    return {
        "id": model.id,
        "context_length": model.context_length,
        "tools": model.tools,
        "parameters": model.parameters,
    }


def _print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = [tuple(head), *(tuple(one_line(cell) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    for row in table:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
