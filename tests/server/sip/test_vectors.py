"""Messages written down: our own, and those of RFC 4475 and RFC 5118 where they lie beside us."""

import json
from pathlib import Path

import pytest

from server.sip.agent import Address, UserAgent
from server.sip.errors import ParseError
from server.sip.message import parse_message

PROJECT = Path(__file__).parents[3]
SOURCE = Address("198.51.100.7", 5060)


def vectors():
    found = []
    for folder in (PROJECT / "tests/vectors/sip", PROJECT.parent / "shared/vectors/sip"):
        index = folder / "index.json"
        for entry in json.loads(index.read_text()) if index.exists() else []:
            # Bare line feeds are no wire form; rfc5118-wire holds the same messages with CRLF.
            if not entry["file"].startswith("rfc5118/"):
                path = folder / entry["file"]
                found.append(pytest.param(path.read_bytes(), entry, id=entry["file"]))
    return found


def replies(data):
    agent = UserAgent(local=Address("192.0.2.1", 5060), allow_inbound=True, seed=1)
    agent.receive_datagram(data, SOURCE, 0.0)
    return [int(sent.split(b" ")[1]) for sent, _ in agent.datagrams_to_send()]


@pytest.mark.parametrize(("data", "entry"), vectors())
def test_a_message_is_accepted_or_refused_as_it_should_be(data, entry):
    try:
        message = parse_message(data)
    except ParseError:
        assert entry["parse"] in ("reject", "either")
    else:
        assert entry["parse"] in ("accept", "either")
        assert bytes(parse_message(bytes(message))) == bytes(message)


@pytest.mark.parametrize(("data", "entry"), vectors())
def test_a_message_gets_the_answer_it_should_get(data, entry):
    answers = replies(data)
    if data.startswith((b"SIP/", b"ACK ")):
        assert answers == []
        return
    expected = {entry["status"], *entry.get("status_also", ())} - {None}
    # "either" leaves it to the element to be liberal; without a status any answer is right.
    if answers and expected and entry["parse"] != "either":
        assert answers[0] in expected
    assert bool(answers) or entry["parse"] == "either" or entry["status"] is None
