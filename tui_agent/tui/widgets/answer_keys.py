"""Which keys answer a question, and what they say."""

from collections.abc import Mapping
from typing import Final

from tui_agent.permissions.approval import ApprovalRequest, CommandAccess, WriteAccess
from tui_agent.tui.actions import ACTIONS
from tui_agent.tui.bindings import key_name, keys_of
from tui_agent.tui.widgets.diff_text import one_line
from tui_agent.tui.widgets.key_hints import Hint

_SHORT: Final = {
    "allow": "once",
    "allow_network": "network",
    "allow_session": "session",
    "allow_rule": "always",
    "allow_reading": "reads",
    "edit": "edit",
    "deny": "deny",
    "deny_comment": "comment",
    "review": "diff",
    "stop": "stop",
}
"""Labels for when the full ones do not fit into two lines."""

_LONGEST: Final = 40


class Question:
    """A question as the keys see it.

    `always` is what the key for rules would save, in words, None where no rule can; `editable`: the command can be
    edited; `refused`: the command as it was edited is one that may not run. `beside` is the place of the screen around.
    """

    def __init__(
        self,
        request: ApprovalRequest,
        *,
        always: str | None = None,
        editable: bool = False,
        refused: bool = False,
        beside: str = "",
    ) -> None:
        self.request = request
        self._always = always
        self._editable = editable
        self._refused = refused
        self._beside = beside

    def offers(self, action: str) -> bool:
        """Not every question can be allowed for the session or by a rule, and only a write has a diff."""
        access = self.request.access
        if self._refused and action.startswith("allow"):
            return False
        match action:
            case "allow_session":
                return bool(self.request.session_grant)
            case "allow_network":
                return isinstance(access, CommandAccess) and access.network_offered
            case "allow_reading":
                return self.request.only_reads
            case "allow_rule":
                return self._always is not None
            case "edit":
                return self._editable or self._has_review
            case "review":
                return self._has_review
        return True

    @property
    def _has_review(self) -> bool:
        return self._beside != "review" and isinstance(self.request.access, WriteAccess)

    def hints(self, keymap: Mapping[str, str], *, short: bool) -> tuple[Hint, ...]:
        """The keys with their labels, under a user's bindings."""
        out = []
        for action in ACTIONS:
            if action.owner != "approval" or not self.offers(action.method):
                continue
            label = _SHORT.get(action.method, action.label) if short else action.label
            if not short and action.method == "allow_session":
                label = f"{action.label}: {one_line(self.request.session_grant)}"
            elif not short and action.method == "allow_rule" and self._always:
                label = f"{action.label}: {_cut(one_line(self._always))}"
            keys = keys_of(action, keymap)
            out.append(Hint(action.method, key_name(keys[0]) if keys else "", label))
        return tuple(out)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
