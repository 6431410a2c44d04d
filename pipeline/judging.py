"""Whether a criterion was met, and by which words of the other side."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.answers import content
from pipeline.asking import ask
from pipeline.intent import Intent, Understanding, understand
from pipeline.ports import LanguageModel, Message
from pipeline.words import canonical

_SHARE = 0.6
"""Of a criterion's words that question and answer must hold."""
_ROLES = frozenset(
    "customer client caller callee person patient party parties people someone other side agree "
    "agrees agreed confirm confirms confirmed say says said state states give gives given accept "
    "accepts accepted call called success successful".split()
)
"""Words of a criterion that say who or how, not what."""
_AGAINST = frozenset({
    Intent.REFUSE, Intent.NO, Intent.DISPUTE, Intent.WRONG_PERSON, Intent.NOT_HERE,
    Intent.STOP_CALLING, Intent.NOT_SURE, Intent.LATER,
})  # fmt: skip
_FOR = frozenset({Intent.AGREE, Intent.DONE, Intent.RIGHT_PERSON})
_ASKING = re.compile(
    r"(?:what|which|when|where|why|who|how|is|are|do|does|did|can|could|will|would|should|may|"
    r"have|has)\b"
)
_NOBODY = frozenset({Intent.VOICEMAIL, Intent.SCREENING, Intent.SILENCE})
_ASKED = """You judge phone calls. For each criterion say whether the callee's own words show that \
it was met, and copy the callee's turn that shows it; where none does, it is not met and the \
evidence is empty. What the agent says proves nothing."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that the call was to achieve."""

    text: str
    met: bool
    evidence: str | None = None
    """The other side's words, verbatim."""


def judge_by_rules(criteria: Sequence[str], messages: Sequence[Message]) -> tuple[Criterion, ...]:
    """Judge by the words that a criterion shares with an answer and its question.

    A criterion is met by what the other side said itself, or by its yes to what we asked; a later
    no to the same takes that back. Without evidence nothing is met.
    """
    turns: list[tuple[str, Understanding]] = []
    asked = ""
    for message in messages:
        if message.role == "assistant":
            asked = f"{asked} {message.content}"
        elif message.role == "user":
            turns.append((asked, understand(message.content)))
            asked = ""
    return tuple(_judged(text, turns) for text in criteria)


def _judged(text: str, turns: Sequence[tuple[str, Understanding]]) -> Criterion:
    wanted = content([word for word in canonical(text).split() if word not in _ROLES])
    evidence = None
    for asked, heard in turns:
        if not wanted or heard.intents & _NOBODY:
            continue
        alone = content(heard.text.split())
        both = alone | content(canonical(asked).split())
        if len(wanted & both) < _SHARE * len(wanted):
            continue
        told = len(wanted & alone) >= _SHARE * len(wanted) and not _ASKING.match(heard.text)
        if heard.intents & _AGAINST:
            evidence = None
        elif told or heard.intents & _FOR:
            evidence = heard.said
    return Criterion(text, evidence is not None, evidence)


async def judge_by_model(
    model: LanguageModel, conversation: str, criteria: Sequence[str], messages: Sequence[Message]
) -> tuple[Criterion, ...]:
    """Let a language model judge, under a grammar that lets it quote nobody but the callee.

    Raises what `ask` raises; whoever judges a call then has `judge_by_rules`, and says so.
    """
    said = list(dict.fromkeys(m.content for m in messages if m.role == "user" and m.content))
    if not criteria or not said:
        return tuple(Criterion(text, met=False) for text in criteria)
    verdict = {
        "type": "object",
        "properties": {"met": {"type": "boolean"}, "evidence": {"enum": ["", *said]}},
        "required": ["met", "evidence"],
    }
    schema = {
        "type": "array",
        "items": verdict,
        "minItems": len(criteria),
        "maxItems": len(criteria),
    }
    names = {"assistant": "Agent", "user": "Callee"}
    spoken = [f"{names[m.role]}: {m.content}" for m in messages if m.role in names]
    wanted = [f"Criterion {at}: {text}" for at, text in enumerate(criteria, 1)]
    prompt = [("system", _ASKED), ("user", "\n".join([*spoken, *wanted]))]
    verdicts = await ask(model, conversation, prompt, schema)
    return tuple(
        Criterion(text, met, found["evidence"] if met else None)
        for text, found in zip(criteria, verdicts, strict=True)
        for met in [found["met"] and found["evidence"] in said]
    )
