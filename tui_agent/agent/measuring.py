"""How full the window of a session's model is."""

from tui_agent.agent.context import request_size
from tui_agent.agent.journal import Journal, TurnOptions
from tui_agent.agent.learning import Calibration, Learned
from tui_agent.agent.requests import first_request, next_items, with_items
from tui_agent.agent.window import ContextUse, Window, use_of, window_of
from tui_agent.conversation.events import AssistantReplied, LoggedEvent


def _known(session: Journal) -> tuple[Calibration, Learned]:
    return session.teachings.of(session.records, session.provider.name, session.model)


def calibration(session: Journal) -> Calibration:
    """What our count of tokens is to be multiplied by for the model in use."""
    return _known(session)[0]


def known_window(session: Journal) -> Window:
    """What is known of the window of the model in use."""
    counted, told = _known(session)
    server = session.model_info.context_length if session.model_info is not None else None
    return window_of(session.configured_window, server, told, counted.cut)


def size_of_next(session: Journal, options: TurnOptions, *further: LoggedEvent) -> int:
    """About the tokens of the next request, as if these events were logged already."""
    request = with_items(first_request(session, options), next_items(session, *further))
    return round(request_size(request) * calibration(session).factor)


def context_use(session: Journal, options: TurnOptions) -> ContextUse:
    """What fills the window of the model in use."""
    last = next((r.event for r in reversed(session.records) if isinstance(r.event, AssistantReplied)), None)
    return use_of(
        first_request(session, options), next_items(session), calibration(session), known_window(session), last
    )
