"""Keep lone surrogates out: Python strings can hold them, UTF-8 (requests, the log, the screen) cannot."""


def mend(text: str) -> str:
    """The text with surrogate pairs joined and lone surrogates replaced by U+FFFD; it can always be encoded."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class PairJoiner:
    """Mends a stream of pieces, where a pair can be split between two pieces (`"\\ud83d"`, `"\\ude00"`)."""

    def __init__(self) -> None:
        self._waiting = ""

    def feed(self, piece: str) -> str:
        """The text that is complete now."""
        if piece.isascii() and not self._waiting:
            return piece
        piece = self._waiting + piece
        self._waiting = ""
        if piece and "\ud800" <= piece[-1] <= "\udbff":
            piece, self._waiting = piece[:-1], piece[-1]
        return mend(piece)

    def finish(self) -> str:
        """What was held back, at the end of the stream."""
        rest, self._waiting = mend(self._waiting), ""
        return rest
