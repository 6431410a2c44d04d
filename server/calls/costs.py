"""What a call costs: at most, before it is placed, and in fact, once it is over.

Pure. Rates are dollars; every component is rounded half up to a millionth of a dollar, and
the total is the sum of the rounded components, so that a bill adds up. A quote is rounded up
to a whole cent.
"""

from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

from pydantic import JsonValue
from pydantic_core import to_json

from server.calls.ids import new_call_id
from server.calls.model import Call, Plan
from server.calls.terms import CallTerms
from server.sections import CostSettings

MICROS_PER_DOLLAR = 1_000_000
MICROS_PER_CENT = 10_000
OWN = "offhook"
"""The provider of what this node does itself."""

SPOKEN_CHARACTERS_PER_S = 15
"""Ordinary speech, without a pause: nobody speaks more than all the time."""
REPLIES_PER_MINUTE = 12
REPLY_TOKENS = 60
PROMPT_TOKENS = 800
"""The fixed part of a prompt."""
CHARACTERS_PER_TOKEN = 4
PLANNING_REPLIES = 2
"""The plan before the call and the verdict after it."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call used up."""

    calls: int = 0
    """1 where it was dialled at all."""
    agent_s: Decimal = Decimal(0)
    """From the answer to the end."""
    telephony_s: Decimal = Decimal(0)
    """The same, of all lines together."""
    transcriber_s: Decimal = Decimal(0)
    characters: int = 0
    """Spoken by the agent."""
    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        """Two attempts of one call."""
        return Usage(
            max(self.calls, other.calls),
            self.agent_s + other.agent_s,
            self.telephony_s + other.telephony_s,
            self.transcriber_s + other.transcriber_s,
            self.characters + other.characters,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
        )


@dataclass(frozen=True, slots=True)
class Providers:
    """Who does the parts of a call, as a bill names them."""

    voice: str = OWN
    transcriber: str = OWN
    language_model: str = OWN
    telephony: str = "sip"


@dataclass(frozen=True, slots=True)
class Bill:
    """A usage at the node's rates; all amounts are micros, millionths of a dollar."""

    usage: Usage
    voice: int
    transcriber: int
    language_model: int
    telephony: int
    agent: int
    """With what every call costs (`costs.per_call`)."""

    @property
    def micros(self) -> int:
        """The total."""
        return self.voice + self.transcriber + self.language_model + self.telephony + self.agent

    @property
    def cents(self) -> float:
        """The total as `Call.cost_cents` tells it, to a ten-thousandth."""
        return self.micros / MICROS_PER_CENT

    def credits_used(self, costs: CostSettings) -> float:
        """The total in OneInbox's credits."""
        return credits_of(self.micros, costs)

    def breakdown(self, providers: Providers | None = None) -> dict[str, JsonValue]:
        """`Call.cost_breakdown`, in dollars: VoiceOS's shape."""
        by, used = providers or Providers(), self.usage
        return {
            "total": dollars(self.micros),
            "voice": {
                "provider": by.voice,
                "cost": dollars(self.voice),
                "characters": used.characters,
            },
            "transcriber": {
                "provider": by.transcriber,
                "cost": dollars(self.transcriber),
                "seconds": float(used.transcriber_s),
            },
            "language_model": {
                "provider": by.language_model,
                "cost": dollars(self.language_model),
                "input_tokens": used.input_tokens,
                "output_tokens": used.output_tokens,
            },
            "telephony": {
                "provider": by.telephony,
                "cost": dollars(self.telephony),
                "seconds": float(used.telephony_s),
            },
            "agent": {
                "provider": OWN,
                "cost": dollars(self.agent),
                "seconds": float(used.agent_s),
            },
        }


def new_quote_id() -> str:
    """`quote_` and a version 7 UUID in hex."""
    return new_call_id().replace("call_", "quote_")


@dataclass(frozen=True, slots=True)
class Quote:
    """What a call is to achieve, and what it costs at most."""

    plan: Plan
    bill: Bill
    """At cost."""
    total_micros: int
    """With the margin, rounded up to a whole cent: what is to be paid."""
    id: str = field(default_factory=new_quote_id)

    @property
    def total_usd(self) -> float:
        """The same in dollars."""
        return dollars(self.total_micros)


def quote_of(terms: CallTerms, plan: Plan, costs: CostSettings) -> Quote:
    """The most that a call can cost if it goes on to its end."""
    bill = bill_of(most_of(terms), costs)
    return Quote(plan, bill, _up_to_cents(with_margin(bill.micros, costs)))


def most_of(terms: CallTerms) -> Usage:
    """What a call uses up at most: all its time, in lively talk.

    Tokens are an estimate, because a model reads all that was said anew for each reply.
    """
    seconds = terms.max_duration_s * _answered_attempts(terms)
    replies = REPLIES_PER_MINUTE * seconds // 60 + PLANNING_REPLIES
    own = len(to_json(terms.model_dump(include=_IN_PROMPT))) // CHARACTERS_PER_TOKEN
    said = terms.max_duration_s * SPOKEN_CHARACTERS_PER_S // CHARACTERS_PER_TOKEN
    spoken = Decimal(SPOKEN_CHARACTERS_PER_S) * Decimal(str(terms.voice.speed)) * seconds
    return Usage(
        calls=1,
        agent_s=Decimal(seconds),
        telephony_s=Decimal(seconds * len(terms.parties)),
        transcriber_s=Decimal(seconds * len(terms.parties)),
        characters=int(spoken.to_integral_value(ROUND_CEILING)),
        input_tokens=replies * (PROMPT_TOKENS + own + said // 2),
        output_tokens=replies * (terms.language_model.max_tokens or REPLY_TOKENS),
    )


def usage_of(
    call: Call,
    *,
    spoken_characters: int | None = None,
    input_tokens: int = 0,
    output_tokens: int = 0,
) -> Usage:
    """What a finished call used up.

    spoken_characters: of all speech that was made; where absent, of what was heard.
    Every party of a conference counts for as long as the call was.
    """
    seconds = Decimal(str(call.duration_s or 0.0))
    lines = max(1, len(call.parties))
    heard = sum(len(message.content) for message in call.messages if message.role == "assistant")
    return Usage(
        calls=0 if call.started_at is None else 1,
        agent_s=seconds,
        telephony_s=seconds * lines,
        transcriber_s=seconds * lines,
        characters=heard if spoken_characters is None else spoken_characters,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
    )


def bill_of(usage: Usage, costs: CostSettings) -> Bill:
    """Price a usage."""
    tokens = usage.input_tokens + usage.output_tokens
    agent = _rate(costs.agent_per_minute) * usage.agent_s / 60 + _rate(costs.per_call) * usage.calls
    return Bill(
        usage,
        voice=_micros(_rate(costs.voice_per_1k_characters) * usage.characters / 1000),
        transcriber=_micros(_rate(costs.transcriber_per_minute) * usage.transcriber_s / 60),
        language_model=_micros(_rate(costs.language_model_per_1k_tokens) * tokens / 1000),
        telephony=_micros(_rate(costs.telephony_per_minute) * usage.telephony_s / 60),
        agent=_micros(agent),
    )


def costed(call: Call, bill: Bill, providers: Providers | None = None) -> Call:
    """The record with what it cost."""
    costs = {"cost_breakdown": bill.breakdown(providers), "cost_cents": bill.cents}
    return call.model_copy(update=costs)


def providers_of(terms: CallTerms, trunk: str | None) -> Providers:
    """Who does the parts: the hosted services' names as the client gave them, else our own."""
    voice, hearing, thinking = (
        str(part.hosted.get("provider") or OWN)
        for part in (terms.voice, terms.transcriber, terms.language_model)
    )
    return Providers(voice, hearing, thinking, trunk or "sip")


def charge_of(cost_micros: int, quoted_micros: int, success: bool, costs: CostSettings) -> int:
    """What a paid call is charged: its cost, with the margin where it succeeded.

    Never more than was quoted.
    """
    charged = with_margin(cost_micros, costs) if success else cost_micros
    return min(charged, quoted_micros)


def with_margin(cost_micros: int, costs: CostSettings) -> int:
    """A cost with the operator's share, rounded up to a micro."""
    price = cost_micros * (1 + _rate(costs.margin))
    return int(price.to_integral_value(ROUND_CEILING))


def credits_of(micros: int, costs: CostSettings) -> float:
    """An amount in OneInbox's credits, to a ten-thousandth."""
    amount = Decimal(micros) / MICROS_PER_DOLLAR * _rate(costs.credits_per_dollar)
    return float(amount.quantize(Decimal("0.0001"), ROUND_HALF_UP))


def dollars(micros: int) -> float:
    """For JSON."""
    return micros / MICROS_PER_DOLLAR


_IN_PROMPT = {
    "persona",
    "context",
    "objective",
    "task",
    "variables",
    "tools",
    "language_model",
}


def _answered_attempts(terms: CallTerms) -> int:
    """How many attempts may run to their end: a busy line costs no time."""
    after_an_answer = {"voicemail", "failed"} & set(terms.retry.on)
    return terms.retry.attempts if after_an_answer else 1


def _rate(value: float) -> Decimal:
    return Decimal(str(value))


def _micros(dollars: Decimal) -> int:
    return int((dollars * MICROS_PER_DOLLAR).to_integral_value(ROUND_HALF_UP))


def _up_to_cents(micros: int) -> int:
    return -(-micros // MICROS_PER_CENT) * MICROS_PER_CENT
