"""The entry point: finds the subcommand, imports only its module, and turns errors into messages and exit codes."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui_agent import __version__

if TYPE_CHECKING:
    import argparse

    from _typeshed import SupportsWrite

COMMANDS = {
    "chat": "open the UI (the default): tui-agent [PATH]",
    "invoke": "answer one prompt without a screen",
    "providers": "list, test, and show the models of providers",
    "models": "list, fetch and remove models that run here, without a server",
    "sessions": "find, read, copy, move and delete earlier sessions",
    "tools": "list, show and call tools",
    "permissions": "say what would happen with a command, and why",
    "config": "show and check the configuration",
    "trust": "see what a project's settings ask for, and let them count",
    "doctor": "look at everything tui-agent needs, and say what to mend",
}

USAGE = """\
usage: tui-agent [PATH] [options]
       tui-agent COMMAND [options]

A coding assistant in the terminal: choose your model, see every change before it happens.

commands:
{commands}

`tui-agent COMMAND --help` says more; `tui-agent chat --help` lists the options of the UI.

examples:
  tui-agent                           open the UI in this folder
  tui-agent ~/src/shop --provider ollama
  echo "what does this project do?" | tui-agent invoke -m -
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in ("-h", "--help"):
        rows = "\n".join(f"  {name:<11}{text}" for name, text in COMMANDS.items())
        sys.stdout.write(USAGE.format(commands=rows))
        return 0
    if words and words[0] in ("-V", "--version"):
        sys.stdout.write(f"tui-agent {__version__}\n")
        return 0
    name = words.pop(0) if words and words[0] in COMMANDS else "chat"
    return _run(name, words)


def _run(name: str, words: list[str]) -> int:
    import atexit
    import gc

    from tui_agent.conversation.errors import EXIT_FAILED, EXIT_INTERRUPTED, TuiAgentError

    atexit.register(gc.freeze)  # to look for garbage at the very end takes 0.3 s once a model client is loaded
    _mend_streams()
    try:
        args = _parser(name).parse_args(words)
        if name != "chat":  # the UI opens it after its first paint
            from tui_agent.cli.logs import start_log

            start_log(args.log_level)
        code: int = args.run(args)
        sys.stdout.flush()
    except TuiAgentError as error:
        report(error.message, error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except OSError as error:
        # Stdout is pointed elsewhere: the flush at exit would fail again. A reader that left (`| head`) needs no word.
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            report(f"cannot go on: {error}")
        return EXIT_FAILED
    except Exception as error:  # a fault of ours
        import logging

        from tui_agent.cli.logs import log_file, start_log

        start_log("WARNING")
        logging.getLogger("tui_agent.cli").exception("%s failed", name)
        where = f"the log says where: {log_file()}"
        if name == "chat":  # the text of an exception may quote what was on the screen, which should leave with it
            report(f"internal error: {type(error).__name__}; {where}")
        else:
            report(f"internal error: {error!r}", where)
        return EXIT_FAILED
    return code


def _mend_streams() -> None:
    """Give closed streams (`>&-`) a place to write to, and write what an encoding other than UTF-8 lacks as escapes."""
    import io
    import os

    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - it lives as long as we do
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - likewise
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _parser(name: str) -> "argparse.ArgumentParser":
    import argparse
    import importlib

    class Parser(argparse.ArgumentParser):
        def _print_message(self, message: str, file: "SupportsWrite[str] | None" = None) -> None:
            """Its errors quote what was given, and names of files may have been."""
            from tui_agent.text.sanitize import sanitize

            super()._print_message(sanitize(message, "approval"), file)

    module = importlib.import_module(f"tui_agent.cli.{name}")
    parser = Parser(
        prog=f"tui-agent {name}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.configure(parser)
    parser.set_defaults(run=module.run)
    return parser


def report(message: str, hint: str = "") -> None:
    """Print an error for a person, without our own keys; control characters in it are made visible."""
    from tui_agent.text.own_keys import own_keys
    from tui_agent.text.sanitize import sanitize

    message, hint = own_keys.hide(message), own_keys.hide(hint)
    text = f"error: {sanitize(message, 'approval')}\n"
    if hint:
        text += "".join(f"  {line}\n" for line in sanitize(hint, "approval").splitlines())
    sys.stderr.write(text)


if __name__ == "__main__":
    sys.exit(main())
