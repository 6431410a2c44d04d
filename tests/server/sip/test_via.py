import pytest

from server.sip.errors import ParseError
from server.sip.events import Address
from server.sip.via import Via

SOURCE = Address("198.51.100.7", 40000)


def test_blanks_around_every_separator_are_tolerated():
    via = Via.parse("SIP  /   2.0 /UDP    192.0.2.2 : 5061 ; branch = z9hG4bKx")
    assert (via.transport, via.host, via.port, via.branch) == ("UDP", "192.0.2.2", 5061, "z9hG4bKx")


def test_a_response_goes_to_the_source_port_only_when_rport_asks_for_it():
    asking = Via.parse("SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKx").received_from(SOURCE)
    plain = Via.parse("SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKx").received_from(SOURCE)
    assert asking.reply_address() == SOURCE
    assert plain.reply_address() == Address("198.51.100.7", 5062)


def test_the_default_port_is_5060():
    via = Via.parse("SIP/2.0/UDP pbx;branch=z9hG4bKx").received_from(SOURCE)
    assert via.reply_address() == Address("198.51.100.7", 5060)


def test_received_is_not_added_when_the_sender_told_the_truth():
    via = Via.parse("SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKx").received_from(SOURCE)
    assert "received" not in via.parameters


def test_a_received_that_the_peer_forged_is_replaced():
    via = Via.parse("SIP/2.0/UDP 10.0.0.1;received=203.0.113.9;branch=z9hG4bKx")
    assert via.received_from(SOURCE).reply_address().host == "198.51.100.7"


@pytest.mark.parametrize("received", ["[2001:db8::9:255]", "2001:db8::9:255"])
def test_received_may_hold_ipv6_with_or_without_brackets(received):
    via = Via.parse(f"SIP/2.0/UDP [2001:db8::9:1];received={received};branch=z9hG4bKx")
    assert via.reply_address().host == "2001:db8::9:255"


@pytest.mark.parametrize("branch", ["", ";branch=z9hG4bK", ";branch=abc"])
def test_only_a_branch_with_cookie_and_more_identifies_a_transaction(branch):
    assert Via.parse(f"SIP/2.0/UDP a{branch}").branch is None


@pytest.mark.parametrize("text", ["", "SIP/2.0/UDP", "SIP/7.0/UDP a", "SIP/2.0/UDP a;;branch=x"])
def test_a_malformed_via_is_refused(text):
    with pytest.raises(ParseError):
        Via.parse(text)
