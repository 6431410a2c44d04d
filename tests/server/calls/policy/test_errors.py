"""What a program can read from a refusal."""

import pytest

from server.calls.policy.errors import (
    Blocked,
    InjectionFound,
    NoCallingHour,
    NumberRefused,
    PolicyError,
    RulesInvalid,
)


@pytest.mark.parametrize(
    ("error", "code", "field"),
    [
        (NumberRefused("self_call", "ours"), "self_call", "to"),
        (NumberRefused("self_call", "ours", "to.1"), "self_call", "to.1"),
        (Blocked("fraud", "objective"), "content_blocked", "objective"),
        (InjectionFound("override", "task.goal"), "prompt_injection", "task.goal"),
        (NoCallingHour("none"), "no_calling_hour", "to"),
        (RulesInvalid("bad", "hours"), "rules_invalid", "hours"),
    ],
)
def test_every_refusal_has_a_code_a_message_and_a_field(
    error: PolicyError, code: str, field: str
) -> None:
    assert (error.code, error.field) == (code, field)
    assert error.message == str(error) != ""
