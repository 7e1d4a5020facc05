"""The errors of the program.

Each says what happened, on what, and (in `hint`) what the user can do. Faces print them; nothing below a face does.
"""

from typing import Literal

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_REFUSED = 3
EXIT_UNREACHABLE = 4
EXIT_INTERRUPTED = 130


class TuiAgentError(Exception):
    """Base of all errors meant for a person; `exit_code` is what a command line ends with."""

    exit_code: int = EXIT_FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(TuiAgentError):
    """The command line does not make sense."""

    exit_code = EXIT_USAGE


class ConfigError(TuiAgentError):
    """A settings or theme file is wrong; the message names file, line and key."""

    exit_code = EXIT_USAGE


class StoreError(TuiAgentError):
    """The session log cannot be read or written."""


class WorkspaceError(TuiAgentError):
    """A path or file cannot be used: outside, missing, binary, too large, changed meanwhile."""


class RefusedError(TuiAgentError):
    """Policy or the user said no."""

    exit_code = EXIT_REFUSED


ProviderErrorKind = Literal[
    "unreachable",  # refused, DNS, TLS, reset before the first byte
    "key",  # missing, 401, 403
    "model",  # unknown model
    "timeout",  # no byte for `timeout` seconds
    "limited",  # 429 after all retries
    "context",  # the request is larger than the model's window
    "request",  # other 4xx
    "server",  # 5xx after all retries
    "protocol",  # not what the API promises: HTML, bad JSON, stream ended early
]


class ProviderError(TuiAgentError):
    """A language-model server failed.

    `exit_code` is 4 when it could not be reached and 1 otherwise. `window` is how many tokens the server takes, when
    it said so in refusing a request as too long. `hasty`: not all was tried, because somebody else may answer instead.
    """

    def __init__(
        self,
        kind: ProviderErrorKind,
        message: str,
        hint: str = "",
        status: int | None = None,
        window: int | None = None,
    ) -> None:
        super().__init__(message, hint)
        self.kind = kind
        self.status = status
        self.window = window
        self.hasty = False
        self.exit_code = EXIT_UNREACHABLE if kind == "unreachable" else EXIT_FAILED


class ToolError(TuiAgentError):
    """A call cannot be carried out; the message goes back to the model as the result."""
