"""Wallets in the place of keys: what they are called, and how often they are let in."""

import pytest

from server.api.errors import Problem
from server.api.wallets import KEY_ID_CHARS, Turnstile, key_id, network_of
from server.calls.schema import audit, calls, dials, spending

WALLET = "0x" + "Ab" * 20


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def refused(turnstile: Turnstile, address: str) -> bool:
    try:
        turnstile.enter(address)
    except Problem as problem:
        return problem.status == 429
    return False


def test_a_wallet_fits_where_keys_are_kept() -> None:
    assert key_id(WALLET) == key_id(WALLET.lower()) == "wallet_" + ("ab" * 20)[:25]
    widths = {table.c.key_id.type.length for table in (calls, dials, spending, audit)}  # type: ignore[attr-defined]
    assert len(key_id(WALLET)) == KEY_ID_CHARS <= min(widths)


def test_an_address_is_let_in_so_often_a_minute_and_others_all_the_same() -> None:
    clock = Clock()
    turnstile = Turnstile(2, clock)
    assert [refused(turnstile, "a") for _ in range(3)] == [False, False, True]
    assert not refused(turnstile, "b")
    clock.now += 59.0
    assert refused(turnstile, "a")
    clock.now += 1.0
    assert [refused(turnstile, "a") for _ in range(3)] == [False, False, True]


def test_who_is_turned_away_is_told_when_to_come_back() -> None:
    clock = Clock()
    turnstile = Turnstile(1, clock)
    turnstile.enter("a")
    clock.now += 20.5
    with pytest.raises(Problem) as turned_away:
        turnstile.enter("a")
    assert turned_away.value.headers == {"Retry-After": "40"}


def test_no_more_addresses_are_kept_than_there_is_room_for() -> None:
    turnstile = Turnstile(1, Clock(), most=100)
    for number in range(1000):
        turnstile.enter(str(number))
    assert len(turnstile._windows) == 100
    assert refused(turnstile, "999")
    assert not refused(turnstile, "0")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
    ],
)
def test_a_subscriber_of_version_6_is_a_network(address: str, network: str) -> None:
    assert network_of(address) == network
