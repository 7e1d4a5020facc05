"""The line in which a rule is read, changed and saved, and what is told about it while it is written."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from textual import events, on
from textual.app import ComposeResult
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from tui_agent.permissions.approval import ApprovalRequest
from tui_agent.permissions.proposals import Proposal, covered_before, covers_part, too_wide, uncovered
from tui_agent.permissions.rules import Rule, RuleError, parse_rule, parse_rules
from tui_agent.permissions.shell.script import SimpleCommand
from tui_agent.text.sanitize import read_back, spell_out
from tui_agent.tui.bindings import KEEPS_KEYS, run_in_order
from tui_agent.tui.fatigue import title_of
from tui_agent.tui.widgets.diff_cells import Item, Note
from tui_agent.tui.widgets.diff_text import one_line
from tui_agent.tui.widgets.key_hints import Hint, KeyHints

_SHOWN: Final = 20
"""Earlier commands that are listed; more are counted."""


class RuleInput(Input):
    """Keys do what they do in their order; what nobody sees is spelled out in what is pasted too."""

    @property
    def rule(self) -> str:
        """The rule as it is written now."""
        return read_back(self.value).strip()

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            self.post_message(RuleEntry.Entered(event, self.rule))
        elif event.key == "escape":
            self.post_message(RuleEntry.Left())
        else:
            await run_in_order(event, self, self)
            return
        event.stop()
        event.prevent_default()

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.insert_text_at_cursor(spell_out(" ".join(event.text.split("\n")).rstrip()))


class RuleEntry(Widget):
    """An input for one rule, with its two keys; whoever mounts it says what enter does."""

    DEFAULT_CSS = """
    RuleEntry {
        height: auto;
        display: none;
        &.-open { display: block; }
        Input { height: 1; border: none; padding: 0; background: $tui-raised; }
    }
    """

    class Changed(Message):
        """The text is another one."""

    class Entered(Message):
        """Enter was pressed, or its hint clicked, by `event`; `text` is what was written then."""

        def __init__(self, event: events.Event, text: str) -> None:
            super().__init__()
            self.event = event
            self.text = text

    class Left(Message):
        """Escape was pressed, or its hint clicked."""

    def __init__(self) -> None:
        super().__init__()
        self.input = RuleInput(
            select_on_focus=False, compact=True, placeholder="a rule, such as: npm test", classes=KEEPS_KEYS
        )
        self.hints = KeyHints()

    def compose(self) -> ComposeResult:
        """The line and its keys."""
        yield self.input
        yield self.hints

    @property
    def text(self) -> str:
        """The rule as it is written now."""
        return self.input.rule

    def open(self, text: str, enter: str) -> None:
        """Begin with a rule; `enter` says what enter does."""
        with self.prevent(Input.Changed):
            self.input.value = spell_out(text)
        self.input.cursor_position = len(self.input.value)
        self.hints.hints = (Hint("enter", "enter", enter), Hint("leave", "esc", "back"))
        self.hints.short = self.hints.hints
        self.hints.add_class("-armed")
        self.hints.refresh(layout=True)
        self.add_class("-open")

    def close(self) -> None:
        """Show it no more."""
        self.remove_class("-open")

    def lines_at(self, container: Size, viewport: Size, width: int) -> int:
        """How many lines it takes."""
        return 1 + self.hints.get_content_height(container, viewport, width)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed())

    @on(KeyHints.Pressed)
    def _clicked(self, event: KeyHints.Pressed) -> None:
        event.stop()
        self.post_message(self.Entered(event.event, self.text) if event.action == "enter" else self.Left())


class RuleWork:
    """The rules for one question: for each of its parts that no rule covers one, one after the other."""

    def __init__(self, request: ApprovalRequest, offered: Sequence[Proposal]) -> None:
        self.request = request
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
        from tui_agent.permissions.approval import WriteAccess

        access = self.request.access
        names = [change.name for change in access.plan.changes] if isinstance(access, WriteAccess) else []
        return [self.offer.about] if self.offer.about in names else names


def _all_covered(rules: Sequence[Rule], parts: Iterable[SimpleCommand]) -> bool:
    return all(covers_part(rules, part) for part in parts)


def rule_items(work: RuleWork, text: str, earlier: Sequence[ApprovalRequest], where: str, trouble: str) -> list[Item]:
    """What is to be known about the rule in the line: is it one, what it covers and would have covered, where it goes.

    `earlier` are the other questions of the session; `trouble` is why it could not be saved.
    """
    return list(_told(work, text, earlier, where, trouble))


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
