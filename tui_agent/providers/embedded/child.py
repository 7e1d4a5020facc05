"""The engine's own process: it loads a model and serves it on a free loopback port.

Started by the supervisor. While a model loads, the engine keeps the interpreter's lock for seconds, so nothing in
this process can heed anything: it is the supervisor that ends it.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from tui_agent.providers.embedded.messages import Answer, EngineJob, Order

BATCH_TOKENS = 128
"""Prompt tokens read at a time. Between two of them progress is told and an interruption is heeded; larger ones are 5 %
faster."""
RAM_CACHE_MIB = 256
"""For prompts that another window's prompt pushed out; the engine's own default is 8 GiB."""
HTTP_THREADS = 16
WARNINGS = 2
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Take the order from standard input, answer on standard output, and serve until standard input ends."""
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    _end_with(order.parent)
    output = os.dup(1)  # stays open: its end tells the supervisor of ours
    os.dup2(2, 1)  # what the engine prints belongs in the log
    try:
        serving, answer = _serve(order)
    except Exception as error:
        serving, answer = None, Answer(error=str(error) or type(error).__name__)
    os.write(output, msgspec.json.encode(answer) + b"\n")
    if serving is not None:
        sys.stdin.buffer.read()
    os._exit(0 if serving is not None else 1)


def _serve(order: Order) -> tuple[Any, Answer]:
    """The server, which lives as long as this object, and where it listens."""
    from xllamacpp import CommonParams, Server

    server = Server(parameters(order.job, order.key, CommonParams))
    return server, Answer(url=server.listening_address)


def parameters(job: EngineJob, key: str, make: Callable[[], Any]) -> Any:
    """The engine's parameters; `make` gives those it has by default."""
    params = make()
    params.model.path = job.model
    params.model_alias = {job.name}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.cors_origins = ""
    params.ui = False
    params.offline = True
    params.verbosity = WARNINGS
    params.n_ctx = job.context_length
    params.n_parallel = 1
    # A request that waits holds one of them; all must not be held when somebody asks how it goes.
    params.n_threads_http = HTTP_THREADS
    params.n_batch = params.n_ubatch = BATCH_TOKENS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = job.threads
    params.cache_ram_mib = RAM_CACHE_MIB
    # Everything that it would fit to the memory is set here, and finding that out costs a second.
    params.fit_params = False
    # Weights in another order would make answers a little faster, but loading take three times as long, and a third
    # more memory.
    params.no_extra_bufts = True
    params.use_jinja = True
    if job.template:
        params.chat_template = job.template
    params.endpoint_slots = True
    if job.slots:
        params.slot_save_path = os.path.join(job.slots, "")  # noqa: PTH118 - it wants the slash at the end
    return params


def _end_with(parent: int) -> None:
    """Be killed when the supervisor dies, however it does. Elsewhere than on Linux the end of its pipe must do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)  # it died before we asked


if __name__ == "__main__":
    main()
