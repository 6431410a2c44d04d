"""Tools as data: what is offered, how calls are read, what came of them."""

import json
import warnings

import pytest

from pipeline.errors import ToolInvalid
from pipeline.ports import Act, Message
from pipeline.tools import (
    Result,
    ToolSpec,
    check_links,
    offered,
    read_calls,
    read_result,
    result,
    written,
)

CONTACTS = {"Desk": "+14155550100", "Joe": "joe@vello.io", "Floor": "sip:floor@pbx.example"}
LOOK_UP = ToolSpec("look_up", "finds an order", {"properties": {"order": {"type": "integer"}}})


def choices(name: str) -> object:
    """Whom a tool may reach."""
    specs = {spec.name: spec for spec in offered((), CONTACTS)}
    properties = specs[name].parameters["properties"]
    assert isinstance(properties, dict)
    return properties["to"]["enum"]


def test_a_tool_reaches_only_contacts_of_its_kind() -> None:
    assert choices("send_sms") == ["Desk"]
    assert choices("send_email") == ["Joe"]
    assert choices("transfer") == ["Desk", "Floor"]


def test_without_a_contact_nothing_reaches_anybody_else() -> None:
    names = {spec.name for spec in offered((), {})}
    assert names == {"end_call", "send_message", "escalate", "schedule_callback", "press_digits"}


def test_the_operators_tool_replaces_a_built_in_one_but_not_the_end() -> None:
    own = [ToolSpec(name, "mine", {}) for name in ("send_sms", "end_call")]
    tools = {spec.name: spec.description for spec in offered(own, CONTACTS)}
    assert tools["send_sms"] == "mine"
    assert tools["end_call"] != "mine"


@pytest.mark.parametrize(
    ("name", "parameters", "why"),
    [
        ("send it", {}, "name"),
        ("x", {"type": "strin"}, "parameters"),
        ("x", {"type": "string"}, "must be object"),
        ("x", {"properties": {"a": {"$ref": "http://10.0.0.1/x"}}}, "another document"),
        ("x", {"properties": {"a": {"enum": []}}}, "no value"),
    ],
)
def test_a_tool_that_cannot_be_used_is_refused(
    name: str, parameters: dict[str, object], why: str
) -> None:
    with pytest.raises(ToolInvalid, match=why):
        ToolSpec.parse(name, "", parameters)


def test_a_reference_within_the_schema_is_followed() -> None:
    spec = ToolSpec.parse("x", "", {
        "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"type": "integer"}}
    })  # fmt: skip
    assert spec.check({"a": 1}) == {"a": 1}
    with pytest.raises(ToolInvalid, match=r"\$\.a"):
        spec.check({"a": "one"})


def test_what_does_not_fit_is_named_without_its_value() -> None:
    with pytest.raises(ToolInvalid) as caught:
        LOOK_UP.check({"order": "+14155550199"})
    assert "$.order" in str(caught.value)
    assert "4155" not in str(caught.value)


def test_calls_are_read_in_their_order() -> None:
    text = written("look_up", {"order": 7}) + "\n" + written("end_call", {"reason": "screening"})
    assert read_calls(text.removeprefix("<tool>"), offered((LOOK_UP,), {})) == (
        Act("look_up", {"order": 7}),
        Act("end_call", {"reason": "screening"}),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "7",
        '{"name": "look_up"}',
        '{"name": "look_up", "order": 7}',
        '{"name": "look_up", "arguments": {"order": "7"}}',
        '{"name": "look_up", "arguments": []}',
        '{"name": ["look_up"], "arguments": {}}',
        '{"name": "rm", "arguments": {}}',
        '{"name": "look_up", "arguments": {"order": 7',
        '{"name": "look_up", "arguments": {"order": 7}} and so on',
    ],
)
def test_a_call_is_read_to_the_letter_or_not_at_all(text: str) -> None:
    with pytest.raises(ToolInvalid):
        read_calls(text, (LOOK_UP,))


BRIEF = "Pay at https://pay.vello.io/inv/7. Write to joe@vello.io."


@pytest.mark.parametrize(
    "text",
    ["Here: https://pay.vello.io/inv/7\nBye", "pay.vello.io/inv/7.", "or joe@vello.io, at 7 p.m.",
     "It is $3.50, e.g. on Monday."],
)  # fmt: skip
def test_an_address_of_the_brief_may_be_sent(text: str) -> None:
    check_links([Act("send_message", {"text": text})], (), BRIEF)


@pytest.mark.parametrize(
    "text",
    ["https://evil.example", "see evil.com/x", "www.evil.net", "o.io", "eve@vello.io",
     "https://pay.vello.io/inv/7@evil.com", "HTTP://EVIL.COM", "pay.vello.io.evil.com/inv/7"],
)  # fmt: skip
def test_an_address_dictated_on_the_phone_is_not_sent(text: str) -> None:
    with pytest.raises(ToolInvalid, match="brief"):
        check_links([Act("send_message", {"text": text})], (), BRIEF)


def test_the_operators_own_function_may_take_down_an_address() -> None:
    own = ToolSpec("subscribe", "", {"properties": {"mail": {"type": "string"}}})
    check_links([Act("subscribe", {"mail": "eve@x.com"})], (own,), BRIEF)


def test_a_trigger_within_an_argument_is_text() -> None:
    spec = ToolSpec("note", "", {"properties": {"text": {"type": "string"}}})
    acts = read_calls(written("note", {"text": "a <tool> b"}).removeprefix("<tool>"), (spec,))
    assert acts == (Act("note", {"text": "a <tool> b"}),)


def test_a_result_is_a_message_and_back() -> None:
    message = result(Act("look_up", {"order": 7}), ok=False, value="timeout")
    assert message.role == "tool"
    assert read_result(message) == Result("look_up", {"order": 7}, ok=False, value="timeout")
    for content in ("", "[]", json.dumps({"name": "x"})):
        with pytest.raises(ToolInvalid):
            read_result(Message("tool", content))


def test_nothing_is_fetched_for_a_schema() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ToolInvalid):
            ToolSpec.parse("x", "", {"$dynamicRef": "https://example.com/schema"})


def test_the_built_in_tools_can_be_used() -> None:
    for spec in offered((), CONTACTS):
        assert ToolSpec.parse(spec.name, spec.description, spec.parameters) == spec
