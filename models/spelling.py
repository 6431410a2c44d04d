"""Words that a spelling recogniser heard right and wrote wrong, by a list of words it knows.

A recogniser that writes letters may spell "fence" as "fense" or cut "stranger" in two. A word
outside its lexicon is replaced by the lexicon's nearest, in letters and in sound, alone or
together with a neighbour.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

FARTHEST = 0.4
"""A replacement may differ in this share of the letters; beyond it the word stays."""
_JOINED = 0.3
"""What taking a gap away costs, in letters."""
_RECUT = 0.8
"""What making or moving a gap costs, in letters."""
_BY_SOUND = 0.7
_CANDIDATES = 12
_SHIFT = 2
_SHORTEST = 2
_LIKED = 0.6
"""Of its cost, for a word that this conversation leads to expect."""
_CONVERSATIONS = 64
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")

_SOUNDS = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"^kn|^gn", "n"), (r"^wr", "r"), (r"^x", "s"), (r"ph", "f"), (r"gh(?=t|$)", ""),
        (r"ck", "k"), (r"c(?=[eiy])", "s"), (r"[cq]", "k"), (r"x", "ks"), (r"sch|sh", "S"),
        (r"th", "T"), (r"ch|tch", "C"), (r"dge|j|g(?=[ei])", "J"), (r"z", "s"), (r"y", "i"),
        (r"(?<=\w)e$", ""), (r"ou|au|aw|ow", "o"), (r"ea|ee|ie|ei", "i"),
        (r"(.)\1", r"\1"), (r"'", ""),
    )
)  # fmt: skip


class Guess(NamedTuple):
    """What may have been meant, and how far that is from what was written, in letters."""

    cost: float
    words: tuple[str, ...]


_NEVER = Guess(float("inf"), ())


def sound_of(word: str) -> str:
    """A rough key: words that sound alike have nearly equal keys."""
    for pattern, sound in _SOUNDS:
        word = pattern.sub(sound, word)
    return word


class Speller:
    """Corrects recognised text towards a lexicon."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = sorted(set(words))
        self._known = frozenset(self._words)
        self._sounds = [sound_of(word) for word in self._words]
        self._expected: frozenset[str] = frozenset()
        """Words of this conversation that the lexicon does not have: its names."""
        self._nearest = lru_cache(4096)(self._search)
        self._knowing = lru_cache(_CONVERSATIONS)(self._extended)

    def knowing(self, phrases: Iterable[str]) -> "Speller":
        """A speller that knows the words of some phrases besides, and likes them better."""
        words = (word for phrase in phrases for word in _WORD.findall(phrase.lower()))
        unknown = frozenset(word for word in words if len(word) >= _SHORTEST) - self._known
        return self._knowing(unknown) if unknown else self

    def _extended(self, words: frozenset[str]) -> "Speller":
        speller = Speller(())
        more = sorted(words)
        speller._words = self._words + more
        speller._known = self._known | words
        speller._sounds = self._sounds + [sound_of(word) for word in more]
        speller._expected = words
        return speller

    def correct(self, text: str) -> str:
        """Replace every unknown word that is close to a known one."""
        done: list[str] = []
        rest = text.split()
        while rest:
            word = rest.pop(0)
            if word in self._known:
                done.append(word)
                continue
            before, after = "".join(done[-1:]), "".join(rest[:1])
            alone = self._alone(word)
            leftwards = self._together(before, word, before)
            rightwards = self._together(word, after, after)
            best = min(alone, leftwards, rightwards)
            if best is leftwards:
                done.pop()
            elif best is rightwards:
                rest.pop(0)
            done.extend(best.words)
        return " ".join(done)

    def _alone(self, word: str) -> Guess:
        """The best for one word: itself, its nearest, or two words that were run together."""
        guesses = [Guess(FARTHEST * len(word), (word,)), self._nearest(word)]
        cuts = range(_SHORTEST, len(word) - _SHORTEST + 1)
        guesses.extend(self._two(word[:cut], word[cut:], _RECUT) for cut in cuts)
        return min(guesses)

    def _together(self, first: str, second: str, neighbour: str) -> Guess:
        """The best for two words: one, or two with the gap elsewhere.

        What the neighbour would cost by itself is taken off, so that it compares with `_alone`.
        """
        if not first or not second:
            return _NEVER
        whole = first + second
        joined = self._nearest(whole)
        guesses = [Guess(joined.cost + _JOINED, joined.words)]
        cuts = range(
            max(_SHORTEST, len(first) - _SHIFT),
            min(len(whole) - _SHORTEST, len(first) + _SHIFT) + 1,
        )
        guesses.extend(
            self._two(whole[:cut], whole[cut:], _RECUT) for cut in cuts if cut != len(first)
        )
        best = min(guesses)
        spared = 0.0 if neighbour in self._known else self._alone(neighbour).cost
        return Guess(best.cost - spared, best.words)

    def _two(self, first: str, second: str, penalty: float) -> Guess:
        a, b = self._nearest(first), self._nearest(second)
        words = a.words + b.words
        if min(map(len, words)) < _SHORTEST:
            return _NEVER
        return Guess(a.cost + b.cost + penalty, words)

    def _search(self, word: str) -> Guess:
        """The known word nearest to one written; costs more than FARTHEST if none is near."""
        if word in self._known:
            return Guess(0.0, (word,))
        found = process.extract(
            sound_of(word),
            self._sounds,
            scorer=Levenshtein.distance,
            limit=_CANDIDATES,
            score_cutoff=3,
        )
        guesses = [self._guess(word, self._words[index], apart) for _, apart, index in found]
        return min(guesses, default=Guess(float(len(word)), (word,)))

    def _guess(self, written: str, word: str, sounds_apart: float) -> Guess:
        letters_apart = Levenshtein.distance(written, word)
        cost = _BY_SOUND * sounds_apart + (1 - _BY_SOUND) * letters_apart
        return Guess(cost * _LIKED if word in self._expected else cost, (word,))
