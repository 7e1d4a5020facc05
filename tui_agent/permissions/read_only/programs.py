"""The table of programs that only read, with the options that keep it so (GNU coreutils 9, grep 3, find 4.9)."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tui_agent.permissions.read_only import find, git, search, stream
from tui_agent.permissions.read_only.options import Options, operands, options
from tui_agent.permissions.read_only.verdict import Reads, Search, Unproven

Judge = Callable[[Sequence[str]], Reads]

_ANY: Final = 10_000


def _program(name: str, known: Options, *, least: int = 0, most: int = _ANY, files: bool = True) -> tuple[str, Judge]:
    """A program whose operands are files, or words that name none."""

    def judge(words: Sequence[str]) -> Reads:
        found = operands(name, words, known)
        if not least <= len(found) <= most:
            raise Unproven(f"`{name}` does something else with {len(found)} operands")
        return Reads(tuple(found)) if files else Reads()

    return name, judge


def _words_only(name: str, known: Options, most: int = _ANY) -> tuple[str, Judge]:
    return _program(name, known, most=most, files=False)


def _echo(_words: Sequence[str]) -> Reads:
    return Reads()


_FORMAT: Final = re.compile(r"(?:[^%\\]|%%|%[-+ 0]?[0-9]*(?:\.[0-9]+)?[sdiuoxXfeEgGc]|\\[nt\\])*")


def _printf(words: Sequence[str]) -> Reads:
    """A shell builtin that can set variables (`-v`, `%n`): only formats that cannot."""
    rest = words[1:] if words and words[0] == "--" else words
    if not rest or (rest is words and words[0].startswith("-")) or not _FORMAT.fullmatch(rest[0]):
        raise Unproven("only plain formats of `printf` are known to be harmless")
    return Reads()


def _date(words: Sequence[str]) -> Reads:
    known = options("uR", "d", "utc universal rfc-email iso-8601", "date rfc-3339", optional="I")
    found = operands("date", words, known)
    if any(not word.startswith("+") for word in found):
        raise Unproven("`date` sets the clock with such an operand")
    return Reads()


def _test(words: Sequence[str]) -> Reads:
    """A shell builtin that evaluates what it is given (`-v`, `-eq`): only questions about one file or two texts."""
    asked = words[1:] if words and words[0] == "!" else words
    if len(asked) == 2 and asked[0] in ("-e", "-f", "-d", "-s", "-r", "-w", "-x", "-L", "-h"):
        return Reads((asked[1],))
    if (len(asked) == 2 and asked[0] in ("-n", "-z")) or (len(asked) == 3 and asked[1] in ("=", "==", "!=")):
        return Reads()
    raise Unproven("only `test -f FILE` and the like are known to be harmless")


def _bracket(words: Sequence[str]) -> Reads:
    if not words or words[-1] != "]":
        raise Unproven("`[` without `]` at its end is none")
    return _test(words[:-1])


def _names(words: Sequence[str]) -> Reads:
    """`which`, `type`: names of programs."""
    if any(word.startswith("-") and word not in ("-a", "-p", "-t", "-P") for word in words):
        raise Unproven("it has options that are not known to be harmless")
    return Reads()


def _command(words: Sequence[str]) -> Reads:
    if len(words) >= 2 and words[0] in ("-v", "-V"):
        return Reads()
    raise Unproven("`command` runs another program")


def _version_word(*answers: str) -> Judge:
    def judge(words: Sequence[str]) -> Reads:
        if len(words) == 1 and words[0] in answers:
            return Reads()
        raise Unproven("only asking for its version is known to be harmless")

    return judge


_XXD_ALONE: Final = frozenset({"-a", "-b", "-C", "-e", "-E", "-i", "-p", "-u"})
_XXD_VALUE: Final = re.compile(r"(?:0x)?[0-9a-fA-F]{1,16}")


def _xxd(words: Sequence[str]) -> Reads:
    """Options first, letters not put together: of `-ac a b` xxd takes `-a`, and `a` for its input and `b` for its
    output, and behind an operand anything is one."""
    waiting = list(reversed(words))
    while waiting and waiting[-1].startswith("-") and waiting[-1] != "-":
        word = waiting.pop()
        if word in _XXD_ALONE:
            continue
        value = word[2:] or (waiting.pop() if waiting else "")
        if word[1:2] not in tuple("cglos") or not _XXD_VALUE.fullmatch(value):
            raise Unproven(f"`xxd {word}` is not known to be harmless")
    if len(waiting) > 1:
        raise Unproven("`xxd` writes into its second operand")
    return Reads(tuple(waiting))


def _ls(words: Sequence[str]) -> Reads:
    """Without both `-R` and `-L`, which leave the folder by links; nor with a path for the value of an option: with
    some programs of that name it has none."""
    given: set[str] = set()
    values: list[str] = []

    def told(option: str, value: str) -> None:
        given.add(option)
        values.append(value)

    found = operands("ls", words, _LS, told)
    if not given.isdisjoint(("-R", "--recursive")) and not given.isdisjoint(("-L", "--dereference")):
        raise Unproven("`ls` with these options follows links")
    if any("/" in value or value == ".." for value in values):
        raise Unproven("it can be read in two ways what the value of an option of `ls` is")
    return Reads(tuple(found))


def _strings(words: Sequence[str]) -> Reads:
    if any(word.startswith("@") for word in words):
        raise Unproven("`strings` takes more words from a file after @")
    return Reads(tuple(operands("strings", words, _STRINGS)))


_LS: Final = options(
    "aAbBcCdfFgGhHiklLmnNopqQrRsStuUvxXZ1",
    "ITw",
    "all almost-all author escape ignore-backups directory classify file-type full-time group-directories-first "
    "no-group human-readable si inode kibibytes dereference numeric-uid-gid literal hide-control-chars "
    "quote-name reverse recursive size color zero context show-control-chars",
    "block-size format hide indicator-style ignore quoting-style sort time time-style tabsize width",
)
_STRINGS: Final = options("afow", "nte", "all print-file-name", "bytes radix encoding", numbers=True)


def _comparison(name: str, known: Options) -> tuple[str, Judge]:
    """Two files; of folders the files in them, and links in them are followed."""

    def judge(words: Sequence[str]) -> Reads:
        given: set[str] = set()
        found = tuple(operands(name, words, known, lambda option, _value: given.add(option)))
        deep = not given.isdisjoint(("-r", "--recursive"))
        return Reads(found, search=Search(found, links="--no-dereference" not in given, deep=deep))

    return name, judge


_DIGESTS: Final = ("md5sum", "sha1sum", "sha224sum", "sha256sum", "sha384sum", "sha512sum", "b2sum")
"""Without `-c`, which reads files that a file names."""

_TABLE: Final[Mapping[str, Judge]] = dict(
    (
        ("ls", _ls),
        _program(
            "cat",
            options(
                "AbeEnstTuv", "", "show-all number-nonblank show-ends number squeeze-blank show-tabs show-nonprinting"
            ),
        ),
        _program("head", options("qvz", "nc", "quiet silent verbose zero-terminated", "lines bytes", numbers=True)),
        _program("tail", options("qvz", "nc", "quiet silent verbose zero-terminated", "lines bytes", numbers=True)),
        _program("wc", options("clLmw", "", "bytes chars lines max-line-length words", "total")),
        _program("nl", options("p", "bdfhilnsvw")),
        _program("tac", options("br", "s", "before regex", "separator")),
        _program("rev", options("")),
        _program(
            "cut",
            options(
                "nsz",
                "bcdf",
                "only-delimited zero-terminated complement",
                "bytes characters delimiter fields output-delimiter",
            ),
        ),
        _program("paste", options("sz", "d", "serial zero-terminated", "delimiters")),
        _program("fold", options("bs", "w", "bytes spaces", "width")),
        _program("column", options("texL", "cosNRHT", "table")),
        _program("comm", options("123z", "", "check-order nocheck-order total zero-terminated", "output-delimiter")),
        _program(
            "uniq",
            options(
                "cdDiuz",
                "fsw",
                "count repeated all-repeated ignore-case unique zero-terminated",
                "skip-fields skip-chars check-chars",
                ordered=True,
            ),
            most=1,
        ),
        _program(
            "sort",
            options(
                "bdfghiMnRrVcCmsuz",
                "kt",
                "ignore-leading-blanks dictionary-order ignore-case general-numeric-sort "
                "human-numeric-sort ignore-nonprinting "
                "month-sort numeric-sort random-sort reverse version-sort check merge stable unique zero-terminated",
                "key field-separator sort",
            ),
        ),
        _program(
            "od",
            options(
                "abcdfilosxv",
                "AjNtS",
                "output-duplicates",
                "address-radix skip-bytes read-bytes format",
                optional="w",
            ),
        ),
        _program("hexdump", options("bcCdovx", "ns")),
        ("xxd", _xxd),
        ("strings", _strings),
        _program("cmp", options("bls", "in", "print-bytes verbose quiet silent", "ignore-initial bytes")),
        _comparison(
            "diff",
            options(
                "aBbcdEeiNnpqrsTtuwyZ",
                "CUWIxF",
                "normal brief report-identical-files context unified side-by-side ignore-case "
                "ignore-all-space ignore-space-change "
                "ignore-blank-lines recursive new-file text minimal color strip-trailing-cr suppress-common-lines "
                "no-dereference",
                "width exclude label",
            ),
        ),
        _program("stat", options("Lft", "c", "dereference file-system terse", "format printf")),
        _program(
            "file",
            options("bihkLNr0E", "F", "brief mime mime-type mime-encoding dereference no-dereference", "separator"),
        ),
        _program(
            "du",
            options(
                "abcDHhklmPsSx0",
                "dBt",
                "all apparent-size bytes total human-readable si summarize one-file-system time",
                "max-depth block-size threshold exclude",
            ),
        ),
        _program(
            "df",
            options(
                "ahHiklPTv",
                "Btx",
                "all human-readable si inodes local portability print-type output",
                "block-size type exclude-type",
            ),
        ),
        _program(
            "tree",
            options(
                "adfipsughDFqNQrtvxUcCnSAJX",
                "LIP",
                "dirsfirst prune noreport du si gitignore",
                "charset filelimit timefmt sort",
                apart=True,
            ),
        ),
        _program(
            "readlink",
            options("efmnqsvz", "", "canonicalize canonicalize-existing canonicalize-missing no-newline zero"),
        ),
        _program(
            "realpath",
            options(
                "eLmPqsz",
                "",
                "canonicalize-existing canonicalize-missing logical physical quiet no-symlinks zero",
                "relative-to relative-base",
            ),
        ),
        *(_program(name, options("btz", "", "binary tag text zero")) for name in _DIGESTS),
        _program("cksum", options("")),
        _program("sum", options("rs", "", "sysv")),
        _program("base64", options("d", "w", "decode", "wrap")),
        _program("base32", options("d", "w", "decode", "wrap")),
        _program("shuf", options("z", "n", "zero-terminated", "head-count"), most=1),
        _words_only(
            "numfmt",
            options("z", "d", "grouping header", "to from to-unit from-unit suffix padding round field format"),
        ),
        _words_only("factor", options("")),
        _program("fmt", options("cstu", "w", "crown-margin split-only tagged-paragraph uniform-spacing", "width")),
        _program("expand", options("i", "t", "initial", "tabs")),
        _program("unexpand", options("a", "t", "all first-only", "tabs")),
        _program("join", options("iz", "aejtov12", "ignore-case check-order nocheck-order header zero-terminated")),
        _program("tsort", options("")),
        _words_only("pwd", options("LP", "", "logical physical")),
        _words_only("basename", options("az", "s", "multiple zero", "suffix")),
        _words_only("dirname", options("z", "", "zero")),
        _words_only("tr", options("cCdst", "", "complement delete squeeze-repeats truncate-set1")),
        _words_only("seq", options("w", "fs", "equal-width", "format separator", numbers=True)),
        _words_only("whoami", options(""), most=0),
        _words_only("id", options("agGnruz", "", "group groups name real user zero")),
        _words_only("groups", options("")),
        _words_only(
            "uname",
            options("amnoprsv", "", "all kernel-name nodename kernel-release kernel-version machine operating-system"),
            most=0,
        ),
        _words_only("nproc", options("", "", "all", "ignore"), most=0),
        _words_only("arch", options(""), most=0),
        _words_only("hostname", options("s", "", "short"), most=0),
        _words_only("uptime", options("ps", "", "pretty since"), most=0),
        _words_only("free", options("bghklmtw", "", "human bytes mega giga total wide"), most=0),
        _words_only("tty", options("s"), most=0),
        _words_only(":", options("")),
        _words_only("true", options("")),
        _words_only("false", options("")),
        ("echo", _echo),
        ("expr", _echo),
        ("printf", _printf),
        ("date", _date),
        ("test", _test),
        ("[", _bracket),
        ("which", _names),
        ("type", _names),
        ("command", _command),
        ("sed", stream.sed),
        ("awk", stream.awk),
        ("jq", stream.jq),
        ("find", find.find),
        ("fd", find.fd),
        ("fdfind", find.fd),
        ("grep", search.grep),
        ("egrep", search.grep),
        ("fgrep", search.grep),
        ("rg", search.rg),
        ("git", git.git),
        ("python", _version_word("--version", "-V")),
        ("python3", _version_word("--version", "-V")),
        ("node", _version_word("--version", "-v")),
        *((name, _version_word("--version")) for name in ("bash", "cc", "cmake", "g++", "gcc", "make", "perl", "tar")),
    )
)


def judge(words: Sequence[str]) -> Reads:
    """What a simple command reads, when it is known to change nothing.

    Raises:
        Unproven: that is not known; the text says why.
    """
    program = _TABLE.get(words[0]) if words else None
    if program is None:
        raise Unproven(f"`{words[0] if words else ''}` is not known to be read-only")
    if len(words) == 2 and words[1] in ("--help", "--version"):
        return Reads()
    return program(words[1:])
