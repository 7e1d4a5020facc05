"""Tool calls that models write as text: find the ones that are meant, in a whole reply or while it streams."""

from tui_agent.providers.text_calls.answer import FoundCall
from tui_agent.providers.text_calls.names import Toolbox
from tui_agent.providers.text_calls.stream import Found, TextCallStream, find_calls

__all__ = ["Found", "FoundCall", "TextCallStream", "Toolbox", "find_calls"]
