"""What of a language model's text can be spoken: no tool calls, thoughts, addresses or lies."""

import re
from collections.abc import Iterator

from pipeline.knowledge import unlinked
from pipeline.ports import Say
from pipeline.tools import TRIGGER_PATTERN

SILENCE = "(silence)"
"""What stands in the prompt for a long silence."""

_TRIGGER = re.compile(TRIGGER_PATTERN)
_HIDDEN = re.compile(rf"<think>.*?(?:</think>|(?={TRIGGER_PATTERN})|\Z)", re.DOTALL)
_OPEN_TAG = re.compile(r"<\s*\w{0,8}\s*\Z")
"""The end of a text that may yet become a trigger or a thought."""
_MARKS = re.compile(r"^\s*(?:assistant|agent):\s*|[*_#`<>]+", re.IGNORECASE | re.MULTILINE)
_LAST_WORD = re.compile(r"\S*\Z")
_HELD = ("http", "www", "assistant", "agent")
"""Words that may begin an address or a label: held back until they are whole."""

_SUBJECT = (
    r"\b(?:I(?:['’]m| am)|this is|you(?:['’]re| are) (?:talking|speaking) (?:to|with))"
    r"(?=[\s,])"
)
_ADVERBS = r"(?:(?:definitely|really|actually|certainly|just|indeed|absolutely|simply),? )*"
_CLAIM = re.compile(
    rf"({_SUBJECT}),? {_ADVERBS}(?:"
    rf"(?:not|no|hardly) (?:an? )?{_ADVERBS}(?:ai|a\.i\.|(?:chat)?bot|robot|machine|computer"
    r"|recording|automated|virtual|program|artificial)\b"
    r"(?: (?:system|assistant|voice|program|intelligence|agent|caller))?"
    r"|(?:an? )?(?:(?:real|actual|live|living|genuine|true|normal),? )*"
    r"(?:human being|human|person)\b(?! resources))",
    re.IGNORECASE,
)
"""Words by which an assistant denies what it is."""
_TRUTH = r"\1 an automated assistant"
_OPEN_CLAIM = re.compile(rf"{_SUBJECT}[^.?!;:]*\Z", re.IGNORECASE)
"""The end of a text that may yet become such a claim."""


class SpeechStream:
    """Lets through what can be spoken of streamed text. Stands before `Utterance`.

    What may be the beginning of something else is held back until it is whole.
    """

    def __init__(self) -> None:
        self.said = ""
        """What was let through."""
        self.called = False
        """A tool call has begun; nothing more is let through."""
        self.call = ""
        """What stands behind the trigger; once the text is over."""
        self._text = ""

    def feed(self, piece: str) -> Iterator[Say]:
        """Take a piece of text; yields what may be spoken for certain."""
        self._text += piece
        if self.called:
            return
        speech, self.called, _ = self._parts()
        text = _clean(speech if self.called else _settled(speech))
        yield from self._rest(text if self.called else _unclaimed(text))

    def finish(self) -> Iterator[Say]:
        """The text is over; yields what is left to speak."""
        speech, _, self.call = self._parts()
        if not self.called:
            yield from self._rest(_clean(_OPEN_TAG.sub("", speech)))

    def _parts(self) -> tuple[str, bool, str]:
        """The text before the first trigger, whether there was one, and what stands behind."""
        speech, *calls = _TRIGGER.split(_HIDDEN.sub("", self._text), maxsplit=1)
        return speech, bool(calls), "".join(calls)

    def _rest(self, text: str) -> Iterator[Say]:
        text = _CLAIM.sub(_TRUTH, text)
        new = text[len(self.said) :]
        self.said = text if new else self.said
        if new or (self.called and self.said):
            yield Say(new, finished=self.called)


def _settled(text: str) -> str:
    """Text without an end that may turn out to be no speech."""
    return _LAST_WORD.sub(_plain, _OPEN_TAG.sub("", _LAST_WORD.sub(_plain, text)))


def _unclaimed(text: str) -> str:
    """Text without an end that may turn out to be a claim."""
    found = _OPEN_CLAIM.search(text)
    return text[: found.end() - len(found[0])] if found else text


def _plain(last: re.Match[str]) -> str:
    """The last word so far, if nothing but a word can become of it."""
    word = last[0].lower()
    risky = any(held.startswith(word) or word.startswith(held) for held in _HELD)
    return last[0] if word.isalpha() and not risky else ""


def _clean(text: str) -> str:
    """Text as it can be spoken."""
    text = unlinked(_MARKS.sub("", text).replace(SILENCE, ""))
    return re.sub(r"\s+", " ", text).lstrip()
