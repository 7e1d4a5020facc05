"""A word to a small model that ends its turn too soon.

What is said rests on facts of the turn: a named file was not read, the last call failed, nothing was changed or run.
Only what a prompt asks for is guessed, from English verbs at the beginning of a clause; a wrong guess costs a reply.
"""

import re
from collections.abc import Sequence

from tui_agent.agent.mentions import named_paths
from tui_agent.conversation.events import Nudged
from tui_agent.tools.attempt import ToolOutcome

REASON_SHOWN = 240
"""Characters of a failure, from its end, that a model is reminded of."""

_CLAUSE = r"(?:^|[.!?,;:\n]\s*|\b(?:and|then|please|to|you|in\s+\S+)\s+)"
_CHANGE = re.compile(
    _CLAUSE + r"(?:add|append|change|convert|correct|create|delete|edit|fix|implement|insert|make|modify|move|remove|"
    r"rename|repair|replace|rewrite|set|turn|update|write)\b",
    re.IGNORECASE,
)
_RUN = re.compile(_CLAUSE + r"(?:run|execute|start|launch)\b", re.IGNORECASE)


class Nudges:
    """What a turn was asked for and what came of it; each word is said once, more of them do not help."""

    def __init__(self) -> None:
        self._files: tuple[str, ...] = ()
        self._asked_change = False
        self._asked_run = False
        self._called = False
        self._changed = False
        self._ran = False
        self._failure = ""
        self._said: set[str] = set()

    def asked(self, prompt: str, files: Sequence[str]) -> None:
        """Take note of a prompt and of the files that it names and that are there."""
        self._files = tuple(files)
        names_one = any("." in path for path in named_paths(prompt))
        self._asked_change = names_one and _CHANGE.search(prompt) is not None
        self._asked_run = names_one and _RUN.search(prompt) is not None

    def done(self, outcomes: Sequence[ToolOutcome]) -> None:
        """Take note of what came of the calls of one reply."""
        self._called = True
        for outcome in outcomes:
            self._changed = self._changed or bool(outcome.result.files)
            self._ran = self._ran or outcome.result.exit_code is not None
        last = outcomes[-1]
        # A command that ran and failed has told its result; what failed without running left the task undone.
        undone = last.status == "failed" and last.result.exit_code is None
        self._failure = " ".join(last.result.content.split())[-REASON_SHOWN:] if undone else ""

    def word(self, *, looking: bool = False) -> Nudged | None:
        """What to say to a model that answered in words just now, if anything; `looking`: it may only look."""
        for kind, text, reason in self._looking() if looking else self._reasons():
            if kind not in self._said:
                self._said.add(kind)
                return Nudged(text, reason)
        return None

    def _reasons(self) -> list[tuple[str, str, str]]:
        reasons = []
        if self._failure:
            text = (
                f"It is not done: the last call failed and changed nothing ({self._failure}). Make the right call now."
            )
            reasons.append(("failed", text, "the last call failed and changed nothing"))
        if self._asked_run and not self._ran:
            reasons.append(("run", "Nothing was run yet. Call run_command now.", "nothing was run yet"))
        elif self._asked_change and not (self._changed or self._ran):
            text = "Nothing was changed yet. Call edit_file or write_file now."
            reasons.append(("change", text, "nothing was changed yet"))
        else:
            reasons += self._looking()
        return reasons

    def _looking(self) -> list[tuple[str, str, str]]:
        if not self._files or self._called:
            return []
        files = " and ".join(self._files)
        text = f"You have not read {files} yet. Call read_file first, then answer."
        return [("look", text, f"{files}: not read yet")]
