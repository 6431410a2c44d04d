"""Sentences to speak: phone-call templates over a lexicon, and words in free combination.

Templates (`phrases/*.txt`, one per line) hold `[choices|of|words]` and `{slots}`; a slot is
filled from `lexicon/*.txt` or from `models.train.numbers`. Punctuation guides the
synthesiser only. One sentence in 40 of those with six or more words is held out by the hash
of its text: training never draws it, evaluation draws nothing else.
"""

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

from models.train import numbers

_HERE = Path(__file__).parent
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")
_SOURCES = {
    "demo": 14,
    "intents": 14,
    "agent": 16,
    "callee": 18,
    "voicemail": 7,
    "booking": 11,
    "short": 8,
    "general": 12,
}
FREE_SHARE = 0.33
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SAID = {"a": "[[eI]]", "z": "zee"}


@dataclass(frozen=True, slots=True)
class Sentence:
    """What the synthesiser is given and what the recogniser should write."""

    spoken: str
    written: str

    @property
    def word_count(self) -> int:
        return len(self.written.split())


_ONE_SPELLING = (
    (r"\bok\b", "okay"),
    (r"\balright\b", "all right"),
    (r"\bmm hmm\b", "mm hm"),
    (r"\bhmm\b", "hm"),
    (r"\bcancelled\b", "canceled"),
    (r"\bvoice mail\b", "voicemail"),
    (r"\b([ap]) m\b", r"\1m"),
)


def written_form(text: str) -> str:
    """Return lower-case words and apostrophes, single spaces, one spelling of a sound."""
    text = " ".join(re.sub(r"[^a-z' ]", " ", text.lower()).split())
    for spelling, chosen in _ONE_SPELLING:
        text = re.sub(spelling, chosen, text)
    return text


def is_held_out(written: str) -> bool:
    """Tell whether a sentence is kept for evaluation."""
    return len(written.split()) >= 6 and zlib.crc32(written.encode()) % 40 == 0


class SentenceSource:
    """Draws sentences; equal seeds give equal sentences."""

    def __init__(self, random: Random, free_share: float = FREE_SHARE) -> None:
        self._random = random
        self._free_share = free_share
        self._lexicon = {path.stem: _words(path) for path in sorted((_HERE / "lexicon").iterdir())}
        self._phrases = {
            path.stem: path.read_text().splitlines()
            for path in sorted((_HERE / "phrases").iterdir())
        }

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """Every word or fixed name of the lexicon, sorted."""
        every = {w for name, words in self._lexicon.items() if name != "rare" for w in words}
        return tuple(sorted(every))

    def words_in(self, draws: int) -> tuple[str, ...]:
        """Every word of the vocabulary and of so many drawn sentences, sorted."""
        words = set(self.vocabulary)
        for _ in range(draws):
            words.update(self.draw().written.split())
        return tuple(sorted(words))

    @cached_property
    def _free_words(self) -> tuple[str, ...]:
        """Words of free sequences: a homophone that only grammar could tell is left out."""
        return tuple(word for word in self.vocabulary if word not in self._lexicon["rare"])

    @cached_property
    def _free_functions(self) -> tuple[str, ...]:
        functions = self._lexicon["functions"]
        return tuple(word for word in functions if word not in self._lexicon["rare"])

    def draw(self, max_words: int = 60, held_out: bool = False) -> Sentence:
        """Draw a sentence of at most `max_words`, from the training or the held-out part."""
        while True:
            free = self._random.random() < self._free_share
            text = self._free() if free else self._phrase()
            written = written_form(text)
            if 0 < len(written.split()) <= max_words and is_held_out(written) == held_out:
                return Sentence(self._spoken(text), written)

    def _spoken(self, text: str) -> str:
        if self._random.random() < 0.25:
            text = re.sub(r"[.,?]", "", text)
        text = re.sub(r"\ba i\b", "[[eI]] i", text)
        text = re.sub(r"\ba m\b", "[[eI]] m", text)
        return re.sub(r"<(\w)>", lambda m: self._letter_sound(m[1]), text)

    def _letter_sound(self, letter: str) -> str:
        return _SAID.get(letter, letter) if self._random.random() < 0.6 else letter

    def _phrase(self) -> str:
        name = self._random.choices(list(_SOURCES), list(_SOURCES.values()))[0]
        text = self._random.choice(self._phrases[name])
        while _CHOICE.search(text):
            text = _CHOICE.sub(lambda m: self._random.choice(m[1].split("|")), text)
        while _SLOT.search(text):
            text = _SLOT.sub(lambda m: self._fill(m[1]), text)
        text = text.replace(" '", "'").replace("??", "?")
        text = re.sub(r"\ba (?=[aei]|o(?!ne))", "an ", text)
        return re.sub(r" +([.,?])", r"\1", " ".join(text.split()))

    def _free(self) -> str:
        """Words in an order no grammar predicts, half of the time laced with function words."""
        random = self._random
        laced = random.random() < 0.5
        count = random.choice((1, 2, 3, 4, 5, 6, 6, 7, 7, 8, 9, 10, 12))
        words = [
            random.choice(self._free_functions)
            if laced and random.random() < 0.4
            else random.choice(self._free_words)
            for _ in range(count)
        ]
        if random.random() < 0.1:
            words.insert(random.randrange(count + 1), self._fill("any"))
        joint = ", " if random.random() < 0.15 else " "
        return joint.join(words)

    def _fill(self, slot: str) -> str:
        random = self._random
        if slot in _DRAWN:
            return _DRAWN[slot](random)
        if slot == "any":
            return self._fill(random.choice(("number", "money", "date", "time", "digits", "year")))
        if slot in ("name", "full"):
            return f"{self._fill('first')} {self._fill('last')}"
        if slot == "word":
            return random.choice(self._free_words)
        if slot == "spelled":
            name = random.choice(self._lexicon[random.choice(("first_names", "family_names"))])
            joint = random.choice((" ", ", "))
            return joint.join(f"<{letter}>" for letter in name)
        if slot == "agent" and random.random() < 0.4:
            return "ava"
        if slot == "company" and random.random() < 0.3:
            return "vello"
        return random.choice(self._lexicon[_LISTS[slot]])


def _words(path: Path) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in path.read_text().split())


_LISTS = {
    "first": "first_names",
    "last": "family_names",
    "agent": "first_names",
    "company": "companies",
    "place": "places",
    "noun": "nouns",
    "verb": "verbs",
    "adj": "adjectives",
    "adv": "adverbs",
    "product": "products",
    "food": "food",
    "department": "departments",
    "street": "streets",
    "daypart": "dayparts",
}
_DRAWN: dict[str, Callable[[Random], str]] = {
    "number": numbers.draw_cardinal,
    "ordinal": numbers.draw_ordinal,
    "year": numbers.draw_year,
    "date": numbers.draw_date,
    "time": numbers.draw_time,
    "money": numbers.draw_money,
    "digits": numbers.draw_digits,
    "phone": numbers.draw_phone,
    "digit": lambda random: random.choice(numbers.DIGITS),
    "weekday": lambda random: random.choice(numbers.WEEKDAYS),
    "month": lambda random: random.choice(numbers.MONTHS),
    "letter": lambda random: f"<{random.choice(_LETTERS)}>",
    "him": lambda random: random.choice(("him", "her", "the manager", "my wife", "my husband")),
}
