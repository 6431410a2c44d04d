"""Addresses within a text: what the model writes may only hold those that the operator gave."""

import re
from collections.abc import Iterable

_URL = re.compile(
    r"(?:https?://|www\.)[^\s<>\"']+|\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}/\S*", re.I
)
_MAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+")
_NUMBER = re.compile(r"\+?\d[\d ().-]{6,}\d")
_END = ".,;:!?)"


def foreign_addresses(text: str, given: Iterable[str]) -> tuple[str, ...]:
    """The URLs, e-mail addresses and phone numbers of `text` that none of the `given` texts holds.

    Numbers are compared by their digits; the rest by their letters, case aside.
    """
    known = [one.casefold() for one in given]
    digits = [re.sub(r"\D", "", one) for one in known]
    foreign = []
    for found in (*_URL.findall(text), *_MAIL.findall(text)):
        address = found.rstrip(_END)
        if not any(address.casefold() in one for one in known):
            foreign.append(address)
    for found in _NUMBER.findall(_URL.sub(" ", _MAIL.sub(" ", text))):
        number = re.sub(r"\D", "", found)
        if not any(number in one for one in digits):
            foreign.append(found)
    return tuple(foreign)
