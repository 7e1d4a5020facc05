"""A stage with a prompt, an approval panel and a clock that stands still, and the questions asked on it."""

from collections.abc import Sequence

from msgspec.structs import replace
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Static, TextArea

from tests.tui.stage import THEMES, Stage
from tui_agent.conversation.errors import ConfigError
from tui_agent.permissions.approval import (
    Access,
    ApprovalDecision,
    ApprovalRequest,
    Ask,
    CommandAccess,
    Verdict,
    WriteAccess,
)
from tui_agent.permissions.decision import Scene
from tui_agent.permissions.policy import RulePolicy, grant_text
from tui_agent.permissions.rules import Rules, parse_rules
from tui_agent.tui.counsel import Counsel
from tui_agent.tui.fatigue import Asked
from tui_agent.tui.theming import Palette
from tui_agent.tui.widgets.answer_bar import AnswerBar
from tui_agent.tui.widgets.approval_panel import ApprovalPanel
from tui_agent.workspace.changes import ChangePlan, FileChange

BEFORE = '''"""Carts."""

import os


class Cart:
    """What somebody wants to buy."""

    def __init__(self, items):
        self.items = items

    def total(self):
        result = 0
        for item in self.items:
            result = result + item.price
        return result

    def clear(self):
        self.items = []


def load(path):
    with open(path) as file:
        return Cart(file.readlines())


def save(cart, path):
    with open(path, "w") as file:
        file.writelines(cart.items)
'''
AFTER = (
    BEFORE.replace("import os\n", "")
    .replace("item.price\n        return result", "item.price * item.count\n        return round(result, 2)")
    .replace("(cart.items)\n", '(f"{item}\\n" for item in cart.items)\n\n\ndef empty():\n\treturn Cart([])  # \u202eno')
)


def change(before: str | None, after: str, name: str = "src/shop/cart.py") -> FileChange:
    return FileChange(f"/project/{name}", name, None if before is None else before.encode(), after.encode(), None)


def request(access: Access, tool: str = "run_command", grant: str = "", digest: str = "shown") -> ApprovalRequest:
    title = access.plan.changes[0].name if isinstance(access, WriteAccess) else ""
    return ApprovalRequest("call", tool, title, access, ("no rule covers it",), digest, session_grant=grant)


def command(text: str = "npm install left-pad", digest: str = "shown") -> ApprovalRequest:
    return request(CommandAccess(text, "/project", 120.0), digest=digest)


def asked(
    line: str, *rules: str, sandbox: str = "bwrap", reading: bool = False, ask: tuple[str, ...] = ()
) -> ApprovalRequest:
    """The question that comes of a command line under allow rules, and others that ask."""
    access = CommandAccess(line, "/project", 120.0, sandbox=sandbox)
    scene = Scene("/project", ("/project",), resolve=lambda path: path)
    policy = RulePolicy("ask", Rules(parse_rules(rules), parse_rules(ask), read_only=reading), scene)
    verdict = policy.decide("run_command", access)
    assert isinstance(verdict, Ask)
    access = replace(access, network=verdict.terms.network)
    return ApprovalRequest(
        "call",
        "run_command",
        line,
        access,
        verdict.reasons,
        "shown",
        session_grant=grant_text(access),
        parts=verdict.parts,
        only_reads=verdict.only_reads,
    )


SEVERAL = asked(
    "npm test && grep -rn 'a\tb' src | head -3\nrm -rf build \u202e && echo $(date)", "npm test", reading=True
)
READS = asked("git status --short | head -20")


PLAN = ChangePlan((change(BEFORE, AFTER),))
WRITE = request(WriteAccess(PLAN), "edit_file", "writes to src/shop/cart.py")


SCROLLBAR = dict.fromkeys(map(ord, "▁▂▃▄▅▆▇█"), " ")
"""What Textual itself draws at the ends of a scrollbar."""


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Advice:
    """A counsel with the policy of the questions here, that keeps what is saved; `trouble` keeps it from saving."""

    where = "~/.config/tui-agent/config.yaml"

    def __init__(self, *earlier: ApprovalRequest, deny: tuple[str, ...] = (), ask: tuple[str, ...] = ()) -> None:
        self.questions = [Asked(request) for request in earlier]
        self.saved: list[str] = []
        self.trouble: ConfigError | None = None
        self._deny = parse_rules(deny)
        self._ask = parse_rules(ask)

    async def judged(self, request: ApprovalRequest, command: str) -> Verdict:
        assert isinstance(request.access, CommandAccess)
        scene = Scene("/project", ("/project",), resolve=lambda path: path)
        rules = Rules(parse_rules(self.saved), self._ask, self._deny)
        return RulePolicy("ask", rules, scene).decide("run_command", replace(request.access, command=command))

    async def save(self, rules: Sequence[str]) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.saved += rules


class Prompt(TextArea):
    """Tells the panel of each key, as the chat's prompt does."""

    async def _on_key(self, event: Key) -> None:
        self.app.query_one(ApprovalPanel).prompt_key_pressed(event.key)
        await super()._on_key(event)


class QuestionApp(Stage):
    """A transcript, the panel and a prompt."""

    CSS = """
    Screen { layout: vertical; background: $background; }
    #transcript { height: 1fr; color: $tui-muted; }
    #foot { height: auto; dock: bottom; }
    Prompt { height: 3; border: none; background: $background; }
    """

    def __init__(self, theme: str = "slate", counsel: Counsel | None = None) -> None:
        super().__init__(theme)
        self.palette = Palette(THEMES[theme])
        self.clock = Clock()
        self.panel = ApprovalPanel(clock=self.clock, counsel=counsel)
        self.prompt = Prompt()
        self.answers: list[tuple[ApprovalRequest, ApprovalDecision]] = []
        self.reviews: list[ApprovalRequest] = []

    def compose(self) -> ComposeResult:
        yield Static("transcript", id="transcript")
        with Vertical(id="foot"):
            yield self.panel
            yield self.prompt

    def on_mount(self) -> None:
        self.prompt.cursor_blink = False
        self.prompt.focus()

    @on(ApprovalPanel.Answered)
    def _answered(self, event: ApprovalPanel.Answered) -> None:
        self.answers.append((event.request, event.decision))

    @on(ApprovalPanel.ReviewWanted)
    def _review(self, event: ApprovalPanel.ReviewWanted) -> None:
        self.reviews.append(event.request)

    @on(ApprovalPanel.Typed)
    def _typed(self, event: ApprovalPanel.Typed) -> None:
        self.prompt.focus()
        self.prompt.insert(event.text)

    @property
    def decision(self) -> ApprovalDecision | None:
        """The only answer given, if any."""
        assert len(self.answers) <= 1
        return self.answers[0][1] if self.answers else None

    async def ask(self, pilot: Pilot[object], question: ApprovalRequest) -> None:
        """Ask, and wait until the question is painted."""
        self.panel.ask(question)
        for _ in range(50):
            await pilot.pause()
            if self.panel.opens_at != float("inf"):
                return
        raise AssertionError("the question was never painted")

    async def arm(self, pilot: Pilot[object]) -> None:
        """Let enough time pass for the panel to take the focus."""
        self.clock.now += 60
        self.panel.arm_if_due()
        await pilot.pause()

    async def ask_and_arm(self, pilot: Pilot[object], question: ApprovalRequest) -> None:
        """Ask, and let it become answerable."""
        await self.ask(pilot, question)
        await self.arm(pilot)

    async def press(self, pilot: Pilot[object], *keys: str) -> None:
        """Press keys one by one, each with so much time behind it that it is no part of a word."""
        for key in keys:
            await pilot.press(key)
            while self.query_one(AnswerBar).pending:
                await pilot.pause(0.01)
            await pilot.pause()


def screen_text(app: Stage) -> str:
    """What the whole screen says now."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())
