"""A session whose disk fills up in the middle: run on a small disk, with the server's address and the folder."""

import asyncio
import json
import os
import sys
from pathlib import Path

from tests.fakes.chat_server import ChatServer, reply_text
from tests.reliability.stage import collect, logged, session_at, write
from tui_agent.conversation.events import AssistantReplied, Noticed, ToolFinished
from tui_agent.store.sqlite import SqliteLog


async def main(root: Path) -> None:
    """Two turns with room, two without, one with room again; what happened goes to standard output."""
    script = [
        *(write("small.txt", "old\n"), reply_text("One.")),
        *(write("big.txt", "x" * 300_000, first=2), reply_text("Two.")),
        reply_text("Three."),
        reply_text("Four."),
    ]
    with ChatServer(script) as server:
        async with session_at(server, root) as session:
            events = await collect(session, "a")
            filler = root / "filler"
            with filler.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(b"\0" * 4096)
                except OSError:
                    pass
            events += await collect(session, "b")
            events += await collect(session, "c")
            filler.unlink()
            events += await collect(session, "d")
            log = SqliteLog(root / "sessions.db")
            print(
                json.dumps(
                    {
                        "warnings": [event.text for event in events if isinstance(event, Noticed)],
                        "replies": [event.text for event in logged(session, AssistantReplied)],
                        "results": [(event.status, event.content) for event in logged(session, ToolFinished)],
                        "files": sorted(os.listdir(root / "project")),
                        "sent": [message["content"] for message in server.bodies[-1]["messages"]],
                        "saved": len(await log.read(session.id)),
                        "fault": await log.verify(session.id),
                    }
                )
            )
            await log.aclose()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
