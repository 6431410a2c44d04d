"""What the words of an unfinished turn say about turn-taking: listening sounds, completeness."""

_BACKCHANNELS = frozenset(
    "uh huh mm hm mhm hmm mmm yeah yep yes okay ok right sure good great fine alright "
    "got it i see oh really and cool".split()
)
_NOT_ALONE = frozenset("and got it i oh really".split())
_GREETINGS = frozenset("hello hi hey yes yeah good morning afternoon evening".split())

_UNFINISHED = frozenset(
    "and but or so because the a an my your his her our their to of for with at on in from "
    "is are was were i i'm i'll it's that's if when which who um uh er well maybe about like "
    "this these into by than not would could should can".split()
)
_DIGITS = frozenset("zero oh one two three four five six seven eight nine".split())
_CLOSED = frozenset(
    "yes no yeah nope yep okay sure right correct hello speaking goodbye bye thanks "
    "thank you please stop exactly absolutely".split()
)

_QUESTIONS = frozenset("what what's who who's why where how which".split())
"""With one of these a sentence may end in a preposition: "what is this about"."""

_CLOSED_S = 0.2
_COMPLETE_S = 0.26
_DIGITS_S = 1.0
_UNFINISHED_S = 1.3


def is_backchannel(text: str, *, greeting: bool = False) -> bool:
    """Whether the words only show that someone listens. `greeting`: spoken as we began."""
    words = text.lower().split()
    if not words or len(words) > 3:
        return False
    if greeting and all(word in _GREETINGS for word in words):
        return True
    if len(words) == 1 and words[0] in _NOT_ALONE:
        return False
    return all(word in _BACKCHANNELS for word in words)


def may_become_backchannel(text: str, *, greeting: bool = False) -> bool:
    """Whether words that are still being spoken begin like a listening sound.

    Only the first word counts: a recogniser guesses at the end of audio that is cut off.
    """
    first = text.lower().split()[:1]
    return not first or first[0] in (_GREETINGS | _BACKCHANNELS if greeting else _BACKCHANNELS)


def patience_s(text: str) -> float:
    """Seconds of silence after which a turn with these words is taken to be over.

    People leave about 200 ms between turns and 250-500 ms inside them (Levinson and
    Torreira 2015; Lundholm Fors 2015); a sentence that cannot end here is given longer.
    """
    words = text.lower().strip(" .?!,").split()
    if not words:
        return _COMPLETE_S
    if words[-1] in _UNFINISHED and _QUESTIONS.isdisjoint(words[:-1]):
        return _UNFINISHED_S
    if len(words) > 1 and words[-1] in _DIGITS and words[-2] in _DIGITS:
        return _DIGITS_S
    if all(word in _CLOSED for word in words):
        return _CLOSED_S
    return _COMPLETE_S
