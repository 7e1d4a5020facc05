"""The log file: what went on, for finding faults; never prompts, answers, file contents or keys."""

import logging
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from tui_agent.config.locations import locations
from tui_agent.text.own_keys import own_keys
from tui_agent.text.redaction import hide_keys

LOG_BYTES = 2_000_000
LOG_FILES = 3


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


class SafeFormatter(logging.Formatter):
    """Without our own keys, and without what looks like a key, in messages and in the traces of exceptions."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        return hide_keys(own_keys.hide(super().format(record)))


def log_file() -> Path:
    """Where `start_log` writes to."""
    return locations().logs / "tui-agent.log"


def start_log(level: str) -> None:
    """Write what our modules log at `level` and above to `tui-agent.log`, rotated."""
    logger = logging.getLogger("tui_agent")
    if logger.handlers:
        return
    logger.setLevel(level)
    logger.propagate = False
    handler = LogFile(log_file())
    handler.setFormatter(SafeFormatter("%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"))
    logger.addHandler(handler)
