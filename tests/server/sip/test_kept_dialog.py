"""A dialog that outlives its process, ended by another."""

import json

import pytest

from server.sip.agent import UserAgent
from server.sip.dialog import Dialog
from server.sip.errors import ParseError
from server.sip.events import Address
from server.sip.kept_dialog import dump_dialog, load_dialog

PEER = Address("192.0.2.9", 5062)
DIALOG = Dialog(
    "one@192.0.2.1",
    "<sip:us@192.0.2.1>;tag=ours",
    "<sip:them@192.0.2.9>;tag=theirs",
    "sip:them@192.0.2.9:5062",
    ("<sip:proxy@192.0.2.8;lr>",),
    PEER,
    2,
)


def test_a_dialog_comes_back_with_a_number_past_all_that_were_used() -> None:
    again = load_dialog(dump_dialog(DIALOG))
    assert again.local_cseq > DIALOG.local_cseq
    again.local_cseq = DIALOG.local_cseq
    assert again == DIALOG


def test_the_bye_of_a_lost_process_takes_the_route_and_the_names_of_its_dialog() -> None:
    agent = UserAgent(local=Address("192.0.2.1", 5060))
    agent.release(dump_dialog(DIALOG), None, 0.0)
    ((datagram, destination),) = agent.datagrams_to_send()
    text = datagram.decode()
    assert destination == Address("192.0.2.8", 5060)
    assert text.startswith("BYE sip:them@192.0.2.9:5062 SIP/2.0\r\n")
    for field in (
        "Route: <sip:proxy@192.0.2.8;lr>",
        "From: <sip:us@192.0.2.1>;tag=ours",
        "To: <sip:them@192.0.2.9>;tag=theirs",
        "Call-ID: one@192.0.2.1",
    ):
        assert f"\r\n{field}\r\n" in text


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"peer": 1, "routes": []})])
def test_what_is_no_dialog_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        load_dialog(text)
