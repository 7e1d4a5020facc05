"""What the client, the supervisor and the engine tell each other: one JSON object a line."""

from typing import Literal

from msgspec import Struct


class EngineJob(Struct, frozen=True):
    """What to run; `slots` is the folder for saved prompts, empty for none. An empty `template` is the file's own."""

    model: str
    name: str
    context_length: int
    threads: int
    template: str
    slots: str


class Order(Struct, frozen=True):
    """From the supervisor to the engine: the key that requests must carry, and the process to end with."""

    job: EngineJob
    key: str
    parent: int


class Answer(Struct, frozen=True):
    """From the engine to the supervisor: where it listens, or why it does not."""

    url: str = ""
    error: str = ""


class Charge(Struct, frozen=True):
    """From the client that starts a supervisor: the engine to run, and the places that belong to it alone.

    `place` is the byte of the file `lock` whose lock is held while this engine lives. `command` starts the engine.
    """

    lock: str
    place: int
    socket: str
    log: str
    command: tuple[str, ...]
    job: EngineJob


class Report(Struct, frozen=True):
    """From the supervisor to each client, whenever it changes.

    "taken": another supervisor runs this engine. "stopped": it is over; `code` is the engine's exit code, negative for
    a signal, and `error` what it said itself. `clients` counts the connections.
    """

    state: Literal["loading", "ready", "stopped", "taken"]
    clients: int = 0
    url: str = ""
    key: str = ""
    code: int | None = None
    error: str = ""
