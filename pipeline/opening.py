"""The first sentences of a call: the script's own, or made from the objective."""

import re
from collections.abc import Iterator, Sequence

from pipeline.answers import answers
from pipeline.course import Line, Part
from pipeline.intent import Understanding
from pipeline.knowledge import Knowledge, unlinked
from pipeline.task import Task

_DISCLOSURES: dict[tuple[bool, bool], str] = {
    (True, True): "This is an automated assistant{whom}, and this call is recorded.",
    (True, False): "This is an automated assistant{whom}.",
    (False, True): "This call is recorded.",
}
"""What is said where the call is one of an assistant, and where it is recorded."""
_ERRAND = re.compile(
    r"^(?:please )?(?:make a call|call|phone|ring|dial|contact|reach out to|telephone)\b"
    r"[^;]*?\b(?:to|and)\s+(?P<errand>[a-z].*)$",
    re.IGNORECASE,
)
_TURNED = (
    (r"^ask (?:the|a) [\w' ]+? (whether|if|what|when|how|about|for)\b", r"ask \1"),
    (r"\bthey are\b", "you are"),
    (r"\bthey\b", "you"),
    (r"\btheir\b", "your"),
    (r"\bthem\b", "you"),
    (r"\b(?:if|whether) the (?:restaurant|store|shop) is\b", "if you are"),
)
_BOOKING = re.compile(r"\b(reservation|booking|appointment|table)\b", re.IGNORECASE)
_MAKING = re.compile(r"\b(make|book|reserve|schedule|get|arrange)\b", re.IGNORECASE)
_ASKING = re.compile(r"^(ask|find out|check|inquire|see if|learn|get information)\b", re.IGNORECASE)
_ASKS: tuple[tuple[str, str], ...] = (
    (r"\bpay", "Can you pay this today?"),
    (r"\binterest|demo", "Are you interested?"),
    (r"\b(make it|attend|come)\b", "Can you make it?"),
)
_ABBREVIATION = r"(?<!\bDr\.)(?<!\bMr\.)(?<!\bMs\.)(?<!\bSt\.)(?<!\bMrs\.)"
_LONGEST_ERRAND_WORDS = 30


def sentences(text: str) -> list[str]:
    """Text cut after the marks that end a sentence."""
    return [s for s in re.split(_ABBREVIATION + r"(?<=[.?!])\s+(?=[A-Z0-9\"'])", text.strip()) if s]


class Opening:
    """What is said first, before and after the identity is confirmed."""

    def __init__(self, task: Task, knowledge: Knowledge) -> None:
        self._task = task
        self._knowledge = knowledge
        templates = task.script.openings if task.script else ("", "")
        self.identity = bool(templates[1])
        """The script asks for the person before it speaks of the matter."""
        self._first, self._second = templates if self.identity else ("", templates[0])

    @property
    def booking(self) -> str:
        """What is to be booked ("reservation"), or an empty text."""
        noun = _BOOKING.search(self._task.objective)
        making = _MAKING.search(self._task.objective)
        return noun[1].lower() if noun and making and not self._task.script else ""

    @property
    def confirming(self) -> bool:
        """The goal is that something is confirmed."""
        script = self._task.script
        return bool(
            re.search(r"\bconfirm", f"{script.goal if script else ''} {self._task.objective}", re.I)
        )

    @property
    def asking(self) -> bool:
        """The objective is to find something out."""
        return not self._task.script and bool(_ASKING.match(self.errand))

    def answered_by(self, heard: Understanding) -> bool:
        """Whether the words can be the answer to an objective that asks."""
        return self.asking and answers(heard, self.errand)

    @property
    def errand(self) -> str:
        """The objective as the agent puts it: "make a dinner reservation for 2 people"."""
        first = (sentences(unlinked(self._task.objective)) or [""])[0]
        goal = first.partition(";")[0].strip(" .")
        match = _ERRAND.match(goal)
        text = match["errand"] if match else goal
        for pattern, instead in _TURNED:
            text = re.sub(pattern, instead, text, flags=re.IGNORECASE)
        words = text.split()[:_LONGEST_ERRAND_WORDS]
        return " ".join([words[0][:1].lower() + words[0][1:], *words[1:]]) if words else ""

    def disclosure(self) -> Line | None:
        """What the law and courtesy want said first, if anything."""
        text = _DISCLOSURES.get((self._task.disclose, self._task.recorded), "")
        whom = f" calling for {self._task.company}" if self._task.company else ""
        return Line(text.format(whom=whom), Part.DISCLOSURE) if text else None

    def first(self) -> Sequence[Line]:
        """What is said right after the answer; nothing where the other side is to begin."""
        if self._task.first_message is not None:
            part = Part.ASK if self.identity else Part.PURPOSE
            own = [Line(s, part) for s in self._filled(self._task.first_message)]
            return self._disclosed(own) if own else ()
        if self.identity:
            return self._disclosed([Line(s, Part.ASK) for s in self._filled(self._first)])
        if self._second:
            return self._disclosed(self.purpose())
        return tuple(self._introduction()) + tuple(self.purpose())

    def purpose(self) -> list[Line]:
        """Why we call, and the question it comes to."""
        if not self._second and not self.errand:
            return [Line("Is this a good time to talk?", Part.ASK)]
        if not self._second:
            again = self.errand if not self.booking else f"would like to {self.errand}"
            short = f"I {again}." if self.booking else f"I'm calling to {again}."
            text = f"I'm calling to {self.errand}."
            return [
                Line(text, Part.ASK if self.booking or self.asking else Part.PURPOSE, short)
            ] + ([] if self.booking or self.asking else [self.ask()])
        spoken = self._filled(self._second)
        asks = [s for s in spoken if s.endswith("?")][-1:]
        told = [Line(s, Part.PURPOSE, _shortened(s)) for s in spoken if s not in asks]
        return [*told, Line(asks[0], Part.ASK) if asks else self.ask()]

    def ask(self) -> Line:
        """The question that wants an answer."""
        if self.booking:
            return Line(f"Can you make the {self.booking}?", Part.ASK)
        if self.asking:
            return Line("Can you tell me that?", Part.ASK)
        if asks := [s for s in self._filled(self._second) if s.endswith("?")]:
            return Line(asks[-1], Part.ASK)
        script = self._task.script
        about = " ".join(b.condition for b in script.branches) if script else self._task.objective
        text = next((ask for p, ask in _ASKS if re.search(p, about, re.I)), "Is that okay for you?")
        return Line(text, Part.ASK)

    def identify(self) -> Line:
        """The question after the person, once more."""
        question = re.sub(
            r"^(?:hi|hello|hey)\b[,.!]?\s*", "", self._filled(self._first)[-1], flags=re.I
        )
        return Line(question[:1].upper() + question[1:], Part.ASK)

    def who(self) -> str:
        """Who is calling: name, what it is, and for whom."""
        company = self._task.company
        return f"This is {self._task.agent_name}, an automated assistant" + (
            f" calling for {company}." if company else "."
        )

    def _introduction(self) -> Iterator[Line]:
        task = self._task
        what = ", an automated assistant" if task.disclose else ""
        whom = f"{',' if what else ''} calling for {task.company}" if task.company else ""
        yield Line(f"Hi, this is {task.agent_name}{what}{whom}.", Part.DISCLOSURE)
        if task.recorded:
            yield Line("This call is recorded.", Part.DISCLOSURE)

    def discloses(self, words: str) -> bool:
        """Whether words of ours tell by themselves what must be told."""
        said = words.lower()
        whom = self._task.company.lower()
        named = not self._task.disclose or ("automated" in said and whom in said)
        return named and (not self._task.recorded or "record" in said)

    def told(self) -> frozenset[Part]:
        """What needs no care later: the disclosure, where none is due or the words hold it."""
        first = self.first()
        held = bool(first) and all(line.part is not Part.DISCLOSURE for line in first)
        return frozenset({Part.DISCLOSURE} if held or self.disclosure() is None else ())

    def _disclosed(self, own: Sequence[Line]) -> Sequence[Line]:
        disclosure = self.disclosure()
        said = " ".join(line.text for line in own)
        if disclosure is None or self.discloses(said):
            return own
        return (disclosure, *own)

    def _filled(self, template: str) -> list[str]:
        return sentences(self._knowledge.fill(template))


def _shortened(text: str) -> str:
    """The matter alone: "It's about your purchase", without greeting and names."""
    about = re.search(r"\b(about|regarding|to) (.+)$", text)
    if not about:
        return text
    return f"It's about {about[2]}" if about[1] != "to" else f"I'm calling to {about[2]}"
