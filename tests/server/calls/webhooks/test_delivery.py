"""Attempts over real sockets, and when the next one is due."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from server.calls.webhooks import delivery as under_test
from server.calls.webhooks.delivery import (
    MAX_ATTEMPTS,
    Delivered,
    Delivery,
    Disabled,
    GaveUp,
    Outcome,
    Retry,
    attempt,
    wait_s,
)
from server.calls.webhooks.subscriptions import messages
from server.outward.client import Method, OutwardClient, Reply
from tests.server.calls.webhooks.events import RULES, SECRET, event, record, subscription
from tests.server.outward.receiver import OUTSIDE, Answers, header, receiver

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
DAY_S = 86_400


def delivery(url: str, number: int = 1, **fields: object) -> Delivery:
    to = subscription(url, **fields)
    (message,) = messages(to, event(ended_reason="user_hangup"), record())
    return Delivery(to, message, number)


async def try_to(url: str, number: int = 1, now: datetime = NOW, **fields: object) -> Outcome:
    client = OutwardClient(RULES, Answers([OUTSIDE]))
    return await attempt(client, delivery(url, number, **fields), now)


def answer(status: int, *fields: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} X", "Content-Length: 0", *fields, "", ""]).encode()


def parts(request: bytes) -> tuple[dict[str, str], str]:
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    signature = {name: header(request, name) or "" for name in names}
    return signature, request.partition(b"\r\n\r\n")[2].decode()


@pytest.mark.parametrize("status", [200, 202, 204, 299])
async def test_any_success_is_delivered(status: int) -> None:
    async with receiver(answer(status)) as there:
        assert await try_to(there.url) == Delivered(status)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_a_receiver_verifies_the_body_it_got(method: Method) -> None:
    async with receiver() as there:
        await try_to(there.url, now=datetime.now(UTC), method=method)
    (request,) = there.requests
    signature, body = parts(request)
    assert request.startswith(method.encode() + b" /hook HTTP/1.1\r\n")
    assert header(request, "content-type") == "application/json"
    assert Webhook(SECRET).verify(body, signature)["data"]["ended_reason"] == "user_hangup"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_without_a_body_a_receiver_verifies_the_event_in_the_query(method: Method) -> None:
    async with receiver() as there:
        await try_to(f"{there.url}?key=7", now=datetime.now(UTC), method=method)
    (request,) = there.requests
    query = parse_qs(urlsplit(request.split(b" ")[1].decode()).query)
    signature, body = parts(request)
    assert body == ""
    assert query["key"] == ["7"]
    assert Webhook(SECRET).verify(query["event"][0], signature)["type"] == "call.ended"


async def test_headers_of_the_subscription_are_sent() -> None:
    fields = {"Authorization": "Bearer x", "content-type": "application/cloudevents+json"}
    async with receiver() as there:
        await try_to(there.url, headers=fields)
    (request,) = there.requests
    assert header(request, "authorization") == "Bearer x"
    assert request.lower().count(b"content-type:") == 1


async def test_a_retry_has_the_same_id_and_body_and_the_time_of_its_own() -> None:
    async with receiver() as there:
        await try_to(there.url)
        await try_to(there.url, number=2, now=NOW + timedelta(seconds=5))
    (first, body), (second, again) = map(parts, there.requests)
    assert (first["webhook-id"], body) == (second["webhook-id"], again)
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 5
    assert first["webhook-signature"] != second["webhook-signature"]


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 422, 429, 500, 503])
async def test_any_other_status_is_tried_again(status: int) -> None:
    async with receiver(answer(status, "Location: http://127.0.0.1/")) as there:
        outcome = await try_to(there.url)
    assert isinstance(outcome, Retry)
    assert 4.5 <= outcome.after_s <= 5.5
    assert str(status) in outcome.reason
    assert len(there.requests) == 1


async def test_a_receiver_that_is_gone_is_disabled() -> None:
    async with receiver(answer(410)) as there:
        assert await try_to(there.url) == Disabled()
        assert await try_to(there.url, number=MAX_ATTEMPTS) == Disabled()


async def test_a_server_that_is_not_there_is_tried_again() -> None:
    async with receiver() as there:
        pass
    assert isinstance(await try_to(there.url), Retry)


async def test_a_server_that_does_not_answer_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(_: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(under_test, "TIMEOUT_S", 0.1)
    async with receiver(never) as there:
        outcome = await try_to(there.url)
    assert isinstance(outcome, Retry)
    assert "0.1 s" in outcome.reason


async def test_a_name_that_leads_inside_today_is_tried_again() -> None:
    client = OutwardClient(RULES, Answers(["127.0.0.1"]))
    outcome = await attempt(client, delivery("http://hooks.example/"), NOW)
    assert isinstance(outcome, Retry)


async def test_a_url_that_the_settings_no_longer_allow_is_given_up() -> None:
    client = OutwardClient(type(RULES)(), Answers([OUTSIDE]))
    outcome = await attempt(client, delivery("http://hooks.example/"), NOW)
    assert isinstance(outcome, GaveUp)
    assert "https" in outcome.reason


async def test_after_the_last_attempt_it_is_given_up() -> None:
    async with receiver(answer(500)) as there:
        assert isinstance(await try_to(there.url, number=MAX_ATTEMPTS - 1), Retry)
        assert await try_to(there.url, number=MAX_ATTEMPTS) == GaveUp("status 500")


@pytest.mark.parametrize(
    ("asked", "at_least_s", "at_most_s"),
    [
        ("120", 120, 120),
        ("1", 4.5, 5.5),
        ("99999999999999999999", DAY_S, DAY_S),
        ("Sat, 31 Jan 2026 12:10:00 GMT", 600, 600),
        ("Sat, 31 Jan 2026 12:10:00 -0000", 600, 600),
        ("Fri, 31 Dec 9999 23:59:59 GMT", DAY_S, DAY_S),
        ("Sat, 31 Jan 2026 11:00:00 GMT", 4.5, 5.5),
        ("-5", 4.5, 5.5),
        ("soon", 4.5, 5.5),
        ("", 4.5, 5.5),
    ],
)
async def test_retry_after_is_honoured_within_a_day(
    asked: str, at_least_s: float, at_most_s: float
) -> None:
    async with receiver(answer(503, f"Retry-After: {asked}")) as there:
        outcome = await try_to(there.url)
    assert isinstance(outcome, Retry)
    assert at_least_s <= outcome.after_s <= at_most_s


@given(
    st.text()
    | st.datetimes().map(lambda at: at.strftime("%a, %d %b %Y %H:%M:%S +9999"))
    | st.integers().map("Sat, 31 Jan 2026 12:10:00 +{}".format)
    | st.integers().map("Sat, 31 Jan {} 12:10:00 GMT".format)
)
def test_no_retry_after_breaks_the_schedule(text: str) -> None:
    wait = under_test._retry_after_s(Reply(503, {"retry-after": text}, b""), NOW)
    assert 0 <= wait <= DAY_S


def test_the_attempts_spread_over_three_days() -> None:
    waits = [wait_s("msg_1", number) for number in range(1, MAX_ATTEMPTS)]
    assert 2.8 * DAY_S < sum(waits) < 3.6 * DAY_S
    assert waits == sorted(waits)
    assert waits[0] < 6


def test_messages_that_failed_together_are_not_tried_together() -> None:
    waits = {wait_s(f"msg_{number}", 3) for number in range(50)}
    assert len(waits) == 50
    assert wait_s("msg_1", 3) == wait_s("msg_1", 3)


async def test_what_is_sent_is_json_of_the_kind_receivers_expect() -> None:
    async with receiver() as there:
        await try_to(there.url)
    _, body = parts(there.requests[0])
    assert set(json.loads(body)) == {"type", "timestamp", "data"}
