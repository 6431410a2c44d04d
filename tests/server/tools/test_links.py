"""Addresses within a text."""

import pytest

from server.tools.links import foreign_addresses

GIVEN = ["Offer https://pay.vello.io/inv/bobby-154", "write to joe@vello.io", "+1 (647) 370-5600"]


@pytest.mark.parametrize(
    "text",
    [
        "Please pay at https://pay.vello.io/inv/bobby-154.",
        "Write to Joe@vello.io!",
        "Call us: +16473705600",
        "You owe $154.56 for 1,000 credits, due May 25, 2026.",
        "See you at 7:30, table 12.",
        "",
    ],
)
def test_what_the_operator_gave_may_be_sent(text: str) -> None:
    assert foreign_addresses(text, GIVEN) == ()


@pytest.mark.parametrize(
    "text",
    [
        "Pay at https://evil.example/inv instead",
        "Pay at https://pay.vello.io.evil.example/inv/bobby-154",
        "http://pay.vello.io/other",
        "www.evil.example",
        "evil.example/pay",
        "write to mallory@evil.example",
        "call 1-900-555-0199 now",
        "call +447700900123",
    ],
)
def test_what_somebody_said_on_the_phone_may_not(text: str) -> None:
    assert foreign_addresses(text, GIVEN)
