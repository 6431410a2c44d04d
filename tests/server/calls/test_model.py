"""What a request may say."""

import pytest
from pydantic import ValidationError

from server.calls.request import CallRequest


def test_a_request_comes_back_from_json_as_it_was() -> None:
    request = CallRequest.model_validate(
        {
            "to": "+14165550123",
            "from": "+14165550124",
            "task": {"goal": "Collect", "facts": {"a": "x", "n": 1, "f": 1.5, "b": True}},
            "metadata": {"deep": [{"x": None}]},
        }
    )
    assert CallRequest.model_validate_json(request.model_dump_json()) == request
    assert request.task is not None
    assert list(map(type, request.task.facts.values())) == [str, int, float, bool]


@pytest.mark.parametrize(
    "number",
    ["+14165550123", "+16478359044", "+442079460018", "+4930901820", "+81312345678", "+6434795000"],
)
def test_real_looking_numbers_of_many_countries_are_taken(number: str) -> None:
    assert CallRequest(to=number, objective="x").to == number


@pytest.mark.parametrize(
    "uri",
    [
        "sip:",
        "sip:alice",
        "sip:@host",
        "sip:a b@host",
        "sip:a@host>",
        "sip:a@host;transport=tcp",
        "sip:a@host?X=y",
        "sip:a@b@c",
        "sips:a@host",
        "tel:+14165550123",
        "sip:a@b:99999",
        "sip:alice@[::",
        "sip:alice@[::1]]",
        "sip:alice@2001:db8::1",
    ],
)
def test_a_sip_uri_is_user_and_host_only(uri: str) -> None:
    with pytest.raises(ValidationError):
        CallRequest(to=uri, objective="x")


@pytest.mark.parametrize(
    "uri", ["sip:alice@example.com", "sip:a.b-c@[::1]:5062", "sip:+1@10.0.0.1"]
)
def test_a_plain_sip_uri_is_taken(uri: str) -> None:
    assert CallRequest(to=uri, objective="x").to == uri


@pytest.mark.parametrize(
    "name", ["Ava\r\nX: y", "Ava\x00", "Ava\t", "Ava\x7f", "Ava\x85", "\ud800"]
)
def test_a_name_that_goes_into_a_sip_header_is_one_line_of_text(name: str) -> None:
    with pytest.raises(ValidationError):
        CallRequest(to="+14165550123", objective="x", agent_name=name)


def test_facts_are_limited_in_bytes_not_characters() -> None:
    facts = {str(number): "é" * 300 for number in range(7)}
    with pytest.raises(ValidationError, match="4096 bytes"):
        CallRequest.model_validate({"to": "+14165550123", "task": {"goal": "x", "facts": facts}})
