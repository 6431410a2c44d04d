import pytest

from server.sip.errors import UsageError
from tests.server.sip.wire import Peer


@pytest.mark.parametrize(
    "options",
    [
        {"target": "tel:+16475551234"},
        {"target": "+16475551234"},
        {"target": "sip:a@b?Route=x"},
        {"target": "sip:a@b\r\nX: y"},
        {"from_uri": "nobody"},
        {"from_display": "a\r\nX: y"},
        {"headers": {"X-Note": "a\r\nVia: b"}},
        {"headers": {"X Note": "a"}},
        {"headers": {"v": "SIP/2.0/UDP x"}},
    ],
)
def test_what_cannot_stand_in_a_message_is_refused_before_it_is_sent(options):
    peer = Peer()
    with pytest.raises(UsageError):
        peer.invite(**options)
    assert peer.sent() == []
    assert peer.agent.is_idle


def test_the_to_field_names_neither_port_nor_transport():
    peer = Peer()
    peer.invite(target="sip:+1@trunk.example:5070;transport=udp")
    (invite,) = peer.sent()
    assert invite.uri == "sip:+1@trunk.example:5070;transport=udp"
    assert invite.headers.get("To") == "<sip:+1@trunk.example>"
