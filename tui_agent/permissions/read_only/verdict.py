"""What judging one simple command gives: the paths it reads, or why it is not known to change nothing."""

from msgspec import Struct


class Unproven(Exception):
    """The command is not known to change nothing; the text says why."""


class Reads(Struct, frozen=True):
    """It changes nothing; it may read these paths (as written), and with `repository` the Git repository around it."""

    paths: tuple[str, ...] = ()
    repository: bool = False
