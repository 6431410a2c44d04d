"""Who is sent what."""

import json
from pathlib import Path

import pytest

from server.calls.webhooks.errors import EventUnknown, FilterInvalid, SecretInvalid
from server.calls.webhooks.signature import new_secret
from server.calls.webhooks.subscriptions import messages
from server.outward.errors import OutwardRefused
from tests.server.calls.webhooks.events import SECRET, event, record, subscription


def test_a_message_has_the_form_of_standard_webhooks() -> None:
    (message,) = messages(subscription(), event(ended_reason="user_hangup"), record(status="ended"))
    body = json.loads(message.body)
    assert set(body) == {"type", "timestamp", "data"}
    assert (body["type"], body["timestamp"]) == ("call.ended", "2026-01-31T12:00:05.000000Z")
    assert body["data"]["call_id"] == "call_1"
    assert body["data"]["seq"] == 9
    assert body["data"]["ended_reason"] == "user_hangup"
    assert body["data"]["call"] == record(status="ended")


def test_only_events_in_the_life_of_a_call_carry_the_call() -> None:
    both = subscription(events=("transcript.final", "call.answered"))
    (said,) = messages(both, event("transcript.final", content="Hi"), record())
    (answered,) = messages(both, event("status", status="in-progress"), record())
    assert json.loads(said.body)["data"] == {"content": "Hi", "call_id": "call_1", "seq": 9}
    assert json.loads(answered.body)["data"]["call"]["id"] == "call_1"


def test_an_event_cannot_pretend_to_be_of_another_call() -> None:
    (message,) = messages(subscription(), event(call_id="call_2", seq=9), record())
    assert json.loads(message.body)["data"]["call_id"] == "call_1"


def test_an_event_that_was_not_asked_for_is_not_sent() -> None:
    assert messages(subscription(events=("call.ringing",)), event(), record()) == ()


def test_a_filter_sees_the_event_the_call_and_the_name_it_goes_under() -> None:
    wanted = subscription(
        events=("conversation:ended", "call.ended"),
        filter="event.type == 'conversation:ended' and call.metadata.shop == 7 "
        "and data.duration_s > 30 and event.call_id == 'call_1'",
    )
    of_shop = record(metadata={"shop": 7})
    (message,) = messages(wanted, event(duration_s=31.0), of_shop)
    assert message.name == "conversation:ended"
    assert messages(wanted, event(duration_s=29.0), of_shop) == ()
    assert messages(wanted, event(duration_s=31.0), record()) == ()


def test_an_event_of_two_names_is_one_message_for_each_that_was_asked_for() -> None:
    both = subscription(events=("phone_call:accepted", "conversation:started"))
    sent = messages(both, event("status", status="in-progress"), record())
    assert [message.name for message in sent] == ["phone_call:accepted", "conversation:started"]
    assert len({message.id for message in sent}) == 2


def test_the_id_stays_the_same_when_a_message_is_made_again() -> None:
    again = [messages(subscription(), event(), record())[0].id for _ in range(2)]
    assert again[0] == again[1]
    assert again[0] != messages(subscription(), event(seq=10), record())[0].id
    assert "." not in again[0]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_without_a_body_nothing_that_was_said_is_sent(method: str) -> None:
    thin = subscription(events=("transcript.final", "call.ended"), method=method)
    for each in (event("transcript.final", content="My PIN is 1234"), event()):
        (message,) = messages(thin, each, record())
        assert json.loads(message.body)["data"] == {"call_id": "call_1", "seq": 9}


def test_data_that_is_no_json_is_sent_as_json() -> None:
    odd = event(path=Path("/a"), worst=float("nan"), what=object())
    (message,) = messages(subscription(filter="data.path == '/a'"), odd, record())
    assert json.loads(message.body)["data"]["worst"] is None


def test_a_secret_of_the_client_goes_before_that_of_the_node() -> None:
    own = new_secret()
    assert subscription(secret=own).secret == own
    assert subscription().secret == SECRET


def test_a_subscription_does_not_show_its_secrets() -> None:
    shown = repr(subscription(headers={"Authorization": "Bearer sesame"}))
    assert SECRET not in shown
    assert "sesame" not in shown


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"filter": "event.type = 1"}, FilterInvalid),
        ({"events": ("call.endde",)}, EventUnknown),
        ({"secret": "not-a-secret"}, SecretInvalid),
        ({"url": "http://169.254.169.254/latest"}, OutwardRefused),
        ({"url": "https://user@hooks.example/"}, OutwardRefused),
        ({"headers": {"Host": "evil"}}, OutwardRefused),
        ({"headers": {"Webhook-Id": "msg_1"}}, OutwardRefused),
    ],
)
def test_a_webhook_that_can_never_be_right_is_refused_when_it_is_asked_for(
    fields: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        subscription(**fields)  # type: ignore[arg-type]
