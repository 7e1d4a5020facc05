"""The system prompt: short on purpose, and the same bytes for every request of a session.

A small local model reads 40 to 200 prompt tokens a second, and servers reuse their prompt cache only while the prefix
does not change; so there is no clock, no file listing and no advice that the tools' own descriptions give.
"""

from tui_agent.conversation.messages import Message, ToolCall

_RULES = """\
You are tui-agent, a coding assistant in the user's terminal. Working directory: {directory} ({system}).
Use the tools to look before you answer or change anything; do not guess what a file holds. Small talk and \
general questions need no tool.
- Paths are relative to the working directory.
- Read a file before you edit it. Prefer small edits to rewriting files; keep the style that is there.
- The user sees and approves every write and command. When one is denied, do not try it again another way: follow the \
comment, or ask.
- A tool error says what was wrong: correct the call. Run the tests when there are any. Stop when the task is done.
- Answer in Markdown, briefly: what you found or changed and where (path:line)."""

_SMALL_RULES = """\
You are tui-agent, a coding assistant in the user's project folder.
- Greetings, arithmetic, general questions: answer in words, without a tool.
- This project's files or state: call a tool first, never guess. Run programs, tests, git: run_command.
- Change a file: read_file, then edit_file. New file: write_file with all of its content.
- Do all that was asked, one call at a time. Then say briefly what you found or changed."""


def _called(number: int, name: str, arguments: str, result: str) -> tuple[Message, Message]:
    call = ToolCall(f"example_{number}", name, arguments)
    return Message("assistant", "", tool_calls=(call,)), Message("tool", result, tool_call_id=call.id, tool_name=name)


EXAMPLE = (
    Message("user", "Hi! Write a CSS rule for red text."),
    Message("assistant", "```css\np { color: red; }\n```"),
    Message("user", "Add blue to colors.py, then run it. [colors.py: not read yet]"),
    *_called(1, "read_file", '{"file_path": "colors.py"}', 'print("red")'),
    *_called(
        2,
        "edit_file",
        '{"file_path": "colors.py", "old_string": "print(\\"red\\")", '
        '"new_string": "print(\\"red\\")\\nprint(\\"blue\\")"}',
        "edited colors.py",
    ),
    *_called(3, "run_command", '{"command": "python colors.py"}', "red\nblue"),
    Message("assistant", "I added blue to `colors.py`; it prints red and blue."),
    Message("user", "How large is this folder?"),
    *_called(4, "run_command", '{"command": "du -sh ."}', "96K"),
    Message("assistant", "This folder takes 96 KB."),
    Message("user", "What is 2 + 2?"),
    Message("assistant", "4"),
    Message("user", "Which fruits does fruits.txt name? [fruits.txt: not read yet]"),
    *_called(5, "read_file", '{"file_path": "fruits.txt"}', "apple\npear"),
    Message("assistant", "`fruits.txt` names two fruits: apple and pear."),
)
"""What a small model is shown before the conversation: a task of several steps, and a question that needs no tool."""

_PLAN = """

[Plan mode: only look (read, search). Writing is refused, and so is every command that does more than read. End with a \
plan as your answer: numbered steps, each with the files it touches and what changes there, then how to check the \
result. The user reviews and edits it before anything is done.]"""

_SMALL_PLAN = """

[Plan mode: only read and search. Change no file and run nothing. End with a plan: numbered steps, and the file that \
each one changes.]"""

PLAN_OVER = """

[Plan mode is over: files may be changed and commands run again.]"""
"""What the first prompt after plan mode ends with."""


def plan_words(*, small: bool) -> str:
    """What prompts in plan mode end with. The system prompt would be the wrong place: every change of the mode would
    throw away what a server has in its cache."""
    return _SMALL_PLAN if small else _PLAN


def system_prompt(directory: str, system: str, addition: str = "", *, small: bool = False) -> str:
    """The system prompt for a session in `directory` on `system` (such as "Linux"), with the user's `addition`.

    The one for small models names neither: its bytes are the same everywhere, so that a saved prompt cache serves all
    projects.
    """
    text = _SMALL_RULES if small else _RULES.format(directory=directory, system=system)
    return f"{text}\n\n{addition.strip()}" if addition.strip() else text
