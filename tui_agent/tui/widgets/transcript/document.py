"""The conversation as the screen sees it: ordered blocks with ids and versions, and no idea of width or colour."""

from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import Literal, TypeVar

from msgspec import Struct, field

from tui_agent.conversation.events import FileDelta, Level

BlockStatus = Literal["writing", "waiting", "running", "ok", "failed", "denied", "cancelled"]
BlockT = TypeVar("BlockT", bound="Block")
UNFINISHED: frozenset[BlockStatus] = frozenset({"writing", "waiting", "running"})

# What a running tool printed last is all that is shown of it; the whole result comes with its end.
_TAIL_CHARACTERS = 4096


class GrowingText:
    """Text that is mostly appended to: appending costs the size of the piece."""

    __slots__ = ("_parts", "epoch", "length", "newlines")

    def __init__(self, text: str = "") -> None:
        self._parts = [text] if text else []
        self.length = len(text)
        self.newlines = text.count("\n")
        self.epoch = 0

    def append(self, text: str) -> None:
        """Add a piece at the end."""
        if text:
            self._parts.append(text)
            self.length += len(text)
            self.newlines += text.count("\n")

    def replace(self, text: str) -> None:
        """Start over with `text`; the epoch tells readers that follow the growth."""
        self._parts = [text]
        self.length = len(text)
        self.newlines = text.count("\n")
        self.epoch += 1

    def since(self, length: int) -> str:
        """What was appended after the first `length` characters."""
        if length >= self.length:
            return ""
        missing = self.length - length
        pieces: list[str] = []
        for part in reversed(self._parts):
            if missing <= 0:
                break
            pieces.append(part[-missing:] if len(part) > missing else part)
            missing -= len(part)
        return "".join(reversed(pieces))

    def __str__(self) -> str:
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""


class Block(Struct, kw_only=True):
    """Something in the transcript; `id` is stable, `version` grows with every change (both set by the document)."""

    id: int = 0
    version: int = 0

    @property
    def source(self) -> str:
        """What copying the block gives."""
        return ""

    @property
    def foldable(self) -> bool:
        """True when the block has more to show than one row."""
        return False


class UserBlock(Block, kw_only=True):
    """What the user asked."""

    text: str

    @property
    def source(self) -> str:
        """The text as it was typed."""
        return self.text


class AgentBlock(Block, kw_only=True):
    """An answer in Markdown; `note` says why it ended early."""

    text: GrowingText = field(default_factory=GrowingText)
    streaming: bool = False
    note: str = ""

    @property
    def source(self) -> str:
        """The Markdown."""
        return str(self.text)


class ThoughtBlock(Block, kw_only=True):
    """Reasoning text; `seconds` is 0 while unknown, `started` monotonic seconds while it streams."""

    text: GrowingText = field(default_factory=GrowingText)
    streaming: bool = False
    seconds: float = 0.0
    started: float | None = None
    folded: bool = True

    @property
    def source(self) -> str:
        """The reasoning."""
        return str(self.text)

    @property
    def foldable(self) -> bool:
        """Always: thoughts are aside."""
        return True


class ToolBlock(Block, kw_only=True):
    """A tool call from being written to its result.

    `content` is the result or error, `files` the changes it made, `tail` the last of what it printed so far, `written`
    the number of characters of arguments while the model still writes them, `started` monotonic seconds while it runs,
    `repairs` how the call as written was understood.
    """

    call_id: str = ""
    name: str = ""
    title: str = ""
    status: BlockStatus = "writing"
    note: str = ""
    content: str = ""
    files: tuple[FileDelta, ...] = ()
    tail: str = ""
    written: int = 0
    seconds: float = 0.0
    started: float | None = None
    exit_code: int | None = None
    repairs: tuple[str, ...] = ()
    folded: bool = True

    @property
    def added(self) -> int:
        """Lines added in all files."""
        return sum(file.added for file in self.files)

    @property
    def removed(self) -> int:
        """Lines removed in all files."""
        return sum(file.removed for file in self.files)

    @property
    def source(self) -> str:
        """Name and title, then the diffs or the result."""
        body = "\n".join(file.diff for file in self.files if file.diff) or self.content or self.tail
        return "\n".join(part for part in (f"{self.name} {self.title}".strip(), body) if part)

    @property
    def foldable(self) -> bool:
        """True once there is something under the row."""
        return bool(self.content or self.tail or any(file.diff for file in self.files))


class NoticeBlock(Block, kw_only=True):
    """Something the user should know, and what to do about it."""

    level: Level
    text: str
    hint: str = ""

    @property
    def source(self) -> str:
        """Text and hint."""
        return f"{self.text}\n{self.hint}".rstrip("\n")


class SwitchBlock(Block, kw_only=True):
    """From here on another model answers."""

    provider: str
    model: str

    @property
    def source(self) -> str:
        """Provider and model."""
        return f"{self.provider} · {self.model}"


class TurnBlock(Block, kw_only=True):
    """What a turn came to: how many files it left other than they were, and what its requests used.

    Lines are 0 where nobody counted them; `key` shows all changes; `spent` is in words.
    """

    files: int = 0
    added: int = 0
    removed: int = 0
    key: str = ""
    spent: str = ""

    @property
    def changed(self) -> str:
        """Files and lines in words; empty when none changed."""
        lines = f"  +{self.added:,} −{self.removed:,}" if self.added or self.removed else ""
        return f"{self.files:,} file{'' if self.files == 1 else 's'} changed{lines}" if self.files else ""

    @property
    def source(self) -> str:
        """Counts in words."""
        return "   ".join(filter(None, (self.changed, self.spent)))


class WelcomeBlock(Block, kw_only=True):
    """The first screen: lines of (text, role) spans, where a role is a colour role of the theme."""

    lines: tuple[tuple[tuple[str, str], ...], ...]

    @property
    def source(self) -> str:
        """The lines without their roles."""
        return "\n".join("".join(text for text, _ in line) for line in self.lines)


class Document:
    """Ordered blocks; every change is announced to `on_change` with the block's id.

    A new last block is announced like a change of it; None says that blocks were put in between or taken out.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.clock = clock
        self.on_change: Callable[[int | None], None] = lambda _: None
        self.blocks: list[Block] = []
        self._by_id: dict[int, Block] = {}
        self._last_id = 0

    def __len__(self) -> int:
        return len(self.blocks)

    def __iter__(self) -> Iterator[Block]:
        return iter(self.blocks)

    def get(self, block_id: int) -> Block | None:
        """The block of this id, if it is still there."""
        return self._by_id.get(block_id)

    def index(self, block_id: int) -> int:
        """Position of a block; the end is searched first.

        Raises:
            KeyError: no such block.
        """
        for index in range(len(self.blocks) - 1, -1, -1):
            if self.blocks[index].id == block_id:
                return index
        raise KeyError(block_id)

    def add(self, block: BlockT, before: Block | None = None) -> BlockT:
        """Append a block, or put it before another; gives it its id."""
        self._last_id += 1
        block.id = self._last_id
        self._by_id[block.id] = block
        if before is None:
            self.blocks.append(block)
            self.on_change(block.id)
        else:
            self.blocks.insert(self.index(before.id), block)
            self.on_change(None)
        return block

    def put_first(self, blocks: Iterable[Block]) -> None:
        """Put blocks of an earlier time above all others; gives them their ids."""
        above = list(blocks)
        for block in above:
            self._last_id += 1
            block.id = self._last_id
            self._by_id[block.id] = block
        self.blocks[:0] = above
        self.on_change(None)

    def remove(self, block: Block) -> None:
        """Take a block out."""
        del self.blocks[self.index(block.id)]
        del self._by_id[block.id]
        self.on_change(None)

    def clear(self) -> None:
        """Take all blocks out; ids are not used again."""
        self.blocks.clear()
        self._by_id.clear()
        self.on_change(None)

    def touch(self, block: Block) -> None:
        """Say that a block was changed."""
        block.version += 1
        self.on_change(block.id)

    def append_text(self, block: AgentBlock | ThoughtBlock, text: str) -> None:
        """Grow an answer or a thought; costs the size of `text`."""
        block.text.append(text)
        self.touch(block)

    def append_output(self, block: ToolBlock, text: str) -> None:
        """Keep the end of what a running tool prints."""
        block.tail = (block.tail + text)[-_TAIL_CHARACTERS:]
        self.touch(block)

    def set_folded(self, block: Block, folded: bool) -> None:
        """Fold or unfold a block that can be folded."""
        if isinstance(block, ThoughtBlock | ToolBlock) and block.folded != folded:
            block.folded = folded
            self.touch(block)

    def fold_all(self, kind: type[ThoughtBlock] | type[ToolBlock], folded: bool) -> None:
        """Fold or unfold every block of a kind."""
        for block in self.blocks:
            if isinstance(block, kind):
                self.set_folded(block, folded)
