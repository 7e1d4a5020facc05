"""The log file: what went on, for finding faults; never prompts, answers, file contents or keys.

Each line is a JSON object: `time` (with the offset of the local time), `level`, `process`, `logger`, `text`, and
`trace` for an exception.
"""

import json
import logging
import time
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from tui_agent.config.locations import locations
from tui_agent.text.own_keys import own_keys
from tui_agent.text.redaction import hide_keys

LOG_BYTES = 2_000_000
LOG_FILES = 3
"""Files that are kept beside the present one."""
RECORD_CHARACTERS = 20_000
"""Of a text or a trace; the end of a longer one is what matters."""


class LogFile(RotatingFileHandler):
    """Opened, and its folder made, when there is something to write; one that cannot be written keeps silent."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8", delay=True)

    def _open(self) -> TextIOWrapper:
        folder = Path(self.baseFilename).parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return super()._open()

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing: a full disk must not write over the screen."""


class JsonLine(logging.Formatter):
    """One line a record, without our own keys and without what looks like a key, in texts and in traces."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        second = time.localtime(record.created)
        fields = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", second) + f".{record.msecs:03.0f}" + time.strftime("%z", second),
            "level": record.levelname,
            "process": record.process,
            "logger": record.name,
            "text": _safe(record.getMessage()),
        }
        if record.exc_info:
            fields["trace"] = _safe(self.formatException(record.exc_info))
        return json.dumps(fields)


def _safe(text: str) -> str:
    # Keys go first: one that is cut in two is not known any more.
    text = hide_keys(own_keys.hide(text))
    return text if len(text) <= RECORD_CHARACTERS else f"… {text[-RECORD_CHARACTERS:]}"


def log_file() -> Path:
    """Where `start_log` writes to."""
    return locations().logs / "tui-agent.log"


def start_log(level: str) -> None:
    """Write what our modules log at `level` and above to `tui-agent.log`, rotated: 8 MB in all."""
    logger = logging.getLogger("tui_agent")
    if logger.handlers:
        return
    logger.setLevel(level)
    logger.propagate = False
    handler = LogFile(log_file())
    handler.setFormatter(JsonLine())
    logger.addHandler(handler)
