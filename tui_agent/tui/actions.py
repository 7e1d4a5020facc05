"""The registry of everything a key or the palette can do; bindings, footer, palette, help and README derive from it."""

from typing import Literal, NamedTuple

Place = Literal[
    "app",
    "chat",
    "prompt",
    "transcript",
    "find",
    "approval",
    "review",
    "editor",
    "picker",
    "sessions",
    "choosing",
    "looking",
    "rewind",
    "themes",
    "trust",
    "modes",
    "plan",
    "questions",
    "background",
    "help",
]

PLACES: tuple[tuple[Place, str], ...] = (
    ("app", "everywhere"),
    ("chat", "chat"),
    ("prompt", "prompt"),
    ("transcript", "transcript"),
    ("find", "find"),
    ("approval", "question"),
    ("review", "diff review"),
    ("editor", "hunk editor"),
    ("picker", "provider and model"),
    ("sessions", "sessions"),
    ("choosing", "a choice or a name"),
    ("looking", "looking at a session"),
    ("rewind", "going back"),
    ("themes", "themes"),
    ("trust", "trust"),
    ("modes", "modes"),
    ("plan", "plan"),
    ("questions", "questions"),
    ("background", "in the background"),
    ("help", "help"),
)
"""Every place in the order in which people read about them, with its title."""


class Action(NamedTuple):
    """One thing the user can do.

    `id` is `place.name` and is what `ui.keys` rebinds; `method` is the Textual action on the widget, screen or app of
    that place, or of `on` when another place's owner has the method. `label` is for the footer (short, lower case),
    `help` one sentence for palette and help page. A `fixed` action is read by its widget itself: it is told to people,
    but it is no binding and cannot be rebound.
    """

    id: str
    keys: str
    method: str
    label: str
    help: str
    footer: bool = False
    palette: bool = False
    on: Place | None = None
    fixed: bool = False

    @property
    def place(self) -> str:
        """The part of the id before the first dot."""
        return self.id.partition(".")[0]

    @property
    def owner(self) -> str:
        """The place whose widget, screen or app has the method and the binding."""
        return self.on or self.place


ACTIONS: tuple[Action, ...] = (
    Action("app.quit", "ctrl+q", "quit_safely", "quit", "Leave; the session is kept.", palette=True),
    Action("app.stop_or_leave", "ctrl+c", "help_quit", "stop or leave", "Stop the turn; twice: leave.", fixed=True),
    Action("app.palette", "ctrl+p", "command_palette", "palette", "Find any command by typing.", footer=True),
    Action("app.help", "f1", "help", "help", "All keys and commands.", footer=True, palette=True),
    Action("app.theme", "f9", "themes", "theme", "Choose a theme with a live preview.", palette=True),
    Action("app.trust", "f7", "trust", "trust", "See what this project's settings ask for; trust them.", palette=True),
    Action(
        "chat.send",
        "enter",
        "send",
        "send",
        "Send the prompt; while busy it steers after the current tool.",
        on="prompt",
    ),
    Action(
        "chat.newline",
        "shift+enter,ctrl+j,alt+enter",
        "newline",
        "new line",
        "Start a new line in the prompt.",
        on="prompt",
    ),
    Action("chat.interrupt", "escape", "interrupt", "stop", "Stop the turn; what was queued comes back.", footer=True),
    Action(
        "chat.fetch", "f6", "fetch", "download", "Download the offered model and start it.", footer=True, palette=True
    ),
    Action("chat.look", "f5", "look", "look again", "Look again for a model server.", footer=True, palette=True),
    Action("chat.providers", "f2", "providers", "model", "Choose provider and model.", footer=True, palette=True),
    Action("chat.sessions", "f3", "sessions", "sessions", "Open an earlier session.", footer=True, palette=True),
    Action("chat.new", "f4", "new_session", "new", "Start a new session.", palette=True),
    Action("chat.mode", "shift+tab", "cycle_mode", "mode", "Go to the next approval mode.", palette=True),
    Action(
        "chat.modes",
        "f12",
        "modes",
        "modes",
        "See what each approval mode permits here; choose one.",
        palette=True,
    ),
    Action(
        "chat.plan",
        "ctrl+n",
        "plan",
        "plan",
        "Review the plan that the last turn ended with.",
        footer=True,
        palette=True,
    ),
    Action("chat.questions", "alt+q", "questions", "questions", "See what was asked; save rules.", palette=True),
    Action("chat.profile", "f8", "cycle_profile", "profile", "Give the model more, or less.", palette=True),
    Action("chat.thoughts", "ctrl+t", "toggle_thoughts", "thoughts", "Fold or unfold all thoughts.", palette=True),
    Action("chat.details", "ctrl+o", "toggle_details", "details", "Fold or unfold all tool calls.", palette=True),
    Action(
        "chat.review",
        "ctrl+r",
        "review",
        "review",
        "Open the diff of the change that waits for an answer.",
        palette=True,
    ),
    Action("chat.changes", "ctrl+g", "changes", "changes", "Review what the last turn changed.", palette=True),
    Action("chat.undo", "alt+z", "undo", "undo", "Undo what the last turn changed in files.", palette=True),
    Action("chat.redo", "alt+y", "redo", "redo", "Redo what was undone last.", palette=True),
    Action("chat.rewind", "alt+g", "rewind", "go back", "Go back to before an earlier prompt.", palette=True),
    Action(
        "chat.background",
        "f10",
        "background",
        "running",
        "See what runs in the background; stop it.",
        footer=True,
        palette=True,
    ),
    Action("chat.rename", "alt+t", "rename", "rename", "Give this session a name.", palette=True),
    Action("chat.fork", "alt+k", "fork", "fork", "Go on in a copy of this session, from a prompt.", palette=True),
    Action("chat.export", "alt+e", "export", "export", "Write this session without keys to a new file.", palette=True),
    Action("chat.replay", "alt+p", "replay", "replay", "See this session once more as it happened.", palette=True),
    Action("chat.find", "ctrl+f", "find", "find", "Find text in the transcript.", palette=True),
    Action("chat.page_up", "pageup", "page_up", "page up", "Scroll the transcript a page up."),
    Action("chat.page_down", "pagedown", "page_down", "page down", "Scroll the transcript a page down."),
    Action("chat.transcript", "ctrl+up", "focus_transcript", "transcript", "Move into the transcript.", palette=True),
    Action("prompt.complete", "tab", "complete", "complete", "Complete a /command or an @file."),
    Action("prompt.earlier", "up", "", "earlier", "On the first line: the prompt before this one.", fixed=True),
    Action("prompt.later", "down", "", "later", "On the last line: the prompt after this one.", fixed=True),
    Action("transcript.up", "up,k", "line_up", "up", "Scroll a line up."),
    Action("transcript.down", "down,j", "line_down", "down", "Scroll a line down."),
    Action("transcript.page_up", "pageup", "page_up", "page up", "Scroll a page up."),
    Action("transcript.page_down", "pagedown", "page_down", "page down", "Scroll a page down."),
    Action("transcript.home", "home,g", "home", "start", "Go to the start."),
    Action("transcript.end", "end,G", "end", "end", "Go to the end and follow."),
    Action("transcript.previous", "left_square_bracket", "previous_prompt", "previous", "Go to the previous prompt."),
    Action("transcript.next", "right_square_bracket", "next_prompt", "next", "Go to the next prompt."),
    Action("transcript.find_next", "n", "find_next", "next", "Go to the next place that was found.", footer=True),
    Action("transcript.find_previous", "N", "find_previous", "previous", "Go to the one before it.", footer=True),
    Action("transcript.fold", "enter,space", "fold", "fold", "Fold or unfold the block under the cursor.", footer=True),
    Action(
        "transcript.copy",
        "c",
        "copy",
        "copy",
        "Copy what is selected (as ctrl+c and enter do), else the block under the cursor.",
        footer=True,
    ),
    Action(
        "transcript.select", "v", "select", "select", "Select by arrow keys, from the cursor's row on.", footer=True
    ),
    Action(
        "transcript.extend",
        "shift+left,shift+right,shift+up,shift+down",
        "",
        "select more",
        "Select more, by characters and rows; with ctrl by words.",
        fixed=True,
    ),
    Action(
        "transcript.unselect", "escape", "unselect", "done", "Select nothing, or mark nothing, any more.", footer=True
    ),
    Action("transcript.select_all", "ctrl+a", "select_all", "select all", "Select the whole conversation."),
    Action("transcript.copy_code", "C", "copy_code", "copy code", "Copy the code in view; again: the next code."),
    Action("transcript.open", "o", "open_link", "open link", "Open a link of the block under the cursor."),
    Action("find.keep", "enter", "keep", "stay", "Stay there and go on in the transcript.", footer=True),
    Action("find.next", "down,ctrl+f", "next", "next", "Go to the next place that was found.", footer=True),
    Action("find.previous", "up,shift+enter", "previous", "previous", "Go to the one before it.", footer=True),
    Action("find.regex", "alt+r", "regex", "regex", "Take it as a regular expression, or as it is.", footer=True),
    Action("find.close", "escape", "close", "back", "Back to where it began.", footer=True),
    Action("approval.allow", "y", "allow", "allow once", "Allow this call.", footer=True),
    Action(
        "approval.session",
        "s",
        "allow_session",
        "for this session",
        "Allow it for the rest of this session.",
        footer=True,
    ),
    Action("approval.rule", "r", "allow_rule", "always", "Allow it by a rule, which is shown and saved.", footer=True),
    Action("approval.edit", "e", "edit", "edit", "Edit the command, or the change, before it is done.", footer=True),
    Action("approval.network", "w", "allow_network", "once + network", "Allow this call, with network.", footer=True),
    Action(
        "approval.reading",
        "o",
        "allow_reading",
        "let reading run",
        "Allow it, and let commands that only read run unasked for the rest of this session.",
        footer=True,
    ),
    Action("approval.deny", "n", "deny", "deny", "Deny this call.", footer=True),
    Action("approval.comment", "c", "deny_comment", "deny + comment", "Deny and tell the model why.", footer=True),
    Action("approval.review", "d", "review", "full diff", "Open the diff review.", footer=True),
    Action("approval.stop", "escape", "stop", "deny and stop", "Deny and stop the turn.", footer=True),
    Action("review.toggle", "space", "toggle_hunk", "accept/reject", "Accept the hunk, or reject it.", footer=True),
    Action("review.edit", "e", "edit_hunk", "edit", "Edit the new text of the hunk.", footer=True),
    Action("review.comment", "m", "comment", "comment", "Say something about the hunk to the model.", footer=True),
    Action("review.next_hunk", "j,n", "next_hunk", "next hunk", "Go to the next hunk.", footer=True),
    Action("review.previous_hunk", "k,p", "previous_hunk", "previous hunk", "Go to the previous hunk.", footer=True),
    Action("review.next_file", "right_square_bracket", "next_file", "next file", "Go to the next file.", footer=True),
    Action("review.previous_file", "left_square_bracket", "previous_file", "previous file", "Go to the previous file."),
    Action("review.layout", "v", "toggle_layout", "layout", "Switch between unified and side by side.", footer=True),
    Action("review.reject_file", "x", "reject_file", "reject file", "Reject all hunks of the file.", footer=True),
    Action("review.accept_file", "a", "accept_file", "accept file", "Accept all hunks of the file.", footer=True),
    Action("review.editor", "E", "editor", "$EDITOR", "Edit the whole proposed file in your own editor.", footer=True),
    Action("review.reject_all", "X", "reject_all", "reject all", "Reject all files.", footer=True),
    Action("review.accept_all", "A", "accept_all", "accept all", "Accept all files.", footer=True),
    Action("review.comment_all", "M", "comment_all", "comment on all", "Say something about the whole to the model."),
    Action("review.close", "escape,q", "close", "back", "Back to the chat; nothing is answered.", footer=True),
    Action("editor.keep", "ctrl+s,alt+enter", "keep", "keep", "Take what was typed into the diff.", footer=True),
    Action(
        "editor.discard", "escape", "discard", "back", "Back; what was typed is thrown away if you say so.", footer=True
    ),
    Action(
        "picker.choose", "enter", "choose", "use", "Use this provider and model from the next request on.", footer=True
    ),
    Action("picker.up", "up", "up", "up", "Go up in the list."),
    Action("picker.down", "down", "down", "down", "Go down in the list."),
    Action("picker.page_up", "pageup", "page_up", "page up", "Go a page up in the list."),
    Action("picker.page_down", "pagedown", "page_down", "page down", "Go a page down in the list."),
    Action("picker.refresh", "f5", "refresh_all", "refresh", "Ask every server again.", footer=True),
    Action("picker.close", "escape", "close", "back", "Back without switching.", footer=True),
    Action("sessions.open", "enter", "open", "open", "Open this session.", footer=True),
    Action("sessions.rename", "f2", "rename", "rename", "Give this session a name.", footer=True),
    Action("sessions.look", "f3", "look", "look", "Look at it; nothing can be sent there.", footer=True),
    Action("sessions.fork", "f4", "fork", "fork", "Go on in a copy of it, from a prompt.", footer=True),
    Action("sessions.export", "f6", "export", "export", "Write it without keys to a new file here.", footer=True),
    Action("sessions.delete", "f8", "delete", "delete", "Delete it for good; another key confirms.", footer=True),
    Action("sessions.confirm", "ctrl+y", "confirm", "delete it", "Yes, delete what was asked about.", footer=True),
    Action("sessions.everywhere", "tab", "everywhere", "folders", "Show all folders, or this one.", footer=True),
    Action("sessions.up", "up", "up", "up", "Go up in the list."),
    Action("sessions.down", "down", "down", "down", "Go down in the list."),
    Action("sessions.page_up", "pageup", "page_up", "page up", "Go a page up in the list."),
    Action("sessions.page_down", "pagedown", "page_down", "page down", "Go a page down in the list."),
    Action("sessions.close", "escape", "close", "back", "Back to the chat.", footer=True),
    Action("choosing.choose", "enter", "open", "take it", "Take this.", footer=True),
    Action("choosing.up", "up", "up", "up", "Go up in the list."),
    Action("choosing.down", "down", "down", "down", "Go down in the list."),
    Action("choosing.page_up", "pageup", "page_up", "page up", "Go a page up in the list."),
    Action("choosing.page_down", "pagedown", "page_down", "page down", "Go a page down in the list."),
    Action("choosing.close", "escape", "close", "back", "Back without a choice.", footer=True),
    Action("looking.close", "escape,q", "close", "back", "Back; a replay stops.", footer=True),
    Action("rewind.choose", "enter", "open", "go back", "Go back to before this prompt.", footer=True),
    Action(
        "rewind.what", "tab", "cycle_what", "what", "Choose what goes back: files, conversation, both.", footer=True
    ),
    Action("rewind.up", "up", "up", "up", "Go up in the list."),
    Action("rewind.down", "down", "down", "down", "Go down in the list."),
    Action("rewind.page_up", "pageup", "page_up", "page up", "Go a page up in the list."),
    Action("rewind.page_down", "pagedown", "page_down", "page down", "Go a page down in the list."),
    Action("rewind.close", "escape", "close", "back", "Back to the chat; nothing goes back.", footer=True),
    Action("themes.keep", "enter", "keep", "keep", "Keep the theme that is shown.", footer=True),
    Action("themes.up", "up,k", "up", "up", "Show the theme before this one."),
    Action("themes.down", "down,j", "down", "down", "Show the theme after this one."),
    Action("themes.close", "escape,q", "close", "back", "Back to the theme from before.", footer=True),
    Action("trust.accept", "y", "accept", "trust", "Trust the file with exactly this content.", footer=True),
    Action("trust.leave", "n,escape,f7", "leave", "leave it", "Back; what it asks for does not count.", footer=True),
    Action("trust.up", "up,k", "up", "up", "Scroll a line up."),
    Action("trust.down", "down,j", "down", "down", "Scroll a line down."),
    Action("trust.page_up", "pageup", "page_up", "page up", "Scroll a page up."),
    Action("trust.page_down", "pagedown,space", "page_down", "page down", "Scroll a page down."),
    Action("modes.choose", "enter", "choose", "use", "Go to this mode.", footer=True),
    Action("modes.up", "up,k", "up", "up", "Go to the stricter mode."),
    Action("modes.down", "down,j", "down", "down", "Go to the wider mode."),
    Action("modes.page_up", "pageup", "page_up", "page up", "Scroll what it permits a page up."),
    Action("modes.page_down", "pagedown,space", "page_down", "page down", "Scroll what it permits a page down."),
    Action("modes.close", "escape,q,f12", "close", "back", "Back; the mode stays as it is.", footer=True),
    Action("plan.accept", "y", "accept", "carry it out", "Let the plan be carried out in this mode.", footer=True),
    Action("plan.mode", "m", "next_mode", "mode", "Go to the next mode to carry it out in.", footer=True),
    Action("plan.edit", "e", "edit", "edit", "Edit the plan here; esc ends that.", footer=True),
    Action("plan.editor", "E", "editor", "editor", "Edit the plan in $EDITOR."),
    Action("plan.comment", "c", "comment", "send back", "Tell the model what to change in the plan.", footer=True),
    Action("plan.save", "s", "save", "save", "Write the plan to a file of the project.", footer=True),
    Action("plan.up", "up,k", "up", "up", "Scroll a line up."),
    Action("plan.down", "down,j", "down", "down", "Scroll a line down."),
    Action("plan.page_up", "pageup", "page_up", "page up", "Scroll a page up."),
    Action("plan.page_down", "pagedown,space", "page_down", "page down", "Scroll a page down."),
    Action("plan.close", "escape,ctrl+n", "close", "back", "Back; edits are kept, nothing is done.", footer=True),
    Action(
        "questions.rule", "r,enter", "rule", "rule", "Save the rule for this question; it is shown first.", footer=True
    ),
    Action("questions.up", "up,k", "up", "up", "Go to the question after this one."),
    Action("questions.down", "down,j", "down", "down", "Go to the question before this one."),
    Action("questions.page_up", "pageup", "page_up", "page up", "Go a page of questions up."),
    Action("questions.page_down", "pagedown,space", "page_down", "page down", "Go a page of questions down."),
    Action("questions.close", "escape,q,alt+q", "close", "back", "Back to the chat.", footer=True),
    Action("background.stop", "x,delete", "stop", "stop it", "Stop this command and all it started.", footer=True),
    Action("background.up", "up,k", "up", "up", "Go to the command before this one."),
    Action("background.down", "down,j", "down", "down", "Go to the command after this one."),
    Action("background.page_up", "pageup", "page_up", "page up", "Scroll the output a page up."),
    Action("background.page_down", "pagedown,space", "page_down", "page down", "Scroll the output a page down."),
    Action("background.close", "escape,q,f10", "close", "back", "Back to the chat; they go on.", footer=True),
    Action("help.up", "up,k", "up", "up", "Scroll a line up."),
    Action("help.down", "down,j", "down", "down", "Scroll a line down."),
    Action("help.page_up", "pageup", "page_up", "page up", "Scroll a page up."),
    Action("help.page_down", "pagedown,space", "page_down", "page down", "Scroll a page down."),
    Action("help.close", "escape,q,f1", "close", "back", "Back to where you were.", footer=True),
)

CHANGES: Action = next(action for action in ACTIONS if action.id == "chat.changes")
"""Named in the transcript under a turn that changed files."""
