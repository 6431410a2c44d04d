"""Money before and after a call."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.calls.costs import (
    MICROS_PER_CENT,
    Providers,
    Usage,
    bill_of,
    charge_of,
    costed,
    credits_of,
    most_of,
    providers_of,
    quote_of,
    usage_of,
)
from server.calls.model import Call, CallMessage, Plan
from server.calls.request import CallRequest
from server.calls.terms import CallTerms, terms
from server.sections import CostSettings
from server.settings import Settings

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
RATES = CostSettings(
    per_call=0.01,
    telephony_per_minute=0.012,
    voice_per_1k_characters=0.015,
    transcriber_per_minute=0.006,
    language_model_per_1k_tokens=0.002,
    agent_per_minute=0.05,
    margin=0.2,
)
PLAN = Plan(summary="Book a table.")
rates = st.builds(
    CostSettings,
    per_call=st.floats(0, 10),
    telephony_per_minute=st.floats(0, 10),
    voice_per_1k_characters=st.floats(0, 10),
    transcriber_per_minute=st.floats(0, 10),
    language_model_per_1k_tokens=st.floats(0, 10),
    agent_per_minute=st.floats(0, 10),
    margin=st.floats(0, 10),
)


def asked(**fields: object) -> CallTerms:
    body = {"to": "+14165550123", "objective": "Book a table for two", **fields}
    return terms(CallRequest.model_validate(body), Settings())


def finished(**fields: object) -> Call:
    call = Call(
        id="call_1",
        to="+14165550123",
        created_at=NOW,
        updated_at=NOW,
        started_at=NOW,
        answered_at=NOW,
        duration_s=90.0,
        messages=(
            CallMessage(role="assistant", content="x" * 400, start_s=0, end_s=30),
            CallMessage(role="user", content="y" * 999, start_s=30, end_s=60),
        ),
    )
    return call.model_copy(update=fields)


def test_a_finished_call_is_billed_by_component() -> None:
    bill = bill_of(usage_of(finished(), input_tokens=3000, output_tokens=500), RATES)
    assert bill.breakdown(Providers(telephony="pbx")) == {
        "total": 0.125,
        "voice": {"provider": "offhook", "cost": 0.006, "characters": 400},
        "transcriber": {"provider": "offhook", "cost": 0.009, "seconds": 90.0},
        "language_model": {
            "provider": "offhook",
            "cost": 0.007,
            "input_tokens": 3000,
            "output_tokens": 500,
        },
        "telephony": {"provider": "pbx", "cost": 0.018, "seconds": 90.0},
        "agent": {"provider": "offhook", "cost": 0.085, "seconds": 90.0},
    }
    assert bill.cents == 12.5


def test_the_record_carries_its_cost() -> None:
    call = finished()
    record = costed(call, bill_of(usage_of(call), RATES))
    assert record.cost_cents == 11.8
    assert record.cost_breakdown["total"] == 0.118


def test_all_speech_that_was_made_counts_where_it_is_known() -> None:
    assert usage_of(finished(), spoken_characters=1000).characters == 1000


def test_every_line_of_a_conference_is_paid_for() -> None:
    call = finished(parties=("+14165550123", "+14165550124", "+14165550125"))
    usage = usage_of(call)
    assert usage.telephony_s == usage.transcriber_s == Decimal("270.0")
    assert usage.agent_s == Decimal("90.0")


def test_a_call_that_was_never_dialled_costs_nothing() -> None:
    call = finished(started_at=None, answered_at=None, duration_s=None, messages=())
    assert bill_of(usage_of(call), RATES).micros == 0


def test_an_unanswered_call_costs_what_each_call_costs() -> None:
    call = finished(answered_at=None, duration_s=0.0, messages=())
    assert bill_of(usage_of(call), RATES).micros == 10_000


def test_attempts_add_up_but_are_one_call() -> None:
    usage = usage_of(finished()) + usage_of(finished(), input_tokens=7)
    assert (usage.calls, usage.telephony_s, usage.characters) == (1, Decimal("180.0"), 800)
    assert usage.input_tokens == 7


def test_a_quote_is_for_the_whole_time_that_was_asked_for() -> None:
    usage = most_of(asked(max_duration_s=600))
    assert usage.agent_s == usage.telephony_s == Decimal(600)
    assert usage.characters == 9000


def test_only_attempts_that_can_be_answered_are_quoted_more_than_once() -> None:
    busy = asked(retry={"attempts": 3, "on": ["busy"]})
    machine = asked(retry={"attempts": 3, "on": ["voicemail"]})
    assert most_of(busy).agent_s == Decimal(300)
    assert most_of(machine).agent_s == Decimal(900)


def test_a_quote_has_the_margin_and_is_rounded_up_to_a_cent() -> None:
    costs = CostSettings(per_call=0.101, margin=0.2)
    quote = quote_of(asked(), PLAN, costs)
    assert quote.bill.micros == 101_000
    assert quote.total_micros == 130_000
    assert quote.total_usd == 0.13


def test_no_two_quotes_have_the_same_name() -> None:
    ids = {quote_of(asked(), PLAN, RATES).id for _ in range(100)}
    assert len(ids) == 100
    assert all(name.startswith("quote_") and len(name) <= 40 for name in ids)


def test_nothing_costs_anything_unless_rates_are_set() -> None:
    assert quote_of(asked(), PLAN, CostSettings()).total_micros == 0


def test_providers_are_named_as_the_client_names_them() -> None:
    found = providers_of(asked(voice={"hosted": {"provider": "azure"}}), "pbx")
    assert found == Providers("azure", "offhook", "offhook", "pbx")


@pytest.mark.parametrize(
    ("cost", "quoted", "success", "charged"),
    [
        (100_000, 500_000, True, 120_000),
        (100_000, 500_000, False, 100_000),
        (500_000, 500_000, True, 500_000),
        (900_000, 500_000, False, 500_000),
    ],
)
def test_a_failed_call_is_charged_at_cost_and_none_above_its_quote(
    cost: int, quoted: int, success: bool, charged: int
) -> None:
    assert charge_of(cost, quoted, success, RATES) == charged


def test_credits_are_hundredths_of_a_dollar_unless_set() -> None:
    assert credits_of(125_000, CostSettings()) == 12.5
    assert credits_of(125_000, CostSettings(credits_per_dollar=3)) == 0.375


@settings(deadline=None)
@given(rates, st.integers(60, 1800), st.decimals(0, 1800, places=3))
def test_a_call_within_its_time_never_costs_more_than_its_quote(
    costs: CostSettings, most_s: int, lasted_s: Decimal
) -> None:
    request = asked(max_duration_s=most_s)
    lasted = min(lasted_s, Decimal(most_s))
    quote = quote_of(request, PLAN, costs)
    usage = Usage(1, lasted, lasted, lasted, int(lasted * 15), 900, 60)
    bill = bill_of(usage, costs)
    assert bill.micros <= quote.bill.micros
    assert charge_of(bill.micros, quote.total_micros, True, costs) <= quote.total_micros


@settings(deadline=None)
@given(rates, st.integers(60, 1800))
def test_the_parts_of_a_bill_add_up_exactly(costs: CostSettings, seconds: int) -> None:
    bill = bill_of(most_of(asked(max_duration_s=seconds)), costs)
    parts = bill.breakdown()
    total = sum(Decimal(str(part["cost"])) for part in parts.values() if isinstance(part, dict))
    assert total == Decimal(str(parts["total"]))
    quote = quote_of(asked(max_duration_s=seconds), PLAN, costs)
    assert quote.total_micros % MICROS_PER_CENT == 0
    assert quote.total_micros >= bill.micros
