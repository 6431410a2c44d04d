"""Signatures, read by the library that receivers use."""

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from server.calls.webhooks.errors import SecretInvalid
from server.calls.webhooks.signature import check_secret, new_secret, sign

BODY = '{"type":"call.ended","data":{"said":"é"}}'


def now() -> datetime:
    return datetime.now(UTC)


def test_a_receiver_can_verify_what_was_signed() -> None:
    secret = new_secret()
    fields = sign(secret, "msg_1", now(), BODY)
    assert set(fields) == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    assert Webhook(secret).verify(BODY, fields)["type"] == "call.ended"


def test_the_zone_of_the_clock_does_not_matter() -> None:
    secret, moment = new_secret(), now()
    elsewhere = moment.astimezone(timezone(timedelta(hours=-8)))
    assert sign(secret, "msg_1", elsewhere, BODY) == sign(secret, "msg_1", moment, BODY)


@pytest.mark.parametrize("change", ["body", "id", "secret"])
def test_a_changed_message_is_not_verified(change: str) -> None:
    secret = new_secret()
    fields = sign(secret, "msg_1", now(), BODY)
    if change == "id":
        fields["webhook-id"] = "msg_2"
    reader = Webhook(new_secret() if change == "secret" else secret)
    with pytest.raises(WebhookVerificationError):
        reader.verify(BODY + " " if change == "body" else BODY, fields)


def test_an_old_message_is_not_verified() -> None:
    secret = new_secret()
    with pytest.raises(WebhookVerificationError, match="old"):
        Webhook(secret).verify(BODY, sign(secret, "msg_1", now() - timedelta(hours=1), BODY))


def test_new_secrets_are_valid_and_differ() -> None:
    assert check_secret(new_secret()) != check_secret(new_secret())


def test_a_secret_without_padding_is_taken() -> None:
    secret = "whsec_" + base64.b64encode(b"k" * 25).decode().rstrip("=")
    Webhook(secret).verify(BODY, sign(secret, "msg_1", now(), BODY))


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "mysecret-mysecret-mysecret-mysecret",
        "whsec_" + base64.b64encode(b"k" * 23).decode(),
        "whsec_" + base64.b64encode(b"k" * 65).decode(),
        "whsec_" + "k" * 33,
        "whsec_" + "é" * 40,
        "whsec_" + "_-" * 20,
    ],
)
def test_a_secret_that_cannot_be_one_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(SecretInvalid) as refusal:
        check_secret(secret)
    key = secret.removeprefix("whsec_")
    assert not key or key not in str(refusal.value)


@given(st.text())
def test_no_text_raises_anything_but_the_typed_error(text: str) -> None:
    for secret in (text, f"whsec_{text}"):
        try:
            check_secret(secret)
        except SecretInvalid:
            continue
        sign(secret, "msg_1", now(), BODY)
