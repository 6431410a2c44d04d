import pytest

from server.sip.digest import Challenge, Credentials, digest_fields, strongest
from server.sip.errors import ParseError

CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
RFC_7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={},'
    f' nonce="{NONCE}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


def answered(challenge, credentials, cnonce="0a4f113b", count=1, body=b""):
    value = Challenge.parse(challenge).authorize(
        credentials, method="GET", uri="/dir/index.html", body=body, cnonce=cnonce, count=count
    )
    return digest_fields(value)


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_example_of_rfc_7616_is_met(algorithm, expected):
    credentials = Credentials("Mufasa", "Circle of Life")
    fields = answered(RFC_7616.format(algorithm), credentials, CNONCE)
    assert fields["response"] == expected
    assert (fields["qop"], fields["nc"], fields["algorithm"]) == ("auth", "00000001", algorithm)


def test_the_example_of_rfc_2617_is_met():
    challenge = (
        'Digest realm="testrealm@host.com", qop="auth,auth-int",'
        ' nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    fields = answered(challenge, Credentials("Mufasa", "Circle Of Life"))
    assert fields["response"] == "6629fae49393a05397450978507c4ef1"
    assert fields["opaque"] == "5ccc069c403ebaf9f0171e9517f40e41"


def test_without_qop_the_legacy_form_is_used():
    challenge = 'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'
    fields = answered(challenge, Credentials("Mufasa", "Circle Of Life"))
    assert fields["response"] == "670fd8c2df070c60b045671b8b24ff02"
    assert "qop" not in fields
    assert "cnonce" not in fields


def test_auth_int_covers_the_body_where_nothing_else_is_offered():
    challenge = 'Digest realm="r", nonce="n", qop=auth-int'
    credentials = Credentials("u", "p")
    one = answered(challenge, credentials, body=b"a")
    other = answered(challenge, credentials, body=b"b")
    assert one["qop"] == "auth-int"
    assert one["response"] != other["response"]


def test_a_session_algorithm_keeps_its_name():
    fields = answered('Digest realm="r", nonce="n", algorithm=md5-SESS', Credentials("u", "p"))
    assert fields["algorithm"] == "MD5-sess"
    assert fields["cnonce"] == "0a4f113b"


def test_the_count_is_eight_hexadecimal_digits():
    challenge = 'Digest realm="r", nonce="n", qop=auth'
    assert answered(challenge, Credentials("u", "p"), count=26)["nc"] == "0000001a"


def test_the_strongest_challenge_wins_whatever_the_order():
    values = [RFC_7616.format("MD5"), RFC_7616.format("SHA-256"), RFC_7616.format("MD5")]
    chosen = strongest(values)
    assert chosen is not None
    assert chosen.algorithm == "SHA-256"


def test_an_unknown_algorithm_is_passed_over():
    chosen = strongest([RFC_7616.format("SHA-512-256"), RFC_7616.format("MD5")])
    assert chosen is not None
    assert chosen.algorithm == "MD5"
    assert strongest(["Basic realm=x", "Digest nonsense", RFC_7616.format("X")]) is None


def test_only_the_given_realms_are_considered():
    assert strongest([RFC_7616.format("MD5")], {"elsewhere"}) is None


@pytest.mark.parametrize("text", ["", "Basic x", "Digest realm=r", 'Digest realm="r, nonce=n'])
def test_a_malformed_challenge_is_refused(text):
    with pytest.raises(ParseError):
        Challenge.parse(text)


def test_the_password_stays_out_of_the_representation():
    assert "secret" not in repr(Credentials("user", "secret"))
