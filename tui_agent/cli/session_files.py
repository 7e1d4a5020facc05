"""`tui-agent sessions export` and `import`: a session as a file."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tui_agent.conversation.errors import EXIT_DONE, TuiAgentError, UsageError

if TYPE_CHECKING:
    from tui_agent.cli.archive import Form
    from tui_agent.store.sqlite import SqliteLog

_ENDINGS: "dict[str, Form]" = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".json": "json",
}


def _named(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # the home of somebody who does not exist
        return Path(text)


async def export(args: argparse.Namespace, log: "SqliteLog") -> int:
    """Write a session to a new file, or to standard output."""
    from tui_agent.cli import archive, saved, wiring
    from tui_agent.store.new_file import write_new

    output = _named(args.output) if args.output else None
    form: Form = args.format or (_ENDINGS.get(output.suffix.lower()) if output else None) or "markdown"
    wiring.settings_from(args)  # so that our own keys are known, and taken out
    session = await saved.full_session_id(log, args.id)
    text = await archive.exported(log, session, form)
    if output is None:
        sys.stdout.write(text)
        return EXIT_DONE
    try:
        write_new(output, text.encode())
    except FileExistsError:
        raise UsageError(f"{output} is there already", "name another file: nothing is written over") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise TuiAgentError(f"cannot write {output}: {reason}", "name a file in a folder that can be written") from None
    sys.stderr.write(f"written: {output} ({len(text.encode()):,} bytes, without keys)\n")
    return EXIT_DONE


async def take_in(args: argparse.Namespace, log: "SqliteLog") -> int:
    """Take in a session as one of this folder, under a new id."""
    from msgspec.structs import replace

    from tui_agent.agent.book import new_session_id
    from tui_agent.agent.secrecy import without_keys
    from tui_agent.cli import wiring
    from tui_agent.store.transfer import read_export
    from tui_agent.text.own_keys import own_keys

    wiring.settings_from(args)
    directory = wiring.working_directory(args)
    imported = read_export(_named(args.file), str(directory))
    records = [replace(record, event=without_keys(record.event)) for record in imported.records]
    now = time.time()
    written = await log.put(new_session_id(now), records, own_keys.hide(imported.title), now)
    session = written[0].session
    if args.json:
        sys.stdout.write(json.dumps({"id": session, "events": len(written)}) + "\n")
    else:
        sys.stdout.write(f"{session}\n")
        sys.stderr.write(f"{len(written):,} events; go on there: tui-agent sessions resume {session}\n")
    return EXIT_DONE
