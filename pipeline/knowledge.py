"""What the agent may say: answers out of the facts, the objective and the context, or none."""

import re
from collections.abc import Sequence

from pipeline.intent import Understanding, topics
from pipeline.task import Task
from pipeline.template import spoken
from pipeline.when import hour_and_minute
from pipeline.words import NUMBERS, canonical

URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)

_ANSWERS = {
    "amount": "It's {}.",
    "due": "The due date is {}.",
    "subject": "It's for {}.",
    "reference": "The number is {}.",
    "contact": "You can reach us at {}.",
    "party_size": "For {} people.",
    "time": "At {}.",
    "date": "{}.",
    "name": "The name is {}.",
    "seating": "{}, if possible.",
    "extras": "{}.",
}
_WITHHELD = "I can't share that on the phone."
_SECRET_WORDS = frozenset(
    "ssn social card cvv cvc account iban routing password passcode pin dob birth birthday "
    "birthdate passport license licence token secret key id login credentials".split()
)
"""Words in the name of a fact that make it an identifier or a secret."""
_SECRET_GLUED = re.compile(
    r"(?:account|card|passport|social|license|pin|member|customer|user)(?:number|no|id)"
    r"|(?:api|access|private|secret)key|\w+(?:password|token|secret)|dateofbirth"
)
"""The same, written as one word."""
_DAY = (
    r"(?:(?:on |this |next )?(?:mon|tues|wednes|thurs|fri|satur|sun)day"
    r"|(?:on )?(?:january|february|march|april|may|june|july|august|september|october|november"
    r"|december) \d{1,2}(?:st|nd|rd|th)?(?:,? \d{4})?)"
)
_SIZE = r"(\d+|" + "|".join(NUMBERS) + ")"
_CLOCK = r"(?:\d{1,2}(?::\d\d)? ?[ap]\.?m\.?(?!\w)|\w+ o'clock|noon|\d{1,2}:\d\d)"
_IN_OBJECTIVE: tuple[tuple[str, str], ...] = (
    ("party_size", rf"\b{_SIZE} (?:people|persons|guests|adults|of us)\b"),
    ("party_size", rf"\b(?:party of|table for|reservation for) {_SIZE}\b(?! ?[ap]\.?m)"),
    ("time", rf"\b(?:at |by )?({_CLOCK}(?: (?:tonight|today|tomorrow))?)"),
    ("date", r"\b(tonight|today|tomorrow(?: (?:morning|afternoon|evening|night))?|" + _DAY + ")"),
    ("name", r"\b(?:under|in) (?:the )?name(?: of)? ([A-Z]\w+(?: [A-Z]\w+)?)"),
    ("name", r"\bname(?: is|:) ([A-Z]\w+(?: [A-Z]\w+)?)"),
)
_SEATING: tuple[tuple[str, str, str], ...] = (
    (r"\b(outdoors?|outside|patio|terrace)\b", "Outside", "outdoor seating"),
    (r"\b(indoors?|inside)\b", "Inside", "indoor seating"),
    (r"\bwindow\b", "By the window", "a table by the window"),
)
_FLEXIBLE = re.compile(r"\b(flexible|any ?time|any other time|whatever|either is fine)\b", re.I)


class Knowledge:
    """The facts of one task, as far as they answer questions."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._text = f"{task.objective} {task.context} {task.instructions}"
        self._topics = topics()

    def fill(self, template: str) -> str:
        """A text of the operator's with its facts; an address is never read out."""
        return unlinked(self._task.filled(template))

    def answer(self, heard: Understanding) -> str:
        """The answer to a question, or an empty text when the facts do not hold it."""
        topic, asked = heard.topic, set(heard.text.split())
        if any(is_secret(key) and _asked_for(key, asked) for key in self._task.facts):
            return _WITHHELD
        if topic == "link":
            link = self.link_name()
            return f"I can send you the {link}." if link else ""
        if topic in _ANSWERS and (value := self.value(topic)):
            ready = value[:1].upper() + value[1:] if _ANSWERS[topic][0] == "{" else value
            return _ANSWERS[topic].format(ready)
        if topic == "extras":
            return "No, thank you."
        return self._from_fact_names(asked)

    def value(self, topic: str) -> str:
        """What is known about a topic of `questions.yaml`."""
        for key in self._topics.get(topic, ()):
            if key in self._task.facts and not is_secret(key):
                return unlinked(spoken(self._task.facts[key]))
        if topic == "seating":
            return next((place for p, place, _ in _SEATING if self._mentions(p)), "")
        patterns = [pattern for name, pattern in _IN_OBJECTIVE if name == topic]
        flags = re.IGNORECASE if topic != "name" else re.NOFLAG
        for pattern in patterns:
            if match := re.search(pattern, self._text, flags):
                return match[1].rstrip(".")
        if topic == "name":
            return self._task.company or self._task.agent_name
        return ""

    def preference(self) -> str:
        """A wish the context names beside the objective: "outdoor seating"."""
        return next((wish for pattern, _, wish in _SEATING if self._mentions(pattern)), "")

    def link_name(self) -> str:
        """What to call the address among the facts: "payment link"."""
        links = [k for k, value in self._task.facts.items() if URL.search(spoken(value))]
        return re.sub(r"[_-]+|url", " ", links[0]).strip() if links else ""

    def suits(self, heard: Understanding) -> bool:
        """Whether an offered time is the one asked for, or one that the context allows."""
        offered = offered_time(heard.text)
        if offered is None:
            return bool(_FLEXIBLE.search(self._task.context))
        wanted = self.value("time")
        allowed = [wanted, *re.findall(r"\b\d{1,2}(?::\d\d)? ?[ap]m\b", self._task.context)]
        return bool(_FLEXIBLE.search(self._task.context)) or offered in [
            hour_and_minute(time) for time in allowed if time
        ]

    def _mentions(self, pattern: str) -> bool:
        return bool(re.search(pattern, self._text, re.IGNORECASE))

    def _from_fact_names(self, asked: set[str]) -> str:
        """A fact of the matter whose name occurs in the question: "which doctor", `doctor`."""
        for key, fact in self._task.facts.items():
            if is_secret(key) and not asked.isdisjoint(_words(key) & _SECRET_WORDS):
                return _WITHHELD
            named = _asked_for(key, asked) and not is_secret(key)
            if named and not URL.search(spoken(fact)) and self._is_of_the_matter(key):
                return f"The {_name(key)} is {spoken(fact)}."
        return ""

    def _is_of_the_matter(self, key: str) -> bool:
        """Whether goal or script name the fact or hold its value, or questions are about it."""
        if any(key in keys for keys in self._topics.values()):
            return True
        script = self._task.script
        texts = [self._task.objective]
        if script:
            actions = [action.text for branch in script.branches for action in branch.actions]
            texts += [script.goal, script.opening, *actions]
        about = canonical(re.sub(r"[{}_]", " ", " ".join(texts)))
        value = canonical(spoken(self._task.facts[key]))
        return _words(key) <= set(about.split()) or bool(value and f" {value} " in f" {about} ")


def is_secret(key: str) -> bool:
    """Whether a fact's name is that of an identifier or a secret, which is never read out."""
    words = _words(key)
    return not words.isdisjoint(_SECRET_WORDS) or any(map(_SECRET_GLUED.fullmatch, words))


def _asked_for(key: str, asked: set[str]) -> bool:
    return bool(_words(key)) and _words(key) <= asked


def _words(key: str) -> set[str]:
    return set(canonical(_name(key)).split())


def _name(key: str) -> str:
    """A fact's name as it is spoken: "due date" for `due_date` and `dueDate`."""
    return re.sub(r"[\W_]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key)).strip().lower()


def unlinked(text: str) -> str:
    """Text without web addresses, which nobody can follow by ear."""
    return URL.sub("the link", text)


def offered_time(text: str) -> tuple[int, int] | None:
    """The last time of day named in an utterance: "we are full at seven is eight okay"."""
    words = text.split()
    hours = [at for at, w in enumerate(words) if 1 <= NUMBERS.get(w, 0) <= 12 or w[:1].isdigit()]
    return hour_and_minute(" ".join(words[hours[-1] :])) if hours else None


def names(task: Task) -> Sequence[str]:
    """Names in the brief, as hints for the recogniser."""
    found = [task.callee, task.company, task.agent_name]
    for fact in task.facts.values():
        if isinstance(fact, str) and not URL.search(fact):
            found += re.findall(r"\b[A-Z][a-z]{2,}\b", fact)
    return tuple(dict.fromkeys(name for name in found if name))
