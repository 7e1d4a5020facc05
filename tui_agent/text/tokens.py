"""A cheap estimate of how many tokens a text costs, until a server reports the real number."""

import re

# Roughly how byte-pair vocabularies of 100k to 250k entries cut text: a space belongs to the word after it, common
# words are one piece, long ones are cut, digits go by threes, punctuation by ones and twos.
_PIECE = re.compile(
    r" ?[A-Za-z]{1,9}"
    r"|\d{1,3}"
    r"| ?[!-/:-@\[-`{-~]{1,2}"
    r"|\n+[ \t]*|[ \t\r\f\v]+"
    r"| ?[\u00c0-\u1fff]{1,3}"  # accented Latin, Greek, Cyrillic, Hebrew, Arabic, Indic
    r"|[^\x00-\u1fff]"  # CJK, symbols, emoji
    r"|[^\s]"
)

MOST_COUNTED = 131_072
"""Characters that are counted; of a longer text only samples are, so that nobody waits for the count."""
SAMPLE = 4_096


def estimate(text: str) -> int:
    """Estimated tokens of `text`, in one pass of a regular expression (about 10 MB/s, at most 10 ms).

    No tokenizer is consulted, so this is a rule of thumb: about 4.5 characters a token for English prose, 3 for code,
    2 for dense JSON, 1 for Chinese or Japanese. Take it as ±30 %. Of a text of more than `MOST_COUNTED` characters
    samples are counted that lie evenly from its beginning to its end, together as long as that.
    """
    if len(text) <= MOST_COUNTED:
        return len(_PIECE.findall(text))
    samples = MOST_COUNTED // SAMPLE
    last = len(text) - SAMPLE
    counted = sum(
        len(_PIECE.findall(text, at, at + SAMPLE)) for at in (last * i // (samples - 1) for i in range(samples))
    )
    return round(counted * len(text) / MOST_COUNTED)
