"""Questions and answers as JSON, for a face in another process; bytes become base64, and nothing is lost."""

import json
from typing import Any

import msgspec

from tui_agent.permissions.approval import ApprovalDecision, ApprovalRequest


class WireError(ValueError):
    """What came is no question, or no answer; the text says where it is wrong."""


def as_json(value: ApprovalRequest | ApprovalDecision) -> str:
    """It in JSON of ASCII characters only: a lone surrogate, which stands for a byte of a file's name, is escaped."""
    return json.dumps(msgspec.to_builtins(value))


def request_from(text: str | bytes) -> ApprovalRequest:
    """The question that `as_json` gave.

    Raises:
        WireError: it is none.
    """
    found: ApprovalRequest = _converted(text, ApprovalRequest)
    return found


def decision_from(text: str | bytes) -> ApprovalDecision:
    """An answer; one with a field that is not known is none: it may have been meant to allow less.

    Whether it is one to the question at hand, its digest says to whoever asked.

    Raises:
        WireError: it is none.
    """
    found: ApprovalDecision = _converted(text, ApprovalDecision)
    return found


def _converted(text: str | bytes, wanted: Any) -> Any:
    try:
        return msgspec.convert(json.loads(text), wanted)
    except (ValueError, RecursionError) as error:
        raise WireError(str(error)) from error
