"""What is done with sessions besides talking in them: named, copied, written, looked at and shown as they happened."""

from typing import TYPE_CHECKING, Literal

from tui_agent.conversation.errors import TuiAgentError
from tui_agent.conversation.events import PromptSubmitted, SessionStarted
from tui_agent.store.log import moment
from tui_agent.tui.host import Form, Host
from tui_agent.tui.screens.choosing import Choice, ChoosingScreen, NamingScreen
from tui_agent.tui.screens.looking import SPEED, LookingScreen
from tui_agent.tui.theming import Symbols

if TYPE_CHECKING:
    from tui_agent.store.log import SessionHeldError
    from tui_agent.tui.face import Face

_FORMS: dict[Form, str] = {
    "markdown": "to read in an editor",
    "html": "one page to read in a browser; it runs nothing and fetches nothing",
    "json": "all of it, for `tui-agent sessions import`",
}


def choose_form(symbols: Symbols) -> ChoosingScreen[Form]:
    """Asks what to write a session as."""
    choices = [Choice(form, form, about) for form, about in _FORMS.items()]
    return ChoosingScreen("write the session as", choices, symbols=symbols)


async def rename(face: "Face", host: Host, name: str, symbols: Symbols) -> None:
    """Give the open session a name; without one, ask for it."""
    session = host.session.id
    try:
        archive = host.archive
        if not session:
            face.say("info", "this session is empty: there is nothing to name yet")
            return
        if not name:
            rows = await archive.sessions(everywhere=True)
            known = next((row.title for row in rows if row.id == session), "")
            given = await face.choose(NamingScreen(known, symbols=symbols))
            if given is None:
                return
            name = given
        await archive.rename(session, name)
    except TuiAgentError as error:
        face.say("error", error.message, error.hint)
        return
    face.tell(f"this session is called: {name}" if name else "this session is called by its first prompt")


async def export(face: "Face", host: Host, form: str, symbols: Symbols) -> None:
    """Write the open session to a file of the project; without a form, ask for it."""
    session = host.session.id
    try:
        archive = host.archive
        if not session:
            face.say("info", "this session is empty: there is nothing to write yet")
            return
        named = next((known for known in _FORMS if form and known.startswith(form)), None)
        if form and named is None:
            face.say("warning", f"a session cannot be written as {form}", f"take {', '.join(_FORMS)}")
            return
        wanted = named or await face.choose(choose_form(symbols))
        if wanted is None:
            return
        path = await archive.export(session, wanted)
    except TuiAgentError as error:
        face.say("error", error.message, error.hint)
        return
    face.say("info", f"written without keys: {path}")


async def replay(face: "Face", host: Host, speed: str, symbols: Symbols) -> None:
    """Show the open session once more as it happened, so many times as fast."""
    try:
        times = float(speed) if speed else SPEED
    except ValueError:
        times = 0.0
    if not 0.1 <= times <= 1000:
        face.say("warning", f"{speed} is no speed", "/replay 8 is eight times as fast as it was")
    elif not host.session.records:
        face.say("info", "this session is empty: nothing has happened yet")
    else:
        await face.choose(LookingScreen(host.session.id, host.session.records, speed=times, symbols=symbols))


async def look(face: "Face", host: Host, session: str, symbols: Symbols) -> None:
    """Show all of a session that can be read.

    Raises:
        StoreError: there is no such session.
    """
    records = await host.archive.read(session)
    started = records[0].event
    where = f"  {started.working_directory}" if isinstance(started, SessionStarted) else ""
    await face.choose(LookingScreen(f"{session}{where}", records, symbols=symbols))


async def choose_place(face: "Face", host: Host, session: str, symbols: Symbols) -> int | None:
    """Let the user choose where a copy of a session ends: before which event, or 0 for all of it; None is no copy.

    Raises:
        StoreError: there is no such session.
    """
    records = await host.archive.read(session)
    choices = [Choice("0", "all of it", "goes on where the session stands")]
    choices += [
        Choice(str(record.seq), f"before {moment(record.time)[5:16]}", record.event.text[:500])
        for record in reversed(records)
        if isinstance(record.event, PromptSubmitted)
    ]
    chosen = await face.choose(ChoosingScreen("go on in a copy", choices, symbols=symbols))
    return None if chosen is None else int(chosen)


async def ask_about_held(face: "Face", error: "SessionHeldError", symbols: Symbols) -> Literal["look", "fork"] | None:
    """Say that another window has a session open, and ask what to do instead of opening it."""
    who = error.holder.describe() or "another window"
    choices = [
        Choice("fork", "go on in a copy", "the other window keeps this session for itself"),
        Choice("look", "look at it", "as it is now; nothing can be sent"),
    ]
    heading = f"session {error.session} is open in another window: {who}"
    chosen = await face.choose(ChoosingScreen(heading, choices, symbols=symbols))
    return "look" if chosen == "look" else "fork" if chosen == "fork" else None
