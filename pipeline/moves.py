"""The moves of a scripted conversation: each answers one meaning at one stage."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from pipeline.branches import Branches, goodbye
from pipeline.course import Course, Line, Part, Stage, Step
from pipeline.intent import Intent, Understanding
from pipeline.knowledge import Knowledge
from pipeline.opening import Opening, sentences
from pipeline.ports import Act
from pipeline.task import Task

MISSES = 2
"""How often in a row a question is put again."""
WAITS = 3
"""Silences that are borne when we were asked to wait."""
GREETING_TURNS = 8
"""Pauses a voicemail greeting may have."""

ROBOT = "I'm an automated assistant, not a person."
"""The truth, whoever asks and whatever the persona."""
_UNKNOWN = "I don't have that information, but someone can follow up."


class Moves:
    """What the agent can do next; a move takes where we stand and gives where that leads."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.knowledge = Knowledge(task)
        self.opening = Opening(task, self.knowledge)
        self.branches = Branches(task, self.knowledge)

    # What the call is about

    def purpose(self, course: Course, heard: Understanding) -> Course:
        """The identity is confirmed: say why we call."""
        answered = self._side_answer(course, heard)
        lines = () if course.rest and course.stage is Stage.ASK else self.opening.purpose()
        return course.say(*answered, *(lines or course.resume()), stage=Stage.ASK)

    def why(self, course: Course, heard: Understanding) -> Course:
        """Say what the call is about; to a stranger only whom it concerns."""
        if course.stage is Stage.IDENTIFY:
            return course.say(Line(self._private()), self.opening.identify())
        if course.stage is Stage.CLOSED:
            return self.answer(course, heard)
        return course.say(*(line.again() for line in self.opening.purpose()))

    def who(self, course: Course, heard: Understanding) -> Course:
        """Say who is calling."""
        return course.say(self._who(self.opening.who()), *self._pending(course))

    def robot(self, course: Course, heard: Understanding) -> Course:
        """The truth, whoever asks."""
        line = self._who(ROBOT)
        if course.stage is Stage.IDENTIFY and heard.intents & {Intent.RIGHT_PERSON}:
            return course.say(line, *self.opening.purpose(), stage=Stage.ASK)
        return course.say(line, *self._pending(course))

    def recorded(self, course: Course, heard: Understanding) -> Course:
        """Whether the call is recorded."""
        text = "Yes, this call is recorded." if self.task.recorded else "No, it is not recorded."
        return course.say(Line(text), *self._pending(course))

    def discount(self, course: Course, heard: Understanding) -> Course:
        """No price is ours to change."""
        if self.branches.has(Intent.DISCOUNT) and course.stage is not Stage.IDENTIFY:
            return self.run(course, heard)
        return course.say(Line("I'm sorry, I can't offer a discount."), *self._pending(course))

    def installments(self, course: Course, heard: Understanding) -> Course:
        """Terms are not ours to arrange."""
        if self.branches.has(Intent.INSTALLMENTS) and course.stage is not Stage.IDENTIFY:
            return self.run(course, heard)
        text = "I can't arrange that, but someone can follow up."
        return course.say(Line(text), *self._pending(course))

    def answer(self, course: Course, heard: Understanding) -> Course:
        """Answer out of the facts, or say that we do not know."""
        if course.stage is Stage.IDENTIFY:
            who = self.task.callee or "the right person"
            text = f"I can only talk about that with {who}."
            return course.say(Line(text), self.opening.identify())
        if heard.topic == "link" and Intent.AGREE in heard.intents and course.stage is Stage.ASK:
            return self.run(course, replace(heard, intent=Intent.AGREE))
        found = self.knowledge.answer(heard)
        pending = self._pending(course)
        if self.opening.booking and not course.rest and course.stage is not Stage.CLOSED:
            pending = ()
        part = Part.WISH if heard.topic == "seating" else Part.OTHER
        return course.say(Line(found or _UNKNOWN, part), *pending)

    # Nothing to answer

    def nudge(self, course: Course, heard: Understanding) -> Course:
        """A soft word or a greeting: go on where we were, without counting it as an answer."""
        if course.rest:
            return course.say(*course.resume())
        if course.misses >= MISSES:
            return self._give_up(course)
        return course.say(*self._pending(course), miss=True)

    def repeat(self, course: Course, heard: Understanding) -> Course:
        """The last reply once more, in short."""
        again: list[Step] = [s.again() for s in course.plan if isinstance(s, Line)]
        undone = [step for step in course.rest if isinstance(step, Act)]
        return course.say(*(again or self._pending(course)), *undone)

    def miss(self, course: Course, heard: Understanding) -> Course:
        """Not understood: ask again, twice at most."""
        if course.rest:
            return course.say(*course.resume())
        if course.misses >= MISSES:
            return self._give_up(course)
        return course.say(Line("Sorry, I didn't catch that."), *self._pending(course), miss=True)

    def silence(self, course: Course, heard: Understanding) -> Course:
        """A long silence: wait if we were asked to, else ask whether anybody is there."""
        if course.waiting and course.silences < WAITS:
            return replace(course, plan=(), rest=(), silences=course.silences + 1)
        if course.screened:
            return course.say(*goodbye("screening"), stage=Stage.CLOSED)
        if course.rest:
            return course.say(*course.resume(), miss=True)
        if course.misses >= MISSES:
            return self._give_up(course)
        return course.say(Line("Are you still there?"), *self._pending(course), miss=True)

    def hold(self, course: Course, heard: Understanding) -> Course:
        """We are asked to wait."""
        return replace(course.say(Line("Of course.")), waiting=True, rest=course.rest)

    # Decisions

    def run(self, course: Course, heard: Understanding) -> Course:
        """Take the branch of what was meant, and close."""
        steps = self.branches.steps(heard.intent, heard.said)
        return replace(course.say(*steps, stage=Stage.CLOSED), verdict=heard.intent)

    def agree(self, course: Course, heard: Understanding) -> Course:
        """Take the branch of an agreement."""
        return self.run(course, replace(heard, intent=Intent.AGREE))

    def wrong(self, course: Course, heard: Understanding) -> Course:
        """Not the person we want: nothing is said about the matter."""
        return self.run(course, replace(heard, intent=Intent.WRONG_PERSON))

    def refuse(self, course: Course, heard: Understanding) -> Course:
        """A no; before the identity is known it is only taken politely."""
        if course.stage is Stage.IDENTIFY:
            after = course.say(
                Line("I understand. Thank you for your time."), *goodbye(), stage=Stage.CLOSED
            )
            return replace(after, verdict=Intent.REFUSE)
        return self.run(course, replace(heard, intent=Intent.REFUSE))

    def soft_no(self, course: Course, heard: Understanding) -> Course:
        """A bare no to a payment today is no refusal yet: ask for a day."""
        if "pay" not in self.opening.ask().text:
            return self.refuse(course, heard)
        return course.say(Line("I understand. What day can you pay?"), stage=Stage.DATE)

    def later(self, course: Course, heard: Understanding) -> Course:
        """More time is wanted: find out until when."""
        if heard.when.later:
            return self.noted(course, heard)
        if not self.branches.asks_for_date(Intent.LATER):
            return self.run(course, replace(heard, intent=Intent.LATER))
        pays = "pay" in self.opening.ask().text and course.stage is not Stage.IDENTIFY
        calls = any(word in heard.text.split() for word in ("call", "talk", "busy", "driving"))
        text = (
            "What day can you pay?" if pays and not calls else "When is a good time to call back?"
        )
        return course.say(Line("No problem."), Line(text), stage=Stage.DATE)

    def noted(self, course: Course, heard: Understanding) -> Course:
        """Say the day back, and close."""
        steps = (
            Line(f"Okay, {_capitalised(heard.when.text)}."),
            Line("I will make a note of that. Thank you."),
            *goodbye(),
        )
        return replace(course.say(*steps, stage=Stage.CLOSED), verdict=Intent.LATER)

    def dateless(self, course: Course, heard: Understanding) -> Course:
        """No day was named: ask once more, then leave it open."""
        if heard.when.text and heard.when.later:
            return self.noted(course, heard)
        if course.rest:
            return course.say(*course.resume())
        if course.misses < 1:
            return course.say(Line("Which day would work for you?"), miss=True)
        steps = (Line("Okay. Someone will follow up. Thank you."), *goodbye())
        return replace(course.say(*steps, stage=Stage.CLOSED), verdict=Intent.LATER)

    def farewell(self, course: Course, heard: Understanding) -> Course:
        """They want to go."""
        return course.say(Line("Thank you for your time."), *goodbye(), stage=Stage.CLOSED)

    def closed(self, course: Course, heard: Understanding) -> Course:
        """Goodbye was said; say what an interruption swallowed, and end."""
        return course.say(*(course.resume() or goodbye()))

    def changed(self, course: Course, heard: Understanding) -> Course:
        """Another decision than the one we closed with; a soft word is none."""
        same = heard.intent is course.verdict or course.verdict is None
        soft = heard.intent in (Intent.AGREE, Intent.REFUSE) and not heard.firm
        if same or soft or self.task.script is None:
            return self.closed(course, heard)
        return self.run(course, heard)

    def informed(self, course: Course, heard: Understanding) -> Course:
        """We wanted to know something, and were told, unless they speak of something else."""
        if not self.opening.answered_by(heard):
            instead = _UNANSWERED.get(heard.intent, Moves.miss)
            return instead(self, course, heard)
        line = Line("Thank you for the information.")
        return replace(course.say(line, *goodbye(), stage=Stage.CLOSED), settled=True)

    # Bookings

    def accepted(self, course: Course, heard: Understanding) -> Course:
        """They will do it: mention the wish, then make sure that it is settled."""
        wish = self._wish(course)
        if wish:
            return course.say(Line("Great, thank you."), wish, stage=Stage.EXTRA)
        return course.say(Line("Great, thank you."), self._confirmation(), stage=Stage.CONFIRM)

    def booked(self, course: Course, heard: Understanding) -> Course:
        """It is settled."""
        course = replace(course, settled=True)
        wish = self._wish(course)
        if wish:
            return course.say(Line("Great, thank you."), wish, stage=Stage.EXTRA)
        return self._thank(course)

    def wished(self, course: Course, heard: Understanding) -> Course:
        """The wish was answered, whichever way."""
        if course.rest:
            return course.say(*course.resume())
        settled = course.settled or heard.intent is Intent.DONE
        if settled:
            return self._thank(replace(course, settled=True))
        return course.say(Line("Okay, thank you."), self._confirmation(), stage=Stage.CONFIRM)

    def offered(self, course: Course, heard: Understanding) -> Course:
        """Another time: taken when the brief allows it, else passed on."""
        if self.knowledge.suits(heard):
            if course.stage is Stage.CONFIRM:
                return self._thank(replace(course, settled=True))
            return course.say(Line("Yes, that works."), self._confirmation(), stage=Stage.CONFIRM)
        return replace(
            course.say(
                Line("Thank you. I will pass that on, and someone will call you back."),
                *goodbye(),
                stage=Stage.CLOSED,
            ),
            verdict=Intent.OFFER,
        )

    def declined(self, course: Course, heard: Understanding) -> Course:
        """They cannot do it."""
        line = Line("Okay, thank you for letting me know.")
        return replace(course.say(line, *goodbye(), stage=Stage.CLOSED), verdict=Intent.REFUSE)

    def _thank(self, course: Course) -> Course:
        return course.say(Line("Perfect, thank you very much."), *goodbye(), stage=Stage.CLOSED)

    def _wish(self, course: Course) -> Line | None:
        wish = self.knowledge.preference()
        known = wish and wish.lower() in self.opening.errand.lower()
        if not wish or known or Part.WISH in course.told:
            return None
        return Line(f"Is {wish} possible?", Part.WISH)

    def _confirmation(self) -> Line:
        return Line(f"Is the {self.opening.booking or 'time'} confirmed?", Part.ASK)

    # Machines

    def machine(self, course: Course, heard: Understanding) -> Course:
        """A greeting is running: stay quiet until it is over."""
        action = self.task.voicemail.action
        if action == "continue":
            return self.miss(course, heard)
        if action == "hang_up":
            return course.say(*goodbye("voicemail_reached")[1:], stage=Stage.CLOSED)
        return replace(course, plan=(), stage=Stage.MACHINE, silences=course.silences + 1)

    def after_beep(self, course: Course, heard: Understanding) -> Course:
        """Silence after the greeting: leave the message."""
        if any(isinstance(step, Line) for step in course.rest) and Part.REASON in course.told:
            return course.say(*course.resume())
        end = goodbye("voicemail_reached")
        return course.say(*self._message(), *end)

    def still_greeting(self, course: Course, heard: Understanding) -> Course:
        """More of the greeting, or somebody picking up after all."""
        short = len(heard.text.split()) <= 6
        if short and heard.intents & {Intent.RIGHT_PERSON, Intent.GREETING, Intent.WHO_IS_THIS}:
            return self._begin(course)
        if course.silences >= GREETING_TURNS:
            return self.after_beep(course, heard)
        return replace(course, plan=(), silences=course.silences + 1)

    def screening(self, course: Course, heard: Understanding) -> Course:
        """A screener asks who it is: one sentence, then wait to be put through."""
        if Part.REASON in course.told or (course.screened and not course.rest):
            return replace(course, plan=(), rest=(), waiting=True, silences=course.silences + 1)
        reason = self._private() if self.opening.identity else self.opening.purpose()[0].text
        lines = (Line(self.opening.who(), Part.DISCLOSURE), Line(reason, Part.REASON))
        return replace(course.say(*lines), waiting=True, screened=True)

    def connected(self, course: Course, heard: Understanding) -> Course:
        """Somebody speaks after the screening: begin anew."""
        return self._begin(course)

    def _message(self) -> tuple[Line, ...]:
        """Who called, for whom, and a request to call back; never the matter itself."""
        own = self.task.voicemail.message
        if own:
            return tuple(Line(s, Part.REASON) for s in sentences(self.knowledge.fill(own)))
        callee = f"Hello {self.task.callee}, this" if self.task.callee else "Hello, this"
        who = self.opening.who().replace("This", callee, 1)
        number = self.knowledge.value("contact")
        back = f"Please call us back at {number}." if number else "Please call us back."
        return (Line(who, Part.REASON), Line(f"{back} Thank you.", Part.REASON))

    # Shared

    def _who(self, text: str) -> Line:
        """Words about ourselves; they may be all the disclosure that is due."""
        return Line(text, Part.DISCLOSURE if self.opening.discloses(text) else Part.OTHER)

    def _begin(self, course: Course) -> Course:
        """Begin anew with somebody who has heard nothing yet."""
        stage = Stage.IDENTIFY if self.opening.identity else Stage.ASK
        told = self.opening.told()
        anew = replace(course, stage=stage, told=told, rest=(), screened=False)
        return anew.say(*(self.opening.first() or self._pending(anew)))

    def _private(self) -> str:
        who = self.task.callee
        return f"It's a personal matter for {who}." if who else "It's a personal matter."

    def _side_answer(self, course: Course, heard: Understanding) -> tuple[Line, ...]:
        if Intent.ROBOT in heard.intents:
            return (self._who(ROBOT),)
        return ()

    def _pending(self, course: Course) -> tuple[Step, ...]:
        """What brings the conversation back to its point."""
        if course.resume():
            return course.resume()
        if course.stage is Stage.IDENTIFY:
            return (self.opening.identify(),)
        if course.stage is Stage.ASK:
            purpose = self.opening.purpose()
            told = Part.PURPOSE in course.told or Part.ASK in course.told
            return (self.opening.ask(),) if told else tuple(line.again() for line in purpose)
        if course.stage is Stage.DATE:
            return (Line("Which day would work for you?", Part.ASK),)
        if course.stage is Stage.EXTRA:
            return (Line(f"Is {self.knowledge.preference()} possible?", Part.WISH),)
        if course.stage is Stage.CONFIRM:
            return (self._confirmation(),)
        return goodbye()

    def _give_up(self, course: Course) -> Course:
        return course.say(
            Line("I'm sorry, I can't hear you well. Someone can follow up."),
            *goodbye(),
            stage=Stage.CLOSED,
        )


_UNANSWERED: Mapping[Intent, Callable[[Moves, Course, Understanding], Course]] = {
    Intent.LATER: Moves.later,
    Intent.REFUSE: Moves.refuse,
    Intent.DISPUTE: Moves.run,
    Intent.NOT_SURE: Moves.farewell,
}
"""What follows words that are no answer to the question of the objective."""


def _capitalised(when: str) -> str:
    """Time words as they are written: "next Friday"."""
    names = (
        "monday tuesday wednesday thursday friday saturday sunday january february march april "
        "june july august september october november december"
    ).split()
    return " ".join(word.capitalize() if word in names else word for word in when.split())
