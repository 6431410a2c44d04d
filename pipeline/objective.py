"""What a call is for, where only free instructions say so: "You are ... Your goal is to ..."."""

import re

_NAMED = re.compile(
    r"^\W*(?:goal|objective|task|purpose|mission)\W*:\s*(?P<what>[^\n]+)"
    r"|\b(?:your|the) (?:\w+ )?(?:goal|task|job|objective|purpose|mission) (?:is|will be)(?: to)?:?"
    r" (?P<aim>[^.?!\n]+)"
    r"|\byou(?:'re| are) (?:calling|phoning|ringing)\b[^.?!\n]*? to (?P<errand>[^.?!\n]+)",
    re.IGNORECASE | re.MULTILINE,
)
_MANNER = frozenset(
    "you your you're be never always do don't avoid speak talk sound keep use if when stay act "
    "remember answer respond reply only the a an this it as".split()
)
"""How a sentence begins that says how to behave, not what to achieve."""


def objective_of(instructions: str) -> str:
    """The errand that instructions name, or an empty text when they name none."""
    if named := _NAMED.search(instructions):
        return next(text.strip() for text in named.groups() if text)
    for sentence in re.split(r"(?<=[.?!])\s+|\n+", instructions):
        words = re.sub(r"^[\W_]+", "", sentence).strip()
        if len(words.split()) > 1 and words.split()[0].lower().strip(",") not in _MANNER:
            return words
    return ""
