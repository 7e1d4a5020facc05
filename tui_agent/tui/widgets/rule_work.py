"""The rules that are written for one question, and what is told about them meanwhile. No widget."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from tui_agent.permissions.approval import ApprovalRequest, WriteAccess
from tui_agent.permissions.proposals import Proposal, covered_before, covers_part, too_wide, uncovered
from tui_agent.permissions.rules import Rule, RuleError, parse_rule, parse_rules
from tui_agent.permissions.shell.script import SimpleCommand
from tui_agent.tui.fatigue import title_of
from tui_agent.tui.widgets.diff_cells import Item, Note
from tui_agent.tui.widgets.diff_text import one_line

_SHOWN: Final = 20
"""Earlier commands that are listed; more are counted."""


class RuleWork:
    """The rules for one question: for each of its parts that no rule covers one, one after the other.

    `request` is the question as it is shown, `asked` as it was asked, where the command was edited.
    """

    def __init__(
        self, request: ApprovalRequest, offered: Sequence[Proposal], asked: ApprovalRequest | None = None
    ) -> None:
        self.request = request
        self.asked = asked or request
        self.rules: list[str] = []
        self._offered = tuple(offered)
        self._at = 0
        self.drafts: dict[int, str] = {}

    @property
    def offer(self) -> Proposal:
        """What the line is about now."""
        return self._offered[self._at]

    @property
    def draft(self) -> str:
        """What the line begins with: what was written there before, else what is proposed."""
        return self.drafts.get(self._at, self.offer.rule)

    @property
    def place(self) -> str:
        """`rule 1 of 2`, where there are several."""
        return f"rule {self._at + 1} of {len(self._offered)}" if len(self._offered) > 1 else ""

    @property
    def network(self) -> bool:
        """Whether all of the rules let the network be used."""
        return bool(self.rules) and all(rule.kind == "network" for rule in parse_rules(self.rules))

    def keep(self, text: str) -> None:
        """Remember what is written, so that going back loses nothing."""
        self.drafts[self._at] = text

    @property
    def unsaved(self) -> str:
        """What was written in place of a proposal, and not used."""
        return next((text for at, text in self.drafts.items() if text not in ("", self._offered[at].rule)), "")

    def problem(self, text: str) -> str:
        """Why this text cannot be the rule; "" when it can."""
        try:
            rule = parse_rule(text)
        except RuleError as error:
            return f"no rule: {error}"
        return (
            "" if self._covers([*parse_rules(self.rules), rule]) else f"it does not cover {one_line(self.offer.about)}"
        )

    def take(self, text: str) -> bool:
        """Take the rule and go on to the next part that is not covered; False when there is none."""
        self.keep(text)
        self.rules.append(text)
        taken = parse_rules(self.rules)
        while self._at + 1 < len(self._offered):
            self._at += 1
            if not self._covers(taken):
                return True
        return False

    def start_over(self) -> None:
        """Begin with the first part again."""
        self._at, self.rules = 0, []

    def _covers(self, rules: Sequence[Rule]) -> bool:
        """Whether the part that the line is about is covered."""
        parts = [part for part in uncovered(self.request) if part.text == self.offer.about]
        if parts:
            return _all_covered(rules, parts)
        kind = "tool" if self.offer.rule.startswith("tool(") else "write"
        names = [self.request.tool] if kind == "tool" else self._names()
        return all(any(rule.kind == kind and rule.names(name) for rule in rules) for name in names)

    def _names(self) -> list[str]:
        access = self.request.access
        names = [change.name for change in access.plan.changes] if isinstance(access, WriteAccess) else []
        return [self.offer.about] if self.offer.about in names else names


def _all_covered(rules: Sequence[Rule], parts: Iterable[SimpleCommand]) -> bool:
    return all(covers_part(rules, part) for part in parts)


def rule_items(work: RuleWork, text: str, questions: Sequence[ApprovalRequest], where: str, trouble: str) -> list[Item]:
    """What is to be known about the rule in the line: is it one, what it covers and would have covered, where it goes.

    `questions` are those of the session; `trouble` is why it could not be saved.
    """
    others = [question for question in questions if question is not work.asked]
    return list(_told(work, text, others, where, trouble))


def _told(work: RuleWork, text: str, earlier: Sequence[ApprovalRequest], where: str, trouble: str) -> Iterator[Item]:
    offer = work.offer
    if trouble:
        yield from (Note(line, "error") for line in trouble.splitlines())
    if offer.reason and text == offer.rule:
        yield Note(f"no rule is proposed: {offer.reason}", "warning")
        return
    if problem := work.problem(text):
        yield Note(problem, "error")
        return
    rule = parse_rule(text)
    yield Note("covers this, and what else begins with these words" if rule.words else "covers this call")
    if wide := too_wide(rule):
        yield Note(f"wide: {wide}", "warning")
    if rule.kind == "write" and "/" not in rule.pattern:
        yield Note("it covers files of this name in every folder", "warning")
    if rule.kind == "network":
        yield Note("it lets them use the network, too", "warning")
    found = covered_before([*parse_rules(work.rules), rule], earlier)
    if found:
        yield Note(f"of this session it would also have covered {len(found)} of {len(earlier)} other questions:")
        titles = list(dict.fromkeys(one_line(title_of(request)) for request in reversed(found)))
        yield from (Note(f"  {title}", "faint") for title in titles[:_SHOWN])
        if len(titles) > _SHOWN:
            yield Note(f"  and {len(titles) - _SHOWN} more", "faint")
    elif earlier:
        yield Note(f"it would have covered none of the {len(earlier)} other questions of this session", "faint")
    yield Note(f"saved in {where}", "faint")
