"""What judging one simple command gives: what it reads, or why it is not known to change nothing."""

from msgspec import Struct


class Unproven(Exception):
    """The command is not known to change nothing; the text says why."""


class Search(Struct, frozen=True):
    """What is read of the files in some folders (as written; a file among them is just itself).

    Without `hidden` names that begin with a dot are left out; `links` are followed where that is said; without `deep`
    only files right in the folders are read. `tracked`: only what Git tracks. `only` are globs of file names, any
    without; `without` names of folders that are left out.
    """

    folders: tuple[str, ...]
    hidden: bool = True
    links: bool = False
    deep: bool = True
    tracked: bool = False
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


class Reads(Struct, frozen=True):
    """It changes nothing; it may read these paths (as written), and with `repository` the Git repository around it.

    `directory` is where it goes first, if anywhere; `search` what it reads without naming it.
    """

    paths: tuple[str, ...] = ()
    repository: bool = False
    directory: str = ""
    search: Search | None = None
