"""Filters: what they mean, and that no text and no event gets the better of them."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.calls.webhooks.errors import FilterInvalid
from server.calls.webhooks.filters import MAX_CHARS, MAX_DEPTH, compile_filter

SCOPE: dict[str, Any] = {
    "event": {"type": "call.ended", "seq": 7, "data": {"duration_s": 31.5}},
    "call": {
        "ended_reason": "agent_hangup",
        "metadata": {"order-id": "A1", "vip": True, "tags": ["new", 2, None], "in": 1},
        "sip_status": 200,
        "summary": None,
        "to": "+14165550123",
    },
    "data": {"duration_s": 31.5, "content": "I want a refund", "digits": "", "zero": 0},
}
TRUE = [
    "event.type == 'call.ended' and call.ended_reason != 'dial_busy'",
    "data.duration_s > 30",
    "'refund' in data.content",
    'event.type == "call.ended"',
    "event.data.duration_s == data.duration_s",
    "data.duration_s >= 31.5 and data.duration_s <= 31.5",
    "event.seq == 7.0 and event.seq < 8 and event.seq > -1 and event.seq != 7e1",
    "event.type in ['call.ended', 'call.analyzed']",
    "event.type not in ['call.ringing']",
    "not (event.type == 'call.ringing' or event.type == 'call.answered')",
    "call.metadata.vip",
    "call.metadata.vip == true and call.metadata.vip == True",
    "call.metadata.order-id == 'A1'",
    "call.metadata.in == 1",
    "2 in call.metadata.tags and null in call.metadata.tags",
    "'vip' in call.metadata",
    "call.summary == null and call.nothing == null and call.nothing.at.all == None",
    "call.ended_reason.deeper == null",
    "not data.digits and not data.zero and not call.summary and not []",
    "'it\\'s' == \"it's\" and '\\\\' != '/'",
    "false or true and true",
    "true or true and false",
    "not false and not not true",
    "not 1 == 2",
    "(1 < 2) == true",
    "call.to > '+1' and call.to < '+2'",
    " true ",
]
FALSE = [
    "data.duration_s > 60",
    "'Refund' in data.content",
    "1 == true or 0 == false or '1' == 1 or null == false or '' == null",
    "call.nothing > 0 or call.nothing < 0 or call.nothing >= call.nothing",
    "'a' < 1 or true > false or null <= null",
    "'x' in call.nothing or 1 in data.content or 1 in call.metadata or 'a' in 5",
    "call.metadata == call.metadata or call.metadata.tags == [] or [1] == [1]",
    "true in [1]",
    "call.metadata.__class__",
    "[]",
    "''",
    "0",
    "null",
]
BAD = [
    ("", 0, "value"),
    ("event.type ==", 13, "value"),
    ("event.type = 'a'", 11, "unexpected"),
    ("event.type == 'a", 14, "unexpected"),
    ("event.type == 'a' 'b'", 18, "end"),
    ("event.type == 'a' && true", 18, "unexpected"),
    ("1 < 2 < 3", 6, "end"),
    ("(true", 5, r"\)"),
    ("true)", 4, "end"),
    ("[1, 2", 5, r"\]"),
    ("1 in [1,]", 8, "value"),
    ("1 in [event.type]", 6, "value"),
    ("event.type not 'a'", 15, "in"),
    ("and true", 0, "value"),
    ("true or", 7, "value"),
    ("type == 'a'", 0, "none of"),
    ("__import__('os')", 0, "none of"),
    ("event.__class__()", 15, "end"),
    ("event['type']", 5, "end"),
    ("event.", 5, "unexpected"),
    ("9 ** 9", 2, "unexpected"),
    ("9 * 9", 2, "unexpected"),
    ("9 + 9", 2, "unexpected"),
    ("9 - 9", 2, "unexpected"),
    ("lambda x", 0, "none of"),
    ("f'{event}'", 0, "none of"),
    ("event.type == 0x10", 14, "unexpected"),
    ("event.type == 1_000", 14, "unexpected"),
    ("event.type == 1e999", 14, "too large"),
    ("event.type == '\\n'", 14, "unexpected"),
    ("not " * (MAX_DEPTH + 1) + "true", 4 * MAX_DEPTH, "deeper"),
    ("(" * (MAX_DEPTH + 1) + "true" + ")" * (MAX_DEPTH + 1), MAX_DEPTH, "deeper"),
    ("true or " * 63, MAX_CHARS, "longer"),
    ("event.type == '\x00'\x00", 17, "unexpected"),
]


@pytest.mark.parametrize("text", TRUE)
def test_an_expression_that_holds_matches(text: str) -> None:
    assert compile_filter(text).matches(SCOPE) is True


@pytest.mark.parametrize("text", FALSE)
def test_an_expression_that_does_not_hold_does_not_match(text: str) -> None:
    assert compile_filter(text).matches(SCOPE) is False


@pytest.mark.parametrize(("text", "position", "why"), BAD)
def test_what_is_no_filter_is_refused_with_its_position(text: str, position: int, why: str) -> None:
    with pytest.raises(FilterInvalid, match=why) as refusal:
        compile_filter(text)
    assert refusal.value.position == position
    assert str(refusal.value).startswith(f"at character {position + 1}: ")


def test_the_deepest_and_longest_filters_allowed_are_answered() -> None:
    deep = "(" * MAX_DEPTH + "true" + ")" * MAX_DEPTH
    wide = " or ".join(["false"] * 54 + ["true"])
    assert compile_filter(deep).matches({})
    assert len(wide) <= MAX_CHARS
    assert compile_filter(wide).matches({})


def test_a_scope_without_the_roots_is_all_null() -> None:
    assert compile_filter("event.type == null and not call and not data").matches({})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["a", "b", "type", "data"]) | st.text(), inner, max_size=4
        )
    ),
    max_leaves=20,
)
words = st.sampled_from(
    "event call data event.type data.a call.b.a true false null and or not in ( ) [ ] , "
    "== != < <= > >= 'a' \"b\" 1 -2.5 3e2 '' \\ . ** + é \x00".split(" ")
)
operands = st.one_of(
    st.sampled_from(["event.type", "data.a", "call.b.a", "data", "true", "false", "null", "[]"]),
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.text(max_size=5).map(
        lambda text: "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    ),
)
comparisons = st.tuples(
    operands, st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"]), operands
).map(" ".join)
expressions = st.recursive(
    operands | comparisons,
    lambda inner: (
        inner.map("not {}".format)
        | inner.map("({})".format)
        | st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join)
    ),
    max_leaves=6,
).filter(lambda text: len(text) < MAX_CHARS // 2)
scopes = st.fixed_dictionaries({"event": json_values, "call": json_values, "data": json_values})


@given(st.text() | st.lists(words).map(" ".join) | st.lists(words).map("".join), scopes)
@example("(" * 5000, {})
@example("[" * 500, {})
@example("-" * 500, {})
@example("9" * 500 + " > data.a", {"data": {"a": 1.5}})
def test_any_text_is_a_filter_or_the_typed_error(text: str, scope: dict[str, Any]) -> None:
    try:
        compiled = compile_filter(text)
    except FilterInvalid as refusal:
        position = refusal.position
    else:
        position = 0
        assert compiled.matches(scope) in (True, False)
    assert 0 <= position <= len(text)


@given(expressions, scopes)
def test_every_filter_answers_every_event(text: str, scope: dict[str, Any]) -> None:
    answer = compile_filter(text).matches(scope)
    assert compile_filter(f"not ({text})").matches(scope) is not answer
    assert compile_filter(f"({text}) and ({text})").matches(scope) is answer
    assert compile_filter(f"({text}) or false").matches(scope) is answer


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20)))
def test_equality_is_that_of_json(value: object) -> None:
    literal = json.dumps(value) if not isinstance(value, str) else repr_text(value)
    equal = compile_filter(f"data.a == {literal}")
    assert equal.matches({"data": {"a": value}})
    assert not equal.matches({"data": {"a": [value]}})


def repr_text(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
