"""All checks together: at the same time, within a limit, and none of them able to fail."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from tui_agent import __version__
from tui_agent.cli.checkup import machine, models, setup, storage
from tui_agent.cli.checkup.rows import Report, Row, Section
from tui_agent.cli.checkup.setup import Setup
from tui_agent.config.locations import locations
from tui_agent.conversation.errors import TuiAgentError

P = ParamSpec("P")
T = TypeVar("T")

SECONDS = 5.0
"""For every check, all at the same time: much more than they take, unless a disk hangs or the machine is overloaded."""


def examine(found: Setup) -> Report:
    """Run every check; blocks for about as long as the slowest of them."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(_DaemonThreads())
        sections = runner.run(_examine(found))
    return Report(__version__, time.strftime("%Y-%m-%dT%H:%M:%S%z"), tuple(sections))


async def _examine(found: Setup) -> list[Section]:
    where = locations(found.environ)

    def blocking(check: Callable[[], Section]) -> Coroutine[Any, Any, Section]:
        return asyncio.to_thread(check)

    checks = {
        "program": blocking(machine.program),
        "terminal": blocking(lambda: machine.terminal(found.environ)),
        "other programs": machine.programs(found.directory, found.loaded.settings.sandbox),
        "configuration": blocking(lambda: setup.configuration(found)),
        "working folder": blocking(lambda: setup.working_folder(found)),
        "folders": blocking(lambda: storage.folders(where)),
        "session log": blocking(lambda: storage.session_log(where.sessions)),
        "providers": models.providers(found),
        "embedded model": blocking(lambda: models.embedded(found, where)),
        "log": blocking(lambda: storage.log_file(where.logs)),
    }
    return await asyncio.gather(*(_guarded(title, check) for title, check in checks.items()))


async def _guarded(title: str, check: Coroutine[Any, Any, Section]) -> Section:
    """What the check finds; when it fails or does not end, that."""
    try:
        async with asyncio.timeout(SECONDS):
            return await check
    except TimeoutError:
        row = Row(
            title, "warning", f"not found out within {SECONDS:g} s", "a disk or a program may not answer: try again"
        )
    except TuiAgentError as error:
        row = Row(title, "failed", error.message, error.hint)
    except Exception as error:  # a report must come about whatever is wrong
        row = Row(title, "failed", f"this check broke: {error!r}", "please report it")
    return Section(title, (row,))


class _DaemonThreads(ThreadPoolExecutor):
    """A thread for each piece of work, and the end of the program waits for none: a disk or a name server may hang."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Begin at once."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # from now on it cannot be cancelled, only not waited for

        def work() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=work, name="tui-agent doctor", daemon=True).start()
        return future
