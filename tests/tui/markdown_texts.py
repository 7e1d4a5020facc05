"""Texts that look like Markdown written by a model, and ways of cutting them, for property tests."""

from hypothesis import strategies as st

PIECES = [
    "# Title\n", "## Second *one*\n", "Some words that go on for a while. ", "more\n", "\n", "\n\n", "\n",
    "- item\n", "- [x] done\n", "- [ ] open\n", "  - nested\n", "    deeper\n", "1. first\n", "2. second\n",
    "7) seven\n", "* star\n", "-\n", "> quote\n", "> > twice\n", "> - in quote\n", "> ```js\n> let x\n> ```\n",
    "```python\n", "def f():\n    '''doc\n", "```\n", "~~~\n", "````\n", "  ```py\n", "  x = 1\n", "  ```\n",
    "/* open\n", "close */ x = 1\n", "| a | b |\n", "|---|--:|\n", "| 1 | long cell with words |\n", "---\n", "===\n",
    "**bold** and `code` ", "`over\nlines` ", "[text](http://x.invalid/a) ", "[ref] ", "[ref]: http://y.invalid\n",
    "https://z.invalid/b, ", "~~gone~~ ", "<b>html</b>\n", "[^1] ", "[^1]: note\n", "  hard\\\n",
    "日本語のテキスト", "👩\u200d💻 ", "🇩🇪🇫🇷", "👍🏽 ", "❤\ufe0f", "e\u0301 ", "שלום ", "\ttab\n", "    indented\n",
    "![alt](pic.png) ", "&#27;&#8238;&lt;", "\x1b[31mred\n", "a\r\n", "\u2028", "over\rwritten\n", "\x0b\x85", "\u202e",
    "&#x2067;x&#x85;", "[a](b\u2066c) ", "<https://x.invalid/\u202e> ", "```\u202epy\n",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
SIZES = st.lists(st.integers(1, 12), min_size=1, max_size=6)


def cut(text: str, sizes: list[int]) -> list[str]:
    """The text in pieces of these sizes, over and over."""
    pieces = []
    while text:
        size = sizes[len(pieces) % len(sizes)] if sizes else len(text)
        pieces.append(text[:size])
        text = text[size:]
    return pieces
