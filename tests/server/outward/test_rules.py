"""Which addresses may be called."""

from ipaddress import IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.outward.rules import OutwardRules, ends_in_number, is_public

REFUSED = """
0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 168.63.129.16
169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1
198.18.0.1 198.51.100.7 203.0.113.7 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
:: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:0:127.0.0.1
64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1 100::1 2001::1 2001:0:4136:e378::1 2001:20::1
2001:db8::1 2002:7f00:1:: 2002:808:808::1 3fff::1 5f00::1 fc00::1 fd00:ec2::254
fe80::1 fe80::1%eth0 fec0::1 ff02::1 ff0e::1 2606:4700::1111%eth0
""".split()
PUBLIC = """
1.1.1.1 8.8.8.8 100.63.255.255 172.32.0.1 192.0.1.1 223.255.255.255
2606:4700::1111 2a00:1450::1 2001:200::1
""".split()


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_of_the_open_internet_is_refused(address: str) -> None:
    assert not OutwardRules().allows(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    assert OutwardRules().allows(ip_address(address))


@given(st.ip_addresses(v=4))
def test_no_public_ipv4_address_is_private_by_another_authority(address: object) -> None:
    inside = ip_address(str(address))
    if is_public(inside):
        assert not inside.is_private
        assert not inside.is_loopback
        assert not inside.is_link_local
        assert not inside.is_multicast
        assert not inside.is_reserved


@given(st.ip_addresses(v=6))
def test_no_public_ipv6_address_embeds_an_ipv4_one(address: IPv6Address) -> None:
    if is_public(address):
        assert address.ipv4_mapped is None
        assert address.sixtofour is None
        assert address.teredo is None
        assert not address.is_private


def test_settings_may_allow_networks_addresses_and_names() -> None:
    rules = OutwardRules.parse(["10.1.0.0/16", "::1", "CRM.internal"])
    assert rules.allows(ip_address("10.1.2.3"))
    assert rules.allows(ip_address("::1"))
    assert rules.allows(ip_address("10.9.9.9"), "crm.internal.")
    assert not rules.allows(ip_address("10.9.9.9"), "other.internal")
    assert not rules.allows(ip_address("10.2.0.1"))


def test_an_allowed_network_is_not_reached_through_its_mapped_form() -> None:
    rules = OutwardRules.parse(["127.0.0.0/8"])
    assert not rules.allows(ip_address("::ffff:127.0.0.1"))


@pytest.mark.parametrize(
    "entry", ["10.0.0.1/8", "10.0.0.300", "0x7f.1", "http://crm", "a b", "", "-a", "*.internal"]
)
def test_an_entry_that_is_nothing_of_the_kind_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        OutwardRules.parse([entry])


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f000001", "a.0x", "1.2.3.4.", "x.09"])
def test_a_host_that_resolvers_read_as_ipv4_ends_in_a_number(host: str) -> None:
    assert ends_in_number(host)


@pytest.mark.parametrize("host", ["example.com", "1.example", "0x7f.example", "a1", "xn--p1ai"])
def test_a_name_does_not_end_in_a_number(host: str) -> None:
    assert not ends_in_number(host)
