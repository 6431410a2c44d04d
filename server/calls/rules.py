"""The rules that a request must pass before anything is written: numbers, words, hours.

Stands before `admission`. The rules themselves are in `server.calls.policy`; here is what they
are applied to.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta

import phonenumbers
from pydantic import JsonValue

from server.calls.agent import TranscriberRequest, VoiceRequest
from server.calls.errors import Refused
from server.calls.events import utc_now
from server.calls.origin import Deployment, Origin
from server.calls.policy.errors import NumberRefused, PolicyError
from server.calls.policy.hours import CallingHours, allowed_at, next_allowed
from server.calls.policy.numbers import NumberRules, check_number, is_emergency_user
from server.calls.policy.screening import check_harm, check_injection
from server.calls.request import CallRequest
from server.calls.terms import CallTerms
from server.calls.webhooks.errors import WebhookError
from server.calls.webhooks.filters import compile_filter
from server.calls.webhooks.names import resolve_names
from server.sections import HoursSettings
from server.settings import Settings
from server.sip.uri import Uri

log = logging.getLogger(__name__)

FURTHEST = timedelta(days=366)
TEXTS = set(
    "objective task persona context variables first_message voicemail agent agent_name "
    "language_model".split()
)
PROMPTS = frozenset({"system_prompt", "language_model"})
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def check(terms: CallTerms, asked: CallRequest, origin: Origin, settings: Settings) -> None:
    """Let pass what may be placed. Raises `Refused` and `PolicyError`."""
    check_texts(asked)
    _check_hooks(terms)
    if len(terms.parties) > 1:
        raise Refused("to", "several numbers are not supported; give one number as a string")
    check_party(terms, origin.deployment, settings)


def check_party(terms: CallTerms, deployment: Deployment | None, settings: Settings) -> None:
    """Whether the settings let us call there. Raises `Refused` and `PolicyError`."""
    if terms.parties[0].startswith("sip:"):
        if not settings.call.allow_sip_uri:
            raise Refused("to", "SIP URIs are not allowed here; give an E.164 number")
        if is_emergency_user(Uri.parse(terms.parties[0]).user or "", settings.policy.home_region):
            raise NumberRefused("emergency_number_blocked", "emergency numbers are never called")
    else:
        check_number(terms.parties[0], number_rules(terms.from_, deployment, settings))


def get_ready(settings: Settings) -> None:
    """Read the data of all rules, so that the first request need not wait for it."""
    home = phonenumbers.example_number(settings.policy.home_region)
    number = phonenumbers.format_number(home, phonenumbers.PhoneNumberFormat.E164) if home else ""
    with suppress(PolicyError):
        check_number(number, number_rules(None, None, settings))
    with suppress(PolicyError):
        allowed_at(number, utc_now(), calling_hours(settings.policy.hours))
    check_harm("", "")
    check_injection("", "")


def check_texts(asked: CallRequest) -> None:
    """Look at every text of the request itself. Raises `Blocked` and `InjectionFound`.

    A system prompt speaks to the model by its nature, so only harm is looked for in it.
    """
    texts = asked.model_dump(mode="json", exclude_unset=True, include=TEXTS)
    for field, text in texts.items():
        if text is not None:
            check_harm(text, field)
            check_injection(_without_prompt(text), field)


def _check_hooks(terms: CallTerms) -> None:
    """Events and filters of hooks. Raises `Refused`."""
    for place, hook in enumerate(terms.hooks):
        try:
            resolve_names(hook.events)
            if hook.filter is not None:
                compile_filter(hook.filter)
        except WebhookError as error:
            raise Refused(f"hooks.{place}", str(error)) from None


async def check_engines(
    terms: CallTerms, engines_for: Callable[[CallTerms], Awaitable[object]]
) -> None:
    """Ask the engines whether they have the voice and the language. Raises `Refused`.

    One that is down does not refuse: it may be up again when the call is dialled.
    """
    voice = "voice.voice_id" if terms.voice.voice_id else "voice.speed"
    for field, asked in (
        (voice, terms.model_copy(update={"transcriber": TranscriberRequest()})),
        ("transcriber.language", terms.model_copy(update={"voice": VoiceRequest()})),
    ):
        try:
            await engines_for(asked)
        except ValueError as error:
            raise Refused(field, str(error)) from error
        except RuntimeError as error:
            log.warning("%s is not checked: %s", field, error)


def _without_prompt(text: JsonValue) -> JsonValue:
    return (
        {name: part for name, part in text.items() if name not in PROMPTS}
        if isinstance(text, dict)
        else text
    )


def number_rules(
    from_: str | None, deployment: Deployment | None, settings: Settings
) -> NumberRules:
    """Whom a deployment may dial."""
    policy = settings.policy
    regions = deployment.allowed_regions if deployment else None
    allowed = regions or policy.allowed_regions
    own = {from_, deployment.number if deployment else None}
    own |= {trunk.caller_id for trunk in settings.trunks}
    return NumberRules(
        home_region=policy.home_region,
        allowed_regions=frozenset(phonenumbers.SUPPORTED_REGIONS if allowed == "all" else allowed),
        own_numbers=frozenset(number for number in own if number is not None),
    )


def due_at(terms: CallTerms, settings: Settings, now: datetime) -> datetime:
    """When the call is to be dialled; `now` for at once.

    Raises `Refused` for a time too far away, and `PolicyError` outside of the calling hours
    where these refuse.
    """
    due = max(now, terms.scheduled_at or now)
    if due - now > FURTHEST:
        raise Refused("scheduled_at", "more than a year away")
    return in_hours(terms, settings, due)


def in_hours(terms: CallTerms, settings: Settings, due: datetime) -> datetime:
    """The time itself, or the next at which the callee may be called. Raises `Refused`."""
    hours = settings.policy.hours
    if hours.outside == "allow":
        return due
    limits = calling_hours(hours)
    for number in _numbers(terms):
        if allowed_at(number, due, limits):
            continue
        if hours.outside == "refuse":
            raise Refused(
                "scheduled_at" if terms.scheduled_at else "to",
                "outside of the hours in which this number may be called",
            )
        due = next_allowed(number, due, limits)
    return due


def calling_hours(hours: HoursSettings) -> CallingHours:
    """The settings as the rules want them."""
    days = frozenset(DAYS.index(day) + 1 for day in hours.days)
    return CallingHours(hours.start, hours.end, days)


def _numbers(terms: CallTerms) -> Iterator[str]:
    return (party for party in terms.parties if not party.startswith("sip:"))
