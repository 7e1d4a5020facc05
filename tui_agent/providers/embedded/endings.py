"""Why an engine has ended, and what can be done about it."""

import math
import re
import signal
from pathlib import Path

from tui_agent.conversation.errors import ProviderError
from tui_agent.providers.embedded.catalogue import MODELS
from tui_agent.providers.embedded.engine import EngineSpec
from tui_agent.providers.embedded.machine import cannot_run
from tui_agent.providers.embedded.messages import Report
from tui_agent.text.sanitize import one_line

LOG_BYTES = 64 * 1024
"""Of the beginning of a log are searched."""

_LOG_ERROR = re.compile(r"^[\d.]+ E (?:\w+: +)*(.+)$", re.MULTILINE)
_MEMORY = re.compile(r"insufficient memory|failed to allocate|out of memory|unable to allocate", re.IGNORECASE)


def explain_end(spec: EngineSpec, report: Report, log_path: Path, *, loading: bool) -> ProviderError:
    """Why an engine has ended."""
    name = spec.job.name
    where = f" while it loaded {name}" if loading else ""
    see = f"its log: {log_path}"
    again = see if loading else f"it is started again with the next prompt; {see}"
    code = report.code
    if code is not None and report.error:
        return _not_loaded(spec, report.error, log_path)
    if code == -signal.SIGILL:
        return cannot_run()
    if code == -signal.SIGKILL:
        return ProviderError(
            "server",
            f"The embedded engine was killed (signal 9){where}; it may have run out of memory "
            f"({name} needs about {_memory(spec)} GB)",
            f"close other programs or use a smaller model; {again}",
        )
    if code is None:
        why = f": {one_line(report.error)}" if report.error else ""
        return ProviderError("server", f"The embedded engine stopped{where}{why}", again)
    how = f"crashed (signal {-code})" if code < 0 else f"ended with exit code {code}"
    return ProviderError("server", f"The embedded engine {how}{where}", again)


def _not_loaded(spec: EngineSpec, error: str, log_path: Path) -> ProviderError:
    """The engine says that it cannot serve the model; why is in its log."""
    try:
        with log_path.open("rb") as file:
            text = file.read(LOG_BYTES).decode("utf-8", "replace")
    except OSError:
        text = ""
    found = _LOG_ERROR.search(text)
    reason = one_line(found[1] if found else error)[:200]
    if _MEMORY.search(text):
        hint = f"close other programs, lower `context_length`, or use a smaller model; its log: {log_path}"
        return ProviderError("server", f"Not enough memory for {spec.job.name}: {reason}", hint)
    model_file = Path(spec.job.model)
    if any(model_file.name == model.file_name for model in MODELS):
        hint = f"if it is damaged, remove it and fetch it again: tui-agent models pull {spec.job.name}"
    else:
        hint = "`model_file` must be a whole GGUF file"
    return ProviderError(
        "model", f"The embedded engine cannot load {model_file}: {reason}", f"{hint}; its log: {log_path}"
    )


def _memory(spec: EngineSpec) -> int:
    """What the engine takes at most, in GB: measured to be less than twice the model's file."""
    try:
        return math.ceil(2 * Path(spec.job.model).stat().st_size / 1e9)
    except OSError:
        return 4
