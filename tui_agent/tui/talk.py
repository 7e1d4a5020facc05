"""A question beside the conversation, and what has come of it."""

import time
from collections.abc import Callable

from tui_agent.conversation.errors import TuiAgentError
from tui_agent.conversation.events import AsideAnswered, Event, PromptSubmitted
from tui_agent.tui.progress import Progress
from tui_agent.tui.widgets.activity import Activity
from tui_agent.tui.widgets.transcript.document import Document
from tui_agent.tui.widgets.transcript.projection import Projector

COMMAND = "/btw"


class Talk:
    """One question and what has come of it; `changed` is called with every change but those of the document."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.question = ""
        self.document = Document()
        self.going = False
        self.answer: AsideAnswered | None = None
        """What the session has logged, whole or not."""
        self.problem: TuiAgentError | None = None
        self.stop: Callable[[], None] = lambda: None
        """Ends the answer that is going."""
        self.changed: Callable[[], None] = lambda: None
        self._clock = clock
        self._progress = Progress()
        self._projector = Projector(self.document)

    @property
    def activity(self) -> Activity:
        """What goes on."""
        return self._progress.activity if self.going else Activity()

    def begin(self, question: str) -> None:
        """This is asked now, in place of what was before."""
        self.question, self.going, self.answer, self.problem = question, True, None, None
        self.document.clear()
        self._progress, self._projector = Progress(), Projector(self.document)
        self.take(PromptSubmitted(question))

    def take(self, event: Event) -> None:
        """Account for what happened."""
        if isinstance(event, AsideAnswered):
            self.answer = event
        else:
            self._projector.apply(event)
            self._progress.take(event, self._clock())
        self.changed()

    def end(self, problem: TuiAgentError | None = None) -> None:
        """Nothing more comes."""
        self.going, self.problem = False, problem
        self._projector.close()
        self.changed()
