"""Recognised speech as canonical words: lower case, contractions opened, marks gone."""

import re

_CONTRACTIONS: tuple[tuple[str, str], ...] = (
    (r"\bcan(?:no|')?t\b", "can not"),
    (r"\bwon'?t\b", "will not"),
    (r"\bain'?t\b", "is not"),
    (r"\b(do|does|did|is|are|was|were|have|has|had|would|could|should|must)n'?t\b", r"\1 not"),
    (r"\blet'?s\b", "let us"),
    (r"\bi'?m\b", "i am"),
    (r"\b(he|she|it|that|this|who|what|where|when|how|there|why|here)'s\b", r"\1 is"),
    (r"\b(that|what|who|where|how|there)s\b", r"\1 is"),
    (r"\b(you|we|they)'re\b", r"\1 are"),
    (r"\byoure\b", "you are"),
    (r"\b(\w+)'ll\b", r"\1 will"),
    (r"\b(\w+)'ve\b", r"\1 have"),
    (r"\bive\b", "i have"),
    (r"\b(\w+)'d\b", r"\1 would"),
    (r"\bgonna\b", "going to"),
    (r"\bwanna\b", "want to"),
    (r"\bgotta\b", "have got to"),
    (r"\bok\b", "okay"),
)
_OPENERS = tuple((re.compile(pattern), opened) for pattern, opened in _CONTRACTIONS)

NUMBERS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty".split()
    )
} | {"thirty": 30, "forty": 40, "fifty": 50}


def canonical(text: str) -> str:
    """One spelling for what may be written in several ways."""
    text = text.lower().replace("’", "'").replace("-", " ")
    for pattern, opened in _OPENERS:
        text = pattern.sub(opened, text)
    text = re.sub(r"(?<=\d)[.,:](?=\d)", "", text)
    return " ".join(re.findall(r"[a-z0-9$']+|\{\w+\}", text)).replace(" ' ", " ")
