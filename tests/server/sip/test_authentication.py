import random
from collections import Counter
from dataclasses import replace

import pytest

from server.sip.authentication import Authenticator
from server.sip.digest import Credentials, digest_fields
from tests.server.sip.wire import request, response

CREDENTIALS = Credentials("user", "secret")


def challenge(nonce="n1", realm="trunk", status=407):
    name = "Proxy-Authenticate" if status == 407 else "WWW-Authenticate"
    value = f'Digest realm="{realm}", nonce="{nonce}", qop="auth", algorithm=MD5'
    return response(request("INVITE"), status, fields=((name, value),))


def authenticator(credentials=CREDENTIALS):
    return Authenticator(credentials, random.Random(1))


def answer_all(subject, *challenges):
    """Answer one challenge after another for the same request."""
    message, tries, headers = request("INVITE"), Counter(), None
    for one in challenges:
        headers = subject.answer(message, one, tries)
        if headers is not None:
            message = replace(message, headers=headers)
    return headers


def test_a_proxy_and_a_server_are_answered_in_their_own_fields():
    headers = answer_all(authenticator(), challenge(), challenge(realm="pbx", status=401))
    assert digest_fields(headers.get("Proxy-Authorization"))["realm"] == "trunk"
    assert digest_fields(headers.get("Authorization"))["realm"] == "pbx"


def test_the_same_nonce_is_not_tried_twice():
    assert answer_all(authenticator(), challenge(), challenge()) is None


def test_a_changed_nonce_is_tried_once_more():
    headers = answer_all(authenticator(), challenge("n1"), challenge("n2"))
    assert digest_fields(headers.get("Proxy-Authorization"))["nonce"] == "n2"
    assert len(headers.all("Proxy-Authorization")) == 1
    assert answer_all(authenticator(), challenge("n1"), challenge("n2"), challenge("n3")) is None


def test_the_nonce_count_grows_over_the_requests_of_a_call():
    subject = authenticator()
    counts = [
        digest_fields(answer_all(subject, challenge()).get("Proxy-Authorization"))["nc"]
        for _ in range(3)
    ]
    assert counts == ["00000001", "00000002", "00000003"]


def test_the_uri_field_equals_the_request_uri():
    fields = digest_fields(answer_all(authenticator(), challenge()).get("Proxy-Authorization"))
    assert fields["uri"] == request("INVITE").uri


@pytest.mark.parametrize("credentials", [None, Credentials("user", "secret", realm="other")])
def test_without_credentials_for_the_realm_nothing_is_answered(credentials):
    assert answer_all(authenticator(credentials), challenge()) is None


def test_once_pinned_a_new_realm_gets_no_digest():
    subject = authenticator()
    answer_all(subject, challenge())
    subject.pin()
    assert answer_all(subject, challenge(realm="evil")) is None
    assert answer_all(subject, challenge()) is not None
