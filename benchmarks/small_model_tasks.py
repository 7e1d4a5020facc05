"""What a small model can do with tui-agent: one-step calls, tasks of several steps, and plain chat, at temperature 0.

    python -m benchmarks.small_model_tasks                       # the embedded 1.5B model
    python -m benchmarks.small_model_tasks --model qwen2.5-coder-0.5b --only steps
    python -m benchmarks.small_model_tasks --url http://localhost:8080/v1/ --set other --verbose

Every task runs in a throw-away folder through the real engine: session, small-model profile, executor and provider.
All questions are answered yes. One-step tasks count when the first call is the right one; tasks of several steps when
the folder and the answer are right at the end; chat prompts when no tool was called. The set `other` holds further
tasks of the same kinds, so that what was improved on one set can be checked on another.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

from benchmarks.task_set import CHAT, ONE_STEP, STEPS, Run, Task, make_project, no_call
from tui_agent.agent.journal import TurnOptions
from tui_agent.agent.session import Session
from tui_agent.config.load import load_settings
from tui_agent.config.model import ProviderSettings, Settings
from tui_agent.conversation.events import AssistantReplied, Noticed, ToolFinished
from tui_agent.permissions.approval import AllowOnce, ApprovalDecision, ApprovalRequest
from tui_agent.providers.factory import create_provider
from tui_agent.providers.protocol import LLMProvider
from tui_agent.tools.executor import ToolExecutor

SECONDS_PER_TASK = 240


class Yes:
    """Answers yes to every question; the folder is thrown away."""

    async def approve(self, request: ApprovalRequest) -> ApprovalDecision:
        """Allow it."""
        return AllowOnce(request.digest)


async def run_task(provider: LLMProvider, model: str, task: Task) -> tuple[Run, bool]:
    """One prompt in a fresh copy of the project, to its end or its time limit; what came of it, and if it is right."""
    with tempfile.TemporaryDirectory(prefix="task-") as name:
        folder = Path(name)
        make_project(folder)
        executor = ToolExecutor(folder, approver=Yes())
        session = Session(
            log=None,
            executor=executor,
            provider=provider,
            model=model,
            options=TurnOptions(max_iterations=task.requests, directory=name),
            working_directory=name,
            version="benchmark",
        )
        run = Run(folder)
        begun = time.monotonic()
        try:
            async with asyncio.timeout(SECONDS_PER_TASK), aclosing(session.run(task.prompt)) as events:
                async for event in events:
                    match event:
                        case AssistantReplied():
                            run.replies.append(event.text)
                            run.calls += [(executor.canonical(c.name), c.arguments) for c in event.tool_calls]
                        case ToolFinished():
                            run.results.append((event.status, event.content))
                        case Noticed():
                            run.notices.append(event.text)
                        case _:
                            pass
        except TimeoutError:
            run.notices.append(f"stopped after {SECONDS_PER_TASK} s")
        finally:
            await executor.aclose()
        run.seconds = time.monotonic() - begun
        return run, task.right(run)


def show(run: Run) -> None:
    """The whole run, for finding out what went wrong."""
    for place, (tool, arguments) in enumerate(run.calls):
        status, content = run.results[place] if place < len(run.results) else ("", "")
        print(f"        {tool} {arguments[:400]}\n          {status}: {content[:400]!r}")
    for text in (*run.replies[-1:], *run.notices):
        print(f"        » {text[:400]!r}")


async def suite(title: str, tasks: Sequence[Task], provider: LLMProvider, model: str, verbose: bool) -> str:
    """Run the tasks one after another and print a line each; the result as a line."""
    print(title, flush=True)
    right = 0
    begun = time.monotonic()
    for task in tasks:
        run, done = await run_task(provider, model, task)
        right += done
        word = "ok   " if done else "WRONG"
        print(f"  {word} {run.seconds:5.1f} s  {len(run.calls)} calls  {task.prompt}", flush=True)
        if verbose and not done:
            show(run)
    line = f"{title}: {right} of {len(tasks)} right, {time.monotonic() - begun:.0f} s"
    print(f"  {line}\n", flush=True)
    return line


def provider_from(args: argparse.Namespace) -> tuple[LLMProvider, str]:
    """The provider that the command line names, and its model."""
    if args.url:
        settings = ProviderSettings(base_url=args.url, requires_api_key=False, timeout=600, tool_calls=args.tool_calls)
        return create_provider("server", Settings(providers={"server": settings}), os.environ), args.model
    loaded = load_settings(config_file=None, project_dir=Path.cwd(), environ=os.environ, flags={})
    name = args.provider
    model = args.model or loaded.settings.providers[name].default_model
    return create_provider(name, loaded.settings, os.environ), model


async def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--provider", default="embedded", help="a provider of the settings (default: embedded)")
    parser.add_argument("--model", default="", help="its model (default: the provider's)")
    parser.add_argument("--url", default="", help="a server to use in place of a provider")
    parser.add_argument("--tool-calls", default="auto", choices=("auto", "native", "text"))
    parser.add_argument("--set", default="main", choices=("main", "other"), help="which tasks")
    parser.add_argument("--only", choices=("one-step", "steps", "chat"), help="one suite in place of all three")
    parser.add_argument("--match", default="", help="only prompts that contain this text")
    parser.add_argument("--verbose", action="store_true", help="show the whole run of what went wrong")
    args = parser.parse_args()
    provider, model = provider_from(args)
    suites = {
        "one-step": ONE_STEP[args.set],
        "steps": STEPS[args.set],
        "chat": [Task(prompt, no_call) for prompt in CHAT[args.set]],
    }
    lines = []
    try:
        for title, tasks in suites.items():
            chosen = [task for task in tasks if args.match.lower() in task.prompt.lower()]
            if chosen and args.only in (None, title):
                lines.append(await suite(title, chosen, provider, model, args.verbose))
    finally:
        await provider.aclose()
    print(f"set {args.set}, model {model or 'the first served'}:")
    print("\n".join(lines))


if __name__ == "__main__":
    asyncio.run(main())
