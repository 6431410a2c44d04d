"""Whether words can be the answer to a question that an objective asks."""

import re

from pipeline.intent import Intent, Understanding
from pipeline.words import NUMBERS, canonical

ANSWERING = (
    Intent.AGREE, Intent.DONE, Intent.NO, Intent.REFUSE, Intent.LATER, Intent.OFFER,
    Intent.NOT_SURE, Intent.UNKNOWN, Intent.DISPUTE,
)  # fmt: skip
"""Meanings under which an answer may hide: "we are closed" sounds like a refusal."""

_YES_OR_NO = frozenset(
    "yes yeah yep yup yea sure absolutely definitely certainly correct exactly "
    "no nope nah not never".split()
)
_OTHER_MATTERS = frozenset(
    "pay pays paying paid payment payments owe debt afford "
    "call calling busy driving interested refuse lawyer court scam".split()
)
"""Words of payments, call-backs and refusals: an answer to something else."""
_EMPTY = frozenset(
    "ask asking find out check inquire see learn get information know tell about if whether "
    "what when how who whom whose where why which that this these those it its they them their "
    "you your we us our me my and but not for from with the are was were been being does did "
    "have has had can could will would shall should may might must any some there here then "
    "yes okay please thank thanks today tonight tomorrow now very much many also just".split()
)
"""Words that a question and an answer share by chance."""
_POLAR = re.compile(r"\b(?:if|whether)\b")


def answers(heard: Understanding, question: str) -> bool:
    """Whether what was heard bears on the question: "ask if you are open on Sunday".

    It shares a word with it; or it holds a yes, a no, a number or a time, and does not speak
    of another matter.
    """
    if heard.intent not in ANSWERING:
        return False
    words = heard.text.split()
    if content(words) & content(canonical(question).split()):
        return True
    if not _OTHER_MATTERS.isdisjoint(words):
        return False
    if heard.when.text or any(word in NUMBERS or word[0].isdigit() for word in words):
        return True
    enough = bool(_POLAR.search(question.lower())) or len(words) > 2
    return enough and heard.intent is not Intent.NOT_SURE and not _YES_OR_NO.isdisjoint(words)


def content(words: list[str]) -> set[str]:
    """The words that carry a matter, without their endings: "closes" and "closed" are one."""
    told = (word for word in words if len(word) > 2 and word not in _EMPTY)
    return {re.sub(r"(?:ing|ed|es|s|e)$", "", word) if len(word) > 4 else word for word in told}
