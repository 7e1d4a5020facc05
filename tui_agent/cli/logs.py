"""The log file: what went on, for finding faults; never prompts, answers, file contents or keys."""

import logging
from logging.handlers import RotatingFileHandler

from tui_agent.config.locations import locations

LOG_BYTES = 2_000_000
LOG_FILES = 3


def start_log(level: str) -> None:
    """Write what our modules log at `level` and above to `tui-agent.log`, rotated; nowhere when that cannot be."""
    logger = logging.getLogger("tui_agent")
    if logger.handlers:
        return
    logger.setLevel(level)
    logger.propagate = False
    folder = locations().logs
    handler: logging.Handler
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handler = RotatingFileHandler(
            folder / "tui-agent.log", maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8", delay=True
        )
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"))
    logger.addHandler(handler)
